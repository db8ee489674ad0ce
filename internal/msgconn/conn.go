// Package msgconn is the message connection that every protocol of this module runs over: whole messages in, whole
// messages out, each leaving as one WebSocket frame.
//
// A [Conn] can be a WebSocket ([Upgrade], [Dial]), one end of an in-memory [Pipe], or anything else with the same three
// methods. Implementations that have more to offer (control frames, a size limit) say so through [Controller] and
// [Limiter]; callers do without where they are missing.
package msgconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Type tells text messages from binary ones. Its values are the WebSocket opcodes.
type Type uint8

const (
	// Text is a message of UTF-8 text.
	Text Type = 1
	// Binary is a message of bytes.
	Binary Type = 2
)

// String returns "text", "binary" or the number.
func (t Type) String() string {
	switch t {
	case Text:
		return "text"
	case Binary:
		return "binary"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// Conn carries whole messages both ways. One goroutine may read while others write.
type Conn interface {
	// ReadMessage returns the next message. The bytes are valid until the next call. After a call whose context ended
	// nothing more can be read, as a message may have been cut: read with a context that lives as long as the
	// connection should, and close the connection, with a reason if there is one.
	ReadMessage(ctx context.Context) (Type, []byte, error)
	// WriteMessage sends p as one message in one frame, and does not keep p. After a call whose context ended before
	// the message was out nothing more can be written.
	WriteMessage(ctx context.Context, t Type, p []byte) error
	// Close ends the connection and unblocks every call. With a code above zero the peer is told code and reason
	// first; with zero the connection is dropped. Only the first call has an effect.
	Close(code int, reason string) error
}

// Controller is a [Conn] with WebSocket control frames.
type Controller interface {
	// Ping sends a ping without payload.
	Ping(ctx context.Context) error
	// OnControl registers f, called from ReadMessage for every ping and pong that arrives. It is set before the
	// first read.
	OnControl(f func())
}

// Limiter is a [Conn] that can bound incoming messages. A larger message fails the read with [ErrTooLarge] before it
// was buffered. The limit is changed only between reads, by the reader.
type Limiter interface {
	SetReadLimit(n int64)
}

// ErrTooLarge is returned by ReadMessage for a message over the limit.
var ErrTooLarge = errors.New("msgconn: message over the size limit")

// Close codes of RFC 6455, section 7.4.1, as far as they are used here.
const (
	CloseNormal        = 1000
	CloseGoingAway     = 1001
	CloseProtocolError = 1002
	CloseNoStatus      = 1005
	CloseAbnormal      = 1006
	ClosePolicy        = 1008
	CloseTooLarge      = 1009
	CloseInternal      = 1011
	CloseTryAgain      = 1013
)

// CloseError is what reads return once the peer closed: its code and its reason, which is the peer's text and not to
// be trusted. It matches [net.ErrClosed].
type CloseError struct {
	Code   int
	Reason string
}

// Error returns the code and the quoted reason.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("msgconn: closed by peer with code %d", e.Code)
	}
	return fmt.Sprintf("msgconn: closed by peer with code %d: %.125q", e.Code, e.Reason)
}

// Is reports whether target is [net.ErrClosed].
func (e *CloseError) Is(target error) bool { return target == net.ErrClosed }

// HandshakeError says that a server refused the WebSocket upgrade, and with which HTTP status.
type HandshakeError struct {
	StatusCode int
	RetryAfter time.Duration // how long the server asks to wait, if it does
	Err        error
}

// Error names the HTTP status.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("msgconn: upgrade refused with HTTP status %d: %v", e.StatusCode, e.Err)
}

// Unwrap returns the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }

// closeReason bounds a reason to what a close frame can carry (RFC 6455, section 5.5: 125 bytes with the code).
func closeReason(s string) string {
	const most = 123
	if len(s) <= most {
		return s
	}
	i := most
	for i > 0 && s[i]&0xC0 == 0x80 { // not inside a UTF-8 sequence
		i--
	}
	return s[:i]
}
