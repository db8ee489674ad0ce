//go:build !js

package controltest

import (
	"net"
	"sync"
)

// trackingListener knows the connections that are open, WebSockets too.
type trackingListener struct {
	net.Listener

	mu   sync.Mutex
	open map[*trackedConn]struct{}
}

// Accept takes a connection.
func (l *trackingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &trackedConn{Conn: conn, from: l}
	l.mu.Lock()
	l.open[c] = struct{}{}
	l.mu.Unlock()
	return c, nil
}

// cut closes all connections.
func (l *trackingListener) cut() {
	l.mu.Lock()
	list := make([]*trackedConn, 0, len(l.open))
	for c := range l.open {
		list = append(list, c)
	}
	l.mu.Unlock()
	for _, c := range list {
		_ = c.Close() // its reader finds out
	}
}

type trackedConn struct {
	net.Conn
	from *trackingListener
}

// Close closes the connection.
func (c *trackedConn) Close() error {
	c.from.mu.Lock()
	delete(c.from.open, c)
	c.from.mu.Unlock()
	return c.Conn.Close()
}
