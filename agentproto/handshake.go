package agentproto

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
