package controlproto

import (
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// What decides how the user of a [Client] goes on. They are matched with errors.Is; the errors that carry them tell
// more.
var (
	// ErrTokenRequired is a login that needs a second factor, or had a wrong one: see [TokenRequiredError].
	ErrTokenRequired = errors.New("a second factor is required")
	// ErrOrigin is a connection refused because of its Origin header. Only browsers send one.
	ErrOrigin = errors.New("origin refused")
	// ErrNoReply is a request that was not answered in time. Servers are silent about much that they refuse, so it may
	// as well mean that the right to do this was missing.
	ErrNoReply = errors.New("no reply")
	// ErrDisconnected is a request whose connection ended before the reply came. Whether it was carried out is not
	// known.
	ErrDisconnected = errors.New("disconnected before the reply")
	// ErrClientClosed is a request to a client that was closed or has given up.
	ErrClientClosed = errors.New("client is closed")
	// ErrSilentPeer ends a connection whose server does not answer pings.
	ErrSilentPeer = errors.New("server fell silent")
	// ErrPinnedCertificate is a TLS certificate other than the one in ClientConfig.
	ErrPinnedCertificate = errors.New("the TLS certificate is not the pinned one")
	// ErrNotFound is a record that does not exist, or that the account may not see.
	ErrNotFound = errors.New("not found")
	// ErrAgentBusy is a command that an agent did not run, as it most likely was running another.
	ErrAgentBusy = errors.New("the agent is busy with another command")
)

// ClientPhase is the part of a connection's life in which an error happened.
type ClientPhase string

// The phases, in their order.
const (
	PhaseDial    ClientPhase = "dial"    // names, TCP, proxies
	PhaseTLS     ClientPhase = "TLS"     // the TLS handshake and the verification of the certificate
	PhaseUpgrade ClientPhase = "upgrade" // the HTTP request that opens the WebSocket
	PhaseAuth    ClientPhase = "auth"    // the login
	PhaseRequest ClientPhase = "request" // a request and its reply
)

// ClientError is an error of a [Client]: the phase, the action if it was a request, and the cause.
type ClientError struct {
	Phase  ClientPhase
	Action string
	Err    error
}

// Error names phase, action and cause.
func (e *ClientError) Error() string {
	if e.Action != "" {
		return fmt.Sprintf("controlproto: %s %.64q: %v", e.Phase, e.Action, e.Err)
	}
	return fmt.Sprintf("controlproto: %s: %v", e.Phase, e.Err)
}

// Unwrap returns the cause.
func (e *ClientError) Unwrap() error { return e.Err }

// Timeout tells whether it is a request that was not answered in time.
func (e *ClientError) Timeout() bool { return errors.Is(e.Err, ErrNoReply) }

func requestError(action string, err error) error {
	return &ClientError{Phase: PhaseRequest, Action: action, Err: err}
}

// CloseError is a connection that the server ended with a reason:
// {"action":"close","cause":"noauth","msg":"noauth-2d"}. The texts are the server's.
type CloseError struct {
	Cause string
	Msg   string
}

// Error returns both texts, quoted.
func (e *CloseError) Error() string {
	return fmt.Sprintf("closed by the server: %.64q, %.128q", e.Cause, e.Msg)
}

// Is matches [ErrBadCredentials] and [ErrOrigin] by the cause.
func (e *CloseError) Is(target error) bool {
	switch e.Cause {
	case CloseNoAuth:
		return target == ErrBadCredentials
	case CloseInvalidOrigin:
		return target == ErrOrigin
	}
	return false
}

// final tells whether another attempt with the same credentials can not succeed.
func (e *CloseError) final() bool {
	switch e.Cause {
	case CloseNoAuth, CloseNoTools, CloseEmailValidation, CloseExpired, CloseInvalidOrigin:
		return true
	}
	return false
}

// TokenRequiredError says that an account has a second factor: which codes the server can send, and which it just sent.
// Time based codes, backup codes and YubiKeys work whatever is on offer here, if the account has them.
type TokenRequiredError struct {
	Email, SMS, Messaging             bool // what can be asked for with EmailCodeRequest, SMSCodeRequest, MessagingCodeRequest
	EmailSent, SMSSent, MessagingSent bool
	TrustedDeviceDays                 int // how long a cookie for [TrustedDeviceLogin] would be good; zero: there are none
}

// Error tells what is on offer.
func (e *TokenRequiredError) Error() string {
	s := ErrTokenRequired.Error()
	for _, o := range []struct {
		set  bool
		text string
	}{
		{e.EmailSent, "; a code was sent by e-mail"}, {e.SMSSent, "; a code was sent by SMS"},
		{e.MessagingSent, "; a code was sent by messenger"},
		{e.Email && !e.EmailSent, "; e-mail is on offer"}, {e.SMS && !e.SMSSent, "; SMS is on offer"},
		{e.Messaging && !e.MessagingSent, "; messaging is on offer"},
	} {
		if o.set {
			s += o.text
		}
	}
	return s
}

// Is matches [ErrTokenRequired].
func (e *TokenRequiredError) Is(target error) bool { return target == ErrTokenRequired }

// closeErrorOf makes an error of a "close" or "stopped" message.
func closeErrorOf(e Envelope) error {
	var m Close
	if err := jsonrec.Unmarshal(e.Raw, &m); err != nil {
		return &CloseError{}
	}
	if e.Action == actionStopped {
		m.Cause = actionStopped
	}
	ce := &CloseError{Cause: m.Cause, Msg: m.Msg}
	if m.Msg != CloseMsgTokenRequired {
		return ce
	}
	return &TokenRequiredError{
		Email: m.Email2FA, SMS: m.SMS2FA, Messaging: m.Msg2FA,
		EmailSent: m.EmailSent, SMSSent: m.SMSSent, MessagingSent: m.MsgSent,
		TrustedDeviceDays: m.CookieDays,
	}
}

// ResultError is a request that the server answered with something other than "ok". Result is the server's English
// text.
type ResultError struct {
	Action string
	Result string
	MsgID  int // the number of the text, if the server gives one
}

// Error quotes the result.
func (e *ResultError) Error() string { return fmt.Sprintf("refused: %.256q", e.Result) }
