package apf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// What decides how a caller goes on. They are matched with errors.Is; the errors that carry them tell more.
var (
	// ErrMalformed is a message that does not have its form.
	ErrMalformed = errors.New("malformed message")
	// ErrProtocol is a message that is not allowed at its place.
	ErrProtocol = errors.New("protocol violation")
	// ErrLimit is a message, or a number of them, over a limit.
	ErrLimit = errors.New("over the limit")
	// ErrRefused is a login that was refused.
	ErrRefused = errors.New("login refused")
	// ErrLoginTime is a login that took too long.
	ErrLoginTime = errors.New("login took too long")
	// ErrGone ends a connection that the peer closed without a word, as firmware does.
	ErrGone = errors.New("peer closed the connection")
	// ErrIdle ends a connection whose peer fell silent.
	ErrIdle = errors.New("peer fell silent")
	// ErrSlow ends a connection whose peer does not take what it is sent.
	ErrSlow = errors.New("peer does not take what it is sent")
	// ErrWindow ends a channel whose peer exceeded the window, or added so much to it that it has no meaning.
	ErrWindow = errors.New("window exceeded")
	// ErrChannelClosed is a channel that the peer closed.
	ErrChannelClosed = errors.New("channel was closed by the peer")
	// ErrNotForwarded is a port that the device has not forwarded.
	ErrNotForwarded = errors.New("port is not forwarded")
	// ErrBusy is a channel for which there was no place.
	ErrBusy = errors.New("too many channels")
	// ErrNoAnswer is a channel that the peer neither confirmed nor refused.
	ErrNoAnswer = errors.New("no answer")
	// ErrClosed ends a connection that this side closed. It matches net.ErrClosed.
	ErrClosed = fmt.Errorf("connection was closed: %w", net.ErrClosed)
)

// Phase is the part of a connection's life in which an error happened.
type Phase string

// The phases, in their order.
const (
	PhaseLogin   Phase = "login"
	PhaseForward Phase = "forward" // logged in, ports are being forwarded
	PhaseSession Phase = "session"
)

// Error is why a connection ended: the phase, the type of the message that was being handled if any, and the cause.
type Error struct {
	Phase Phase
	Type  Type // zero if no message is to blame
	Err   error
}

// Error names phase, message and cause.
func (e *Error) Error() string {
	if e.Type != 0 {
		return fmt.Sprintf("apf: %s: %v: %v", e.Phase, e.Type, e.Err)
	}
	return fmt.Sprintf("apf: %s: %v", e.Phase, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// DisconnectError is the end of a connection whose peer said why.
type DisconnectError struct {
	Reason DisconnectReason
}

// Error names the reason.
func (e *DisconnectError) Error() string { return "peer disconnected: " + e.Reason.String() }

// OpenError is why a channel could not be opened. Returned by a function that serves channels, it tells the peer the reason.
type OpenError struct {
	Host   string
	Port   uint16
	Reason OpenReason // zero if the peer did not say
	Err    error      // nil if there is nothing but the reason
}

// Error names the port and the reason.
func (e *OpenError) Error() string {
	where := fmt.Sprintf("apf: open %.64q port %d: ", e.Host, e.Port)
	switch {
	case e.Err == nil:
		return where + e.Reason.String()
	case e.Reason == 0:
		return where + e.Err.Error()
	}
	return fmt.Sprintf("%s%v: %v", where, e.Reason, e.Err)
}

// Unwrap returns the cause, if there is one beside the reason.
func (e *OpenError) Unwrap() error { return e.Err }

// Timeout reports whether the time ran out.
func (e *OpenError) Timeout() bool {
	return errors.Is(e.Err, ErrNoAnswer) || errors.Is(e.Err, os.ErrDeadlineExceeded) || errors.Is(e.Err, context.DeadlineExceeded)
}

// Temporary is part of [net.Error].
func (e *OpenError) Temporary() bool { return e.Timeout() || e.Reason == OpenResourceShortage }

// messageError is an error of the codec or the machines that names its message.
type messageError struct {
	typ    Type
	cause  error
	text   string
	reason DisconnectReason // what the peer is told; zero is DisconnectProtocolError
}

func (e *messageError) Error() string { return fmt.Sprintf("%v: %s", e.cause, e.text) }
func (e *messageError) Unwrap() error { return e.cause }

// malformed returns an ErrMalformed that tells what is wrong with a message of a type.
func malformed(t Type, format string, args ...any) error {
	return &messageError{typ: t, cause: ErrMalformed, text: fmt.Sprintf(format, args...)}
}

// unexpected returns an ErrProtocol that tells why a message of a type has no place here.
func unexpected(t Type, format string, args ...any) error {
	return &messageError{typ: t, cause: ErrProtocol, text: fmt.Sprintf(format, args...)}
}

// reasoned returns an ErrProtocol of which the peer is told a reason.
func reasoned(r DisconnectReason, t Type, format string, args ...any) error {
	return &messageError{typ: t, cause: ErrProtocol, text: fmt.Sprintf(format, args...), reason: r}
}

// tooMuch returns an ErrLimit.
func tooMuch(t Type, format string, args ...any) error {
	return &messageError{typ: t, cause: ErrLimit, text: fmt.Sprintf(format, args...)}
}

// inPhase wraps an error for whoever called Run.
func inPhase(p Phase, err error) error {
	e := &Error{Phase: p, Err: err}
	var m *messageError
	if errors.As(err, &m) {
		e.Type = m.typ
	}
	return e
}
