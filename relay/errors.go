package relay

import (
	"errors"
	"fmt"
)

// Why an end is refused, or a tunnel ends. The reasons that a peer is told are in [Refusal].
var (
	// ErrUnauthorized is an end that is neither an operator nor a device, or one that did not prove it.
	ErrUnauthorized = errors.New("relay: unauthorized")
	// ErrTaken is a third end: the tunnel has its two.
	ErrTaken = errors.New("relay: tunnel id is taken")
	// ErrMismatch is an end that may not meet the one that waits: another account's, another device, or the same side.
	ErrMismatch = errors.New("relay: the ends do not belong together")
	// ErrNoRequest is a device's end that nobody has asked for, or too long ago.
	ErrNoRequest = errors.New("relay: no tunnel was requested")
	// ErrBusy is a limit of the server.
	ErrBusy = errors.New("relay: too many tunnels are waiting")
	// ErrNobodyCame is an end that waited in vain.
	ErrNobodyCame = errors.New("relay: the other end did not come")
	// ErrIdle is a tunnel in which nothing moved for too long.
	ErrIdle = errors.New("relay: tunnel is idle")
	// ErrExpired is a tunnel, or an end, whose permission is over.
	ErrExpired = errors.New("relay: permission has expired")
	// ErrPeerGone is the end of a tunnel because its other end left.
	ErrPeerGone = errors.New("relay: the other end left")
	// ErrTooLarge is a fragmented message that is over the limit.
	ErrTooLarge = errors.New("relay: message is too large")
	// ErrShutdown is the end of the server.
	ErrShutdown = errors.New("relay: server is shutting down")
	// ErrHook is a panic in one of the embedder's functions.
	ErrHook = errors.New("relay: a hook panicked")
	// ErrRecording is a tunnel that had to be recorded and could not be.
	ErrRecording = errors.New("relay: recording failed")
)

// Refusal is an error that an end is told: the object {"action":"close","cause":...,"msg":...} in a text message, which the
// stock clients understand, before the close frame.
//
// Confirmed in webserver.js, PerformWSSessionAuth.
type Refusal struct {
	Cause string // "noauth", "expired", "banned"
	Msg   string // "noauth-1", "tokenrequired", ...
	Err   error  // for the log; nil is ErrUnauthorized
}

// Error names the cause.
func (r *Refusal) Error() string {
	return fmt.Sprintf("relay: refused: %.64q, %.64q: %v", r.Cause, r.Msg, r.Unwrap())
}

// Unwrap returns the reason.
func (r *Refusal) Unwrap() error {
	if r.Err == nil {
		return ErrUnauthorized
	}
	return r.Err
}
