package agentproto

import (
	"encoding/json"
	"strconv"
)

// LogEvent is an entry for the event log of the device.
//
//	{"action":"log","msgid":43,"msgArgs":null,"msg":"Started remote files without notification (127.0.0.1)",
//	 "userid":"user//admin","username":"admin","sessionid":"user//admin/85f2..","remoteaddr":"127.0.0.1"}
//
// Direction: agent to server, when something was done on the device. MsgID and MsgArgs name a translated form of Msg;
// msgid 98 is a user's request for help, with the program and the text as arguments. UserID, XUserID, SessionID and
// RemoteAddr are an agent's claims: a server must check that the user exists and may see the device.
// The stock server drops an entry with a Msg of 4096 characters or more. meshagent.js, processAgentData; meshcore.js,
// MeshServerLogEx.
type LogEvent struct {
	MsgID      *int64
	MsgArgs    []json.RawMessage // strings and numbers
	Msg        AgentText
	UserID     AgentString
	XUserID    AgentString // the user whose session was ended
	Username   AgentString
	SessionID  AgentString
	RemoteAddr AgentString
	GuestName  AgentString
	Extra      map[string]json.RawMessage
}

// Action is "log".
func (*LogEvent) Action() string { return "log" }

func (m *LogEvent) fields(c *jsonFields) {
	optInt(c, "msgid", &m.MsgID)
	rawsField(c, "msgArgs", &m.MsgArgs, 64)
	textField(c, "msg", &m.Msg, textRule{limit: 4095, lines: true, keep: true})
	textField(c, "userid", &m.UserID, ruleID)
	textField(c, "xuserid", &m.XUserID, ruleID)
	textField(c, "username", &m.Username, ruleName)
	textField(c, "sessionid", &m.SessionID, ruleID)
	textField(c, "remoteaddr", &m.RemoteAddr, ruleName)
	textField(c, "guestname", &m.GuestName, ruleName)
	c.extra(&m.Extra)
}

// rawsField is an array of values of any shape; nil is absent.
func rawsField(c *jsonFields, name string, p *[]json.RawMessage, limit int) {
	if !c.reading {
		if *p == nil {
			return
		}
		c.name(name)
		c.out = append(c.out, '[')
		for i, raw := range *p {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			c.raw(name, raw)
		}
		c.out = append(c.out, ']')
		return
	}
	if _, items, ok := c.array(name, limit); ok {
		list := make([]json.RawMessage, len(items))
		for i, raw := range items {
			list[i] = c.cleanRaw(name, raw)
		}
		*p = list
	}
}

// AgentSessions is the list of what goes on at the device now, of one kind; it replaces the last list of that kind.
//
//	{"action":"sessions","type":"files","value":{"user//admin":1}}
//
// Direction: agent to server, on each change; {} when the last one ended, and {"type":"app"} on each connection.
//
//	kvm terminal files tcp udp   user id (and "/guest:NAME") to number of sessions
//	app                          name of a local program to number of connections
//	help                         name of a local program to the user's question
//	msg                          number to {"msg","icon","msgid","id"}: badges of the device
//
// The recovery core sends "msg" as an array; it is read as an object with the positions as names.
// meshagent.js, processAgentData; meshcore.js, tunnelUserCount and sendAgentMessage; recoverycore.js, sendAgentMessage.
type AgentSessions struct {
	Type  AgentString
	Value map[AgentString]json.RawMessage
	Extra map[string]json.RawMessage
}

// Action is "sessions".
func (*AgentSessions) Action() string { return "sessions" }

// maxSessions bounds the entries of one kind of sessions.
const maxSessions = 4096

func (m *AgentSessions) fields(c *jsonFields) {
	textField(c, "type", &m.Type, ruleName)
	if !c.reading {
		c.name("value")
		c.writeObject("value", func(sub *jsonFields) {
			for _, k := range sortedKeys(m.Value) {
				sub.name(string(k))
				sub.raw(string(k), m.Value[k])
			}
		})
	} else if raw, ok := c.take("value"); ok {
		m.Value = map[AgentString]json.RawMessage{}
		switch raw[0] {
		case '{':
			members, ok := c.membersOf("value", raw, maxSessions)
			if !ok {
				return
			}
			for _, k := range sortedKeys(members) {
				m.Value[CleanAgentString(k, ruleID.limit)] = c.cleanRaw("value", members[k])
			}
		case '[':
			items, ok := c.itemsOf("value", raw, maxSessions)
			if !ok {
				return
			}
			for i, raw := range items {
				m.Value[AgentString(strconv.Itoa(i))] = c.cleanRaw("value", raw)
			}
		default:
			c.unwanted("value", raw, raw, "an object")
		}
	} else if m.Value == nil {
		m.Value = map[AgentString]json.RawMessage{}
	}
	c.extra(&m.Extra)
}

