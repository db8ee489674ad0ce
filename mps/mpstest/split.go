package mpstest

import (
	"context"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// split says how messages are written in small pieces.
type split struct {
	size     int
	password bool // that message too
}

// pieces calls write for each piece of a message.
func (s split) pieces(message []byte, write func([]byte) error) error {
	if len(message) > 0 && apf.Type(message[0]) == apf.TypeUserAuthRequest && !s.password {
		return write(message)
	}
	for len(message) > 0 {
		n := min(len(message), s.size)
		if err := write(message[:n]); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}

// splitStream writes in small pieces. What it is given is one message at a time.
type splitStream struct {
	apf.Stream
	split split
}

// Write implements [io.Writer].
func (s *splitStream) Write(p []byte) (done int, err error) {
	err = s.split.pieces(p, func(piece []byte) error {
		n, err := s.Stream.Write(piece)
		done += n
		return err
	})
	return done, err
}

// splitConn is a splitStream for WebSockets, each piece a message. It is below the stream that package apf makes of one,
// which is more than a Stream to that package.
type splitConn struct {
	msgconn.Conn
	split split
}

// WriteMessage implements [msgconn.Conn].
func (c splitConn) WriteMessage(ctx context.Context, t msgconn.Type, p []byte) error {
	return c.split.pieces(p, func(piece []byte) error { return c.Conn.WriteMessage(ctx, t, piece) })
}
