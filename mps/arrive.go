package mps

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"
)

// firstRead is how much is read before a connection is known to be a device's.
const firstRead = 512

// arrive brings a connection of a listener to the point where APF begins. It runs in a goroutine of its own, which ends then:
// a TLS handshake leaves a large stack behind.
func (l *session) arrive(conn net.Conn) {
	s := l.server
	if err := l.arriveAt(conn); err != nil {
		l.refused(err)
		conn.Close()
		s.end(l)
	}
}

func (l *session) arriveAt(conn net.Conn) error {
	s := l.server
	l.deadline = time.Now().Add(s.cfg.Limits.LoginTime)
	if err := conn.SetDeadline(l.deadline); err != nil {
		return err
	}
	l.peer.Addr = addrPort(conn.RemoteAddr())
	raw := &rawConn{Conn: conn}
	l.event(nil)
	from := origin{addr: source(l.peer.Addr.Addr())}
	if s.trusted(l.peer.Addr.Addr()) {
		l.enter(PhaseProxy)
		told, err := l.readProxyHeader(raw)
		if err != nil {
			return err
		}
		from = origin{addr: source(l.peer.Addr.Addr()), hidden: !told}
	}
	var err error
	if l.leave, err = s.admission.enter(from, l.close); err != nil {
		return err
	}
	l.from = from

	if s.tls != nil {
		l.enter(PhaseTLS)
		inner, err := l.handshake(raw)
		if err != nil {
			return err
		}
		raw = &rawConn{Conn: inner}
	}
	l.enter(PhaseFirst)
	first, err := l.readFirst(raw)
	if err != nil {
		return err
	}
	if isHTTP(first) {
		l.peer.First = slices.Clone(first[:min(len(first), 16)])
		conn.SetDeadline(time.Time{})
		s.browse(l, raw)
		return nil
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	l.peer.First = slices.Clone(first[:min(len(first), 16)])
	l.enter(PhaseLogin)
	go l.run(raw)
	return nil
}

// readProxyHeader reads the header of a trusted proxy, if there is one.
func (l *session) readProxyHeader(raw *rawConn) (told bool, err error) {
	b, err := raw.more(firstRead)
	for err == nil || len(b) > 0 {
		if !startsProxyHeader(b) {
			return false, nil
		}
		addr, n, perr := parseProxyHeader(b)
		if perr != nil {
			return false, perr
		}
		if n > 0 {
			raw.prefix = b[n:]
			if len(raw.prefix) == 0 {
				raw.prefix = nil
			}
			if addr.IsValid() {
				l.peer.Proxy, l.peer.Addr = l.peer.Addr, addr
			}
			return addr.IsValid(), nil
		}
		if err != nil {
			break
		}
		b, err = raw.more(len(b) + maxProxyV2)
	}
	return false, timeout(err)
}

// handshake is the TLS handshake.
func (l *session) handshake(raw *rawConn) (net.Conn, error) {
	raw.hello = &hello{}
	conn := tls.Server(raw, l.server.tls)
	err := conn.HandshakeContext(l.server.ctx)
	hello := raw.hello
	raw.hello, raw.tls = nil, true
	if err != nil {
		var header tls.RecordHeaderError
		if errors.As(err, &header) {
			l.peer.First = header.RecordHeader[:]
			if startsProxyHeader(l.peer.First) {
				err = fmt.Errorf("%w from an address that is not trusted", ErrProxyHeader)
			}
		} else if len(hello.versions) > 0 {
			err = fmt.Errorf("%w (%v)", err, hello)
		}
		return nil, timeout(err)
	}
	state := conn.ConnectionState()
	l.peer.TLSVersion, l.peer.Cipher = state.Version, state.CipherSuite
	if len(state.PeerCertificates) > 0 {
		l.certificate = state.PeerCertificates[0]
	}
	return conn, nil
}

// readFirst reads what comes first, and keeps it in raw.
func (l *session) readFirst(raw *rawConn) ([]byte, error) {
	if len(raw.prefix) == 0 {
		if b, err := raw.more(firstRead); len(b) == 0 {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w before the first byte", io.EOF)
			}
			return nil, timeout(err)
		}
	}
	first := raw.prefix
	raw.prefix = slices.Clone(first) // not all the room
	switch {
	case first[0] == tlsRecord && l.server.tls == nil:
		l.peer.First = first[:min(len(first), 16)]
		return nil, ErrNotPlain
	case startsProxyHeader(first) && (first[0] != proxyV1[0] || len(first) >= len(proxyV1)):
		l.peer.First = first[:min(len(first), 16)]
		return nil, fmt.Errorf("%w from an address that is not trusted", ErrProxyHeader)
	}
	return first, nil
}

// tlsRecord is the first byte of a TLS ClientHello.
const tlsRecord = 0x16

// timeout says what a deadline that has passed means here.
func timeout(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrLoginTime, err)
	}
	return err
}

func (s *Server) trusted(a netip.Addr) bool {
	a = a.Unmap()
	return slices.ContainsFunc(s.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if a == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String()) // none, for a pipe
	return ap
}
