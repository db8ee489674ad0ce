package agentproto

import (
	"encoding/json"
	"strconv"
)

// newAgentMsg gives an empty message for a type of "msg" that agents send.
func newAgentMsg(typ string) JSONMessage {
	switch typ {
	case "console":
		return new(ConsoleOutput)
	case "runcommands":
		return new(RunCommandsResult)
	case "notify":
		return new(Notification)
	case "ps":
		return new(ProcessList)
	case "psinfo":
		return new(ProcessInfo)
	case "services":
		return new(ServiceList)
	case "service":
		return new(ServiceInfo)
	case "deskBackground":
		return new(DeskBackground)
	case "openUrl":
		return new(MsgOpenURLResult)
	case "getclip":
		return new(Clipboard)
	case "setclip":
		return new(ClipboardSet)
	case "userSessions":
		return new(UserSessions)
	case "cpuinfo":
		return new(CPUInfo)
	}
	return new(AgentMsg)
}

// MsgRoute tells whom a "msg" of an agent is for: with SessionID only that session of a user, with UserID all sessions of
// that user, with neither every connected user with any right on the device. SessionID (user/DOMAIN/NAME/RANDOM) is the
// one of the request that is answered.
//
// It is a claim: the server must see that the user may see the device, adds "nodeid" and takes both members out before it
// passes the message on. webserver.js, routeAgentCommand.
type MsgRoute struct {
	SessionID AgentString
	UserID    AgentString
}

func (r *MsgRoute) fields(c *jsonFields) {
	textField(c, "sessionid", &r.SessionID, ruleID)
	textField(c, "userid", &r.UserID, ruleID)
}

// AgentMsg is a "msg" of a type that this package does not know. It is routed like the others.
//
//	{"action":"msg","type":"...",...}
//
// Direction: agent to server. meshagent.js, processAgentData, case 'msg'.
type AgentMsg struct {
	Type AgentString
	MsgRoute
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*AgentMsg) Action() string { return "msg" }

func (m *AgentMsg) fields(c *jsonFields) {
	textField(c, "type", &m.Type, ruleID)
	m.MsgRoute.fields(c)
	c.extra(&m.Extra)
}

// ConsoleOutput is text for the consoles that operators have open on the device.
//
//	{"action":"msg","type":"console","value":"Linux\n","sessionid":"..."}
//
// Direction: agent to server, as answer to [ConsoleCommand] and unasked. Each one whose value equals the one before counts;
// the stock server closes the connection at the 32nd, and the count never goes back.
// meshagent.js, processAgentData; meshcore.js, sendConsoleText.
type ConsoleOutput struct {
	Value AgentText
	MsgRoute
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*ConsoleOutput) Action() string { return "msg" }

func (m *ConsoleOutput) fields(c *jsonFields) {
	c.msgType("console")
	textField(c, "value", &m.Value, ruleOutput.always())
	m.MsgRoute.fields(c)
	c.extra(&m.Extra)
}

// RunCommandsResult is the output of a [RunCommands] with Reply.
//
//	{"action":"msg","type":"runcommands","result":"Linux\n","sessionid":"...","responseid":"meshctrl"}
//
// Direction: agent to server, when the command has ended. meshcore.js, case 'runcommands'.
type RunCommandsResult struct {
	Result AgentText
	MsgRoute
	ResponseID AgentString
	Extra      map[string]json.RawMessage
}

// Action is "msg".
func (*RunCommandsResult) Action() string { return "msg" }

func (m *RunCommandsResult) fields(c *jsonFields) {
	c.msgType("runcommands")
	textField(c, "result", &m.Result, ruleOutput.always())
	m.MsgRoute.fields(c)
	textField(c, "responseid", &m.ResponseID, ruleID)
	c.extra(&m.Extra)
}

// Notification shows a notice to users.
//
//	{"action":"msg","type":"notify","value":"text","tag":"console","sessionid":"..."}
//
// Direction: agent to server, by the console command "notify". meshcore.js, case 'notify'.
type Notification struct {
	Value AgentText
	Title AgentString
	Tag   json.RawMessage
	MsgRoute
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*Notification) Action() string { return "msg" }

