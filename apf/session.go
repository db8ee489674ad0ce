package apf

import "time"

// Event is what a session tells its driver about a message.
type Event uint8

// The events.
const (
	// EventNone asks for nothing.
	EventNone Event = iota
	// EventLogin asks for a decision on the login: Accept or Refuse.
	EventLogin
	// EventLoggedIn says that the server has taken the login.
	EventLoggedIn
	// EventForwarding says that the service of forwarding has begun.
	EventForwarding
	// EventPorts says that the forwarded ports have changed.
	EventPorts
	// EventReady says that all ports of the device are forwarded.
	EventReady
	// EventOptions says that the interval of keep-alives was agreed on.
	EventOptions
	// EventReply says that the message answers a probe.
	EventReply
	// EventControl hands a JSON message on.
	EventControl
	// EventUDP hands a datagram on.
	EventUDP
	// EventChannel says that the message is for the Mux.
	EventChannel
)

// keepAliveRate is how many keep-alives a peer may send at once, and in as many seconds in the long run.
const keepAliveRate = 10

// portRate is how often a device may change each of its ports at once; in the long run it is one port a second.
const portRate = 4

// allowance is a token bucket, which is filled with one each second.
type allowance struct {
	tokens float64
	at     time.Time
}

func (a *allowance) take(now time.Time, atOnce int) bool {
	if a.at.IsZero() {
		a.tokens = float64(atOnce)
	} else {
		a.tokens = min(float64(atOnce), a.tokens+now.Sub(a.at).Seconds())
	}
	if a.at = now; a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// forChannel says whether a message is for the Mux.
func forChannel(t Type) bool { return t >= TypeChannelOpen && t <= TypeChannelClose }
