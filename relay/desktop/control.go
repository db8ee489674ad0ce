package desktop

import (
	"encoding/json"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Console is a line that the agent shows to the operator beside the picture: that its user is asked for consent (1), that he
// refused or something failed (2). An empty one (0) clears it.
type Console struct {
	Text string
	ID   int
}

// control is what is understood of the text messages of a desktop tunnel.
//
//	{"ctrlChannel":"102938","type":"console","msg":"Waiting for user to grant access...","msgid":1}
type control struct {
	Type      string          `json:"type"`
	Message   string          `json:"msg"`
	MessageID int             `json:"msgid"`
	Time      json.RawMessage `json:"time"` // of "rtt", as it came
}

const pong = `{"ctrlChannel":"102938","type":"pong"}`

// maxControl bounds a text message that is looked into.
const maxControl = 64 << 10

// parseControl reads a text message; false if it is not one.
func parseControl(b []byte) (control, bool) {
	var c control
	if len(b) == 0 || b[0] != '{' || len(b) > maxControl || jsonrec.Unmarshal(b, &c) != nil {
		return control{}, false
	}
	return c, true
}

// roundTrip answers an "rtt" message with its time.
func roundTrip(c control) []byte {
	b := append([]byte(nil), `{"type":"rtt","ctrlChannel":"102938"`...)
	if len(c.Time) > 0 {
		b = append(append(b, `,"time":`...), c.Time...)
	}
	return append(b, '}')
}
