package agentproto

import (
	"errors"
	"fmt"
)

// What decides how a caller goes on. They are matched with errors.Is; the errors that carry them tell more.
var (
	// ErrMalformed is a message that does not have its form.
	ErrMalformed = errors.New("malformed message")
	// ErrProtocol is a message that is not allowed at its place.
	ErrProtocol = errors.New("protocol violation")
	// ErrBadWebHash is a login over a TLS certificate that is not the server's: someone, perhaps one's own proxy,
	// terminates TLS in between.
	ErrBadWebHash = errors.New("unknown web certificate hash")
	// ErrBadSignature is a peer that could not prove its key.
	ErrBadSignature = errors.New("signature does not verify")
	// ErrWrongServer is an agent that was set up for another server.
	ErrWrongServer = errors.New("agent expects another server")
	// ErrRefused is a login that the embedder's rules refused.
	ErrRefused = errors.New("login refused")
	// ErrBusy is a login refused because of a rate or a number of logins, and that may be tried later.
	ErrBusy = errors.New("too many logins")
	// ErrReplaced ends a session whose agent logged in again.
	ErrReplaced = errors.New("replaced by a newer connection of the same agent")
	// ErrIdle ends a connection whose peer fell silent.
	ErrIdle = errors.New("peer fell silent")
	// ErrShutdown ends a connection because this side is shutting down.
	ErrShutdown = errors.New("shutting down")
	// ErrQueueFull ends a connection whose peer does not take what it is sent.
	ErrQueueFull = errors.New("peer does not keep up")
)

// Phase is the part of a connection's life in which an error happened.
type Phase string

// The phases, in their order.
const (
	PhaseDial      Phase = "dial"      // TCP, TLS and the WebSocket upgrade
	PhaseAdmission Phase = "admission" // before a message was read
	PhaseHandshake Phase = "handshake" // commands 1 to 5, 30 and 31
	PhaseSession   Phase = "session"   // after command 4
)

// Error is an error of a connection: the phase, the command that was being handled if any, and the cause.
type Error struct {
	Phase   Phase
	Command Command // zero if no command is to blame
	Err     error
}

// Error names phase, command and cause.
func (e *Error) Error() string {
	if e.Command != 0 {
		return fmt.Sprintf("agentproto: %s: %v: %v", e.Phase, e.Command, e.Err)
	}
	return fmt.Sprintf("agentproto: %s: %v", e.Phase, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// WebHashError is an [ErrBadWebHash] with both sides of the comparison, for the log line that solves it.
type WebHashError struct {
	Got  Hash   // what the agent saw
	Want []Hash // what the server takes
}

// Error tells what was seen and what was expected.
func (e *WebHashError) Error() string {
	return fmt.Sprintf("%v: agent sees %v, known are %v", ErrBadWebHash, e.Got, e.Want)
}

// Is makes errors.Is(err, ErrBadWebHash) true.
func (e *WebHashError) Is(target error) bool { return target == ErrBadWebHash }

// malformed returns an ErrMalformed that tells what is wrong with a message of cmd, or of no command if it is zero.
func malformed(cmd Command, format string, args ...any) error {
	return explain(ErrMalformed, cmd, fmt.Sprintf(format, args...))
}

// unexpected returns an ErrProtocol that tells why a message of cmd has no place here.
func unexpected(cmd Command, why string) error { return explain(ErrProtocol, cmd, why) }

func explain(err error, cmd Command, why string) error {
	if cmd == 0 {
		return fmt.Errorf("%w: %s", err, why)
	}
	return fmt.Errorf("%w: %v: %s", err, cmd, why)
}
