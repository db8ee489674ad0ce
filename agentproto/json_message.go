package agentproto

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// JSONMessage is one message of the JSON layer, which starts once command 4 was sent: an object with an "action", and for
// the action "msg" a "type". There is a struct per action (and per type of "msg") and direction; what this package does not
// know is an [UnknownMessage], [AgentMsg] or [ServerMsg]. Fields that a struct does not name are kept in its Extra and
// written back, so a message survives being read and sent on.
//
// [AppendJSON] makes the wire form, and nothing else does: encoding/json on these structs is for logs and hides secrets.
//
// Agents send these as TEXT messages, servers as BINARY ones (meshagent.js, obj.send; the answer to meshToolInfo alone is
// TEXT); both tell JSON from a binary command by its first byte, '{'. The stock server reads JSON in a BINARY message as
// Latin-1; this package reads UTF-8 in both.
type JSONMessage interface {
	// Action is the value of "action".
	Action() string

	// fields lists the members, for reading and writing.
	fields(c *jsonFields)
}

// UnknownMessage is a message whose action this package does not know, in either direction. To send one of your own, put
// its members into Extra.
type UnknownMessage struct {
	Name  string // the action
	Extra map[string]json.RawMessage
}

// Action is the value of "action".
func (m *UnknownMessage) Action() string { return m.Name }

func (m *UnknownMessage) fields(c *jsonFields) { c.extra(&m.Extra) }

// String names the message without its content, which may be secret.
func (m *UnknownMessage) String() string {
	return "unknown message " + strconv.Quote(cutText(m.Name, 64)) + " with " + strconv.Itoa(len(m.Extra)) + " fields"
}

// ParseAgentMessage reads what an agent sent. b is untrusted: size, depth and counts are bounded before anything is
// decoded, and every text is cleaned (see [AgentString]), names and texts of unknown fields included. Nothing of b is
// retained.
//
// Numbers in quotes count as numbers and numbers count as their text where the stock server treats them so. In the
// reports that it stores piece by piece (coreinfo, battery, cpuinfo) a field of the wrong shape is left in Extra; in all
// other messages it is an error, a [JSONError].
func ParseAgentMessage(b []byte) (JSONMessage, error) { return parseJSON(b, true) }

// ParseServerMessage reads what a server sent, for an agent that has verified it. It is bounded like
// [ParseAgentMessage], but texts come as they are.
func ParseServerMessage(b []byte) (JSONMessage, error) { return parseJSON(b, false) }

func parseJSON(b []byte, agent bool) (JSONMessage, error) {
	if err := checkJSONBounds(b); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(validUTF8(b), &members); err != nil {
		return nil, &JSONError{Err: ErrJSONSyntax, Detail: err.Error()}
	}
	raw, ok := members["action"]
	if !ok || raw[0] != '"' {
		return nil, &JSONError{Field: "action", Err: ErrJSONField, Detail: "want a string"}
	}
	delete(members, "action")
	action := unquoteJSON(raw)
	if name := cleanText(action, ruleName.limit, false); name != action || action == "" {
		return nil, &JSONError{Action: name, Field: "action", Err: ErrJSONField, Detail: "empty, too long, or with control characters"}
	}
	var m JSONMessage
	switch {
	case action == "msg":
		typ := ""
		if raw, ok := members["type"]; ok && raw[0] == '"' {
			typ = unquoteJSON(raw)
		}
		if typ != cleanText(typ, ruleName.limit, false) {
			// Cleaned, it could become another type.
			return nil, &JSONError{Action: action, Field: "type", Err: ErrJSONField, Detail: "too long, or with control characters"}
		}
		if agent {
			m = newAgentMsg(typ)
		} else {
			m = newServerMsg(typ)
		}
	case agent:
		m = newAgentMessage(action)
	default:
		m = newServerMessage(action)
	}
	if m == nil {
		m = &UnknownMessage{Name: action}
	}
	c := jsonFields{reading: true, agent: agent, members: members}
	m.fields(&c)
	if c.err != nil {
		if e := (*JSONError)(nil); errors.As(c.err, &e) {
			e.Action = action
		}
		return nil, c.err
	}
	return m, nil
}

// AppendJSON appends the wire form of m: compact JSON, "action" first, then the known fields in a fixed order, then Extra
// by name. It fails when m cannot be sent: an Extra that is not JSON or that names a known field, a number that is not
// finite, a message over the limits; b is then returned as it was.
func AppendJSON(b []byte, m JSONMessage) ([]byte, error) {
	action := m.Action()
	if action == "" {
		return b, &JSONError{Field: "action", Err: ErrJSONField, Detail: "empty"}
	}
	c := jsonFields{out: append(b, '{')}
	c.name("action")
	c.out = jsonrec.AppendString(c.out, action)
	m.fields(&c)
	c.out = append(c.out, '}')
	err := c.err
	if err == nil {
		err = checkJSONBounds(c.out[len(b):])
	}
	if err != nil {
		if e := (*JSONError)(nil); errors.As(err, &e) {
			e.Action = action
		}
		return b, err
	}
	return c.out, nil
}
