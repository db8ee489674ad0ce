package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Control is a message beside the data of a tunnel: a JSON object with a type, in a text message. Those who know a type
// get its Go type from [ParseControl], all others are [UnknownControl] and survive.
//
//	{"ctrlChannel":"102938","type":"...",...}
//
// Confirmed in meshcore.js, onTunnelControlData.
type Control interface {
	// ControlType is the member "type".
	ControlType() string
	head() *Head
}

// Marker is the member "ctrlChannel", by which control messages are told from the JSON of files and plugins. Stock peers
// write text, a number, or nothing, and compare loosely.
type Marker uint8

// The markers.
const (
	MarkerText   Marker = iota // "102938"
	MarkerNumber               // 102938
	MarkerNone
)

// markerText is the marker's value.
const markerText = "102938"

// Head is how a control message begins. The zero value is what most peers write.
type Head struct {
	Marker    Marker
	TypeFirst bool // "type" comes before the marker
}

func (h *Head) head() *Head { return h }

// Bounds of a control message. The largest are WebRTC's descriptions, and the pictures in chats.
const (
	maxControl       = 1 << 20
	maxControlDepth  = 16
	maxControlValues = 4096
)

// ErrControl is text that is no control message.
var ErrControl = errors.New("relay: no control message")

// ControlOptions are what an operator says before the number of the protocol: the size of the terminal, how to log in,
// what consent to ask for.
//
//	{"ctrlChannel":"102938","type":"options","cols":80,"rows":25}
//
// Direction: operator to device, before the number. Bits of Consent are added to those of the tunnel request, none is taken
// away. Terminals without a size send zeros. meshcore.js, onTunnelControlData, case 'options'; meshctrl.js.
type ControlOptions struct {
	Head         `json:"-"`
	Cols         *int                       `json:"cols"`
	Rows         *int                       `json:"rows"`
	RequireLogin bool                       `json:"requireLogin"`
	TSID         *int                       `json:"tsid"` // the session of a Windows
	Consent      uint32                     `json:"consent"`
	AutoLock     bool                       `json:"autolock"` // lock the desktop when the tunnel ends
	File         string                     `json:"file"`     // with [ProtocolFile]
	XTerm        bool                       `json:"xterm"`
	Protocol     *int                       `json:"protocol"`
	Extra        map[string]json.RawMessage `json:"-"`
}

// ControlType is "options".
func (*ControlOptions) ControlType() string { return "options" }

