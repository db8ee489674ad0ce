package agentproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// printed gives every way in which a value may end up in a log.
func printed(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	j, err := json.Marshal(v)
	require.NoError(t, err)
	b.Write(j)
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("m", "v", v)
	}
	return b.String()
}

func TestSecretsAreNotPrinted(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, m := range []JSONMessage{
		&AMTConfig{User: "u", Pass: NewSecret(secret)},
		&ACMActivate{Password: NewSecret(secret)},
		&CoreInfo{PushToken: NewSecret(secret)},
		&Clipboard{Data: NewSecret(secret)},
		&SetClipboard{Data: NewSecret(secret)},
		&TunnelRequest{URL: NewSecretURL("*/meshrelay.ashx?p=2&nodeid=node//x&id=1&rauth=" + secret)},
		&TunnelRequest{URL: NewSecretURL("wss://h/meshrelay.ashx?p=2&auth=" + secret)},
		&TunnelCloseStats{URL: NewSecretURL("wss://user:" + secret + "@h/x")},
		&FetchFile{URLPath: NewSecretURL("/agentdownload.ashx?c=" + secret)},
		&SelfUpdate{URL: NewSecretURL("*/meshagents?id=6&key=" + secret)},
		&ToolInfo{URL: NewSecretURL("*/meshagents?id=10006&auth=" + secret)},
		&GuestShare{URL: NewSecretURL("https://h/sharing?c=" + secret + "#" + secret)},
		&TwoFactorAnswer{URL: NewSecretURL("2fa://auth?code=123456&c=" + secret)},
		&SysInfo{Data: NewSystemData(json.RawMessage(`{"hash":"a","volumes":{"C":{"recoveryPassword":"` + secret + `"}}}`))},
	} {
		name := fmt.Sprintf("%T", m)
		type private struct{ m JSONMessage }
		for _, v := range []any{m, []JSONMessage{m}, map[string]any{"m": m}, private{m}, &private{m}} {
			out := printed(t, v)
			require.NotContains(t, out, secret, name)
			require.NotContains(t, out, fmt.Sprintf("%x", secret), name)
			require.NotContains(t, out, fmt.Sprintf("%X", secret), name)
		}
		wire, err := AppendJSON(nil, m)
		require.NoError(t, err)
		require.Contains(t, string(wire), secret, name)
	}
	for _, v := range []any{NewSecret(secret), NewSecretURL("/?c=" + secret), NewSecretURL("/?" + secret), NewSystemData(json.RawMessage(`"` + secret + `"`)),
		[]Secret{NewSecret(secret)}, map[string]Secret{"a": NewSecret(secret)}, struct{ s Secret }{NewSecret(secret)}, *NewDiscoveryKey(secret), NewDiscoveryKey(secret)} {
		require.NotContains(t, printed(t, v), secret)
	}
	k := NewDiscoveryKey(secret)
	require.NotContains(t, printed(t, k), fmt.Sprintf("%x", k.key[:4]))
	require.NotContains(t, printed(t, ResponderConfig{Key: k}.Key), fmt.Sprintf("%d", k.key[:2]))
}

func TestSecretURL(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"*/meshrelay.ashx?p=2&nodeid=node//wCZ$@x&id=55&rauth=abc": "*/meshrelay.ashx?p=2&nodeid=node//wCZ$@x&id=[redacted]&rauth=[redacted]",
		"https://u:p@h:1/x/y@z?c=1":                                "https://[redacted]@h:1/x/y@z?c=[redacted]",
		"/a?b":                                                     "/a?[redacted]",
		"/a?p=1;rauth=2":                                           "/a?p=[redacted]",
		"/a?p=1?rauth=2":                                           "/a?p=[redacted]",
		"/a?c=#x":                                                  "/a?c=#[redacted]",
		"/a":                                                       "/a",
	} {
		require.Equal(t, want, NewSecretURL(in).String())
		require.Equal(t, want, fmt.Sprintf("%s", NewSecretURL(in)))
	}
	q, err := NewSecretURL("*/meshrelay.ashx?p=2&nodeid=node//a$b@c&id=5").Query()
	require.NoError(t, err)
	require.Equal(t, "node//a$b@c", q.Get("nodeid"))
	_, err = NewSecretURL("/?rauth=abc%zz").Query()
	require.Error(t, err)
	require.NotContains(t, err.Error(), "zz")
	require.Equal(t, "", NewSecret("").String())
	require.Equal(t, `secret.Text("[redacted]")`, fmt.Sprintf("%#v", NewSecret("x")))
}

func TestUnknownMessageIsPrintedWithoutContent(t *testing.T) {
	m := &UnknownMessage{Name: "new", Extra: map[string]json.RawMessage{"pass": json.RawMessage(`"hunter2"`)}}
	require.Equal(t, `unknown message "new" with 1 fields`, fmt.Sprint(m))
	require.NotContains(t, fmt.Sprintf("%+v %s", m, m), "hunter2")
}
