package redir

import (
	"context"
	"net"
	"time"
)

// OpenKVM starts a KVM session on conn and hands it over: what is read from and written to the returned connection is RFB,
// from the server's version on. There is no authentication in it, security type 1. OpenKVM closes conn if it fails.
func OpenKVM(ctx context.Context, conn net.Conn, cfg Config) (net.Conn, error) {
	cfg = cfg.orDefaults()
	t := newTransport(conn, AMT, cfg.WriteTimeout)
	err := t.login(ctx, KVM, &cfg, func() error {
		if err := t.send(KVMOpen{}.Append(nil), time.Time{}); err != nil {
			return err
		}
		m, err := t.receive(0)
		if err != nil {
			return err
		}
		var opened KVMOpened
		return opened.Parse(m)
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &rawConn{Conn: conn, rest: t.buf}, nil
}

// rawConn is a connection of which some was read already.
type rawConn struct {
	net.Conn
	rest []byte
}

// Read returns what was read already first.
func (c *rawConn) Read(b []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(b, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}
