package redir

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNothingPrintsSecrets prints everything that may hold a password, or a digest of one, in every way there is.
func TestNothingPrintsSecrets(t *testing.T) {
	d := DigestResponse{"admin", testRealm, testNonce, authURI, "cnoncecnonce", "00000001", "", "auth"}
	d.Response = testResponse(&d)
	m, err := appendDigest(nil, &d)
	require.NoError(t, err)
	var request AuthRequest
	require.NoError(t, request.Parse(m))
	parser := NewParser(Operator)
	_, _, err = parser.Next(m[:len(m)-1])
	require.NoError(t, err)

	redirect := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
	data, err := DigestChallenge{testRealm, testNonce, "auth"}.Append(nil)
	require.NoError(t, err)
	_, err = redirect.FromDevice(nil, AuthReply{Status: AuthFailed, Type: AuthDigest, Data: data}.Append(nil))
	require.NoError(t, err)
	_, err = redirect.FromOperator(nil, m[:len(m)-1])
	require.NoError(t, err)
	web := testHTTP(nil)
	_, err = web.FromDevice(nil, []byte("HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: "+testChallenge+"\r\n\r\n"))
	require.NoError(t, err)
	_, err = web.FromOperator(nil, []byte("GET / HTTP/1.1\r\nAuthorization: "+d.Response))
	require.NoError(t, err)
	server := testServer(nil)
	_, _, err = server.Receive(nil, StartSession{SOL}.Append(nil))
	require.NoError(t, err)
	_, _, err = server.Receive(nil, m)
	require.NoError(t, err)
	config := Config{Credentials: testCredentials()}

	values := []any{
		d, &d, request, &request, Message(m), parser, *parser, redirect, web, server, web.cfg, &web.cfg, web.cfg.Memory,
		NewClientLogin(SOL, testCredentials()), *server, testCredentials(), config, &config, config.orDefaults(), SOLConfig{Config: config},
		IDERConfig{Config: config}, ServerLoginConfig{Nonce: "n"}, DeviceConfig{Realm: testRealm},
	}
	raw := strings.Fields(strings.Trim(fmt.Sprint([]byte(d.Response)[:8]), "[]"))
	for _, v := range values {
		var out []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			out = append(out, fmt.Sprintf(verb, v), fmt.Sprintf(verb, []any{v}), fmt.Sprintf(verb, struct{ V any }{v}))
		}
		if b, err := json.Marshal(v); err == nil {
			out = append(out, string(b))
		}
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).Info("x", "v", v)
			out = append(out, b.String())
		}
		for _, text := range out {
			for _, secret := range []string{testPassword, d.Response, testNonce, fmt.Sprintf("%x", testPassword), fmt.Sprintf("%x", d.Response), strings.Join(raw, " ")} {
				require.NotContains(t, strings.ToLower(text), strings.ToLower(secret), "%T", v)
			}
		}
	}
}

// TestErrorsHaveNoSecrets: neither the errors nor the logs of a refused session show what was sent.
func TestErrorsHaveNoSecrets(t *testing.T) {
	var log bytes.Buffer
	wrong := testConfig()
	wrong.Password = NewSecret("wrong-password")
	wrong.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	conn, ended := serve(t, testDevice(func(c *DeviceConfig) {
		c.Logger = wrong.Logger
		c.KVM = func(context.Context, net.Conn) error { return nil }
	}))
	_, err := OpenKVM(t.Context(), conn, wrong)
	text := err.Error() + (<-ended).Error() + log.String()
	require.NotContains(t, text, "wrong-password")
	require.NotContains(t, text, testPassword)
	require.Contains(t, text, "admin")
}
