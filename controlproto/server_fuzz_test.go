package controlproto

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzAuthSequence brings any query, headers and messages to a login. Nothing of it panics, and nobody gets in who has not
// brought one of the passwords, tokens or keys.
func FuzzAuthSequence(f *testing.F) {
	f.Add("user=bob&pass=wrong", "", "", []byte(nil), []byte(nil))
	f.Add("moreargs=1", "", "", []byte(`{"action":"urlargs","args":{"user":"bob","pass":1}}`), []byte(nil))
	f.Add("", "*", "", []byte(`{"action":"serverAuth","cnonce":"AA==","tlshash":"00"}`), []byte(`{"action":"userAuth"}`))
	f.Add("", "*", "", []byte(`{"action":"userAuth","username":"Ym9i","password":"AA==","token":"**email**"}`), []byte(nil))
	f.Add("auth="+url.QueryEscape(fakeCookie(3, LoginCookie("user//bob")).Reveal()), b64("bob")+","+b64("x"), "", []byte(nil), []byte(nil))
	f.Add("key=k", b64("~t:abcdefghijklmnop")+","+b64("x")+",MQ==", "https://mesh.example", []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, query, meshAuth, origin string, m1, m2 []byte) {
		accounts := fakeOperators()
		for id := range accounts.passwords {
			accounts.passwords[id] += "-of which the fuzzer does not know: 8c1f2ad06be94fb7"
		}
		for name, token := range accounts.tokens {
			token.secret += "8c1f2ad06be94fb7"
			accounts.tokens[name] = token
		}
		cfg := fakeServerConfig(accounts)
		s, err := NewServer(cfg)
		require.NoError(t, err)
		r := &http.Request{
			Method: http.MethodGet, Host: "mesh.example", RemoteAddr: "192.0.2.7:1234",
			URL: &url.URL{Path: "/control.ashx", RawQuery: query}, Header: http.Header{},
		}
		if meshAuth != "" {
			r.Header.Set(MeshAuthHeader, meshAuth)
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		req := s.LoginRequest(r)
		require.Equal(t, netip.MustParseAddr("192.0.2.7"), req.RemoteAddr)
		seq, step := s.auth.begin(t.Context(), req)
		for _, m := range [][]byte{m1, m2} {
			if step.done() {
				break
			}
			step = seq.message(t.Context(), m)
		}
		require.Nil(t, step.user)
		if step.refused != nil {
			e, err := parseEnvelope(step.refused.message())
			require.NoError(t, err)
			require.Equal(t, "close", e.Action)
		}
	})
}

// FuzzRequest handles any message of a client as a session does: nothing panics, and what is sent back are messages.
func FuzzRequest(f *testing.F) {
	for _, spec := range Actions() {
		b, err := AppendMessage(nil, spec.Request(), Correlation{ResponseID: []byte(`"r"`), Tag: []byte(`1`)})
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte(`{"action":"nodes","responseid":{"a":[1e400]},"tag":"\ud800"}`))
	f.Add([]byte(`{"action":"getcookie","action":"x","nodeid":1}`))
	mux := NewMux()
	for _, spec := range Actions() {
		mux.Handle(spec.Action, func(ctx context.Context, c *Call) error {
			if err := c.Decode(c.Spec.Request()); err != nil {
				return &ActionError{Result: "Invalid"}
			}
			return c.ReplyEcho(ctx, &Result{Result: "ok"}, EchoRequest)
		})
	}
	mux.Fallback(func(ctx context.Context, c *Call) error {
		return c.ReplyEcho(ctx, &Result{Result: "unknown"}, EchoBoth)
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseRequest(bytes.Clone(b))
		if err != nil {
			require.ErrorIs(t, err, ErrMessage)
			return
		}
		cfg := fakeServerConfig(fakeOperators())
		cfg.Mux = mux
		s, err := NewServer(cfg)
		require.NoError(t, err)
		sent := new(recorder)
		sess := newSession(s, sent, &User{ID: "user//admin", SiteRights: SiteFull}, Login{})
		mux.serve(sess.ctx, newCall(sess, e))
		require.NoError(t, sess.Flush(t.Context()))
		for _, b := range sent.messages {
			reply, err := parseEnvelope(b)
			require.NoError(t, err, "%s", b)
			require.True(t, utf8.Valid(b), "%q", b)
			if e.ResponseID != nil {
				require.Equal(t, string(e.ResponseID), string(reply.ResponseID))
			}
		}
	})
}
