//go:build !js

package controlproto

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"wss://h":                          "wss://h/control.ashx",
		"h":                                "wss://h/control.ashx",
		"h:4433/dom":                       "wss://h:4433/dom/control.ashx",
		"https://h/":                       "wss://h/control.ashx",
		"HTTPS://h/dom/":                   "wss://h/dom/control.ashx",
		"wss://h/control.ashx":             "wss://h/control.ashx",
		"wss://h/dom/control.ashx?key=a b": "wss://h/dom/control.ashx?key=a+b",
		"wss://h?key=x":                    "wss://h/control.ashx?key=x",
		"wss://h#f":                        "wss://h/control.ashx",
		"ws://127.0.0.1:80":                "ws://127.0.0.1:80/control.ashx",
		"http://localhost":                 "ws://localhost/control.ashx",
		"ws://[::1]":                       "ws://[::1]/control.ashx",
		"wss://[2001:db8::1]:1":            "wss://[2001:db8::1]:1/control.ashx",
	} {
		a, err := parseAddress(in, ClientConfig{})
		require.NoError(t, err, in)
		require.Equal(t, want, a.with(nil).Reveal(), in)
	}
	for _, in := range []string{
		"", "wss://", "ftp://h", "wss://u@h", "wss://h:x", "ws://h", "http://10.0.0.1", "wss://h?auth=x", "wss://h?user=a&pass=b",
		"wss://h?a=%zz", "wss://h\x00",
	} {
		_, err := parseAddress(in, ClientConfig{})
		require.Error(t, err, in)
	}
	_, err := parseAddress("ws://127.0.0.1", ClientConfig{PinnedCertificate: "00"})
	require.ErrorContains(t, err, "pinned", "there is nothing to pin")
	a, err := parseAddress("ws://h/d", ClientConfig{DangerouslyAllowPlaintext: true, URLKey: NewSecret("k&")})
	require.NoError(t, err)
	require.Equal(t, "ws://h/d/control.ashx?auth=x&key=k%26", a.with(url.Values{"auth": {"x"}}).Reveal())
	require.Equal(t, "h/d/control.ashx", a.host())
	require.Equal(t, "ws://h/d/meshagents?key=k%26", a.beside("/meshagents").String())
}

// tlsServer serves the channel; each connection is let in.
func tlsServer(t *testing.T, status int) *httptest.Server {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		ws, err := msgconn.Upgrade(w, r, msgconn.UpgradeOptions{})
		if err != nil {
			return
		}
		defer ws.Close(0, "")
		for _, m := range []string{helloServer, helloUser} {
			_ = ws.WriteMessage(context.Background(), msgconn.Text, []byte(m))
		}
		_, _, _ = ws.ReadMessage(context.Background())
	}))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	return s
}

func TestDialPhases(t *testing.T) {
	good, refusing := tlsServer(t, 0), tlsServer(t, http.StatusForbidden)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	cert := good.Certificate()
	long, short := sha512.Sum384(cert.Raw), sha256.Sum256(cert.Raw)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	creds := PasswordLogin{User: "admin"}
	for _, test := range []struct {
		name  string
		url   string
		cfg   ClientConfig
		phase ClientPhase // "" for success
		want  error
	}{
		{"nobody there", "https://127.0.0.1:0", ClientConfig{}, PhaseDial, nil}, // where nobody can be
		{"unknown authority", good.URL, ClientConfig{}, PhaseTLS, nil},
		{"not TLS", strings.Replace(plain.URL, "http:", "https:", 1), ClientConfig{DangerouslySkipVerify: true}, PhaseTLS, nil},
		{"refused", refusing.URL, ClientConfig{DangerouslySkipVerify: true}, PhaseUpgrade, nil},
		{"verified", good.URL, ClientConfig{TLSConfig: &tls.Config{RootCAs: roots}}, "", nil},
		{"other name", strings.Replace(good.URL, "127.0.0.1", "localhost", 1), ClientConfig{TLSConfig: &tls.Config{RootCAs: roots}}, PhaseTLS, nil},
		{"pinned", good.URL, ClientConfig{PinnedCertificate: strings.ToUpper(hex.EncodeToString(long[:]))}, "", nil},
		{"pinned by SHA-256", good.URL, ClientConfig{PinnedCertificate: hex.EncodeToString(short[:])}, "", nil},
		{"pinned, another", good.URL, ClientConfig{PinnedCertificate: strings.Repeat("0", 96)}, PhaseTLS, ErrPinnedCertificate},
		// A pin is not made weaker by another option.
		{"pinned, another, and skip", good.URL, ClientConfig{PinnedCertificate: strings.Repeat("0", 96), DangerouslySkipVerify: true}, PhaseTLS, ErrPinnedCertificate},
		{"pin without form", good.URL, ClientConfig{PinnedCertificate: "abc"}, PhaseTLS, nil},
		{"skipped", good.URL, ClientConfig{DangerouslySkipVerify: true}, "", nil},
		{"bad URL", "ftp://x", ClientConfig{}, PhaseDial, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.DialTime, test.cfg.LoginTime = time.Hour, time.Hour // whatever else the machine does
			c, err := Dial(t.Context(), test.url, creds, test.cfg)
			if test.phase == "" {
				require.NoError(t, err)
				require.NoError(t, c.Close())
				return
			}
			var ce *ClientError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, test.phase, ce.Phase, "%v", err)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
		})
	}
}