func (m *Notification) fields(c *jsonFields) {
	c.msgType("notify")
	textField(c, "value", &m.Value, textRule{limit: 4096, lines: true, keep: true})
	textField(c, "title", &m.Title, ruleName)
	rawField(c, "tag", &m.Tag)
	m.MsgRoute.fields(c)
	c.extra(&m.Extra)
}

// EmbeddedJSON is JSON that travels as the text of a JSON string.
type EmbeddedJSON string

// Decode reads the inner JSON into v like json.Unmarshal, within the limits of a message and with every text and name in
// it cleaned.
func (e EmbeddedJSON) Decode(v any) error {
	raw, err := e.clean()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return &JSONError{Field: "value", Err: ErrJSONField, Detail: err.Error()}
	}
	return nil
}

func (e EmbeddedJSON) clean() (json.RawMessage, error) {
	// Counting wants an object; an array or a string counts the same inside one.
	b := append(append([]byte(`{"v":`), e...), '}')
	if err := checkJSONBounds(b); err != nil {
		return nil, err
	}
	if raw := validUTF8(b[len(`{"v":`) : len(b)-1]); json.Valid(raw) {
		c := jsonFields{reading: true, agent: true}
		clean := c.cleanRaw("value", raw)
		return clean, c.err
	}
	return nil, &JSONError{Field: "value", Err: ErrJSONSyntax, Detail: "the text is not JSON"}
}

// ProcessList answers [GetProcesses].
//
//	{"action":"msg","type":"ps","value":"{\"1\":{\"pid\":1,\"cmd\":\"/sbin/init\",\"user\":\"root\"}}","sessionid":"..."}
//
// Direction: agent to server. meshcore.js, case 'ps'.
type ProcessList struct {
	Value EmbeddedJSON
	MsgRoute
	Extra map[string]json.RawMessage
}

// ProcessEntry is one process of a [ProcessList].
type ProcessEntry struct {
	PID     int64
	Command AgentString
	User    AgentString
}

// Processes decodes Value: an object with the process numbers as names, or an array.
func (m *ProcessList) Processes() ([]ProcessEntry, error) {
	raw, err := m.Value.clean()
	if err != nil {
		return nil, err
	}
	c := jsonFields{reading: true, agent: true, lenient: true, members: map[string]json.RawMessage{}}
	var entries map[string]json.RawMessage
	switch raw[0] {
	case '[':
		items, _ := c.itemsOf("value", raw, maxJSONValues)
		entries = make(map[string]json.RawMessage, len(items))
		for i, item := range items {
			entries[strconv.Itoa(i)] = item
		}
	case '{':
		entries, _ = c.membersOf("value", raw, maxJSONValues)
	default:
		c.fail("value", ErrJSONField, notA("an object", raw).Detail)
	}
	list := make([]ProcessEntry, 0, len(entries))
	for _, name := range sortedKeys(entries) {
		entry := entries[name]
		if entry[0] != '{' {
			continue
		}
		members, ok := c.membersOf("value", entry, maxJSONValues)
		if !ok {
			break
		}
		var p ProcessEntry
		p.PID, _ = strconv.ParseInt(name, 10, 64)
		c.readObject("value", members, func(sub *jsonFields) {
			intField(sub, "pid", &p.PID, true)
			textField(sub, "cmd", &p.Command, rulePath)
			textField(sub, "user", &p.User, ruleName)
		})
		list = append(list, p)
	}
	if c.err != nil {
		return nil, c.err
	}
	return list, nil
}

// Action is "msg".
func (*ProcessList) Action() string { return "msg" }

func (m *ProcessList) fields(c *jsonFields) {
	c.msgType("ps")
	textField(c, "value", &m.Value, ruleInner.always())
	m.MsgRoute.fields(c)
	c.extra(&m.Extra)
}

// ProcessInfo answers [GetProcessInfo].
//
//	{"action":"msg","type":"psinfo","pid":1,"sessionid":"...","value":{"processName":"init","handleCount":12}}
//
// Direction: agent to server. The members of value differ between platforms. meshcore.js, case 'psinfo'.
type ProcessInfo struct {
	PID json.RawMessage // a number or a string, as it was asked
	MsgRoute
	Value json.RawMessage
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*ProcessInfo) Action() string { return "msg" }

