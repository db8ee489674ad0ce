package redir

import (
	"errors"
	"fmt"
)

var (
	// ErrCredentials says that the device does not accept the user or the password. It is final: AMT locks an account for
	// a while after some attempts.
	ErrCredentials = errors.New("redir: device refused the credentials")
	// ErrRealm says that the device named another digest realm than the one pinned. Nothing made of the password was sent.
	ErrRealm = errors.New("redir: device has another digest realm than the pinned one")
	// ErrAuthType says that the peers have no kind of authentication in common. Only type 4, digest, is spoken here.
	ErrAuthType = errors.New("redir: no digest authentication")
	// ErrProtocol is what a peer sent against the protocol.
	ErrProtocol = errors.New("redir: protocol violation")
	// ErrTooLarge is a message, or the head of an HTTP message, that is over the limit.
	ErrTooLarge = errors.New("redir: message too large")
	// ErrSequence says that an IDE-R message was lost or came twice, which ends the session.
	ErrSequence = errors.New("redir: wrong IDE-R sequence number")
	// ErrSilent says that the peer sent nothing, heartbeats included, for too long.
	ErrSilent = errors.New("redir: peer is silent")
	// ErrReset says that a command did not come to its end, because the host has reset its bus.
	ErrReset = errors.New("redir: bus was reset")
	// ErrEnded says that the peer ended the session with a message of its own.
	ErrEnded = errors.New("redir: peer ended the session")

	// ErrUnknownType, ErrBusy and ErrUnsupported are the statuses of a [StartError].
	ErrUnknownType = errors.New("redir: session type is not known to the device")
	// ErrBusy says that another session of the same type is open.
	ErrBusy = errors.New("redir: device is busy with another session of this type")
	// ErrUnsupported says that the device does not have this type of session, or has it switched off.
	ErrUnsupported = errors.New("redir: session type is not supported by the device")
)

// StartError is the refusal of a session. It is one of [ErrUnknownType], [ErrBusy] and [ErrUnsupported], by its status.
type StartError struct {
	Type   SessionType
	Status StartStatus
}

// Error names the session and the status.
func (e *StartError) Error() string {
	return fmt.Sprintf("redir: start of %v session: %v", e.Type, e.Status)
}

// Is compares the status.
func (e *StartError) Is(target error) bool {
	switch e.Status {
	case StartUnknownType:
		return target == ErrUnknownType
	case StartBusy:
		return target == ErrBusy
	case StartUnsupported:
		return target == ErrUnsupported
	default:
		return false
	}
}

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

func isOneOf(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
