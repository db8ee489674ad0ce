package agentproto

import "encoding/json"

// newServerMsg gives an empty message for a type of "msg" that servers send (meshcore.js, handleServerCommand).
func newServerMsg(typ string) JSONMessage {
	switch typ {
	case "tunnel":
		return new(TunnelRequest)
	case "endtunnel":
		return new(EndTunnel)
	case "console":
		return new(ConsoleCommand)
	case "messagebox":
		return new(MessageBox)
	case "alertbox":
		return new(AlertBox)
	case "ps":
		return new(GetProcesses)
	case "psinfo":
		return new(GetProcessInfo)
	case "pskill":
		return new(KillProcess)
	case "services":
		return new(GetServices)
	case "service":
		return new(GetService)
	case string(ServiceStop), string(ServiceStart), string(ServiceRestart):
		return new(ControlService)
	case "deskBackground":
		return new(ToggleDeskBackground)
	case "openUrl":
		return new(MsgOpenURL)
	case "getclip":
		return new(GetClipboard)
	case "setclip":
		return new(SetClipboard)
	case "userSessions":
		return new(GetUserSessions)
	case "cpuinfo":
		return new(GetCPUInfo)
	case "localapp":
		return new(LocalAppMsg)
	}
	return new(ServerMsg)
}

// UserContext tells an agent for whom the server asks. The server fills it in from its own knowledge; what a user's own
// command claimed is overwritten. An answer carries the same SessionID. meshuser.js, routeCommandToNode.
type UserContext struct {
	SessionID       string // user/DOMAIN/NAME/RANDOM
	UserID          string // user/DOMAIN/NAME
	Username        string
	RealName        string
	RemoteAddr      string // of the user
	Rights          uint32 // of the user on this device; all bits set is full control. RequestCoreDump sends it as a string
	Consent         uint32 // which notices and questions the local user is to see
	GuestName       string // of the guest, in a shared session
	GuestUserID     string
	PrivacyBarText  string
	DesktopViewOnly bool
}

func (u *UserContext) fields(c *jsonFields) {
	textField(c, "userid", &u.UserID, ruleID)
	textField(c, "sessionid", &u.SessionID, ruleID)
	bitsField(c, "rights", &u.Rights, false)
	bitsField(c, "consent", &u.Consent, u.UserID != "" && u.Rights != 0) // as the stock server does for users
	textField(c, "username", &u.Username, ruleLine)
	textField(c, "realname", &u.RealName, ruleLine)
	textField(c, "remoteaddr", &u.RemoteAddr, ruleLine)
	textField(c, "guestname", &u.GuestName, ruleLine)
	textField(c, "guestuserid", &u.GuestUserID, ruleID)
	textField(c, "privacybartext", &u.PrivacyBarText, rulePath)
	boolField(c, "desktopviewonly", &u.DesktopViewOnly, false)
}

// ServerMsg is a "msg" of a type that this package does not know. The agent's core ignores those it does not know either.
//
//	{"action":"msg","type":"...",...}
//
// Direction: server to agent.
type ServerMsg struct {
	Type string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*ServerMsg) Action() string { return "msg" }