func (m *ProcessInfo) fields(c *jsonFields) {
	c.msgType("psinfo")
	rawField(c, "pid", &m.PID)
	m.MsgRoute.fields(c)
	rawField(c, "value", &m.Value)
	c.extra(&m.Extra)
}

// ServiceList answers [GetServices].
//
//	{"action":"msg","type":"services","value":"[{\"name\":\"ssh\",\"status\":{\"state\":\"RUNNING\"}}]","sessionid":"..."}
//
// Direction: agent to server. The members differ between platforms: decode Value. meshcore.js, case 'services'.
type ServiceList struct {
	Value EmbeddedJSON
	MsgRoute
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*ServiceList) Action() string { return "msg" }

func (m *ServiceList) fields(c *jsonFields) {
	c.msgType("services")
	textField(c, "value", &m.Value, ruleInner.always())
	m.MsgRoute.fields(c)
	c.extra(&m.Extra)
}

// ServiceInfo answers [GetService].
//
//	{"action":"msg","type":"service","value":"{\"name\":\"ssh\",\"startType\":\"AUTO_START\"}","sessionid":"..."}
//	{"action":"msg","type":"service","error":"...","sessionid":"..."}
//
// Direction: agent to server; a [ServiceList] follows, because the core falls through to that case. meshcore.js, case
// 'service'.
type ServiceInfo struct {
	Value EmbeddedJSON
	Error json.RawMessage
	MsgRoute
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*ServiceInfo) Action() string { return "msg" }

func (m *ServiceInfo) fields(c *jsonFields) {
	c.msgType("service")
	textField(c, "value", &m.Value, ruleInner)
	rawField(c, "error", &m.Error)
	m.MsgRoute.fields(c)
	c.extra(&m.Extra)
}

// DeskBackground answers [ToggleDeskBackground] with the path of the picture that is shown now.
//
//	{"action":"msg","type":"deskBackground","sessionid":"...","data":"/usr/share/backgrounds/x.png"}
//
// Direction: agent to server. Empty when the background was hidden. meshcore.js, case 'deskBackground'.
type DeskBackground struct {
	MsgRoute
	Data  AgentString
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*DeskBackground) Action() string { return "msg" }

func (m *DeskBackground) fields(c *jsonFields) {
	c.msgType("deskBackground")
	m.MsgRoute.fields(c)
	textField(c, "data", &m.Data, rulePath.always())
	c.extra(&m.Extra)
}

// MsgOpenURLResult answers [MsgOpenURL].
//
//	{"action":"msg","type":"openUrl","url":"https://example.com","sessionid":"...","success":true}
//
// Direction: agent to server. meshcore.js, case 'openUrl' of 'msg'.
type MsgOpenURLResult struct {
	URL AgentString
	MsgRoute
	Success *bool
	Extra   map[string]json.RawMessage
}

// Action is "msg".
func (*MsgOpenURLResult) Action() string { return "msg" }

func (m *MsgOpenURLResult) fields(c *jsonFields) {
	c.msgType("openUrl")
	textField(c, "url", &m.URL, rulePath)
	m.MsgRoute.fields(c)
	optBool(c, "success", &m.Success)
	c.extra(&m.Extra)
}

// Clipboard answers [GetClipboard].
//
//	{"action":"msg","type":"getclip","sessionid":"...","data":"text","tag":1}
//
// Direction: agent to server; nothing is sent for an empty clipboard. Clipboards hold passwords, so the text is a [Secret].
// meshcore.js, case 'getclip'.
type Clipboard struct {
	MsgRoute
	Data  Secret
	Tag   json.RawMessage
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*Clipboard) Action() string { return "msg" }

func (m *Clipboard) fields(c *jsonFields) {
	c.msgType("getclip")
	m.MsgRoute.fields(c)
	secretField(c, "data", &m.Data, ruleInner.always())
	rawField(c, "tag", &m.Tag)
	c.extra(&m.Extra)
}

