package controlproto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Nothing that a server keeps or logs shows a secret, in whatever way it is printed.
func TestServerSecretsAreNotPrinted(t *testing.T) {
	secrets := []string{
		"pw-bob", "pw-admin", "hunter2", "123456", b64("pw-admin"), "urlkey-1", strings.Repeat("01", 20), fakeCookie(1, LoginCookie("user//bob")).Reveal()[:20],
		fakeKey(1).Hex()[:40], "raw-secret",
	}
	var logged bytes.Buffer
	check := func(t *testing.T, what string, v any) {
		t.Helper()
		var printed strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		if b, err := json.Marshal(v); err == nil {
			printed.Write(b)
		}
		slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "v", v)
		for _, s := range secrets {
			require.NotContains(t, printed.String(), s, what)
			require.NotContains(t, printed.String(), fmt.Sprintf("%x", s), what)
			require.NotContains(t, printed.String(), strings.Trim(fmt.Sprint([]byte(s)), "[]"), what)
		}
	}
	var call *Call
	served(t, func(c *ServerConfig) {
		c.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.URLKeys = func(string) []Secret { return []Secret{NewSecret("urlkey-1")} }
		c.Mux.Handle("adduser", func(_ context.Context, c *Call) error {
			call = c
			return fmt.Errorf("failed: %w", ErrNoUser)
		})
	}, func(t *testing.T, s *Server) {
		cfg := s.cfg
		check(t, "config", cfg)
		check(t, "config", &cfg)
		check(t, "server", s)
		r := fakeRequest(all(withHeader("admin", "pw-admin"), withQuery("key", "urlkey-1", "token", "123456", "auth", fakeCookie(3, LoginCookie("user//bob")).Reveal())))
		r.TrustedDevice = NewSecret("raw-secret")
		check(t, "request", *r)
		check(t, "request", r)
		o := connect(t, s, r)
		o.send(`{"action":"adduser","username":"x","pass":"hunter2"}`)
		synctest.Wait()
		for sess := range s.Sessions() {
			check(t, "session", sess)
			check(t, "login", sess.Login())
			require.Contains(t, fmt.Sprint(sess), "user//admin")
		}
		require.NotNil(t, call)
		check(t, "call", call)
		check(t, "call", *call)
		check(t, "envelope", call.Envelope)
		wrong := connect(t, s, fakeRequest(all(withHeader("bob", "hunter2"), withQuery("key", "urlkey-1"))))
		err := <-wrong.over
		require.Error(t, err)
		check(t, "error", err)
		identity, _ := fakeIdentity()
		check(t, "identity", identity)
	})
	for _, s := range secrets {
		require.NotContains(t, logged.String(), s)
	}
	require.Contains(t, logged.String(), "operator refused")
}
