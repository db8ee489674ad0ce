package agentproto

// AuthRequest (command 1) opens a login. Both sides send it once, the agent first.
//
//	 0  2  00 01
//	 2 48  H, the hash of the TLS certificate; the server repeats the agent's
//	50 48  nonce of the sender
//
// Exactly 98 bytes. Agents send the SHA-384 of the whole certificate; servers also take that of its key.
//
// Confirmed in agentcore.c, MeshServer_SendAuthRequest, and meshagent.js, case 1.
type AuthRequest struct {
	WebHash Hash
	Nonce   Nonce
}

const authRequestSize = 98

// Command returns [CmdAuthRequest].
func (AuthRequest) Command() Command { return CmdAuthRequest }

// AppendBinary appends the message. The error is always nil.
func (m AuthRequest) AppendBinary(b []byte) ([]byte, error) {
	b = appendHeader(b, CmdAuthRequest)
	b = append(b, m.WebHash[:]...)
	return append(b, m.Nonce[:]...), nil
}

// ParseAuthRequest parses a command 1.
func ParseAuthRequest(msg []byte) (m AuthRequest, err error) {
	if err := checkHeader(msg, CmdAuthRequest, authRequestSize, authRequestSize); err != nil {
		return m, err
	}
	copy(m.WebHash[:], msg[2:])
	copy(m.Nonce[:], msg[50:])
	return m, nil
}
