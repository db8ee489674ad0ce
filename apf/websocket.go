package apf

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// NewWebSocketStream makes a stream of the messages of a WebSocket. What it is given to write leaves as one binary message;
// binary messages are read as they are, and text messages one byte a character, as the stock agent sends them. A deadline
// that passes ends the connection. [NewServerConn] bounds how large messages may be, by its Limits.
func NewWebSocketStream(c msgconn.Conn) Stream { return &webSocketStream{conn: c} }

type webSocketStream struct {
	conn msgconn.Conn
	left []byte // of a message that Read returned a part of
	text []byte // memory for text messages

	mu          sync.Mutex
	read, write *time.Timer
	late        atomic.Bool // a deadline has passed
}

// limit bounds the messages that are read from now on, if the WebSocket can. The reader calls it.
func (s *webSocketStream) limit(n int) {
	if l, ok := s.conn.(msgconn.Limiter); ok {
		l.SetReadLimit(int64(n))
	}
}

func (s *webSocketStream) lend() ([]byte, error) {
	for {
		t, b, err := s.conn.ReadMessage(context.Background())
		if err != nil {
			return nil, s.readError(err)
		}
		if t == msgconn.Text {
			if b, err = bytesOf(s.text[:0], b); err != nil {
				return nil, err
			}
			if s.text = b; cap(s.text) > 1<<10 {
				s.text = nil
			}
		}
		if len(b) > 0 {
			return b, nil
		}
	}
}

func (s *webSocketStream) readError(err error) error {
	var closed *msgconn.CloseError
	switch {
	case errors.Is(err, msgconn.ErrTooLarge):
		return tooMuch(0, "WebSocket message")
	case s.late.Load():
		return os.ErrDeadlineExceeded
	case errors.As(err, &closed):
		return io.EOF
	}
	return err
}

// bytesOf appends the characters of a text, each as one byte. Characters that are none become question marks, as many as
// the sender has counted: JSON may hold them, whose length is in characters of UTF-16.
func bytesOf(b, text []byte) ([]byte, error) {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r < 0x100:
			b = append(b, byte(r))
		case r == utf8.RuneError && n == 1:
			// Some agents write the halves of large characters one by one.
			if len(text) < 3 || text[0] != 0xED || text[1] < 0xA0 || text[1] > 0xBF || text[2]&0xC0 != 0x80 {
				return nil, malformed(0, "text message is no UTF-8")
			}
			b, n = append(b, '?'), 3
		case r > 0xFFFF:
			b = append(b, "??"...)
		default:
			b = append(b, '?')
		}
		text = text[n:]
	}
	return b, nil
}

// Read implements [io.Reader].
func (s *webSocketStream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(s.left) == 0 {
		b, err := s.lend()
		if err != nil {
			return 0, err
		}
		s.left = b
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

// Write implements [io.Writer].
func (s *webSocketStream) Write(p []byte) (int, error) {
	if err := s.conn.WriteMessage(context.Background(), msgconn.Binary, p); err != nil {
		if s.late.Load() {
			err = os.ErrDeadlineExceeded
		}
		return 0, err
	}
	return len(p), nil
}

// SetReadDeadline sets when the connection ends if it is still read.
func (s *webSocketStream) SetReadDeadline(t time.Time) error { s.set(&s.read, t); return nil }

// SetWriteDeadline sets when the connection ends if it is still written to.
func (s *webSocketStream) SetWriteDeadline(t time.Time) error { s.set(&s.write, t); return nil }

func (s *webSocketStream) set(timer **time.Timer, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.IsZero() {
		if *timer != nil {
			(*timer).Stop()
			*timer = nil // idle connections hold nothing
		}
		return
	}
	if *timer == nil {
		*timer = time.AfterFunc(time.Until(t), s.expire)
	} else {
		(*timer).Reset(time.Until(t))
	}
}

func (s *webSocketStream) expire() {
	s.late.Store(true)
	// The error of the call that waits says what happened.
	_ = s.conn.Close(0, "")
}

// Close closes the WebSocket.
func (s *webSocketStream) Close() error { return s.closeWith(DisconnectByApplication) }

func (s *webSocketStream) closeWith(r DisconnectReason) error {
	code, reason := msgconn.CloseNormal, ""
	switch r {
	case DisconnectProtocolError, DisconnectVersion, DisconnectNoService:
		code, reason = msgconn.CloseProtocolError, r.String()
	case DisconnectByPolicy, DisconnectInvalidCredentials, DisconnectHostNotAllowed:
		code, reason = msgconn.ClosePolicy, r.String()
	default:
	}
	err := s.conn.Close(code, reason)
	s.set(&s.read, time.Time{})
	s.set(&s.write, time.Time{})
	return err
}
