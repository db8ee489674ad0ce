//go:build !js

package controlproto

import (
	"errors"
	"net/http"
	"strings"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/realip"
)

// ServeHTTP takes an operator's WebSocket, at /control.ashx by convention, and answers 404 to everything else. It returns when
// the login is over: the session goes on in a goroutine of its own, so that an idle operator does not hold the stack and the
// buffers of an HTTP request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.NotFound(w, r)
		return
	}
	addr := realip.From(r, s.cfg.TrustedProxies)
	leave, err := s.enter(addr)
	if err != nil {
		status := http.StatusTooManyRequests
		if errors.Is(err, ErrServerShutdown) {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Retry-After", "10")
		http.Error(w, "try again later", status)
		s.trace.Refused(&LoginRequest{RemoteAddr: addr}, err)
		return
	}
	defer leave()
	req := s.LoginRequest(r) // after the admission: it may ask a database
	conn, err := msgconn.Upgrade(w, r, msgconn.UpgradeOptions{
		// The origin is checked with the login, as stock clients expect the answer in a message.
		CheckOrigin: func(*http.Request) bool { return true },
		ReadLimit:   s.cfg.Limits.LoginMessage,
	})
	if err != nil {
		s.trace.Refused(req, err)
		return
	}
	handed := false
	defer func() {
		if !handed { // also after a panic in a hook, which net/http recovers without closing what was upgraded
			conn.Close(0, "")
		}
	}()
	sess, err := s.login(s.ctx, conn, req) // the request's context ends with this function
	if err != nil {
		return // already closed and reported
	}
	handed = true
	go func() {
		defer s.wg.Done()
		_ = s.serve(sess) // reported
	}()
}
