package controlproto

import (
	"encoding/json"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// ParseAgentMessage decodes a "msg" that comes from a device into the struct for its type, or a [Msg]. All of its texts
// are what the device says.
func ParseAgentMessage(e Envelope) (Message, error) {
	return parseTyped(e, agentMessages)
}

func agentMessages(typ string) Message {
	switch typ {
	case "console":
		return new(MsgConsole)
	case "runcommands":
		return new(MsgRunCommands)
	case "openUrl":
		return new(MsgURLOpened)
	case "ps":
		return new(MsgProcesses)
	case "psinfo":
		return new(MsgProcess)
	case "services":
		return new(MsgServices)
	case "service":
		return new(MsgService)
	case "getclip":
		return new(MsgClipboard)
	case "setclip":
		return new(MsgClipboardSet)
	case "userSessions":
		return new(MsgUserSessions)
	case "cpuinfo":
		return new(MsgCPUInfo)
	case "deskBackground":
		return new(MsgBackground)
	case "localapp":
		return new(MsgLocalApp)
	}
	return nil
}

// MsgURLOpened tells whether a page was opened. Device to operator. (meshcore.js, case 'openUrl')
//
//	{"action":"msg","type":"openUrl","url":"https://example.com/","success":true,"nodeid":"node//..."}
type MsgURLOpened struct {
	DeviceID ID                         `json:"nodeid"`
	URL      string                     `json:"url"`
	Success  bool                       `json:"success,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgURLOpened) Action() string { return "msg" }

// MsgType is "openUrl".
func (*MsgURLOpened) MsgType() string { return "openUrl" }

// MsgProcesses lists the processes of a device. Device to operator. (meshcore.js, case 'ps')
//
//	{"action":"msg","type":"ps","value":"{\"1\":{\"pid\":1,\"cmd\":\"/sbin/init\",\"user\":\"root\"}}","nodeid":"node//..."}
type MsgProcesses struct {
	DeviceID ID                         `json:"nodeid"`
	Value    string                     `json:"value"` // JSON in a text
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgProcesses) Action() string { return "msg" }

// MsgType is "ps".
func (*MsgProcesses) MsgType() string { return "ps" }

// Process is one of [MsgProcesses].
type Process struct {
	PID     int                        `json:"pid"`
	Command string                     `json:"cmd"`
	User    string                     `json:"user"`
	Path    string                     `json:"path"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Processes decodes Value, by PID.
func (m *MsgProcesses) Processes() (map[string]Process, error) {
	var v struct {
		List map[string]Process `json:"list"`
	}
	err := inText("ps", m.Value, &v)
	return v.List, err
}

// MsgProcess tells more of one process. Device to operator. (meshcore.js, case 'psinfo')
//
//	{"action":"msg","type":"psinfo","pid":1,"value":{"processName":"init"},"nodeid":"node//..."}
type MsgProcess struct {
	DeviceID ID                         `json:"nodeid"`
	PID      int                        `json:"pid,keep"`
	Value    json.RawMessage            `json:"value"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgProcess) Action() string { return "msg" }

// MsgType is "psinfo".
func (*MsgProcess) MsgType() string { return "psinfo" }

// MsgServices lists the services of a device. Device to operator. (meshcore.js, case 'services')
//
//	{"action":"msg","type":"services","value":"[{\"name\":\"cron\",\"status\":{\"state\":\"RUNNING\"}}]","nodeid":"node//..."}
type MsgServices struct {
	DeviceID ID                         `json:"nodeid"`
	Value    string                     `json:"value"` // JSON in a text
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgServices) Action() string { return "msg" }

// MsgType is "services".
func (*MsgServices) MsgType() string { return "services" }

// MsgService tells more of one service, or Error. Device to operator. (meshcore.js, case 'service')
//
//	{"action":"msg","type":"service","value":"{\"name\":\"cron\",\"startType\":\"AUTO\"}","nodeid":"node//..."}
type MsgService struct {
	DeviceID ID                         `json:"nodeid"`
	Value    string                     `json:"value"` // JSON in a text
	Error    json.RawMessage            `json:"error"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgService) Action() string { return "msg" }

// MsgType is "service".
func (*MsgService) MsgType() string { return "service" }

// Service is one of [MsgServices]; which members are there depends on the system.
type Service struct {
	Name        string                     `json:"name"`
	DisplayName string                     `json:"displayName"`
	Description string                     `json:"description"`
	Type        string                     `json:"serviceType"`
	StartType   string                     `json:"startType"`
	Status      *ServiceStatus             `json:"status"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// ServiceStatus is the state of a [Service].
type ServiceStatus struct {
	State string                     `json:"state"`
	PID   int                        `json:"pid"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Services decodes Value.
func (m *MsgServices) Services() ([]Service, error) {
	var v struct {
		List []Service `json:"list"`
	}
	err := inText("services", m.Value, &v)
	return v.List, err
}

// Service decodes Value.
func (m *MsgService) Service() (*Service, error) {
	s := new(Service)
	if err := jsonrec.Unmarshal([]byte(m.Value), s); err != nil {
		return nil, fmt.Errorf("%w: service: %w", ErrMessage, err)
	}
	return s, nil
}

// MsgClipboard is the text in a device's clipboard. Device to operator. (meshcore.js, case 'getclip')
//
//	{"action":"msg","type":"getclip","data":"text","tag":1,"nodeid":"node//..."}
type MsgClipboard struct {
	DeviceID ID                         `json:"nodeid"`
	Data     string                     `json:"data,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgClipboard) Action() string { return "msg" }

// MsgType is "getclip".
func (*MsgClipboard) MsgType() string { return "getclip" }

// MsgClipboardSet confirms [MsgSetClipboard]. Device to operator. (meshcore.js, case 'setclip')
//
//	{"action":"msg","type":"setclip","success":true,"nodeid":"node//..."}
type MsgClipboardSet struct {
	DeviceID ID                         `json:"nodeid"`
	Success  bool                       `json:"success,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgClipboardSet) Action() string { return "msg" }

// MsgType is "setclip".
func (*MsgClipboardSet) MsgType() string { return "setclip" }

// MsgUserSessions says who is logged in on a device, by session. Device to operator. (meshcore.js, case 'userSessions')
//
//	{"action":"msg","type":"userSessions","data":{"1":{"SessionId":1,"StationName":"Console","State":"Active","Username":"bob"}},
//	 "tag":1,"nodeid":"node//..."}
type MsgUserSessions struct {
	DeviceID ID                         `json:"nodeid"`
	Sessions map[string]UserSession     `json:"data"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgUserSessions) Action() string { return "msg" }

// MsgType is "userSessions".
func (*MsgUserSessions) MsgType() string { return "userSessions" }

// UserSession is one of [MsgUserSessions].
type UserSession struct {
	ID       json.RawMessage            `json:"SessionId"`
	Station  string                     `json:"StationName"`
	State    string                     `json:"State"`
	Username string                     `json:"Username"`
	Domain   string                     `json:"Domain"`
	Hostname string                     `json:"Hostname"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// MsgCPUInfo is the load of a device. Device to operator. (meshcore.js, case 'cpuinfo')
//
//	{"action":"msg","type":"cpuinfo","cpu":{"total":3.5,"cpus":[3,4]},"memory":{"MemTotal":8000000,"MemFree":4000000},"thermals":[],
//	 "tag":1,"nodeid":"node//..."}
type MsgCPUInfo struct {
	DeviceID ID                         `json:"nodeid"`
	CPU      json.RawMessage            `json:"cpu"`
	Memory   json.RawMessage            `json:"memory"`
	Thermals json.RawMessage            `json:"thermals"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgCPUInfo) Action() string { return "msg" }

// MsgType is "cpuinfo".
func (*MsgCPUInfo) MsgType() string { return "cpuinfo" }

// MsgBackground says which picture the desktop has now; "" when it was put back. Device to operator. (meshcore.js, case
// 'deskBackground')
//
//	{"action":"msg","type":"deskBackground","data":"","nodeid":"node//..."}
type MsgBackground struct {
	DeviceID ID                         `json:"nodeid"`
	Data     string                     `json:"data,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgBackground) Action() string { return "msg" }

// MsgType is "deskBackground".
func (*MsgBackground) MsgType() string { return "deskBackground" }

// OpenURL is what an old agent says after opening a page. Device to operator. (meshcore.js, case 'openUrl' outside
// 'msg')
//
//	{"action":"openUrl","url":"https://example.com/","success":true,"nodeid":"node//..."}
type OpenURL struct {
	DeviceID ID                         `json:"nodeid"`
	URL      string                     `json:"url"`
	Success  bool                       `json:"success,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "openUrl".
func (*OpenURL) Action() string { return "openUrl" }

// inText decodes JSON that stands in a text, as the member "list" of v.
func inText(what, text string, v any) error {
	if err := jsonrec.Unmarshal([]byte(`{"list":`+text+`}`), v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMessage, what, err)
	}
	return nil
}
