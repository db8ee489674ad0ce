package wsmantest

import "fmt"

// Event is a change of the device's state.
type Event struct {
	Kind EventKind
	// Text says what happened, for a log. It holds no secrets.
	Text string
}

// String gives kind and text.
func (e Event) String() string { return fmt.Sprintf("%s: %s", e.Kind, e.Text) }

// EventKind says what an event is about.
type EventKind uint8

// Kinds of events.
const (
	EventLogin       EventKind = iota // a login was refused, or a user locked out
	EventPower                        // the power state changed
	EventBoot                         // the computer booted
	EventSettings                     // settings were changed
	EventAccounts                     // users, permissions, passwords
	EventCertificate                  // certificates and keys
	EventNetwork                      // WiFi, 802.1x, TLS
	EventCIRA                         // MPS servers and policies
	EventSetup                        // activation and its end
	EventConsent                      // user consent
	EventRedirection                  // SOL, IDE-R and KVM sessions
	EventClock                        // clock and alarms
	EventLog                          // event and audit log
)

var eventNames = []string{
	"login", "power", "boot", "settings", "accounts", "certificate", "network", "cira", "setup", "consent", "redirection", "clock", "log",
}

// String returns a word.
func (k EventKind) String() string { return name(eventNames, int(k)) }

// emit notes an event; the mutex is held. It is delivered when the mutex is given back.
func (d *Device) emit(kind EventKind, format string, args ...any) {
	d.changedLocked()
	if d.cfg.OnEvent != nil {
		d.events = append(d.events, Event{kind, fmt.Sprintf(format, args...)})
	}
}

// unlock gives the mutex back and delivers events, one at a time, without holding any mutex: who is called may look into the
// device. Events that come meanwhile are left to whoever delivers already.
func (d *Device) unlock() {
	if d.delivering {
		d.mu.Unlock()
		return
	}
	d.delivering = true
	for len(d.events) > 0 {
		e := d.events[0]
		d.events = d.events[1:]
		d.mu.Unlock()
		d.cfg.OnEvent(e)
		d.mu.Lock()
	}
	d.delivering = false
	d.mu.Unlock()
}
