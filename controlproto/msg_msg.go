package controlproto

import (
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

var msgActions = []Spec{
	{Action: "msg", Request: func() Message { return new(Msg) }, Replies: RepliesIfAsked, Echo: EchoBoth},
	{Action: "toast", Request: func() Message { return new(Toast) }, Replies: RepliesIfAsked, Echo: EchoResponseID},
	{Action: "getClip", Request: func() Message { return new(GetClip) }, Replies: RepliesNever},
	{Action: "setClip", Request: func() Message { return new(SetClip) }, Replies: RepliesNever},
	{Action: "pushmessage", Request: func() Message { return new(PushMessage) }, Replies: RepliesNever},
	{Action: "pushconsole", Request: func() Message { return new(PushConsole) }, Replies: RepliesNever},
	{
		Action: "endDesktopMultiplex", Request: func() Message { return new(EndDesktopMultiplex) },
		Replies: RepliesOnError, Echo: EchoResponseID, ErrorAs: []string{"changeusernotify"},
	},
}

// TypedMessage is a message that "type" tells apart from others of the same action. It is written and read
// by this package, not a field.
type TypedMessage interface {
	Message
	MsgType() string
}

// Msg is a message for a device's agent, in general: what is in it depends on Type and is in Extra. The structs
// named Msg... are the known types. Client to server. Needs [RemoteControl] or [RemoteViewOnly] on the device,
// and more for some types.
//
//	{"action":"msg","type":"ps","nodeid":"node//...","responseid":"x"}
//
// Answers "OK" when the agent was handed it, done or not, and "Unable to route" when the agent is not connected or the
// account lacks the rights; that may come after an "OK" too. What agents say comes as messages of the same action, see
// [ParseAgentMessage]. (meshuser.js, case 'msg' and routeCommandToNode)
type Msg struct {
	DeviceID ID                         `json:"nodeid"`
	Type     string                     `json:"type"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*Msg) Action() string { return "msg" }

func (*Msg) reply() *Result { return new(Result) }

// ParseDeviceMessage decodes an operator's "msg" into the struct for its type, or a [Msg].
func ParseDeviceMessage(e Envelope) (Message, error) {
	return parseTyped(e, deviceMessages)
}

// parseTyped decodes by "type".
func parseTyped(e Envelope, known func(typ string) Message) (Message, error) {
	general := new(Msg)
	if err := e.Decode(general); err != nil {
		return nil, err
	}
	m := known(general.Type)
	if m == nil {
		return general, nil
	}
	return m, e.Decode(m)
}

func deviceMessages(typ string) Message {
	switch typ {
	case "tunnel":
		return new(MsgTunnel)
	case "console":
		return new(MsgConsole)
	case "messagebox":
		return new(MsgMessageBox)
	case "alertbox":
		return new(MsgAlertBox)
	case "openUrl":
		return new(MsgOpenURL)
	case "ps":
		return new(MsgListProcesses)
	case "psinfo":
		return new(MsgGetProcess)
	case "pskill":
		return new(MsgKillProcess)
	case "services":
		return new(MsgListServices)
	case "service":
		return new(MsgGetService)
	case "serviceStop":
		return new(MsgStopService)
	case "serviceStart":
		return new(MsgStartService)
	case "serviceRestart":
		return new(MsgRestartService)
	case "getclip":
		return new(MsgGetClipboard)
	case "setclip":
		return new(MsgSetClipboard)
	case "userSessions":
		return new(MsgListUserSessions)
	case "cpuinfo":
		return new(MsgGetCPUInfo)
	case "deskBackground":
		return new(MsgToggleBackground)
	case "endtunnel":
		return new(MsgEndTunnel)
	case "localapp":
		return new(MsgLocalApp)
	case "sysinfo":
		return new(MsgSendSysInfo)
	}
	return nil
}

// MsgTunnel has the agent open a tunnel (see the relay protocol). The URL must name the same device, or all is dropped
// silently. Tunnels for terminals are refused with [NoTerminal], those for files with [NoFiles].
//
//	{"action":"msg","type":"tunnel","nodeid":"node//...","usage":1,"value":"*/meshrelay.ashx?p=1&nodeid=node//...&id=x&rauth=...",
//	 "responseid":"x"}
//
// A URL that starts with "*/" is on the server that the agent is connected to.
type MsgTunnel struct {
	DeviceID ID                         `json:"nodeid"`
	Usage    int                        `json:"usage"` // nobody looks at it
	URL      SecretURL                  `json:"value"`
	TCPAddr  string                     `json:"tcpaddr"` // for tunnels to another port of the device, or from it to another machine
	TCPPort  uint16                     `json:"tcpport"`
	UDPAddr  string                     `json:"udpaddr"`
	UDPPort  uint16                     `json:"udpport"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgTunnel) Action() string { return "msg" }

// MsgType is "tunnel".
func (*MsgTunnel) MsgType() string { return "tunnel" }

func (*MsgTunnel) reply() *Result { return new(Result) }

// MsgConsole is a command for the agent's own console, and in the other direction a line from there, or of the output
// of commands. Agents want [RemoteControl] and [AgentConsole].
//
//	{"action":"msg","type":"console","nodeid":"node//...","value":"info"}
type MsgConsole struct {
	DeviceID ID                         `json:"nodeid"`
	Value    string                     `json:"value,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgConsole) Action() string { return "msg" }

// MsgType is "console".
func (*MsgConsole) MsgType() string { return "console" }

func (*MsgConsole) reply() *Result { return new(Result) }

// MsgMessageBox shows a window with a text to who uses the device.
//
//	{"action":"msg","type":"messagebox","nodeid":"node//...","title":"MeshCentral","msg":"hello","timeout":120000}
type MsgMessageBox struct {
	DeviceID ID                         `json:"nodeid"`
	Title    string                     `json:"title"`
	Msg      string                     `json:"msg"`
	Timeout  *time.Duration             `json:"timeout,msecs"` // nil: two minutes; 0: until it is closed
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgMessageBox) Action() string { return "msg" }

// MsgType is "messagebox".
func (*MsgMessageBox) MsgType() string { return "messagebox" }

func (*MsgMessageBox) reply() *Result { return new(Result) }

// MsgAlertBox shows a window with a text, by other means of the system.
//
//	{"action":"msg","type":"alertbox","nodeid":"node//...","title":"note","msg":"hello"}
type MsgAlertBox struct {
	DeviceID ID                         `json:"nodeid"`
	Title    string                     `json:"title"`
	Msg      string                     `json:"msg"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgAlertBox) Action() string { return "msg" }

// MsgType is "alertbox".
func (*MsgAlertBox) MsgType() string { return "alertbox" }

func (*MsgAlertBox) reply() *Result { return new(Result) }

// MsgOpenURL opens a page in the browser of who uses the device. Answered by [MsgURLOpened].
//
//	{"action":"msg","type":"openUrl","nodeid":"node//...","url":"https://example.com/","responseid":"x"}
type MsgOpenURL struct {
	DeviceID ID                         `json:"nodeid"`
	URL      string                     `json:"url"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgOpenURL) Action() string { return "msg" }

// MsgType is "openUrl".
func (*MsgOpenURL) MsgType() string { return "openUrl" }

func (*MsgOpenURL) reply() *Result { return new(Result) }

// MsgListProcesses is answered by [MsgProcesses].
//
//	{"action":"msg","type":"ps","nodeid":"node//..."}
type MsgListProcesses struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgListProcesses) Action() string { return "msg" }

// MsgType is "ps".
func (*MsgListProcesses) MsgType() string { return "ps" }

func (*MsgListProcesses) reply() *Result { return new(Result) }

// MsgGetProcess is answered by [MsgProcess].
//
//	{"action":"msg","type":"psinfo","nodeid":"node//...","pid":1}
type MsgGetProcess struct {
	DeviceID ID                         `json:"nodeid"`
	PID      int                        `json:"pid,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgGetProcess) Action() string { return "msg" }

// MsgType is "psinfo".
func (*MsgGetProcess) MsgType() string { return "psinfo" }

func (*MsgGetProcess) reply() *Result { return new(Result) }

// MsgKillProcess ends a process. No answer.
//
//	{"action":"msg","type":"pskill","nodeid":"node//...","value":"4711|sleep"}
type MsgKillProcess struct {
	DeviceID ID                         `json:"nodeid"`
	Value    string                     `json:"value"` // "PID" or "PID|NAME"
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgKillProcess) Action() string { return "msg" }

// MsgType is "pskill".
func (*MsgKillProcess) MsgType() string { return "pskill" }

func (*MsgKillProcess) reply() *Result { return new(Result) }

// MsgListServices is answered by [MsgServices].
//
//	{"action":"msg","type":"services","nodeid":"node//..."}
type MsgListServices struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgListServices) Action() string { return "msg" }

// MsgType is "services".
func (*MsgListServices) MsgType() string { return "services" }

func (*MsgListServices) reply() *Result { return new(Result) }

// MsgGetService is answered by [MsgService].
//
//	{"action":"msg","type":"service","nodeid":"node//...","serviceName":"cron"}
type MsgGetService struct {
	DeviceID ID                         `json:"nodeid"`
	Name     string                     `json:"serviceName"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgGetService) Action() string { return "msg" }

// MsgType is "service".
func (*MsgGetService) MsgType() string { return "service" }

func (*MsgGetService) reply() *Result { return new(Result) }

// MsgStopService stops a service. No answer.
//
//	{"action":"msg","type":"serviceStop","nodeid":"node//...","serviceName":"cron"}
type MsgStopService struct {
	DeviceID ID                         `json:"nodeid"`
	Name     string                     `json:"serviceName"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgStopService) Action() string { return "msg" }

// MsgType is "serviceStop".
func (*MsgStopService) MsgType() string { return "serviceStop" }

func (*MsgStopService) reply() *Result { return new(Result) }

// MsgStartService starts a service. No answer.
//
//	{"action":"msg","type":"serviceStart","nodeid":"node//...","serviceName":"cron"}
type MsgStartService struct {
	DeviceID ID                         `json:"nodeid"`
	Name     string                     `json:"serviceName"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgStartService) Action() string { return "msg" }

// MsgType is "serviceStart".
func (*MsgStartService) MsgType() string { return "serviceStart" }

func (*MsgStartService) reply() *Result { return new(Result) }

// MsgRestartService stops and starts a service. No answer.
//
//	{"action":"msg","type":"serviceRestart","nodeid":"node//...","serviceName":"cron"}
type MsgRestartService struct {
	DeviceID ID                         `json:"nodeid"`
	Name     string                     `json:"serviceName"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgRestartService) Action() string { return "msg" }

// MsgType is "serviceRestart".
func (*MsgRestartService) MsgType() string { return "serviceRestart" }

func (*MsgRestartService) reply() *Result { return new(Result) }

// MsgGetClipboard is answered by [MsgClipboard], which repeats "tag". Silent where the domain's settings forbid it.
//
//	{"action":"msg","type":"getclip","nodeid":"node//...","tag":1}
type MsgGetClipboard struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgGetClipboard) Action() string { return "msg" }