// ControlPing asks for a [ControlPong].
//
//	{"ctrlChannel":"102938","type":"ping"}
//
// Direction: any; servers send it to both ends. meshcore.js, case 'ping'; meshrelay.js.
type ControlPing struct {
	Head  `json:"-"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "ping".
func (*ControlPing) ControlType() string { return "ping" }

// ControlPong is the answer to a ping. Those of one end arrive at the other, who did not ask, when a server pings.
//
//	{"ctrlChannel":"102938","type":"pong"}
type ControlPong struct {
	Head  `json:"-"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "pong".
func (*ControlPong) ControlType() string { return "pong" }

// ControlRTT measures the time to the device and back: the device sends it back as it is.
//
//	{"ctrlChannel":102938,"type":"rtt","time":1700000000000}
//
// Direction: operator to device and back. meshcore.js, case 'rtt'; agent-redir-ws-0.1.1.js.
type ControlRTT struct {
	Head  `json:"-"`
	Time  json.RawMessage            `json:"time"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "rtt".
func (*ControlRTT) ControlType() string { return "rtt" }

// ControlClose announces the end of the tunnel.
//
//	{"ctrlChannel":"102938","type":"close"}
//
// Direction: operator to device, which closes. meshcore.js, case 'close'.
type ControlClose struct {
	Head  `json:"-"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "close".
func (*ControlClose) ControlType() string { return "close" }

// ConsoleID tells the texts of [ControlConsole] apart ("msgid").
type ConsoleID int

// The ids of texts. 5 to 14 are errors of RDP.
const (
	ConsoleClear       ConsoleID = 0 // the user has agreed
	ConsoleWaiting     ConsoleID = 1 // "Waiting for user to grant access..."
	ConsoleDenied      ConsoleID = 2 // the user has not, or an error
	ConsoleStartFailed ConsoleID = 3 // of a terminal
	ConsoleTimeout     ConsoleID = 4
)

// ControlConsole is a line for the operator to see; without a text it takes the last one back.
//
//	{"ctrlChannel":"102938","type":"console","msg":"Waiting for user to grant access...","msgid":1}
//
// Direction: device to operator. meshcore.js, consent prompts.
type ControlConsole struct {
	Head    `json:"-"`
	Msg     string                     `json:"msg,null"`
	ID      *ConsoleID                 `json:"msgid"`
	Args    json.RawMessage            `json:"msgargs"`
	Timeout int                        `json:"timeout"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// ControlType is "console".
func (*ControlConsole) ControlType() string { return "console" }

// ControlMetadata says who is on a desktop: accounts and how many tunnels each has, and since when.
//
//	{"ctrlChannel":"102938","type":"metadata","users":{"user//ann":1}}
//
// Direction: device, or a server that shares a desktop, to operator. meshcore.js; meshdesktopmultiplex.js.
type ControlMetadata struct {
	Head      `json:"-"`
	Users     map[string]int             `json:"users"`
	StartTime json.RawMessage            `json:"startTime"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// ControlType is "metadata".
func (*ControlMetadata) ControlType() string { return "metadata" }

// ControlTermSize changes the size of a terminal.
//
//	{"ctrlChannel":"102938","type":"termsize","cols":100,"rows":30}
//
// Direction: operator to device. meshcore.js, case 'termsize'.
type ControlTermSize struct {
	Head  `json:"-"`
	Cols  int                        `json:"cols,keep"`
	Rows  int                        `json:"rows,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "termsize".
func (*ControlTermSize) ControlType() string { return "termsize" }

// ControlLock locks the desktop.
//
//	{"ctrlChannel":"102938","type":"lock"}
//
// Direction: operator to device. meshcore.js, case 'lock'.
type ControlLock struct {
	Head  `json:"-"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "lock".
func (*ControlLock) ControlType() string { return "lock" }

// ControlAutoLock has the desktop locked, or not, when the tunnel ends.
//
//	{"ctrlChannel":"102938","type":"autolock","value":true}
//
// Direction: operator to device. meshcore.js, case 'autolock'.
type ControlAutoLock struct {
	Head  `json:"-"`
	Value bool                       `json:"value,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "autolock".
func (*ControlAutoLock) ControlType() string { return "autolock" }

// ControlImage is the picture of the other party of a chat, as a data URL.
//
//	{"ctrlChannel":"102938","type":"image","image":"data:image/jpeg;base64,..."}
//
// Direction: server to a chat's end. meshrelay.js.
type ControlImage struct {
	Head  `json:"-"`
	Image string                     `json:"image,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "image".
func (*ControlImage) ControlType() string { return "image" }

// UnknownControl is a control message of a type that this package does not know. All its members are in Extra.
type UnknownControl struct {
	Head  `json:"-"`
	Type  string                     `json:"-"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is the message's own.
func (u *UnknownControl) ControlType() string { return u.Type }

// newControl returns an empty message of a type, and where its unknown members go.
func newControl(typ string) (Control, *map[string]json.RawMessage) {
	switch typ {
	case "options":
		c := new(ControlOptions)
		return c, &c.Extra
	case "ping":
		c := new(ControlPing)
		return c, &c.Extra
	case "pong":
		c := new(ControlPong)
		return c, &c.Extra
	case "rtt":
		c := new(ControlRTT)
		return c, &c.Extra
	case "close":
		c := new(ControlClose)
		return c, &c.Extra
	case "console":
		c := new(ControlConsole)
		return c, &c.Extra
	case "metadata":
		c := new(ControlMetadata)
		return c, &c.Extra
	case "termsize":
		c := new(ControlTermSize)
		return c, &c.Extra
	case "lock":
		c := new(ControlLock)
		return c, &c.Extra
	case "autolock":
		c := new(ControlAutoLock)
		return c, &c.Extra
	case "image":
		c := new(ControlImage)
		return c, &c.Extra
	case "offer":
		c := new(WebRTCOffer)
		return c, &c.Extra
	case "answer":
		c := new(WebRTCAnswer)
		return c, &c.Extra
	case "webrtc0", "webrtc1", "webrtc2":
		c := &WebRTCSwitch{Stage: int(typ[6] - '0')}
		return c, &c.Extra
	}
	c := &UnknownControl{Type: typ}
	return c, &c.Extra
}

// ParseControl reads a control message. What is none (a number, data, JSON without a type) is [ErrControl]. Without a
// marker too a message is taken, as devices do on terminals and desktops; on files look at the Head.
func ParseControl(b []byte) (Control, error) {
	if len(b) < 2 || b[0] != '{' {
		return nil, ErrControl
	}
	if err := jsonrec.Check(b, jsonrec.Limits{Size: maxControl, Depth: maxControlDepth, Values: maxControlValues}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	h := Head{Marker: MarkerNone}
	var typ struct {
		Type *string `json:"type"`
	}
	marked := false
	err := jsonrec.Members(b, func(name string, value json.RawMessage) error {
		switch name {
		case "type":
			h.TypeFirst = !marked
		case "ctrlChannel":
			marked = true
			switch string(value) {
			case `"` + markerText + `"`:
				h.Marker = MarkerText
			case markerText:
				h.Marker = MarkerNumber
			}
		}
		return nil
	})
	if err == nil {
		err = jsonrec.Unmarshal(b, &typ)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	if typ.Type == nil {
		return nil, fmt.Errorf("%w: it has no type", ErrControl)
	}
	h.TypeFirst = h.TypeFirst && h.Marker != MarkerNone
	c, extra := newControl(*typ.Type)
	if err := jsonrec.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	*c.head() = h
	delete(*extra, "type")
	delete(*extra, "ctrlChannel")
	if len(*extra) == 0 {
		*extra = nil
	}
	return c, nil
}

// AppendControl appends a control message as JSON.
func AppendControl(b []byte, c Control) ([]byte, error) {
	h := c.head()
	body, err := jsonrec.Append(nil, c)
	if err != nil {
		return b, fmt.Errorf("relay: control message %.64q: %w", c.ControlType(), err)
	}
	marker := ""
	switch h.Marker {
	case MarkerText:
		marker = `"ctrlChannel":` + strconv.Quote(markerText)
	case MarkerNumber:
		marker = `"ctrlChannel":` + markerText
	case MarkerNone:
	}
	b = append(b, '{')
	if marker != "" && !h.TypeFirst {
		b = append(append(b, marker...), ',')
	}
	b = jsonrec.AppendString(append(b, `"type":`...), c.ControlType())
	if marker != "" && h.TypeFirst {
		b = append(append(b, ','), marker...)
	}
	if len(body) > 2 {
		b = append(b, ',')
	}
	return append(b, body[1:]...), nil
}