// Counts gives the entries whose value is a whole number above zero, which is all of them for kvm, terminal, files, tcp, udp
// and app.
func (m *AgentSessions) Counts() map[AgentString]int {
	counts := make(map[AgentString]int, len(m.Value))
	for k, raw := range m.Value {
		if len(raw) == 0 {
			continue
		}
		if n, ok := decodeInteger[int](raw); ok && n > 0 {
			counts[k] = n
		}
	}
	return counts
}

// ErrorLog is the agent's log of its own failures.
//
//	{"action":"errorlog","log":[{"t":1700000000,"m":"...","h":"0123456789abcdef","f":"x.c","l":"120"}]}
//
// Direction: agent to server, as answer to [GetErrorLog], also empty. The stock server keeps it if `agentErrorLog` is set.
// meshagent.js, processAgentData; modules_meshcore/util-agentlog.js.
type ErrorLog struct {
	Log   []ErrorLogEntry
	Extra map[string]json.RawMessage
}

// ErrorLogEntry is one failure.
type ErrorLogEntry struct {
	Time     *float64      // seconds since 1970 ("t")
	Message  AgentText     // "m"
	Hash     AgentString   // of the agent, 16 hexadecimal digits ("h")
	File     AgentString   // "f"
	Line     AgentString   // "l"
	Function AgentString   // "fn"
	Stack    []AgentString // symbols, outermost first ("s")
	Frames   []AgentString // addresses where there are no symbols ("sx")
	Extra    map[string]json.RawMessage
}

// Action is "errorlog".
func (*ErrorLog) Action() string { return "errorlog" }

func (m *ErrorLog) fields(c *jsonFields) {
	objectsField(c, "log", &m.Log, 16384, (*ErrorLogEntry).fields)
	c.extra(&m.Extra)
}

func (v *ErrorLogEntry) fields(c *jsonFields) {
	optFloat(c, "t", &v.Time)
	textField(c, "m", &v.Message, textRule{limit: 4096, lines: true})
	textField(c, "h", &v.Hash, ruleName)
	textField(c, "f", &v.File, ruleLine)
	textField(c, "l", &v.Line, ruleName)
	textField(c, "fn", &v.Function, ruleLine)
	textsField(c, "s", &v.Stack, 256, ruleLine)
	textsField(c, "sx", &v.Frames, 256, ruleName)
	c.extra(&v.Extra)
}

// TunnelCloseStats tells how much a compressed tunnel moved.
//
//	{"action":"tunnelCloseStats","url":"wss://...","userid":"user//admin","protocol":5,"sessionid":"...",
//	 "sent":"1000","sentActual":"400","sentRatio":60,"received":"..","receivedActual":"..","receivedRatio":0}
//
// Direction: agent to server, when a tunnel ended that used compression. The byte counts are strings of digits. The stock
// server never records it, because it demands of sentActual to be a string and a number.
// meshagent.js, processAgentData; meshcore.js, tunnel_onEnd.
type TunnelCloseStats struct {
	URL            SecretURL
	UserID         AgentString
	Protocol       *int64
	SessionID      AgentString
	Sent           AgentString
	SentActual     AgentString
	SentRatio      *float64
	Received       AgentString
	ReceivedActual AgentString
	ReceivedRatio  *float64
	Extra          map[string]json.RawMessage
}

// Action is "tunnelCloseStats".
func (*TunnelCloseStats) Action() string { return "tunnelCloseStats" }

func (m *TunnelCloseStats) fields(c *jsonFields) {
	urlField(c, "url", &m.URL, ruleURL)
	textField(c, "userid", &m.UserID, ruleID)
	optInt(c, "protocol", &m.Protocol)
	textField(c, "sessionid", &m.SessionID, ruleID)
	textField(c, "sent", &m.Sent, ruleName)
	textField(c, "sentActual", &m.SentActual, ruleName)
	optFloat(c, "sentRatio", &m.SentRatio)
	textField(c, "received", &m.Received, ruleName)
	textField(c, "receivedActual", &m.ReceivedActual, ruleName)
	optFloat(c, "receivedRatio", &m.ReceivedRatio)
	c.extra(&m.Extra)
}

