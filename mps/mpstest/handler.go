package mpstest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Handler serves one connection to a port of a device. The connection is closed when it returns, and reads and writes fail
// once the other end or the device is gone.
type Handler func(net.Conn)

// Echo sends back what arrives.
func Echo(c net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Discard takes what arrives, and sends nothing.
func Discard(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// TLS puts TLS in front of a handler, as on ports 16993 and 16995.
func TLS(config *tls.Config, h Handler) Handler {
	return func(c net.Conn) {
		t := tls.Server(c, config)
		defer t.Close()
		h(t)
	}
}

// requestTime is how long a request may take to come, the first one from when the channel was opened. It is no test's business.
const requestTime = 5 * time.Minute

// HTTP serves a web site, as on ports 16992 and 623. Requests of MeshCentral itself are not answered as one may wish: their
// Host header is none, which package net/http refuses.
func HTTP(h http.Handler) Handler {
	return func(c net.Conn) {
		closed := make(chan struct{})
		one := &closing{Conn: c, closed: closed}
		server := &http.Server{Handler: h, ReadHeaderTimeout: requestTime}
		if err := server.Serve(&oneConn{conn: one, closed: closed}); !errors.Is(err, net.ErrClosed) {
			return
		}
		_ = server.Shutdown(context.Background()) // there is no other connection to wait for
	}
}

// oneConn is a listener at which one connection arrives. It ends with it.
type oneConn struct {
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
}

// Accept implements [net.Listener].
func (l *oneConn) Accept() (net.Conn, error) {
	var first net.Conn
	l.once.Do(func() { first = l.conn })
	if first != nil {
		return first, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close implements [net.Listener].
func (l *oneConn) Close() error { return nil }

// Addr implements [net.Listener].
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// closing is a connection that tells when it is closed.
type closing struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

// Close implements [net.Conn].
func (c *closing) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.closed) })
	return err
}
