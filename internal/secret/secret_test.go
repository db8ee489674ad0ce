package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
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

func TestNotPrinted(t *testing.T) {
	const secret = "hunter2hunter2"
	type login struct {
		Password Text
		hidden   Text
		Address  URL
	}
	v := login{New(secret), New(secret), NewURL("wss://u:" + secret + "@h/x?p=1&auth=" + secret + "#" + secret)}
	for _, v := range []any{v, &v, v.Password, &v.Password, v.Address, []Text{v.hidden}, map[string]URL{"a": v.Address}} {
		out := printed(t, v)
		require.NotContains(t, out, secret)
		require.NotContains(t, out, fmt.Sprintf("%x", secret))
	}
	require.Equal(t, secret, v.Password.Reveal())
	require.Equal(t, "", Text{}.String(), "no secret is told to be none")
}

func TestEqual(t *testing.T) {
	require.True(t, New("a").Equal(New("a")))
	require.False(t, New("a").Equal(New("b")))
	require.False(t, New("a").Equal(Text{}))
	require.True(t, Text{}.Equal(Text{}))
	require.True(t, NewURL("https://h/?a=1").Equal(NewURL("https://h/?a=1")))
}

func TestURL(t *testing.T) {
	u := NewURL("https://h/x?p=2&nodeid=node//a$b@c&auth=s")
	require.Equal(t, "https://h/x?p=2&nodeid=node//a$b@c&auth=[redacted]", u.String())
	for in, want := range map[string]string{
		"https://u:s@h/x":   "https://[redacted]@h/x",
		"//u:s@h/x":         "//[redacted]@h/x",
		"u:s@h:443/x":       "[redacted]@h:443/x",
		"u:s@h":             "[redacted]@h",
		"*/meshrelay.ashx":  "*/meshrelay.ashx",
		"/x@y/z?p=1":        "/x@y/z?p=1",
		"https://h/a//b@c/": "https://h/a//b@c/",
	} {
		require.Equal(t, want, NewURL(in).String())
	}
	q, err := u.Query()
	require.NoError(t, err)
	require.Equal(t, "s", q.Get("auth"))
	q, err = NewURL("https://h/?a=b;c&d=;").Query()
	require.NoError(t, err)
	require.Equal(t, url.Values{"a": {"b;c"}, "d": {";"}}, q)
	_, err = NewURL("https://h/?a=%zz").Query()
	require.ErrorContains(t, err, "malformed query")
	require.NotContains(t, err.Error(), "zz")
}
