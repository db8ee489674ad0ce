package mps

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/meshcentral-go/sdk/nodeid"
)

// Why a connection is not taken, or has ended. Errors of package apf are below [Error], too.
var (
	// ErrRefused is a login that Authenticate refused.
	ErrRefused = errors.New("mps: login refused")
	// ErrBusy is a connection over a limit on connections or logins.
	ErrBusy = errors.New("mps: too many connections")
	// ErrLoginTime is a connection that did not log in in time.
	ErrLoginTime = errors.New("mps: no login in time")
	// ErrNotPlain is a TLS ClientHello on a port without TLS.
	ErrNotPlain = errors.New("mps: TLS on a port that has none")
	// ErrHTTP is a web browser on the port: it was answered, and is no device.
	ErrHTTP = errors.New("mps: an HTTP request")
	// ErrReplaced is the end of a connection whose device has connected again.
	ErrReplaced = errors.New("mps: replaced by a newer connection of the device")
	// ErrReset is the end of a connection that Reset asked for.
	ErrReset = errors.New("mps: reset")
	// ErrShutdown is the end of a connection with its server.
	ErrShutdown = errors.New("mps: server is shutting down")

	// ErrNotConnected is what a Device's methods return while it is not online in the way that is asked for.
	ErrNotConnected = fmt.Errorf("mps: the device is not connected: %w", net.ErrClosed)
	// ErrPort is a port that the device does not forward.
	ErrPort = errors.New("mps: the device does not forward the port")
)

// Error is why a connection was refused or has ended, and how far it had come.
type Error struct {
	Phase Phase
	Err   error
}

// Error names the phase.
func (e *Error) Error() string { return fmt.Sprintf("mps: %v: %v", e.Phase, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// DuplicateError is the end of a connection whose device has one already, and had it replaced too often. Most likely two
// machines say that they are the same: the one at Online stays connected, and the one at Refused was told that there
// are too many connections. It wraps ErrBusy.
type DuplicateError struct {
	Device          nodeid.NodeKey
	UUID            nodeid.UUID
	Kind            Kind
	Online, Refused netip.AddrPort
	Limit           Rate
}

// Error names both addresses.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%v: %v is connected from %v, and the connection from %v would replace that: over %d times in %v, as if two machines had the UUID %v",
		ErrBusy, e.Kind, e.Online, e.Refused, e.Limit.Events, e.Limit.Window, e.UUID)
}

// Unwrap returns ErrBusy.
func (e *DuplicateError) Unwrap() error { return ErrBusy }

// replacedBy is the end of a connection in whose place another one is.
func replacedBy(c *Connection) error {
	return fmt.Errorf("%w, which comes from %v", ErrReplaced, c.Peer().Addr)
}

func wrap(err error, format string, args ...any) error {
	return fmt.Errorf("%w "+format, append([]any{err}, args...)...)
}
