package agentproto

import "encoding/json"

// Ping asks for a [Pong].
//
//	{"action":"ping"}
//
// Direction: both. A server sends it every `agentPing` seconds, if set; the agent's core, not the native program, answers.
// Agents may send it too. meshagent.js, sendPing and processAgentData; meshcore.js, handleServerCommand.
type Ping struct {
	Extra map[string]json.RawMessage
}

// Action is "ping".
func (*Ping) Action() string { return "ping" }

func (m *Ping) fields(c *jsonFields) { c.extra(&m.Extra) }

// Pong answers a [Ping]. A server with `agentPong` set sends it unasked, to keep proxies from closing the connection.
//
//	{"action":"pong"}
//
// Direction: both; needs no answer. meshagent.js, sendPong; meshcore.js, handleServerCommand.
type Pong struct {
	Extra map[string]json.RawMessage
}

// Action is "pong".
func (*Pong) Action() string { return "pong" }

func (m *Pong) fields(c *jsonFields) { c.extra(&m.Extra) }