// ClipboardSet answers [SetClipboard].
//
//	{"action":"msg","type":"setclip","sessionid":"...","success":true}
//
// Direction: agent to server. meshcore.js, case 'setclip'.
type ClipboardSet struct {
	MsgRoute
	Success *bool
	Extra   map[string]json.RawMessage
}

// Action is "msg".
func (*ClipboardSet) Action() string { return "msg" }

func (m *ClipboardSet) fields(c *jsonFields) {
	c.msgType("setclip")
	m.MsgRoute.fields(c)
	optBool(c, "success", &m.Success)
	c.extra(&m.Extra)
}

// UserSessions answers [GetUserSessions] with the logins of the operating system.
//
//	{"action":"msg","type":"userSessions","sessionid":"...","data":{"1":{"SessionId":1,"Username":"ann","State":"Active"}},"tag":0}
//
// Direction: agent to server. The members of data differ between platforms. meshcore.js, case 'userSessions'.
type UserSessions struct {
	MsgRoute
	Data  json.RawMessage
	Tag   json.RawMessage
	Extra map[string]json.RawMessage
}

// Action is "msg".
func (*UserSessions) Action() string { return "msg" }

func (m *UserSessions) fields(c *jsonFields) {
	c.msgType("userSessions")
	m.MsgRoute.fields(c)
	rawField(c, "data", &m.Data)
	rawField(c, "tag", &m.Tag)
	c.extra(&m.Extra)
}

// CPUInfo answers [GetCPUInfo] with the load of the device.
//
//	{"action":"msg","type":"cpuinfo","cpu":{"cpus":[3.1,0.5],"total":1.8},
//	 "memory":{"total":16000,"free":12000,"percentFree":75,"percentConsumed":25},
//	 "thermals":[{"CurrentTemperature":41,"InstanceName":"x86_pkg_temp"}],"sessionid":"...","tag":"x"}
//
// Direction: agent to server. What the device cannot tell is null or absent. meshcore.js, case 'cpuinfo';
// modules_meshcore/sysinfo.js.
type CPUInfo struct {
	CPU      *CPULoad
	Memory   *MemoryLoad
	Thermals []Thermal
	MsgRoute
	Tag   json.RawMessage
	Extra map[string]json.RawMessage
}

// CPULoad is in percent; CPUs has one entry per processor.
type CPULoad struct {
	Total *float64
	CPUs  []float64
	Extra map[string]json.RawMessage
}

// MemoryLoad is in percent; the amounts, which each platform names and counts differently, are in Extra.
type MemoryLoad struct {
	PercentFree     *float64
	PercentConsumed *float64
	Extra           map[string]json.RawMessage
}

// Thermal is one sensor.
type Thermal struct {
	CurrentTemperature *float64 // degrees Celsius; Windows sends it as a string
	InstanceName       AgentString
	Extra              map[string]json.RawMessage
}

// Action is "msg".
func (*CPUInfo) Action() string { return "msg" }

func (m *CPUInfo) fields(c *jsonFields) {
	c.msgType("cpuinfo")
	m.MsgRoute.fields(c)
	c.lenient = true // not for the route: a route that is not understood must not become "everybody"
	objectField(c, "cpu", &m.CPU, (*CPULoad).fields)
	objectField(c, "memory", &m.Memory, (*MemoryLoad).fields)
	objectsField(c, "thermals", &m.Thermals, 1024, (*Thermal).fields)
	rawField(c, "tag", &m.Tag)
	c.extra(&m.Extra)
}

func (v *CPULoad) fields(c *jsonFields) {
	optFloat(c, "total", &v.Total)
	floatsField(c, "cpus", &v.CPUs, 4096)
	c.extra(&v.Extra)
}

func (v *MemoryLoad) fields(c *jsonFields) {
	optFloat(c, "percentFree", &v.PercentFree)
	optFloat(c, "percentConsumed", &v.PercentConsumed)
	c.extra(&v.Extra)
}

func (v *Thermal) fields(c *jsonFields) {
	optFloat(c, "CurrentTemperature", &v.CurrentTemperature)
	textField(c, "InstanceName", &v.InstanceName, ruleName)
	c.extra(&v.Extra)
}