// MsgType is "getclip".
func (*MsgGetClipboard) MsgType() string { return "getclip" }

func (*MsgGetClipboard) reply() *Result { return new(Result) }

// MsgSetClipboard is answered by [MsgClipboardSet]. Silent where the domain's settings forbid it.
//
//	{"action":"msg","type":"setclip","nodeid":"node//...","data":"text"}
type MsgSetClipboard struct {
	DeviceID ID                         `json:"nodeid"`
	Data     string                     `json:"data,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgSetClipboard) Action() string { return "msg" }

// MsgType is "setclip".
func (*MsgSetClipboard) MsgType() string { return "setclip" }

func (*MsgSetClipboard) reply() *Result { return new(Result) }

// MsgListUserSessions is answered by [MsgUserSessions], which repeats "tag".
//
//	{"action":"msg","type":"userSessions","nodeid":"node//...","tag":1}
type MsgListUserSessions struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgListUserSessions) Action() string { return "msg" }

// MsgType is "userSessions".
func (*MsgListUserSessions) MsgType() string { return "userSessions" }

func (*MsgListUserSessions) reply() *Result { return new(Result) }

// MsgGetCPUInfo is answered by [MsgCPUInfo], which repeats "tag".
//
//	{"action":"msg","type":"cpuinfo","nodeid":"node//...","tag":1}
type MsgGetCPUInfo struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgGetCPUInfo) Action() string { return "msg" }

// MsgType is "cpuinfo".
func (*MsgGetCPUInfo) MsgType() string { return "cpuinfo" }

func (*MsgGetCPUInfo) reply() *Result { return new(Result) }

// MsgToggleBackground takes the picture off the desktop or puts it back. Answered by [MsgBackground].
//
//	{"action":"msg","type":"deskBackground","nodeid":"node//..."}
type MsgToggleBackground struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgToggleBackground) Action() string { return "msg" }

// MsgType is "deskBackground".
func (*MsgToggleBackground) MsgType() string { return "deskBackground" }

func (*MsgToggleBackground) reply() *Result { return new(Result) }

// MsgEndTunnel ends somebody's tunnels. Takes full rights, except for the account's own. No answer.
//
//	{"action":"msg","type":"endtunnel","nodeid":"node//...","xuserid":"user//bob","protocol":"kvm"}
type MsgEndTunnel struct {
	DeviceID  ID                         `json:"nodeid"`
	UserID    ID                         `json:"xuserid"`
	GuestName string                     `json:"guestname"`
	Protocol  string                     `json:"protocol"` // "kvm", "terminal", "files", "tcp", "udp"
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgEndTunnel) Action() string { return "msg" }

// MsgType is "endtunnel".
func (*MsgEndTunnel) MsgType() string { return "endtunnel" }

func (*MsgEndTunnel) reply() *Result { return new(Result) }

// MsgLocalApp is for an application on the device that registered with the agent.
//
//	{"action":"msg","type":"localapp","nodeid":"node//...","appid":"assistant","value":{}}
type MsgLocalApp struct {
	DeviceID ID                         `json:"nodeid"`
	AppID    json.RawMessage            `json:"appid"`
	Value    json.RawMessage            `json:"value"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgLocalApp) Action() string { return "msg" }

