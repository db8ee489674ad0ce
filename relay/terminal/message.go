package terminal

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Message is a message of a terminal's tunnel: [Ready], [Start], [Data] or a [Control].
type Message interface{ message() }

// Ready is what the server says to both ends when they have met: text "c", or "cr" if it records.
//
// Direction: server to both. meshrelay.js.
type Ready struct{ Recorded bool }

// Start is the number of the shell's kind as text, after which the shell starts.
//
// Direction: operator to device, once. meshcore.js, onTunnelData.
type Start struct{ Kind Kind }

// Data is what was typed, or what the shell has written: a binary message. Characters may be split between two.
//
// Direction: both.
type Data []byte

func (Ready) message() {}
func (Start) message() {}
func (Data) message()  {}

// Control is a message beside the stream: a JSON object in a text message.
//
//	{"ctrlChannel":"102938","type":"...",...}
//
// Confirmed in meshcore.js, onTunnelControlData.
type Control interface {
	Message
	// ControlType is the member "type".
	ControlType() string
}

// marker is the member "ctrlChannel". Terminals take messages without one as well.
const marker = "102938"

// Options are said before the number. Sizes of zero are those of an operator without a terminal.
//
//	{"ctrlChannel":"102938","type":"options","cols":80,"rows":25}
//
// Direction: operator to device. Bits of Consent are added to what the server asks the device's user for. meshcore.js, case
// 'options'; meshctrl.js.
type Options struct {
	Cols         int                        `json:"cols,keep"`
	Rows         int                        `json:"rows,keep"`
	RequireLogin bool                       `json:"requireLogin"` // /bin/login instead of a shell
	TSID         *int                       `json:"tsid"`         // the session of a Windows
	Consent      uint32                     `json:"consent"`
	Extra        map[string]json.RawMessage `json:"-"`
}

