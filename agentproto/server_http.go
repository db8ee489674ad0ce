//go:build !js

package agentproto

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/realip"
)

// ServeHTTP takes an agent's WebSocket, at /agent.ashx by convention. Addresses and rates that are not admitted are
// answered with 403 and 429 before the upgrade. It returns when the login is over: the session goes on in a goroutine
// of its own, so that an idle agent does not hold the stack and the buffers of an HTTP request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	peer := Peer{Addr: realip.From(r, s.cfg.TrustedProxies), ServerName: serverName(r), Port: remotePort(r)}
	if !s.begin() {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "server is shutting down", http.StatusServiceUnavailable)
		return
	}
	handed := false // whether s.handle will call Done
	defer func() {
		if !handed {
			s.wg.Done()
		}
	}()
	leave, err := s.admission.enter(peer.Addr, time.Now())
	if err != nil {
		status := http.StatusForbidden
		if errors.Is(err, ErrBusy) {
			status = http.StatusTooManyRequests
			w.Header().Set("Retry-After", "10")
		}
		_, reason := refusal(err)
		http.Error(w, reason, status)
		s.rejected(peer, err)
		return
	}
	defer leave()
	if s.cfg.Domain != nil { // after the admission: it may ask a database
		if peer.Domain, err = s.cfg.Domain(r); err != nil {
			http.Error(w, "no such domain", http.StatusNotFound)
			s.rejected(peer, err)
			return
		}
	}
	conn, err := msgconn.Upgrade(w, r, msgconn.UpgradeOptions{CheckOrigin: s.cfg.CheckOrigin, ReadLimit: s.cfg.Limits.HandshakeMessage})
	if err != nil {
		s.rejected(peer, err)
		return
	}
	defer func() {
		if !handed { // also after a panic in a hook, which net/http recovers without closing what was upgraded
			conn.Close(0, "")
		}
	}()
	sess, err := s.login(s.ctx, conn, peer) // the request's context ends with this function
	if err != nil {
		return // already closed and reported
	}
	handed = true
	go s.handle(sess)
}

func remotePort(r *http.Request) uint16 {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return 0
	}
	return ap.Port()
}

// rejected reports a request that was refused by HTTP status.
func (s *Server) rejected(peer Peer, err error) {
	e := &Error{Phase: PhaseAdmission, Err: err}
	s.trace.Refused(peer, e)
	s.log.Warn("agent refused", "addr", peer.Addr, "name", peer.ServerName, "reason", e)
}

// maxServerName is the length of the longest DNS name. A Host header may be as long as all headers together.
const maxServerName = 253

// serverName returns the name that a client connected to.
func serverName(r *http.Request) string {
	name := r.Host
	if r.TLS != nil && r.TLS.ServerName != "" {
		name = r.TLS.ServerName
	} else if host, _, err := net.SplitHostPort(r.Host); err == nil {
		name = host
	}
	return strings.Clone(name[:min(len(name), maxServerName)])
}
