package record

import (
	"context"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Tap returns a connection that records what is read from it and written to it, from the moment of the call. The peer is
// the end of the tunnel at the other side of conn: an operator's program that records its own session says [Device]. now is
// the clock; nil is time.Now.
//
// A recording that fails or is full fails the read or the write: a session that must be recorded does not go on without.
// The recording is not closed with the connection.
func Tap(conn msgconn.Conn, w *Writer, peer Side, now func() time.Time) msgconn.Conn {
	if now == nil {
		now = time.Now
	}
	own := User
	if peer == User {
		own = Device
	}
	return &tap{Conn: conn, w: w, peer: peer, own: own, now: now}
}

type tap struct {
	msgconn.Conn
	w         *Writer
	peer, own Side
	now       func() time.Time
}

func (t *tap) ReadMessage(ctx context.Context) (msgconn.Type, []byte, error) {
	typ, b, err := t.Conn.ReadMessage(ctx)
	if err != nil {
		return typ, b, err
	}
	if err := t.w.Write(t.now(), t.peer, typ, b); err != nil {
		return 0, nil, fmt.Errorf("record: message read: %w", err)
	}
	return typ, b, nil
}

// WriteMessage records first: what was not recorded is not sent.
func (t *tap) WriteMessage(ctx context.Context, typ msgconn.Type, b []byte) error {
	if err := t.w.Write(t.now(), t.own, typ, b); err != nil {
		return fmt.Errorf("record: message to be sent: %w", err)
	}
	return t.Conn.WriteMessage(ctx, typ, b)
}
