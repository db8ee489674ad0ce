package realip

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFrom(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name, peer string
		headers    map[string]string
		want       string
	}{
		{"direct", "192.0.2.1:50", nil, "192.0.2.1"},
		{"mapped", "[::ffff:192.0.2.1]:50", nil, "192.0.2.1"},
		{"IPv6", "[2001:db8::1]:50", nil, "2001:db8::1"},
		{"headers of strangers do not count", "192.0.2.1:50", map[string]string{"X-Forwarded-For": "198.51.100.7", "X-Real-Ip": "198.51.100.7"}, "192.0.2.1"},
		{"trusted proxy", "127.0.0.1:50", map[string]string{"X-Forwarded-For": "198.51.100.7"}, "198.51.100.7"},
		{"client's own entries are skipped", "127.0.0.1:50", map[string]string{"X-Forwarded-For": "1.1.1.1, 198.51.100.7, 10.0.0.3"}, "198.51.100.7"},
		{"all trusted", "127.0.0.1:50", map[string]string{"X-Forwarded-For": "10.0.0.9, 10.0.0.3"}, "10.0.0.9"},
		{"with port", "127.0.0.1:50", map[string]string{"X-Forwarded-For": "198.51.100.7:1234"}, "198.51.100.7"},
		{"junk ends the list", "127.0.0.1:50", map[string]string{"X-Forwarded-For": "198.51.100.7, x, 10.0.0.3"}, "10.0.0.3"},
		{"real ip", "127.0.0.1:50", map[string]string{"X-Real-Ip": "2001:db8::2"}, "2001:db8::2"},
		{"what clients can write does not count", "127.0.0.1:50", map[string]string{"Cf-Connecting-Ip": "10.0.0.1", "X-Forwarded-For": "198.51.100.7"}, "198.51.100.7"},
		{"nothing said", "127.0.0.1:50", nil, "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{}}
			for k, v := range tt.headers {
				r.Header.Set(k, v)
			}
			require.Equal(t, tt.want, From(r, trusted).String())
		})
	}
	require.False(t, From(&http.Request{RemoteAddr: "@"}, nil).IsValid())
}
