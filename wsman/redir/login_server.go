package redir

import (
	"crypto/subtle"
	"fmt"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// maxAuthRequests is how many authentications an operator may try in one session, queries and unsupported ones included.
const maxAuthRequests = 8

// ServerLogin is the device's part of the start of a session, without I/O. It takes digest authentication alone, gives a
// challenge for a digest with blanks, and ends the session after one wrong digest: stock clients answer every refusal with
// the next try, thousands of times a second.
type ServerLogin struct {
	cfg      ServerLoginConfig
	nonce    string
	session  SessionType
	username string
	state    serverState
	requests int
	err      error
}

// ServerLoginConfig is what a ServerLogin is made with.
type ServerLoginConfig struct {
	// Realm is that of the device: "Digest:" and 32 upper-case hexadecimal digits.
	Realm string
	// Nonce, of 32 characters, is made at random if it is empty.
	Nonce string
	// Start decides on the start of a session. Nil accepts the three types there are.
	Start func(SessionType) StartStatus
	// Password returns the password of a user who may use redirection. Nil knows nobody.
	Password func(username string) (Secret, bool)
	// HA1 is asked in place of Password, if it is not nil: for the hash of user name, realm and password in hexadecimal
	// digits, which is what devices store.
	HA1 func(username string) (Secret, bool)
	// OEM is sent in StartReply.
	OEM []byte
}

type serverState uint8

const (
	serverWaiting serverState = iota
	serverStarted
	serverDone
)

// NewServerLogin returns the login of one session.
func NewServerLogin(cfg ServerLoginConfig) *ServerLogin {
	l := &ServerLogin{cfg: cfg, nonce: cfg.Nonce}
	if l.nonce == "" {
		l.nonce = randomHex(16)
	}
	return l
}

// Session is what the operator has started, or 0.
func (l *ServerLogin) Session() SessionType { return l.session }

// Username is who has logged in.
func (l *ServerLogin) Username() string { return l.username }

// Receive takes a message of the operator, appends the answer to b, and says whether the session is open. An error is final;
// what was appended with it is to be sent before the connection is closed.
func (l *ServerLogin) Receive(b []byte, m Message) (out []byte, done bool, err error) {
	if l.err != nil {
		return b, false, l.err
	}
	switch {
	case m.Command() == CommandEnd:
		out, err = b, ErrEnded
	case l.state == serverWaiting:
		out, err = l.start(b, m)
	case l.state == serverStarted:
		out, err = l.authenticate(b, m)
	default:
		out, err = b, protocolError("command %02X after the login", uint8(m.Command()))
	}
	l.err = err
	return out, err == nil && l.state == serverDone, err
}

func (l *ServerLogin) start(b []byte, m Message) ([]byte, error) {
	var start StartSession
	if err := start.Parse(m); err != nil {
		return b, err
	}
	status := StartOK
	switch start.Type {
	case SOL, KVM, IDER:
		if l.cfg.Start != nil {
			status = l.cfg.Start(start.Type)
		}
	default:
		status = StartUnknownType
	}
	if status != StartOK {
		return StartReply{Status: status}.Append(b), &StartError{start.Type, status}
	}
	l.session, l.state = start.Type, serverStarted
	return StartReply{OEM: l.cfg.OEM}.Append(b), nil
}

func (l *ServerLogin) authenticate(b []byte, m Message) ([]byte, error) {
	var auth AuthRequest
	if err := auth.Parse(m); err != nil {
		return b, err
	}
	if l.requests++; l.requests > maxAuthRequests {
		return b, protocolError("%d authentications", l.requests)
	}
	switch auth.Type {
	case AuthQuery:
		return AuthReply{Type: AuthQuery, Data: []byte{byte(AuthDigest)}}.Append(b), nil
	case AuthDigest:
	default:
		return AuthReply{Status: AuthNotSupported, Type: auth.Type}.Append(b), nil
	}
	var d DigestResponse
	if err := d.Parse(auth.Data); err != nil {
		return b, err
	}
	if d.Response != "" && l.verify(&d) {
		l.username, l.state = d.Username, serverDone
		return AuthReply{Type: AuthDigest}.Append(b), nil
	}
	challenge, err := DigestChallenge{Realm: l.cfg.Realm, Nonce: l.nonce, QOP: "auth"}.Append(nil)
	if err != nil {
		return b, err
	}
	b = AuthReply{Status: AuthFailed, Type: AuthDigest, Data: challenge}.Append(b)
	if d.Response != "" {
		return b, fmt.Errorf("%w: user %.64q", ErrCredentials, d.Username)
	}
	return b, nil
}

func (l *ServerLogin) verify(d *DigestResponse) bool {
	cred := digest.Credentials{Username: d.Username}
	known := false
	switch {
	case l.cfg.HA1 != nil:
		cred.HA1, known = l.cfg.HA1(d.Username)
		known = known && cred.HA1.Reveal() != "" // without it the empty password would do
	case l.cfg.Password != nil:
		cred.Password, known = l.cfg.Password(d.Username)
	}
	// Whether the user is known shows neither in the answer nor in the time it takes.
	right := subtle.ConstantTimeCompare([]byte(response(&cred, d)), []byte(d.Response)) == 1
	return right && known && d.Realm == l.cfg.Realm && d.Nonce == l.nonce && d.URI == authURI && d.QOP == "auth" &&
		d.NC != "" && d.CNonce != ""
}