// Resize changes the size.
//
//	{"ctrlChannel":"102938","type":"termsize","cols":100,"rows":30}
//
// Direction: operator to device. meshcore.js, case 'termsize'.
type Resize struct {
	Cols  int                        `json:"cols,keep"`
	Rows  int                        `json:"rows,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Ping asks for a [Pong]: {"ctrlChannel":"102938","type":"ping"}.
//
// Direction: any, also from the server to both. meshcore.js, case 'ping'.
type Ping struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Pong answers a [Ping]: {"ctrlChannel":"102938","type":"pong"}. When the server pings, each end gets the other's.
//
// Direction: any.
type Pong struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// RTT is sent back by the device as it is, by which the operator measures the way.
//
//	{"ctrlChannel":"102938","type":"rtt","time":1700000000000}
//
// Direction: operator to device and back. meshcore.js, case 'rtt'.
type RTT struct {
	Time  json.RawMessage            `json:"time"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Close announces the end: {"ctrlChannel":"102938","type":"close"}.
//
// Direction: operator to device, which closes the tunnel. meshcore.js, case 'close'.
type Close struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// ConsoleID tells the texts of [Console] apart.
type ConsoleID int

// The ids of texts.
const (
	ConsoleClear       ConsoleID = 0 // the user has agreed
	ConsoleWaiting     ConsoleID = 1 // "Waiting for user to grant access..."
	ConsoleDenied      ConsoleID = 2 // the user has not agreed, or an error
	ConsoleStartFailed ConsoleID = 3
	ConsoleTimeout     ConsoleID = 4
)

// Console is a line for the operator to see; without a text it takes the last one back.
//
//	{"ctrlChannel":"102938","type":"console","msg":"Waiting for user to grant access...","msgid":1}
//
// Direction: device to operator. meshcore.js, consent prompts and failed starts.
type Console struct {
	Msg     string                     `json:"msg,null"`
	ID      *ConsoleID                 `json:"msgid"`
	Args    json.RawMessage            `json:"msgargs"`
	Timeout int                        `json:"timeout"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Unknown is a control message of another type, with all its members in Extra: the offers of WebRTC, for instance, which
// stock agents refuse on terminals.
type Unknown struct {
	Type  string                     `json:"-"`
	Extra map[string]json.RawMessage `json:"-"`
}

func (*Options) message() {}
func (*Resize) message()  {}
func (*Ping) message()    {}
func (*Pong) message()    {}
func (*RTT) message()     {}
func (*Close) message()   {}
func (*Console) message() {}
func (*Unknown) message() {}

// ControlType is "options".
func (*Options) ControlType() string { return "options" }

// ControlType is "termsize".
func (*Resize) ControlType() string { return "termsize" }

// ControlType is "ping".
func (*Ping) ControlType() string { return "ping" }

// ControlType is "pong".
func (*Pong) ControlType() string { return "pong" }

// ControlType is "rtt".
func (*RTT) ControlType() string { return "rtt" }

// ControlType is "close".
func (*Close) ControlType() string { return "close" }

// ControlType is "console".
func (*Console) ControlType() string { return "console" }

// ControlType is the message's own.
func (u *Unknown) ControlType() string { return u.Type }

// newControl is an empty message of a type, and where the members go that it does not name.
func newControl(typ string) (Control, *map[string]json.RawMessage) {
	switch typ {
	case "options":
		m := new(Options)
		return m, &m.Extra
	case "termsize":
		m := new(Resize)
		return m, &m.Extra
	case "ping":
		m := new(Ping)
		return m, &m.Extra
	case "pong":
		m := new(Pong)
		return m, &m.Extra
	case "rtt":
		m := new(RTT)
		return m, &m.Extra
	case "close":
		m := new(Close)
		return m, &m.Extra
	case "console":
		m := new(Console)
		return m, &m.Extra
	}
	m := &Unknown{Type: typ}
	return m, &m.Extra
}

// Bounds of a control message. The largest are WebRTC's descriptions.
const (
	maxControl       = 256 << 10
	maxControlDepth  = 16
	maxControlValues = 4096
)

// Parse reads a message. Data aliases b. A text message that is none of a terminal is [ErrMessage]: both ends drop it.
func Parse(t Type, b []byte) (Message, error) {
	if t != Text {
		return Data(b), nil
	}
	switch string(b) {
	case "c":
		return Ready{}, nil
	case "cr":
		return Ready{Recorded: true}, nil
	}
	if len(b) > 0 && len(b) <= 3 && b[0] != '{' {
		if n, err := strconv.ParseUint(string(b), 10, 16); err == nil && strconv.FormatUint(n, 10) == string(b) {
			return Start{Kind(n)}, nil
		}
	}
	return parseControl(b)
}

func parseControl(b []byte) (Message, error) {
	if len(b) < 2 || b[0] != '{' {
		return nil, ErrMessage
	}
	if err := jsonrec.Check(b, jsonrec.Limits{Size: maxControl, Depth: maxControlDepth, Values: maxControlValues}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	var head struct {
		Type *string `json:"type"`
	}
	if err := jsonrec.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if head.Type == nil {
		return nil, fmt.Errorf("%w: it has no type", ErrMessage)
	}
	m, extra := newControl(*head.Type)
	if err := jsonrec.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	delete(*extra, "type")
	delete(*extra, "ctrlChannel")
	if len(*extra) == 0 {
		*extra = nil
	}
	return m, nil
}

// Append appends a message to b and says which type it is sent as.
func Append(b []byte, m Message) (Type, []byte, error) {
	switch m := m.(type) {
	case Data:
		return Binary, append(b, m...), nil
	case Ready:
		if m.Recorded {
			return Text, append(b, "cr"...), nil
		}
		return Text, append(b, 'c'), nil
	case Start:
		return Text, strconv.AppendInt(b, int64(m.Kind), 10), nil
	case Control:
		body, err := jsonrec.Append(nil, m)
		if err != nil {
			return Text, b, fmt.Errorf("terminal: control message %.64q: %w", m.ControlType(), err)
		}
		b = append(b, `{"ctrlChannel":"`+marker+`","type":`...)
		b = jsonrec.AppendString(b, m.ControlType())
		if len(body) > 2 {
			b = append(b, ',')
		}
		return Text, append(b, body[1:]...), nil
	}
	return 0, b, fmt.Errorf("terminal: %T cannot be sent", m)
}
