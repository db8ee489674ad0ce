package wsman

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"
)

// conn is a connection to the device. Between requests a goroutine waits for the first byte, so that the end of an idle
// connection is seen when it comes and not with the next request.
type conn struct {
	net.Conn          // TLS, or the same as raw
	raw      net.Conn // to be closed at once, without words of farewell
	rr       responseReader
	br       *bufio.Reader

	idle  bool       // the goroutine reads
	first chan error // what it found
	since time.Time  // when it became idle
	timer *time.Timer

	closeOnce sync.Once
}

func (c *Client) dial(ctx context.Context) (*conn, error) {
	begin := time.Now()
	cn, err := c.dialTLS(ctx)
	if t := c.cfg.Trace; t != nil && t.Dial != nil {
		info := DialInfo{Address: c.cfg.Address, Duration: time.Since(begin), Err: err}
		if cn != nil {
			if tc, ok := cn.Conn.(*tls.Conn); ok {
				state := tc.ConnectionState()
				info.TLS = &state
			}
		}
		t.Dial(info)
	}
	return cn, err
}

func (c *Client) dialTLS(ctx context.Context) (*conn, error) {
	raw, err := c.cfg.Dial(ctx, "tcp", c.cfg.Address)
	if err != nil {
		return nil, &dialError{fmt.Errorf("wsman: connect: %w", err), true}
	}
	cn := &conn{Conn: raw, raw: raw}
	if c.tls != nil {
		t := tls.Client(raw, c.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, &dialError{fmt.Errorf("wsman: TLS: %w", err), lost(err)}
		}
		cn.Conn = t
	}
	cn.br = bufio.NewReaderSize(cn.Conn, maxLine)
	cn.rr.br = cn.br
	return cn, nil
}

// dialError is a connection that did not come about.
type dialError struct {
	error
	again bool // another attempt may go better
}

func (e *dialError) Unwrap() error { return e.error }

// close ends the connection without waiting for anything.
func (cn *conn) close() {
	cn.closeOnce.Do(func() {
		if cn.timer != nil {
			cn.timer.Stop()
		}
		_ = cn.raw.Close()
	})
}

// rest makes the connection idle.
func (cn *conn) rest(limit time.Duration) {
	cn.since = time.Now()
	cn.idle = true
	if cn.first == nil {
		cn.first = make(chan error, 1)
		cn.timer = time.AfterFunc(limit, func() { _ = cn.raw.Close() })
	} else {
		cn.timer.Reset(limit)
	}
	go cn.watch()
}

func (cn *conn) watch() {
	_, err := cn.br.Peek(1)
	cn.first <- err
}

// wake says whether an idle connection can be used. What comes without being asked for is not understood.
func (cn *conn) wake() bool {
	if !cn.timer.Stop() {
		return false
	}
	select {
	case <-cn.first:
		return false
	default:
		return true
	}
}

// awaitFirst waits for the first byte of an answer.
func (cn *conn) awaitFirst() error {
	if cn.idle {
		cn.idle = false
		return <-cn.first
	}
	_, err := cn.br.Peek(1)
	return err
}

// lateAnswer is how long to wait for an answer on a connection that takes no more.
const lateAnswer = time.Second

// refusal returns an answer 401 that came before the request was written, if there is one.
func (cn *conn) refusal(ctx context.Context) *httpResponse {
	if ctx.Err() != nil || cn.SetReadDeadline(time.Now().Add(lateAnswer)) != nil {
		return nil
	}
	if cn.awaitFirst() != nil {
		return nil
	}
	resp, err := cn.rr.header()
	if err != nil || resp.status != 401 {
		return nil
	}
	return resp
}
