package apf

import (
	"io"
	"time"
)

// Stream is what a connection runs over: a [net.Conn], or a WebSocket ([NewWebSocketStream]).
type Stream interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// lender is a Stream that has memory of its own for what it reads.
type lender interface {
	// lend returns what was read, until the next call.
	lend() ([]byte, error)
}

// limiter is a Stream whose memory for what it reads has a limit.
type limiter interface {
	limit(n int)
}

// reasoner is a Stream that can tell the peer why it closes.
type reasoner interface {
	closeWith(DisconnectReason) error
}