// MsgType is "localapp".
func (*MsgLocalApp) MsgType() string { return "localapp" }

func (*MsgLocalApp) reply() *Result { return new(Result) }

// MsgSendSysInfo has the agent read its hardware again. A [SysInfoHashEvent] goes out when it has changed.
//
//	{"action":"msg","type":"sysinfo","nodeid":"node//..."}
type MsgSendSysInfo struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgSendSysInfo) Action() string { return "msg" }

// MsgType is "sysinfo".
func (*MsgSendSysInfo) MsgType() string { return "sysinfo" }

func (*MsgSendSysInfo) reply() *Result { return new(Result) }

// Toast shows a short text to who uses the devices. Client to server. Needs [ChatNotify].
//
//	{"action":"toast","nodeids":["node//..."],"title":"MeshCentral","msg":"hello","responseid":"x"}
//
// Answers "ok" at once, then "Access Denied" for each device where that is so; "Invalid nodeids", "Invalid message".
// (meshuser.js, case 'toast')
type Toast struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Title     string                     `json:"title"` // at most 512 characters
	Msg       string                     `json:"msg"`   // at most 4096 characters
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "toast".
func (*Toast) Action() string { return "toast" }

func (*Toast) reply() *Result { return new(Result) }

// GetClip asks for the clipboard in the way of old agents, and is what they answer with Data. Both directions. Needs
// [RemoteControl]; silent if denied. (meshuser.js, serverCommandGetClip)
//
//	{"action":"getClip","nodeid":"node//..."}
//	{"action":"getClip","nodeid":"node//...","data":"text"}
type GetClip struct {
	DeviceID ID                         `json:"nodeid"`
	Data     string                     `json:"data"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "getClip".
func (*GetClip) Action() string { return "getClip" }

func (*GetClip) reply() *GetClip { return new(GetClip) }

// SetClip sets the clipboard in the way of old agents. Client to server; agents answer with Success. Needs
// [RemoteControl]; silent if denied. (meshuser.js, serverCommandSetClip)
//
//	{"action":"setClip","nodeid":"node//...","data":"text"}
//	{"action":"setClip","nodeid":"node//...","success":true}
type SetClip struct {
	DeviceID ID                         `json:"nodeid"`
	Data     string                     `json:"data"`
	Success  *bool                      `json:"success"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "setClip".
func (*SetClip) Action() string { return "setClip" }

func (*SetClip) reply() *SetClip { return new(SetClip) }

// PushMessage sends a message to a phone through Google's service. Client to server. Needs [ChatNotify]; whole id. No
// answer. (meshuser.js, case 'pushmessage')
//
//	{"action":"pushmessage","nodeid":"node//...","title":"note","msg":"hello"}
type PushMessage struct {
	DeviceID ID                         `json:"nodeid"`
	Title    string                     `json:"title"`
	Msg      string                     `json:"msg"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "pushmessage".
func (*PushMessage) Action() string { return "pushmessage" }

func (*PushMessage) reply() *Result { return new(Result) }

// PushConsole sends a phone a command for the agent's console through Google's service. Client to server. Needs full
// rights. Only a failure is told, by a [MsgConsole] with "Failed: ...". (meshuser.js, case 'pushconsole')
//
//	{"action":"pushconsole","nodeid":"node//...","console":"info"}
type PushConsole struct {
	DeviceID ID                         `json:"nodeid"`
	Console  string                     `json:"console"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "pushconsole".
func (*PushConsole) Action() string { return "pushconsole" }

func (*PushConsole) reply() *Result { return new(Result) }

// EndDesktopMultiplex ends somebody's part in a desktop session. Client to server. Needs full rights, except for own
// sessions. Errors come as "changeusernotify"; success is an [EndSessionEvent]. (meshuser.js, case
// 'endDesktopMultiplex')
//
//	{"action":"endDesktopMultiplex","nodeid":"node//...","xuserid":"user//bob"}
type EndDesktopMultiplex struct {
	DeviceID  ID                         `json:"nodeid"`
	UserID    ID                         `json:"xuserid"`
	GuestName string                     `json:"guestname"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "endDesktopMultiplex".
func (*EndDesktopMultiplex) Action() string { return "endDesktopMultiplex" }

func (*EndDesktopMultiplex) reply() *Result { return new(Result) }

// appendType appends the "type" of a TypedMessage.
func appendType(b []byte, m Message) []byte {
	if t, ok := m.(TypedMessage); ok {
		b = append(b, `,"type":`...)
		b = jsonrec.AppendString(b, t.MsgType())
	}
	return b
}
