package controlproto

import (
	"errors"
	"fmt"
)

// What the parts of a [Server] tell each other. They are matched with errors.Is.
var (
	// ErrNoUser is an account that does not exist.
	ErrNoUser = errors.New("controlproto: no such account")
	// ErrBadCredentials is a login with credentials that are not taken: a client's, or, of [LoginTokens], a token that does
	// not exist, has expired, or has another secret. Servers do not tell a wrong password from an unknown account.
	ErrBadCredentials = errors.New("controlproto: bad credentials")
	// ErrServerShutdown ends sessions because the server shuts down.
	ErrServerShutdown = errors.New("controlproto: server is shutting down")
	// ErrSlowSession ends a session whose peer does not take what it is sent.
	ErrSlowSession = errors.New("controlproto: session does not keep up")
	// ErrSessionClosed is what a session that has ended is sent.
	ErrSessionClosed = errors.New("controlproto: session is closed")
	// ErrLoginLimit ends a login that took too long or too many messages.
	ErrLoginLimit = errors.New("controlproto: login over its limits")
	// ErrTooManySessions refuses a login because of the number of sessions.
	ErrTooManySessions = errors.New("controlproto: too many sessions")
)

// Causes of a [Close] that stock servers do not have, with their messages. None of them says anything about the credentials.
const (
	CloseInternal    = "internal" // the server could not decide
	CloseMsgInternal = "internal-1"
	CloseSlow        = "slow" // too much was left unread
	CloseMsgSlow     = "slow-1"
	CloseShutdown    = "shutdown"
	CloseMsgShutdown = "shutdown-1"
)

// RefusedError is a login that was refused, with what the client was told and what it was not.
type RefusedError struct {
	Cause, Msg string // of the "close" message
	Reason     error  // for the log; it may be nil
}

// Error tells cause, msg and reason.
func (e *RefusedError) Error() string {
	s := fmt.Sprintf("controlproto: login refused: %.32q, %.64q", e.Cause, e.Msg)
	if e.Reason != nil {
		s += ": " + e.Reason.Error()
	}
	return s
}

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Reason }

// ActionError is what a [Handler] returns for a request that it refuses: the client is told Result, if it asked.
type ActionError struct {
	// Result is the text: "Access denied", "Invalid group id", ...
	Result string
	// As is the action under which it is told, if that is not the request's; see Spec.ErrorAs.
	As string
}

// Error returns the text.
func (e *ActionError) Error() string {
	return fmt.Sprintf("controlproto: request refused: %.256q", e.Result)
}
