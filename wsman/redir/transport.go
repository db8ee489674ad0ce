package redir

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// transport is the connection under a session: messages in, messages out. One goroutine receives, any may send.
type transport struct {
	conn         net.Conn
	parser       *Parser
	buf          []byte // what was read and not looked at
	in           []byte // the memory of buf
	writeTimeout time.Duration

	mu  sync.Mutex // one message at a time
	err error      // of a write: a part of a message may have been sent
}

func newTransport(conn net.Conn, from Side, writeTimeout time.Duration) *transport {
	return &transport{conn: conn, parser: NewParser(from), in: make([]byte, readBuffer), writeTimeout: writeTimeout}
}

// receive returns the next message, which is good until the next call. It gives up after the time, if that is not 0.
func (t *transport) receive(limit time.Duration) (Message, error) {
	for {
		if len(t.buf) > 0 {
			m, n, err := t.parser.Next(t.buf)
			t.buf = t.buf[n:]
			if err != nil || m != nil {
				return m, err
			}
			continue
		}
		if limit > 0 {
			if err := t.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
				return nil, err
			}
		}
		n, err := t.conn.Read(t.in)
		t.buf = t.in[:n]
		if n == 0 && err != nil {
			if limit > 0 && isTimeout(err) {
				return nil, ErrSilent
			}
			return nil, err
		}
	}
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// send writes whole messages. After an error nothing is sent any more, as nobody knows what arrived.
func (t *transport) send(b []byte, deadline time.Time) error {
	if len(b) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sendLocked(b, deadline)
}

func (t *transport) sendLocked(b []byte, deadline time.Time) error {
	if t.err != nil {
		return t.err
	}
	latest := time.Now().Add(t.writeTimeout)
	if deadline.IsZero() || deadline.After(latest) {
		deadline = latest
	}
	if t.err = t.conn.SetWriteDeadline(deadline); t.err == nil {
		_, t.err = t.conn.Write(b)
	}
	return t.err
}

// within runs f. If ctx ends, or the time, before f does, the connection is closed. It has no deadlines after f.
func (t *transport) within(ctx context.Context, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = t.conn.Close() })
	err := f()
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	return t.conn.SetDeadline(time.Time{})
}

// login starts a session as the operator.
func (t *transport) login(ctx context.Context, session SessionType, cfg *Config, then func() error) error {
	l := NewClientLogin(session, cfg.Credentials)
	opening := false
	err := t.within(ctx, cfg.LoginTimeout, func() error {
		if err := t.send(l.Start(nil), time.Time{}); err != nil {
			return err
		}
		for done := false; !done; {
			m, err := t.receive(0)
			if err != nil {
				return err
			}
			var out []byte
			if out, done, err = l.Receive(nil, m); err != nil {
				return err
			}
			if err := t.send(out, time.Time{}); err != nil {
				return err
			}
		}
		t.parser.SetSession(session)
		cfg.Trace.LoggedIn(session, cfg.Username)
		opening = true
		return then()
	})
	if err != nil {
		phase := l.Phase()
		if opening {
			phase = "opening"
		}
		return fmt.Errorf("redir: %v session, %s: %w", session, phase, err)
	}
	return nil
}
