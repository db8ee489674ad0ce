package controlproto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Message is one message of the channel: a request, the reply to one, or something that the server says unasked. In text
// frames, UTF-8.
type Message interface {
	// Action is the value of "action".
	Action() string
}

// Request is a message from client to server. The reply to it is an R.
type Request[R any] interface {
	Message
	reply() *R
}

// Correlation is the pair of members that any request may carry and that replies repeat, one or the other or both, as
// the table of [Actions] tells.
type Correlation struct {
	ResponseID json.RawMessage // "responseid"; with one, most actions confirm
	Tag        json.RawMessage // "tag"
}

// Echo says which members of a [Correlation] a reply repeats.
type Echo uint8

// Values of [Echo].
const (
	EchoNone       Echo = 0
	EchoResponseID Echo = 1
	EchoTag        Echo = 2
	EchoBoth       Echo = 3
	EchoRequest    Echo = 4 // the whole request comes back, with more members
)

// Unknown is a message that this package has no struct for, or one that is built by hand.
type Unknown struct {
	Name  string                     `json:"-"` // the action
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is the value of "action".
func (m *Unknown) Action() string { return m.Name }

func (m *Unknown) reply() *Unknown { return new(Unknown) }

// Result is the reply to most requests, and the form of an error of nearly all: "ok" or "OK", or what is wrong in
// English words.
//
//	{"action":"editmesh","responseid":"x","result":"ok"}
type Result struct {
	Name   string                     `json:"-"` // the action
	Result string                     `json:"result"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is the action that is confirmed.
func (r *Result) Action() string { return r.Name }

// OK tells whether the result is "ok", in any case.
func (r *Result) OK() bool {
	return len(r.Result) == 2 && (r.Result[0]|0x20) == 'o' && (r.Result[1]|0x20) == 'k'
}

// Envelope is what is read of every message before it is decoded. It aliases the message.
type Envelope struct {
	Action string
	Correlation
	Raw json.RawMessage // the whole message
}

// ErrMessage is what every malformed message matches.
var ErrMessage = errors.New("controlproto: malformed message")

// Bounds of every message that a server takes; the members of clients' requests are few and short. A client takes larger
// ones, see ClientConfig.
var requestLimits = jsonrec.Limits{Size: 1 << 20, Depth: 32, Values: 1 << 16}

// ParseRequest checks a request's bounds and reads its envelope. An action has 3 to 32 characters. Bytes that are no UTF-8 become
// U+FFFD, as parts of the request go back in text messages.
func ParseRequest(b []byte) (Envelope, error) {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\ufffd"))
	}
	if err := jsonrec.Check(b, requestLimits); err != nil {
		return Envelope{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	e, err := parseEnvelope(b)
	if err == nil && (len(e.Action) < 3 || len(e.Action) > 32) {
		return Envelope{}, fmt.Errorf("%w: an action of %d characters, want 3 to 32", ErrMessage, len(e.Action))
	}
	return e, err
}

func parseEnvelope(b []byte) (Envelope, error) {
	m, err := jsonrec.Peek(b, "action", "responseid", "tag")
	if err != nil {
		return Envelope{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	e := Envelope{Correlation: Correlation{present(m[1]), present(m[2])}, Raw: b}
	if len(m[0]) == 0 || m[0][0] != '"' || json.Unmarshal(m[0], &e.Action) != nil {
		return Envelope{}, fmt.Errorf("%w: no action", ErrMessage)
	}
	return e, nil
}

// present is nil for null.
func present(raw json.RawMessage) json.RawMessage {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	return raw
}

// Decode reads the message into a struct of this package.
func (e Envelope) Decode(m Message) error {
	if err := jsonrec.Unmarshal(e.Raw, m); err != nil {
		return fmt.Errorf("%w: %.32q: %w", ErrMessage, e.Action, err)
	}
	switch m := m.(type) {
	case *Unknown:
		m.Name = e.Action
	case *Result:
		m.Name = e.Action
	}
	if x := extraOf(m); x != nil {
		delete(*x, "action")
		delete(*x, "responseid")
		delete(*x, "tag")
		if _, ok := m.(TypedMessage); ok {
			delete(*x, "type")
		}
		if len(*x) == 0 {
			*x = nil
		}
	}
	return nil
}

// AppendMessage appends the wire form: "action", the members of m, then those of c that are set. Secrets are sent as they
// are; nothing else in this package prints them.
func AppendMessage(b []byte, m Message, c Correlation) ([]byte, error) {
	start := len(b)
	b = append(b, `{"action":`...)
	b = appendType(jsonrec.AppendString(b, m.Action()), m)
	at := len(b)
	if w, ok := m.(interface{ wire() Message }); ok {
		m = w.wire() // what is sent differs from what the struct holds
	}
	b, err := jsonrec.Append(b, m)
	if err != nil {
		return b[:start], fmt.Errorf("controlproto: %.32q: %w", m.Action(), err)
	}
	// The object that was just appended becomes a part of ours.
	if b[at+1] == '}' {
		b = b[:at]
	} else {
		b[at] = ','
		b = b[:len(b)-1]
	}
	if c.ResponseID != nil {
		b = append(append(b, `,"responseid":`...), c.ResponseID...)
	}
	if c.Tag != nil {
		b = append(append(b, `,"tag":`...), c.Tag...)
	}
	return append(b, '}'), nil
}
