package redir

import "slices"

// ClientLogin is the operator's part of the start of a session, without I/O. It offers nothing but digest authentication, and
// takes one refusal for an answer: stock clients try again for ever.
type ClientLogin struct {
	session     SessionType
	credentials Credentials
	state       clientState
	err         error
}

type clientState uint8

const (
	clientStarting clientState = iota
	clientAsking               // which authentications there are
	clientBlank                // sent the user alone, for a challenge
	clientAnswered
	clientDone
)

// NewClientLogin returns the start of a session.
func NewClientLogin(session SessionType, c Credentials) *ClientLogin {
	return &ClientLogin{session: session, credentials: c}
}

// Start appends what is to be sent first.
func (l *ClientLogin) Start(b []byte) []byte { return StartSession{l.session}.Append(b) }

// Phase says what the device has not answered yet, for errors.
func (l *ClientLogin) Phase() string {
	switch l.state {
	case clientStarting:
		return "start of the session"
	case clientAsking:
		return "query of the authentication types"
	case clientBlank:
		return "digest challenge"
	case clientAnswered:
		return "digest response"
	default:
		return "session"
	}
}

// Receive takes a message of the device, appends the answer to b, and says whether the session is open. An error is final.
func (l *ClientLogin) Receive(b []byte, m Message) (out []byte, done bool, err error) {
	if l.err != nil {
		return b, false, l.err
	}
	switch l.state {
	case clientStarting:
		out, err = l.started(b, m)
	case clientDone:
		out, err = b, protocolError("command %02X after the login", uint8(m.Command()))
	default:
		out, err = l.replied(b, m)
	}
	if err != nil {
		l.err = err
		return b, false, err
	}
	return out, l.state == clientDone, nil
}

func (l *ClientLogin) started(b []byte, m Message) ([]byte, error) {
	var reply StartReply
	if err := reply.Parse(m); err != nil {
		return b, err
	}
	if reply.Status != StartOK {
		return b, &StartError{l.session, reply.Status}
	}
	l.state = clientAsking
	return AuthRequest{Type: AuthQuery}.Append(b), nil
}

func (l *ClientLogin) replied(b []byte, m Message) ([]byte, error) {
	var reply AuthReply
	if err := reply.Parse(m); err != nil {
		return b, err
	}
	if l.state == clientAsking {
		if reply.Type != AuthQuery || !slices.Contains(reply.Data, byte(AuthDigest)) {
			return b, ErrAuthType
		}
		l.state = clientBlank
		return appendDigest(b, &DigestResponse{Username: l.credentials.Username, URI: authURI})
	}
	switch {
	case reply.Type != AuthDigest:
		return b, protocolError("answer to %v in place of digest", reply.Type)
	case reply.Status == AuthOK && l.state == clientAnswered:
		l.state = clientDone
		return b, nil
	case reply.Status == AuthNotSupported:
		return b, ErrAuthType
	case reply.Status != AuthFailed:
		return b, protocolError("authentication %v without a digest", reply.Status)
	case l.state == clientAnswered:
		return b, ErrCredentials
	}
	var challenge DigestChallenge
	if err := challenge.Parse(reply.Data); err != nil {
		return b, err
	}
	d, err := answer(l.credentials, &challenge, randomHex(16), "00000002") // the count of MeshCentral's clients
	if err != nil {
		return b, err
	}
	l.state = clientAnswered
	return appendDigest(b, d)
}