// OpenURLResult answers [OpenURL].
//
//	{"action":"openUrl","url":"https://example.com","sessionid":"...","success":true}
//
// Direction: agent to server. The stock server ignores it. meshagent.js, processAgentData; meshcore.js, case 'openUrl'.
type OpenURLResult struct {
	URL       AgentString
	SessionID AgentString
	Success   *bool
	Extra     map[string]json.RawMessage
}

// Action is "openUrl".
func (*OpenURLResult) Action() string { return "openUrl" }

func (m *OpenURLResult) fields(c *jsonFields) {
	textField(c, "url", &m.URL, rulePath)
	textField(c, "sessionid", &m.SessionID, ruleID)
	optBool(c, "success", &m.Success)
	c.extra(&m.Extra)
}

// CoreDumpStatus answers [GetCoreDump].
//
//	{"action":"getcoredump","value":true,"exists":true,"agenthashhex":"<96 digits>","corehashhex":"<96 digits>"}
//
// Direction: agent to server. Value tells whether dumps are on, Exists whether there is a new one; the hashes are SHA-384 of
// the agent and of the dump. The server may fetch it by a [TunnelRequest] to agenttransfer.ashx.
// meshagent.js, processAgentData and RequestCoreDump; meshcore.js, case 'getcoredump'.
type CoreDumpStatus struct {
	Value     *bool
	Exists    *bool
	AgentHash AgentString
	CoreHash  AgentString
	Extra     map[string]json.RawMessage
}

// Action is "getcoredump".
func (*CoreDumpStatus) Action() string { return "getcoredump" }

func (m *CoreDumpStatus) fields(c *jsonFields) {
	optBool(c, "value", &m.Value)
	optBool(c, "exists", &m.Exists)
	textField(c, "agenthashhex", &m.AgentHash, ruleID)
	textField(c, "corehashhex", &m.CoreHash, ruleID)
	c.extra(&m.Extra)
}

// DiagnosticReport links a device and its recovery agent.
//
//	{"action":"diagnostic","value":{"command":"register","value":"<64 characters>"}}   by the main agent
//	{"action":"diagnostic","value":{"command":"query"}}                                by the recovery agent
//	{"action":"diagnostic","value":{"command":"log","value":"Diagnostic: Start"}}      by the recovery agent
//
// Direction: agent to server. "register" names the node id of the recovery agent, "query" asks for a [DiagnosticQuery],
// "log" (at most 255 characters) goes to the event log of the main device.
// meshagent.js, processAgentData; meshcore.js, diagnosticAgent_installCheck; meshcore_diagnostic.js, sendServerLog.
type DiagnosticReport struct {
	Value *DiagnosticValue
	Extra map[string]json.RawMessage
}

// DiagnosticValue is the content of a [DiagnosticReport].
type DiagnosticValue struct {
	Command AgentString
	Value   AgentString
	Extra   map[string]json.RawMessage
}

// Action is "diagnostic".
func (*DiagnosticReport) Action() string { return "diagnostic" }

func (m *DiagnosticReport) fields(c *jsonFields) {
	objectField(c, "value", &m.Value, (*DiagnosticValue).fields)
	c.extra(&m.Extra)
}

func (v *DiagnosticValue) fields(c *jsonFields) {
	textField(c, "command", &v.Command, ruleName)
	textField(c, "value", &v.Value, ruleLine)
	c.extra(&v.Extra)
}

// MC1Migration replaces the device that this agent was on a MeshCentral of the first generation.
//
//	{"action":"mc1migration","oldnodeid":"<64 hexadecimal digits>"}
//
// Direction: agent to server, first thing after the connection, where the agent's database has an OldNodeId.
// meshagent.js, processAgentData; meshcore.js, handleServerConnection.
type MC1Migration struct {
	OldNodeID AgentString
	Extra     map[string]json.RawMessage
}

// Action is "mc1migration".
func (*MC1Migration) Action() string { return "mc1migration" }

func (m *MC1Migration) fields(c *jsonFields) {
	textField(c, "oldnodeid", &m.OldNodeID, ruleID)
	c.extra(&m.Extra)
}
