//go:build !js

package msgconn

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// maxDialBytes bounds what a server, or a proxy before it, can send until the upgrade is done: a TLS handshake and two
// HTTP responses.
const maxDialBytes = 256 << 10

// dialGuard watches over a connection while gorilla dials: it reads responses of any size, and, once TLS is up, looks
// only at the context's deadline and not at its end.
type dialGuard struct {
	conn *guardedConn
	stop func() bool
}

// dial returns the function that makes the connection.
func (g *dialGuard) dial(next func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	if next == nil {
		next = (&net.Dialer{}).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		g.conn = &guardedConn{Conn: conn}
		g.conn.left.Store(maxDialBytes)
		g.stop = context.AfterFunc(ctx, func() { conn.Close() })
		return g.conn, nil
	}
}

// release ends the watch and reports whether the context let it. It may be called again.
func (g *dialGuard) release() bool {
	if g.stop == nil {
		return true
	}
	stopped := g.stop()
	g.stop = nil
	if stopped {
		g.conn.left.Store(-1)
	}
	return stopped
}

// guardedConn counts what is read until left is negative.
type guardedConn struct {
	net.Conn
	left atomic.Int64
}

func (c *guardedConn) Read(b []byte) (int, error) {
	left := c.left.Load()
	if left == 0 {
		return 0, errors.New("msgconn: response to the upgrade is too large")
	}
	if left > 0 && int64(len(b)) > left {
		b = b[:left]
	}
	n, err := c.Conn.Read(b)
	if left > 0 {
		c.left.CompareAndSwap(left, left-int64(n))
	}
	return n, err
}
