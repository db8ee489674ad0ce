package wsman

import (
	"errors"
	"strconv"
)

// What errors are compared with (errors.Is).
var (
	// ErrUnsupported: the device does not have the class, the instance or the method. A [Fault] whose subcode is
	// DestinationUnreachable or ActionNotSupported is one; devices answer so for what their model lacks.
	ErrUnsupported = errors.New("wsman: not supported by this device")
	// ErrCredentials: the device refused the name and password, or the account is locked for a while. Do not try
	// another password at once: firmware locks accounts.
	ErrCredentials = errors.New("wsman: the device refused the credentials")
	// ErrPin: the certificate of the device is not the pinned one.
	ErrPin = errors.New("wsman: the certificate is not the pinned one")
	// ErrRealm: the device shows another digest realm than the pinned one. No hash of the password was sent.
	ErrRealm = errors.New("wsman: the digest realm is not the pinned one")
	// ErrNoAnswer: the request was sent, wholly or in part, and no answer came. It may have been carried out. Requests
	// that change nothing are repeated instead, as [Config] says.
	ErrNoAnswer = errors.New("wsman: no answer; the request may have been carried out")
	// ErrTooLarge: a message is beyond a limit.
	ErrTooLarge = errors.New("wsman: message too large")
	// ErrMalformed: what came is not HTTP, not XML or not an envelope.
	ErrMalformed = errors.New("wsman: malformed message")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("wsman: client closed")
)

// quoted quotes text of a peer for people, cut to what fits a log line.
func quoted(s string) string {
	const most = 120
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