func (m *ServerMsg) fields(c *jsonFields) {
	textField(c, "type", &m.Type, ruleID)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// TunnelRequest makes the agent open a relay connection: a terminal, files, a desktop, a TCP or UDP route, a transfer.
//
//	{"action":"msg","type":"tunnel","usage":1,"value":"*/meshrelay.ashx?p=5&nodeid=node//..&id=55de..&rauth=Jnh@..",
//	 "responseid":"meshctrl","servertlshash":"cc1e..","soptions":{},"userid":"user//admin","sessionid":"user//admin/ae79..",
//	 "rights":4294967295,"consent":0,"username":"admin","remoteaddr":"127.0.0.1"}
//
// Direction: server to agent. A URL that starts with "*/" is on the server of the control channel. The agent accepts the
// relay's certificate if it is that of the control channel or has ServerTLSHash (SHA-384 of the certificate, in
// hexadecimal). `$` and `@` in the URL must be percent-encoded before use. What the tunnel is for, the first message in it
// says; for a route TCPPort or UDPPort is set. meshcore.js, case 'tunnel'; meshuser.js, case 'msg'.
type TunnelRequest struct {
	Usage             int64
	URL               SecretURL
	ResponseID        string
	ServerTLSHash     string
	SOptions          *SessionOptions
	TCPAddr           string
	TCPPort           uint16
	UDPAddr           string
	UDPPort           uint16
	PerMessageDeflate *bool
	Tag               json.RawMessage
	UserContext
	Extra map[string]json.RawMessage
}

// SessionOptions are the texts and rules of the questions to the local user.
type SessionOptions struct {
	ConsentTitle       string
	ConsentMsgDesktop  string
	ConsentMsgTerminal string
	ConsentMsgFiles    string
	ConsentTimeout     int64 // seconds
	NotifyTitle        string
	NotifyMsgDesktop   string
	NotifyMsgTerminal  string
	NotifyMsgFiles     string

	// When no answer comes, or nobody is there, or the screen is locked. The stock server misspells the member for
	// ConsentAutoAcceptIfFileNoUser, so agents never see that one; its misspelling is kept in Extra.
	ConsentAutoAccept                 bool
	ConsentAutoAcceptIfNoUser         bool
	ConsentAutoAcceptIfDesktopNoUser  bool
	ConsentAutoAcceptIfTerminalNoUser bool
	ConsentAutoAcceptIfFileNoUser     bool
	ConsentAutoAcceptIfLocked         bool
	ConsentAutoAcceptIfDesktopLocked  bool
	ConsentAutoAcceptIfTerminalLocked bool
	ConsentAutoAcceptIfFileLocked     bool

	OldStyle bool // the simple dialog
	Extra    map[string]json.RawMessage
}

// Action is "msg".
func (*TunnelRequest) Action() string { return "msg" }

func (m *TunnelRequest) fields(c *jsonFields) {
	c.msgType("tunnel")
	intField(c, "usage", &m.Usage, false)
	urlField(c, "value", &m.URL, ruleURL)
	textField(c, "responseid", &m.ResponseID, ruleID)
	textField(c, "servertlshash", &m.ServerTLSHash, ruleID)
	objectField(c, "soptions", &m.SOptions, (*SessionOptions).fields)
	textField(c, "tcpaddr", &m.TCPAddr, ruleLine)
	intField(c, "tcpport", &m.TCPPort, false)
	textField(c, "udpaddr", &m.UDPAddr, ruleLine)
	intField(c, "udpport", &m.UDPPort, false)
	optBool(c, "perMessageDeflate", &m.PerMessageDeflate)
	rawField(c, "tag", &m.Tag)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

func (v *SessionOptions) fields(c *jsonFields) {
	textField(c, "consentTitle", &v.ConsentTitle, rulePath)
	textField(c, "consentMsgDesktop", &v.ConsentMsgDesktop, rulePath)
	textField(c, "consentMsgTerminal", &v.ConsentMsgTerminal, rulePath)
	textField(c, "consentMsgFiles", &v.ConsentMsgFiles, rulePath)
	intField(c, "consentTimeout", &v.ConsentTimeout, false)
	boolField(c, "consentAutoAccept", &v.ConsentAutoAccept, false)
	boolField(c, "consentAutoAcceptIfNoUser", &v.ConsentAutoAcceptIfNoUser, false)
	boolField(c, "consentAutoAcceptIfDesktopNoUser", &v.ConsentAutoAcceptIfDesktopNoUser, false)
	boolField(c, "consentAutoAcceptIfTerminalNoUser", &v.ConsentAutoAcceptIfTerminalNoUser, false)
	boolField(c, "consentAutoAcceptIfFileNoUser", &v.ConsentAutoAcceptIfFileNoUser, false)
	boolField(c, "consentAutoAcceptIfLocked", &v.ConsentAutoAcceptIfLocked, false)
	boolField(c, "consentAutoAcceptIfDesktopLocked", &v.ConsentAutoAcceptIfDesktopLocked, false)
	boolField(c, "consentAutoAcceptIfTerminalLocked", &v.ConsentAutoAcceptIfTerminalLocked, false)
	boolField(c, "consentAutoAcceptIfFileLocked", &v.ConsentAutoAcceptIfFileLocked, false)
	boolField(c, "oldStyle", &v.OldStyle, false)
	textField(c, "notifyTitle", &v.NotifyTitle, rulePath)
	textField(c, "notifyMsgDesktop", &v.NotifyMsgDesktop, rulePath)
	textField(c, "notifyMsgTerminal", &v.NotifyMsgTerminal, rulePath)
	textField(c, "notifyMsgFiles", &v.NotifyMsgFiles, rulePath)
	c.extra(&v.Extra)
}

// EndTunnel ends the sessions of one user.
//
//	{"action":"msg","type":"endtunnel","xuserid":"user//ann","protocol":"kvm","guestname":"..","rights":4294967295,...}
//
// Direction: server to agent. Protocol: kvm, terminal, files, tcp or udp. Needs full rights, or one's own sessions.
// meshcore.js, case 'endtunnel'.
type EndTunnel struct {
	XUserID  string // whose sessions
	Protocol string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*EndTunnel) Action() string { return "msg" }

func (m *EndTunnel) fields(c *jsonFields) {
	c.msgType("endtunnel")
	textField(c, "xuserid", &m.XUserID, ruleID)
	textField(c, "protocol", &m.Protocol, ruleLine)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// ConsoleCommand is a line for the agent's console; the answer is [ConsoleOutput].
//
//	{"action":"msg","type":"console","value":"help","rights":4294967295,"sessionid":"..."}
//
// Direction: server to agent. The core demands the bits 8 and 16 of Rights, and a SessionID. meshcore.js, case 'console'.
type ConsoleCommand struct {
	Value string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*ConsoleCommand) Action() string { return "msg" }

func (m *ConsoleCommand) fields(c *jsonFields) {
	c.msgType("console")
	textField(c, "value", &m.Value, ruleInner.always())
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// MessageBox shows a dialog on the device.
//
//	{"action":"msg","type":"messagebox","title":"..","msg":"..","timeout":120000,...}
//
// Direction: server to agent. Timeout is in milliseconds, 0 for none; absent is two minutes. meshcore.js, case
// 'messagebox'.
type MessageBox struct {
	Title   string
	Msg     string
	Timeout *int64
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*MessageBox) Action() string { return "msg" }

func (m *MessageBox) fields(c *jsonFields) {
	c.msgType("messagebox")
	textField(c, "title", &m.Title, ruleInner)
	textField(c, "msg", &m.Msg, ruleInner)
	optInt(c, "timeout", &m.Timeout)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// AlertBox shows a dialog of the old style on the device.
//
//	{"action":"msg","type":"alertbox","title":"..","msg":"..",...}
//
// Direction: server to agent. meshcore.js, case 'alertbox'.
type AlertBox struct {
	Title string
	Msg   string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*AlertBox) Action() string { return "msg" }

func (m *AlertBox) fields(c *jsonFields) {
	c.msgType("alertbox")
	textField(c, "title", &m.Title, ruleInner)
	textField(c, "msg", &m.Msg, ruleInner)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// GetProcesses asks for a [ProcessList].
//
//	{"action":"msg","type":"ps","sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'ps'.
type GetProcesses struct {
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*GetProcesses) Action() string { return "msg" }

func (m *GetProcesses) fields(c *jsonFields) {
	c.msgType("ps")
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// GetProcessInfo asks for a [ProcessInfo].
//
//	{"action":"msg","type":"psinfo","pid":1,"sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'psinfo'.
type GetProcessInfo struct {
	PID json.RawMessage // a number or a string; the answer repeats it
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*GetProcessInfo) Action() string { return "msg" }

func (m *GetProcessInfo) fields(c *jsonFields) {
	c.msgType("psinfo")
	rawField(c, "pid", &m.PID)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// KillProcess ends a process.
//
//	{"action":"msg","type":"pskill","value":"1234|notepad.exe",...}
//
// Direction: server to agent; a [LogEvent] tells of it. Value is the number, optionally with "|" and the name.
// meshcore.js, case 'pskill'.
type KillProcess struct {
	Value string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*KillProcess) Action() string { return "msg" }

func (m *KillProcess) fields(c *jsonFields) {
	c.msgType("pskill")
	textField(c, "value", &m.Value, ruleURL)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// GetServices asks for a [ServiceList].
//
//	{"action":"msg","type":"services","sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'services'.
type GetServices struct {
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*GetServices) Action() string { return "msg" }

func (m *GetServices) fields(c *jsonFields) {
	c.msgType("services")
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// GetService asks for a [ServiceInfo].
//
//	{"action":"msg","type":"service","serviceName":"ssh","sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'service'.
type GetService struct {
	ServiceName string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*GetService) Action() string { return "msg" }

func (m *GetService) fields(c *jsonFields) {
	c.msgType("service")
	textField(c, "serviceName", &m.ServiceName, ruleID)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// ServiceOp is what a [ControlService] does.
type ServiceOp string

// The operations on services.
const (
	ServiceStop    ServiceOp = "serviceStop"
	ServiceStart   ServiceOp = "serviceStart"
	ServiceRestart ServiceOp = "serviceRestart"
)

// ControlService stops, starts or restarts a service.
//
//	{"action":"msg","type":"serviceRestart","serviceName":"ssh",...}
//
// Direction: server to agent; there is no answer. meshcore.js, cases 'serviceStop', 'serviceStart', 'serviceRestart'.
type ControlService struct {
	Op          ServiceOp // the "type"
	ServiceName string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*ControlService) Action() string { return "msg" }

func (m *ControlService) fields(c *jsonFields) {
	textField(c, "type", &m.Op, ruleID.always())
	switch m.Op {
	case ServiceStop, ServiceStart, ServiceRestart:
	default:
		c.fail("type", ErrJSONField, "no operation on services")
	}
	textField(c, "serviceName", &m.ServiceName, ruleID)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// ToggleDeskBackground hides the desktop's picture, or brings it back; the answer is [DeskBackground].
//
//	{"action":"msg","type":"deskBackground","sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'deskBackground'.
type ToggleDeskBackground struct {
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*ToggleDeskBackground) Action() string { return "msg" }

func (m *ToggleDeskBackground) fields(c *jsonFields) {
	c.msgType("deskBackground")
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// MsgOpenURL opens a page in the local user's browser; the answer is [MsgOpenURLResult].
//
//	{"action":"msg","type":"openUrl","url":"https://example.com","sessionid":"...",...}
//
// Direction: server to agent. [OpenURL] is the same as an action. meshcore.js, case 'openUrl' of 'msg'.
type MsgOpenURL struct {
	URL string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*MsgOpenURL) Action() string { return "msg" }

func (m *MsgOpenURL) fields(c *jsonFields) {
	c.msgType("openUrl")
	textField(c, "url", &m.URL, ruleURL)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// GetClipboard asks for the [Clipboard].
//
//	{"action":"msg","type":"getclip","tag":1,"sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'getclip'.
type GetClipboard struct {
	Tag json.RawMessage
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*GetClipboard) Action() string { return "msg" }

func (m *GetClipboard) fields(c *jsonFields) {
	c.msgType("getclip")
	rawField(c, "tag", &m.Tag)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// SetClipboard writes the clipboard; the answer is [ClipboardSet].
//
//	{"action":"msg","type":"setclip","data":"text","sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'setclip'.
type SetClipboard struct {
	Data Secret
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*SetClipboard) Action() string { return "msg" }

func (m *SetClipboard) fields(c *jsonFields) {
	c.msgType("setclip")
	secretField(c, "data", &m.Data, ruleInner.always())
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// GetUserSessions asks for [UserSessions].
//
//	{"action":"msg","type":"userSessions","tag":0,"sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'userSessions'.
type GetUserSessions struct {
	Tag json.RawMessage
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*GetUserSessions) Action() string { return "msg" }

func (m *GetUserSessions) fields(c *jsonFields) {
	c.msgType("userSessions")
	rawField(c, "tag", &m.Tag)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// GetCPUInfo asks for [CPUInfo].
//
//	{"action":"msg","type":"cpuinfo","tag":"x","sessionid":"...",...}
//
// Direction: server to agent. meshcore.js, case 'cpuinfo'.
type GetCPUInfo struct {
	Tag json.RawMessage
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*GetCPUInfo) Action() string { return "msg" }

func (m *GetCPUInfo) fields(c *jsonFields) {
	c.msgType("cpuinfo")
	rawField(c, "tag", &m.Tag)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// LocalAppMsg is for programs on the device that registered with the agent, such as MeshCentral Assistant.
//
//	{"action":"msg","type":"localapp","appid":"..","value":{..},...}
//
// Direction: server to agent. Without AppID it goes to all of them. meshcore.js, case 'localapp'.
type LocalAppMsg struct {
	AppID string
	Value json.RawMessage
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*LocalAppMsg) Action() string { return "msg" }

func (m *LocalAppMsg) fields(c *jsonFields) {
	c.msgType("localapp")
	textField(c, "appid", &m.AppID, ruleID)
	rawField(c, "value", &m.Value)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}
