//go:build !js

package mps

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/realip"
)

// Handler takes the WebSockets of agents and MeshCmd, at /apf.ashx by convention. The login is within APF, as on the
// listener. It returns once the WebSocket is there; the connection goes on in a goroutine of its own.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.upgrade) }

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	l, ok := s.begin(noConn{})
	if !ok {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "server is shutting down", http.StatusServiceUnavailable)
		return
	}
	handed := false
	defer func() {
		if !handed {
			s.end(l)
		}
	}()
	refuse := func(err error, status int, text string) {
		if status != 0 {
			http.Error(w, text, status)
		}
		l.refused(err)
	}
	l.deadline = time.Now().Add(s.cfg.Limits.LoginTime)
	l.peer.WebSocket = true
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		l.peer.Addr = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	if addr := realip.From(r, s.cfg.TrustedProxies); addr.IsValid() && addr.Unmap() != l.peer.Addr.Addr() {
		l.peer.Proxy, l.peer.Addr = l.peer.Addr, netip.AddrPortFrom(addr.Unmap(), 0)
	}
	if r.TLS != nil {
		l.peer.TLSVersion, l.peer.Cipher = r.TLS.Version, r.TLS.CipherSuite
	}
	l.event(nil)
	addr := l.peer.Addr.Addr()
	l.from = origin{addr: source(addr), hidden: s.trusted(addr)}
	var err error
	if l.leave, err = s.admission.enter(l.from, l.close); err != nil {
		w.Header().Set("Retry-After", "10")
		refuse(err, http.StatusTooManyRequests, "too many connections")
		return
	}
	if s.cfg.Domain != nil {
		if l.peer.Domain, err = s.cfg.Domain(r); err != nil {
			refuse(err, http.StatusNotFound, "no such domain")
			return
		}
	}
	conn, err := msgconn.Upgrade(w, r, msgconn.UpgradeOptions{CheckOrigin: s.cfg.CheckOrigin}) // apf limits messages
	if err != nil {
		refuse(err, 0, "")
		return
	}
	l.mu.Lock()
	l.drop = closer{conn}
	l.mu.Unlock()
	l.enter(PhaseLogin)
	handed = true
	go l.run(apf.NewWebSocketStream(conn))
}

// noConn is what there is to close before there is a connection.
type noConn struct{}

// Close implements io.Closer.
func (noConn) Close() error { return errors.ErrUnsupported }

// closer drops a WebSocket.
type closer struct{ conn msgconn.Conn }

// Close implements io.Closer.
func (c closer) Close() error { return c.conn.Close(0, "") }
