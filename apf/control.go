package apf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// The actions of JSON control messages. Those from connType to stopConfiguration are sent by devices, where the last three
// are answers; those from mestate on, and the same three as requests, by servers.
const (
	ActionConnType           = "connType"
	ActionMEIState           = "meiState"
	ActionDeactivate         = "deactivate"
	ActionStartTLSHostConfig = "startTlsHostConfig"
	ActionStopConfiguration  = "stopConfiguration"
	ActionMEState            = "mestate"
	ActionConsole            = "console"
	ActionClose              = "close"
)

// JSONControl (type 250, both directions) is MeshCentral's own message, between servers and devices that are no firmware:
// an object with the member "action". Devices start with connType, if they are of another type than 0; servers ask for the
// state of the management engine and tell what to do with it.
//
//	0  1  FA
//	1  4  length
//	5  *  JSON; stock ends write one byte a character, so that it must be ASCII
//
// It may hold passwords (the state of the management engine does), so it prints its action only.
//
// Confirmed in mpsserver.js, SendJsonControl and ProcessCommand (case APFProtocol.JSON_CONTROL), and amt-apfclient.js,
// SendJsonControl.
type JSONControl struct {
	text []byte
}

// NewJSONControl makes a message of a struct or map with the member "action", or of its JSON text as json.RawMessage.
func NewJSONControl(v any) (JSONControl, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return JSONControl{}, fmt.Errorf("apf: control message: %w", err)
	}
	j := JSONControl{text: appendASCII(make([]byte, 0, len(b)), b)}
	if j.Action() == "" {
		return JSONControl{}, errors.New("apf: control message: no action")
	}
	return j, nil
}

// ControlValue makes a message {"action":...,"value":...}, as devices send them.
func ControlValue(action string, value any) (JSONControl, error) {
	return NewJSONControl(struct {
		Action string `json:"action"`
		Value  any    `json:"value"`
	}{action, value})
}

// ControlConsole makes a message {"action":"console","msg":...}: text for whoever looks at the device.
func ControlConsole(msg string) JSONControl {
	b := append([]byte(`{"action":"console","msg":`), quoteJSON(msg)...)
	return JSONControl{text: appendASCII(nil, append(b, '}'))}
}

// Control makes a message of an action alone.
func Control(action string) JSONControl {
	b := append([]byte(`{"action":`), quoteJSON(action)...)
	return JSONControl{text: appendASCII(nil, append(b, '}'))}
}

func quoteJSON(s string) []byte {
	b, _ := json.Marshal(s) // a string always has a form
	return b
}

// controlConnType is the first message of a device that is no firmware.
func controlConnType(t ConnType) JSONControl {
	b := append([]byte(`{"action":"connType","value":`), strconv.Itoa(int(t))...)
	return JSONControl{text: append(b, '}')}
}

// Type returns [TypeJSONControl].
func (JSONControl) Type() Type { return TypeJSONControl }

// Append appends the message.
func (j JSONControl) Append(b []byte) []byte {
	return appendString(append(b, byte(TypeJSONControl)), j.text)
}

// JSON returns the text of the message. The caller does not change it.
func (j JSONControl) JSON() []byte { return j.text }

// Decode decodes the message as encoding/json does.
func (j JSONControl) Decode(v any) error {
	if err := json.Unmarshal(j.text, v); err != nil {
		return fmt.Errorf("apf: control message: %w", err)
	}
	return nil
}

// Action returns the member "action", or "" if there is none.
func (j JSONControl) Action() string {
	var v struct {
		Action string `json:"action"`
	}
	if json.Unmarshal(j.text, &v) != nil {
		return ""
	}
	return v.Action
}

// Value returns the member "value", or nil if there is none.
func (j JSONControl) Value() json.RawMessage {
	var v struct {
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(j.text, &v) != nil {
		return nil
	}
	return v.Value
}

// String returns the action.
func (j JSONControl) String() string { return fmt.Sprintf("JSON_CONTROL{action %.40q}", j.Action()) }

// Format makes every verb print the action only.
func (j JSONControl) Format(f fmt.State, verb rune) { secret.Format(f, verb, j.String(), j.String()) }

// LogValue is what log/slog prints.
func (j JSONControl) LogValue() slog.Value { return slog.StringValue(j.String()) }

// MarshalText is what encoding/json prints.
func (j JSONControl) MarshalText() ([]byte, error) { return []byte(j.String()), nil }

// clone returns a copy that does not alias what it was parsed from.
func (j JSONControl) clone() JSONControl { return JSONControl{text: bytes.Clone(j.text)} }

// maxControlDepth bounds how deep a message may nest.
const maxControlDepth = 32

// check says whether the message is an object with an action, and not too deep.
func (j JSONControl) check() error {
	depth, inString, escaped := 0, false, false
	for _, c := range j.text {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > maxControlDepth {
				return malformed(TypeJSONControl, "nested deeper than %d", maxControlDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	if !json.Valid(j.text) || !utf8.Valid(j.text) {
		return malformed(TypeJSONControl, "no JSON")
	}
	if j.Action() == "" {
		return malformed(TypeJSONControl, "no object with an action")
	}
	return nil
}

// connType reads the value of a connType message.
func (j JSONControl) connType() (ConnType, error) {
	var v struct {
		Value *uint8 `json:"value"`
	}
	if err := json.Unmarshal(j.text, &v); err != nil || v.Value == nil || ConnType(*v.Value) > ConnLMS {
		return 0, malformed(TypeJSONControl, "no connection type")
	}
	return ConnType(*v.Value), nil
}

// appendASCII appends JSON text with everything beyond ASCII, which can only be in strings, escaped.
func appendASCII(b, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r > 0xFFFF:
			r1, r2 := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, r1, r2)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
		text = text[n:]
	}
	return b
}
