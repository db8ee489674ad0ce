package agentproto

import "fmt"

// Need is what a handshake waits for. A driver looks at it after every step and does what it says; both machines are
// used the same way:
//
//	for {
//		switch hs.Need() {
//		case NeedMessage:   read a message, hs.Handle it, send the reply
//		case NeedSignature: sign hs.Digest(), hs.SetSignature, send the reply
//		...
//		case Complete:      done
//		case Failed:        hs.Err() says why; close the connection
//		}
//	}
type Need uint8

const (
	// NeedMessage waits for the peer: pass its next message to Handle.
	NeedMessage Need = iota
	// NeedAdmission waits for a decision, on a server: call Admit or Reject. The agent's key is proved, the server's
	// own signature, which costs milliseconds, is not made yet.
	NeedAdmission
	// NeedSignature waits for a signature: sign Digest and call SetSignature.
	NeedSignature
	// NeedLogin waits for the last decision, on a server: all is known, call Accept or Reject.
	NeedLogin
	// Complete is a login that succeeded. The handshake is over.
	Complete
	// Failed is a login that failed. The handshake is over; there is no way back.
	Failed
)

var needNames = [...]string{"message", "admission", "signature", "login", "complete", "failed"}

// String returns the name of what is needed.
func (n Need) String() string {
	if int(n) < len(needNames) {
		return needNames[n]
	}
	return "unknown"
}

// maxHandshakeMessages bounds what a peer may send before it is logged in. A native agent sends eight messages.
const maxHandshakeMessages = 24

// handshake is what both machines have in common: where they are, and that a failure is final.
type handshake struct {
	need    Need
	err     error
	lenient bool
	count   int
	seen    commandSet
}

// commandSet holds commands below 32.
type commandSet uint32

func (s commandSet) has(c Command) bool { return c < 32 && s&(1<<c) != 0 }
func (s *commandSet) add(c Command)     { *s |= 1 << c }

// Need returns what the handshake waits for.
func (h *handshake) Need() Need { return h.need }

// Err returns why the handshake failed, or nil.
func (h *handshake) Err() error { return h.err }

// next is called for each message of the peer. It fails if none is due, or none any more.
func (h *handshake) next() error {
	if h.need != NeedMessage {
		return h.fail(unexpected(0, fmt.Sprintf("message while the handshake needs: %v", h.need)))
	}
	if h.count++; h.count > maxHandshakeMessages {
		return h.fail(unexpected(0, "too many messages"))
	}
	return nil
}

// ignore drops a message in lenient mode and fails otherwise.
func (h *handshake) ignore(err error) error {
	if h.lenient {
		return nil
	}
	return h.fail(err)
}

// fail ends the handshake. The first error stays.
func (h *handshake) fail(err error) error {
	if h.need != Failed {
		h.need, h.err = Failed, err
	}
	return h.err
}
