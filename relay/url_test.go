package relay

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The queries that stock clients sent in recorded sessions, the cookies shortened.
var stockQueries = []string{
	"browser=1&p=1&nodeid=node//ilNdUREFfKnNWQb203hjp2gQ8PjhDVR9G1bH5@VslsHPPIX@WyBmZpdvu8@jw2UM&id=942ebd4f73d9&auth=IhDO@TLFg$0cXrR3X9zrJfU=",
	"p=5&nodeid=node//wCZrd0MjQ$HjRjFLT9bu03s5WZBepQrGrOsYuL4Rn5n1YEu9NLcwmeSLVfHzuVii&id=55de41b3ced0&rauth=Jnh@dQIM$HNGJbDmod4wHY=",
	"nodeid=node//x&tcpport=22&tcpaddr=10.0.0.5&auth=c",
	"id=meshmessenger/user//ann/node//machine&auth=c",
	"p=14&auth=c&id=8DZnl9J5lXCs&noping=1&hd=1",
}

func TestQuery(t *testing.T) {
	q, err := ParseQuery(stockQueries[0])
	require.NoError(t, err)
	require.Equal(t, ID("942ebd4f73d9"), q.ID)
	require.Equal(t, ProtocolTerminal, q.Protocol)
	require.Equal(t, "node//ilNdUREFfKnNWQb203hjp2gQ8PjhDVR9G1bH5@VslsHPPIX@WyBmZpdvu8@jw2UM", q.Node)
	require.True(t, q.Browser)
	require.Equal(t, "IhDO@TLFg$0cXrR3X9zrJfU=", q.Auth.Reveal())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", q, q, q), "IhDO")
	for _, s := range stockQueries[:4] {
		q, err := ParseQuery(s)
		require.NoError(t, err)
		require.Equal(t, s, q.Encode())
		escaped := strings.NewReplacer("@", "%40", "$", "%24").Replace(s)
		again, err := ParseQuery(escaped)
		require.NoError(t, err)
		require.Equal(t, s, again.Encode(), "as the agent escapes it")
	}
	q, err = ParseQuery("p=nan&tcpport=70000&slowrelay=2000&noping=yes&browser=&id=&hd=1&x=a b+c")
	require.NoError(t, err)
	require.Equal(t, &Query{Extra: url.Values{"hd": {"1"}, "x": {"a b c"}}}, q, "numbers that are none are missing")
	odd := &Query{Extra: url.Values{"": {"=", ""}, "=": {"&"}, "a=b&c+d": {"e=f g", "%"}, "@$/": {"@$/"}}}
	q, err = ParseQuery(odd.Encode())
	require.NoError(t, err)
	require.Equal(t, odd, q, "names may consist of anything, as values")
	for _, bad := range []string{
		"id=a/b", "id=" + strings.Repeat("x", 129), "id=%zz", "id=meshmessenger/x", "id=meshmessenger/user//a/group//b",
		strings.Repeat("a=b&", 65), "auth=" + strings.Repeat("x", 5000), strings.Repeat("x", 9000),
	} {
		_, err := ParseQuery(bad)
		require.ErrorIs(t, err, ErrURL, "%.30q", bad)
		require.NotContains(t, err.Error(), "zz")
	}
}

func TestAgentURL(t *testing.T) {
	server, err := url.Parse("wss://example.com:4430/agent.ashx")
	require.NoError(t, err)
	for _, c := range []struct{ in, resolved string }{
		{"*/meshrelay.ashx?p=2&nodeid=node//a@$&id=x&rauth=c$=", "wss://example.com:4430/meshrelay.ashx?p=2&nodeid=node//a%40%24&id=x&rauth=c%24="},
		{"*/dom/meshrelay.ashx?id=x&rauth=c", "wss://example.com:4430/dom/meshrelay.ashx?id=x&rauth=c"},
		{"*/devicefile.ashx?id=x&rauth=c", "wss://example.com:4430/devicefile.ashx?id=x&rauth=c"},
		{"wss://other:443/meshrelay.ashx?id=x", "wss://other:443/meshrelay.ashx?id=x"},
		{"ws://[::1]:80/meshrelay.ashx", "ws://[::1]:80/meshrelay.ashx"},
	} {
		u, err := ParseAgentURL(c.in)
		require.NoError(t, err, c.in)
		require.Equal(t, c.in, u.Secret().Reveal())
		require.Equal(t, c.resolved, u.Resolve(server).Reveal())
		require.Equal(t, strings.HasPrefix(c.in, "*/"), u.Own())
		require.NotContains(t, u.String(), "rauth=c")
	}
	server.Scheme = "https"
	u, err := ParseAgentURL("*/meshrelay.ashx")
	require.NoError(t, err)
	require.Equal(t, "wss://example.com:4430/meshrelay.ashx", u.Resolve(server).Reveal())
	for _, bad := range []string{
		"", "*", "*/", "*/a/b/c?id=x", "*/../x", "*/..", "http://x/y", "wss:///x", "wss://a", "wss://u:p@h/meshrelay.ashx", "*/mesh relay",
		"*/m?id=x#y", "*/m?id=%00%zz", "wss://a\\b/c", "*/m%2Fx", strings.Repeat("x", 9000),
	} {
		_, err := ParseAgentURL(bad)
		require.ErrorIs(t, err, ErrURL, "%.30q", bad)
	}
}

func TestID(t *testing.T) {
	seen := make(map[ID]bool)
	for range 100 {
		id := NewID()
		require.False(t, seen[id])
		seen[id] = true
		_, err := ParseID(string(id))
		require.NoError(t, err)
		require.Len(t, string(id), 32)
	}
	for _, stock := range []string{"942ebd4f73d9", "8DZnl9J5lXCs", "k3j5h2@a$z=", "meshmessenger/node//a/user/dom/b"} {
		_, err := ParseID(stock)
		require.NoError(t, err, stock)
	}
	a, b, err := ID("meshmessenger/node//a/user/dom/b").Parties()
	require.NoError(t, err)
	require.Equal(t, "node//a user/dom/b", a+" "+b)
	for _, bad := range []string{"", "a b", "a/b", "\x00", "ü", "meshmessenger/", "meshmessenger/node//a/user//\x01"} {
		_, err := ParseID(bad)
		require.ErrorIs(t, err, ErrID, "%q", bad)
	}
	require.Equal(t, "files, Protocol(77)", fmt.Sprintf("%v, %v", ProtocolFiles, Protocol(77)))
	require.Equal(t, "agent operator Role(9)", fmt.Sprintf("%v %v %v", RoleAgent, RoleOperator, Role(9)))
}

func FuzzAgentURL(f *testing.F) {
	for _, q := range stockQueries {
		f.Add("*/meshrelay.ashx?" + q)
		f.Add("wss://host:1/dom/meshrelay.ashx?" + q)
	}
	server := &url.URL{Scheme: "wss", Host: "h"}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseAgentURL(s)
		if err != nil {
			return
		}
		out := u.Secret().Reveal()
		again, err := ParseAgentURL(out)
		if err != nil {
			if len(out) > maxURL {
				return // escaping has made it longer than one may be
			}
			t.Fatalf("%q gave %q: %v", s, out, err)
		}
		if again.Secret().Reveal() != out {
			t.Fatalf("%q, then %q", out, again.Secret().Reveal())
		}
		require.Equal(t, u, again, "%q", s)
		if _, err := url.Parse(u.Resolve(server).Reveal()); err != nil {
			t.Fatalf("%q does not resolve: %v", s, err)
		}
	})
}