// The connection goes through an HTTP proxy.
func TestDialProxy(t *testing.T) {
	good := tlsServer(t, 0)
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		out, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer out.Close()
		in, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer in.Close()
		_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(out, bufio.NewReader(rw)); out.Close() }()
		_, _ = io.Copy(in, out)
	}))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	c, err := Dial(t.Context(), good.URL, PasswordLogin{User: "admin"}, ClientConfig{
		DangerouslySkipVerify: true, Proxy: http.ProxyURL(u), DialTime: time.Hour, LoginTime: time.Hour,
	})
	require.NoError(t, err)
	require.Equal(t, "CONNECT "+good.Listener.Addr().String(), <-asked)
	require.NoError(t, c.Close())
}

// dialSaying dials to a peer that says this after the upgrade.
func dialSaying(t *testing.T, cfg ClientConfig, messages ...string) (*Client, error) {
	t.Helper()
	var end *peer
	cfg.Connect = func(context.Context, SecretURL, http.Header) (Conn, error) {
		a, b := msgconn.Pipe()
		end = &peer{t: t, conn: b}
		for _, m := range messages {
			end.send("%s", m)
		}
		return a, nil
	}
	c, err := Dial(t.Context(), "wss://server.example", PasswordLogin{User: "admin", Password: NewSecret("pw")}, cfg)
	if err != nil {
		_, err := end.tryRead()
		var closed *msgconn.CloseError
		require.ErrorAs(t, err, &closed, "the connection of a login that failed is dropped")
	} else {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func TestDialRefused(t *testing.T) {
	for _, test := range []struct {
		message string
		is      error
		text    string
	}{
		{`{"action":"close","cause":"noauth","msg":"noauth-2d"}`, ErrBadCredentials, `controlproto: auth: closed by the server: "noauth", "noauth-2d"`},
		{`{"action":"close","cause":"noauth","msg":"nokey"}`, ErrBadCredentials, `controlproto: auth: closed by the server: "noauth", "nokey"`},
		{`{"action":"close","cause":"invalidorigin","msg":"invalidorigin"}`, ErrOrigin, `controlproto: auth: closed by the server: "invalidorigin", "invalidorigin"`},
		{
			`{"action":"close","cause":"noauth","msg":"tokenrequired","email2fa":true,"sms2fa":true,"msg2fa":false,"email2fasent":true,"twoFactorCookieDays":30}`,
			ErrTokenRequired, `controlproto: auth: a second factor is required; a code was sent by e-mail; SMS is on offer`,
		},
		{`{"action":"stopped","msg":"Session count exceed"}`, nil, `controlproto: auth: closed by the server: "stopped", "Session count exceed"`},
		{`{"action":"close","cause":"banned\u001b[2J","msg":""}`, nil, `controlproto: auth: closed by the server: "banned\x1b[2J", ""`},
		{`nothing`, ErrMessage, `controlproto: auth: controlproto: malformed message`},
		{helloUser, nil, `controlproto: auth: the server told the account before itself`},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := dialSaying(t, ClientConfig{}, test.message)
			require.ErrorContains(t, err, test.text)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			for _, other := range []error{ErrBadCredentials, ErrTokenRequired, ErrOrigin} {
				require.Equal(t, errors.Is(test.is, other), errors.Is(err, other), "%v is %v", err, other)
			}
			var tr *TokenRequiredError
			if errors.As(err, &tr) {
				require.Equal(t, TokenRequiredError{Email: true, SMS: true, EmailSent: true, TrustedDeviceDays: 30}, *tr)
			}
		})
	}
}

func TestDialSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		_, err := dialSaying(t, ClientConfig{LoginTime: 5 * time.Second}, helloServer)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "not logged in after 5s")
		require.Equal(t, 5*time.Second, time.Since(begun))
	})
}

// Before the login a server can not send much, and not more than a few messages.
func TestDialLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := dialSaying(t, ClientConfig{}, `{"action":"serverinfo","serverinfo":{"name":"`+strings.Repeat("x", 64<<10)+`"}}`)
		require.ErrorIs(t, err, msgconn.ErrTooLarge)
		many := `{"action":"userinfo","userinfo":{"_id":"user//admin","email":"` + strings.Repeat("x", 128<<10) + `"}}`
		_, err = dialSaying(t, ClientConfig{}, helloServer, many)
		require.NoError(t, err)
		_, err = dialSaying(t, ClientConfig{ReadLimit: 64 << 10}, helloServer, many)
		require.ErrorIs(t, err, msgconn.ErrTooLarge)
	})
	synctest.Test(t, func(t *testing.T) {
		cfg := ClientConfig{Connect: func(context.Context, SecretURL, http.Header) (Conn, error) {
			a, b := msgconn.Pipe()
			go func() {
				for b.WriteMessage(context.Background(), msgconn.Text, []byte(`{"action":"x"}`)) == nil {
					continue
				}
			}()
			return a, nil
		}}
		_, err := Dial(t.Context(), "wss://server.example", PasswordLogin{User: "admin"}, cfg)
		require.ErrorContains(t, err, "17 messages of 238 bytes and no login")
	})
}

// What comes between the messages of a login is not lost.
func TestDialEarlyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		c, err := dialSaying(t, ClientConfig{Trace: &ClientTrace{Unmatched: func(action string, _ int) { seen = append(seen, action) }}},
			helloServer, `{"action":"serverwarnings","warnings":[]}`, helloUser, `{"action":"traceinfo"}`)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []string{"serverwarnings", "traceinfo"}, seen)
		require.Equal(t, "test", c.ServerInfo().Name)
		require.Equal(t, ID("user//admin"), c.UserInfo().ID)
	})
}
