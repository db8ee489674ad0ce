package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Tunnel is one end of a tunnel whose ends have met. It is a [Conn]: its messages are those of the protocol that goes
// through it, and control messages that are none of the protocol's business are taken out and seen to: pings and
// round-trip times are answered, lines for the console become events. One goroutine may read while others write.
type Tunnel struct {
	conn     Conn
	id       ID
	role     Role
	protocol Protocol
	recorded bool
	onEvent  func(Event)
	webrtc   WebRTC

	onControl atomic.Pointer[func(Control) bool]
	mu        sync.Mutex
	answers   []Control // that wait to be sent
	answering bool
	denied    string // what the device said when it refused
	consent   ConsentState
}

var _ Conn = (*Tunnel)(nil)

// EventKind is what an [Event] is about.
type EventKind uint8

// Events of a tunnel.
const (
	EventRequested EventKind = 1 + iota // the server passed the request on to the device
	EventConnected                      // the ends have met; Recorded says whether the server records
	EventConsent                        // the device waits for its user to agree
	EventGranted                        // the user has agreed
	EventDenied                         // the user has not, or something failed: Text says what
	EventConsole                        // another line of the device
)

// Event is something that an operator shall see.
type Event struct {
	Kind     EventKind
	Text     string          // the device's words, not to be trusted
	Console  *ControlConsole // what it came from, if it came from the device
	Recorded bool
}

// ConsentState is whether the device's user was asked for a tunnel, and has agreed. Devices say nothing where nobody is asked.
type ConsentState uint8

// The states.
const (
	ConsentNotAsked ConsentState = iota
	ConsentAsked                 // and has not answered yet
	ConsentGiven
	ConsentRefused // or nobody answered in time
)

// String names the state.
func (s ConsentState) String() string {
	switch s {
	case ConsentNotAsked:
		return "not asked"
	case ConsentAsked:
		return "asked"
	case ConsentGiven:
		return "given"
	case ConsentRefused:
		return "refused"
	}
	return fmt.Sprintf("ConsentState(%d)", uint8(s))
}

// Consent returns how far the device's user has agreed, as far as it was read.
func (t *Tunnel) Consent() ConsentState {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.consent
}

// ErrDenied is a tunnel that the device ended because its user, or it itself, refused. The text of the error has its words.
var ErrDenied = errors.New("relay: the device refused")

// ID returns the tunnel's id.
func (t *Tunnel) ID() ID { return t.id }

// Protocol returns what goes through the tunnel.
func (t *Tunnel) Protocol() Protocol { return t.protocol }

// Recorded says whether the server records the tunnel.
func (t *Tunnel) Recorded() bool { return t.recorded }

// Conn returns the connection below, where control messages are messages like all others.
func (t *Tunnel) Conn() Conn { return t.conn }

// OnControl has f called from ReadMessage for control messages. Those for which it returns false are treated as if there
// were no f. It is to be set before the first read.
func (t *Tunnel) OnControl(f func(Control) bool) { t.onControl.Store(&f) }

// SendControl sends a control message.
func (t *Tunnel) SendControl(ctx context.Context, c Control) error {
	b, err := AppendControl(nil, c)
	if err != nil {
		return err
	}
	return t.conn.WriteMessage(ctx, Text, b)
}

// ReadMessage returns the next message of the protocol. See [msgconn.Conn].
func (t *Tunnel) ReadMessage(ctx context.Context) (Type, []byte, error) {
	for {
		typ, b, err := t.conn.ReadMessage(ctx)
		if err != nil {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.denied != "" {
				return 0, nil, &deniedError{t.denied, err}
			}
			return 0, nil, err
		}
		if typ != Text || len(b) == 0 || b[0] != '{' {
			return typ, b, nil
		}
		taken, err := t.control(ctx, b)
		if err != nil {
			return 0, nil, err
		}
		if !taken {
			return typ, b, nil
		}
	}
}

type deniedError struct {
	text string
	err  error
}

// Error returns the device's words.
func (e *deniedError) Error() string { return ErrDenied.Error() + ": " + quote(e.text) }

// Unwrap returns [ErrDenied] and how the tunnel ended.
func (e *deniedError) Unwrap() []error { return []error{ErrDenied, e.err} }

// control handles a message if it is a control message that the protocol need not see.
func (t *Tunnel) control(ctx context.Context, b []byte) (bool, error) {
	c, err := ParseControl(b)
	if err != nil {
		return false, nil //nolint:nilerr // it is data then
	}
	if f := t.onControl.Load(); f != nil && (*f)(c) {
		return true, nil
	}
	if t.webrtc != nil {
		switch c.(type) {
		case *WebRTCOffer, *WebRTCAnswer, *WebRTCSwitch:
			return true, t.webrtc.Signal(ctx, t, c)
		}
	}
	if c.head().Marker == MarkerNone {
		return false, nil
	}
	switch c := c.(type) {
	case *ControlPing:
		t.answer(&ControlPong{})
		return true, nil
	case *ControlPong:
		return true, nil
	case *ControlRTT:
		if t.role != RoleAgent {
			return false, nil
		}
		t.answer(&ControlRTT{Head: Head{TypeFirst: true}, Time: slices.Clone(c.Time)})
		return true, nil
	case *ControlConsole:
		if t.role == RoleAgent {
			return false, nil
		}
		t.console(c)
		return true, nil
	}
	return false, nil
}

// maxAnswers bounds the answers that wait to be sent.
const maxAnswers = 16

// answer sends a control message without waiting: a reader that waits for a writer, which waits for the other end's reader,
// would be a circle. Those that are too many are dropped.
func (t *Tunnel) answer(c Control) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.answers) < maxAnswers {
		t.answers = append(t.answers, c)
	}
	if !t.answering {
		t.answering = true
		go t.sendAnswers()
	}
}

// sendAnswers sends the answers that wait. Close ends it, whatever it waits for.
func (t *Tunnel) sendAnswers() {
	for {
		t.mu.Lock()
		if len(t.answers) == 0 {
			t.answering = false
			t.mu.Unlock()
			return
		}
		c := t.answers[0]
		t.answers = t.answers[1:]
		t.mu.Unlock()
		t.SendControl(context.Background(), c) //nolint:errcheck // whoever reads learns of it too
	}
}

// console turns a line of the device into an event.
func (t *Tunnel) console(c *ControlConsole) {
	e := Event{Kind: EventConsole, Text: c.Msg, Console: c}
	t.mu.Lock()
	switch {
	case c.Msg == "":
		e.Kind = EventGranted
		if t.consent == ConsentAsked {
			t.consent = ConsentGiven
		}
	case c.ID == nil:
	case *c.ID == ConsoleWaiting:
		e.Kind, t.consent = EventConsent, ConsentAsked
	case *c.ID == ConsoleDenied, *c.ID == ConsoleTimeout, *c.ID == ConsoleStartFailed:
		e.Kind, t.denied = EventDenied, c.Msg
		if t.consent == ConsentAsked {
			t.consent = ConsentRefused
		}
	}
	t.mu.Unlock()
	if t.onEvent != nil {
		t.onEvent(e)
	}
}

// WriteMessage sends a message. See [msgconn.Conn].
func (t *Tunnel) WriteMessage(ctx context.Context, typ Type, p []byte) error {
	return t.conn.WriteMessage(ctx, typ, p)
}

// Close ends the tunnel. The other end learns nothing but that.
func (t *Tunnel) Close(code int, reason string) error { return t.conn.Close(code, reason) }

// bye ends a tunnel without a reason.
func (t *Tunnel) bye() error { return t.conn.Close(msgconn.CloseNormal, "") }
