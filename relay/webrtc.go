package relay

import (
	"context"
	"encoding/json"
)

// WebRTCOffer proposes a direct connection, with all candidates in the description. Desktops and files take it, if the
// server lets them; what goes that way passes no server and no recording.
//
//	{"type":"offer","sdp":"v=0..."}
//
// Direction: operator to device, without a marker. agent-redir-ws-0.1.1.js; meshcore.js, case 'offer'.
type WebRTCOffer struct {
	Head  `json:"-"`
	SDP   string                     `json:"sdp,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "offer".
func (*WebRTCOffer) ControlType() string { return "offer" }

// WebRTCAnswer accepts an offer.
//
//	{"type":"answer","ctrlChannel":"102938","sdp":"v=0..."}
//
// Direction: device to operator. meshcore.js, case 'offer'.
type WebRTCAnswer struct {
	Head  `json:"-"`
	SDP   string                     `json:"sdp,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "answer".
func (*WebRTCAnswer) ControlType() string { return "answer" }

// WebRTCSwitch moves the data from the WebSocket to the data channel: 0 is "ready", 1 "nothing more of mine comes this
// way", 2 "go on over there".
//
//	{"ctrlChannel":"102938","type":"webrtc0"}
//
// Direction: both. meshcore.js, cases 'webrtc0' to 'webrtc2'.
type WebRTCSwitch struct {
	Head  `json:"-"`
	Stage int                        `json:"-"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ControlType is "webrtc0", "webrtc1" or "webrtc2".
func (s *WebRTCSwitch) ControlType() string { return "webrtc" + string(rune('0'+s.Stage)) }

// WebRTC is where an implementation plugs in: this package has none. It gets the messages about a direct connection that
// arrive in a tunnel, and may answer with [Tunnel.SendControl]. Without one they are data like any other.
type WebRTC interface {
	Signal(ctx context.Context, t *Tunnel, c Control) error
}
