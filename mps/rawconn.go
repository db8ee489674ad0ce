package mps

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
)

// rawConn is a connection of which something was read already, and below TLS the place where the ClientHello is noted.
//
// Below TLS it also reads ahead: a TLS connection reads record by record, and each of its reads is a system call. While much
// comes, a large buffer is filled with one. An idle connection has none.
type rawConn struct {
	net.Conn
	prefix []byte
	hello  *hello
	tls    bool // above this is TLS
	busy   bool // the last read found as much as it had room for
	ahead  *[readAhead]byte
}

const readAhead = 64 << 10

var readAheads = sync.Pool{New: func() any { return new([readAhead]byte) }}

// Read gives what was read before, and then goes on.
func (c *rawConn) Read(p []byte) (n int, err error) {
	if len(c.prefix) == 0 {
		if !c.tls || len(p) >= readAhead {
			return c.Conn.Read(p)
		}
		if !c.busy {
			n, err = c.Conn.Read(p)
			c.busy = n == len(p) && n >= readAhead/16
			return n, err
		}
		if c.ahead == nil {
			c.ahead = readAheads.Get().(*[readAhead]byte)
		}
		n, err = c.Conn.Read(c.ahead[:])
		c.prefix, c.busy = c.ahead[:n], n > readAhead/8
		if n == 0 || err != nil {
			m := copy(p, c.prefix)
			c.prefix = append([]byte(nil), c.prefix[m:]...)
			c.release()
			return m, err
		}
	}
	n = copy(p, c.prefix)
	if c.prefix = c.prefix[n:]; len(c.prefix) == 0 {
		c.prefix = nil
		if !c.busy {
			c.release()
		}
	}
	return n, nil
}

// release gives the large buffer back, in which there is nothing.
func (c *rawConn) release() {
	if c.ahead != nil {
		readAheads.Put(c.ahead)
		c.ahead = nil
	}
}

// more waits for something, appends it to the prefix, and returns all of that. At most limit bytes are kept.
func (c *rawConn) more(limit int) ([]byte, error) {
	buf := make([]byte, limit)
	n := copy(buf, c.prefix)
	for {
		m, err := c.Conn.Read(buf[n:])
		if m > 0 || err != nil {
			c.prefix = buf[:n+m]
			return c.prefix, err
		}
	}
}

// CloseWrite ends what this side sends, if the connection can.
func (c *rawConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// hello is what a client offered in its ClientHello, to say why there was nothing in it.
type hello struct {
	versions, suites []uint16
	serverName       string
}

// String lists it.
func (h *hello) String() string {
	var b strings.Builder
	b.WriteString("offered")
	for _, v := range h.versions {
		fmt.Fprintf(&b, " %s,", tls.VersionName(v))
	}
	for i, id := range h.suites {
		if i == 24 {
			fmt.Fprintf(&b, " and %d more", len(h.suites)-i)
			break
		}
		fmt.Fprintf(&b, " %s", tls.CipherSuiteName(id))
	}
	if h.serverName != "" {
		fmt.Fprintf(&b, ", server name %.64q", h.serverName)
	}
	return b.String()
}

// watchHello returns a configuration that notes what clients offer.
func watchHello(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	next := cfg.GetConfigForClient
	cfg.GetConfigForClient = func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		if c, ok := info.Conn.(*rawConn); ok && c.hello != nil {
			c.hello.versions, c.hello.suites = slices.Clone(info.SupportedVersions), slices.Clone(info.CipherSuites)
			c.hello.serverName = info.ServerName
		}
		if next == nil {
			return nil, nil
		}
		return next(info)
	}
	return cfg
}
