package mpstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
)

func TestTarget(t *testing.T) {
	for server, want := range map[string]struct {
		how        transport
		host, addr string
	}{
		"mps.example:4433":            {overTLS, "mps.example", "mps.example:4433"},
		"[::1]:4433":                  {overTLS, "::1", "[::1]:4433"},
		"tls://mps.example:4433":      {overTLS, "mps.example", "mps.example:4433"},
		"tcp://127.0.0.1:4433":        {overTCP, "127.0.0.1", "127.0.0.1:4433"},
		"wss://mesh.example/apf.ashx": {overWebSocket, "mesh.example", "mesh.example"},
		"ws://127.0.0.1:80/apf.ashx":  {overWebSocket, "127.0.0.1", "127.0.0.1:80"},
	} {
		how, host, addr, err := (&Config{Server: server}).target()
		require.NoError(t, err, server)
		require.Equal(t, want.how, how, server)
		require.Equal(t, want.host, host, server)
		require.Equal(t, want.addr, addr, server)
	}
}

func TestBadConfig(t *testing.T) {
	cert, err := NewCertificate("pc", "group", testKey(t))
	require.NoError(t, err)
	for want, cfg := range map[string]Config{
		"missing port":          {Server: "mps.example"},
		"host or port":          {Server: ":4433"},
		"a wss URL, and not":    {Server: "https://mps.example"},
		"certificate needs TLS": {Server: "tcp://mps.example:4433", Certificate: cert},
		"port 0":                {Server: "a:1", Ports: map[uint16]Handler{0: Echo}},
		"port 16992":            {Server: "a:1", Ports: map[uint16]Handler{16992: nil}},
		"not JSON":              {Server: "a:1", MEIState: NewSecret("{")},
		"below zero":            {Server: "a:1", Quirks: Quirks{RefuseEvery: -1}},
		"never comes":           {Server: "a:1", Quirks: Quirks{Window: 400, AdjustStep: 499}},
	} {
		_, err := NewDevice(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestPortOrder(t *testing.T) {
	order := func(ports ...uint16) []uint16 {
		c := Config{Ports: make(map[uint16]Handler)}
		for _, p := range ports {
			c.Ports[p] = Echo
		}
		return c.ports()
	}
	require.Equal(t, []uint16{16993, 16992, 22, 443, 5900}, order(5900, 443, 16992, 22, 16993), "what is unknown before the last")
	require.Equal(t, []uint16{16993, 80}, order(80, 16993))
	require.Empty(t, order())
	d, err := NewDevice(Config{Server: "a:1"})
	require.NoError(t, err)
	require.Equal(t, AMTPorts(), d.ports.order)
	d, err = NewDevice(Config{Server: "a:1", ConnType: apf.ConnRelay})
	require.NoError(t, err)
	require.Equal(t, []uint16{16992, 16993}, d.ports.order)
}

func TestAdd(t *testing.T) {
	for _, tt := range []struct {
		from string
		n    uint64
		want string
	}{
		{"00112233-4455-6677-8899-aabbccddeeff", 0, "00112233-4455-6677-8899-aabbccddeeff"},
		{"00112233-4455-6677-8899-aabbccddeeff", 1, "00112233-4455-6677-8899-aabbccddef00"},
		{"00112233-4455-6677-8899-ffffffffffff", 257, "00112233-4455-6677-889a-000000000100"},
		{"ffffffff-ffff-ffff-ffff-ffffffffffff", 1, "00000000-0000-0000-0000-000000000000"},
		{"00000000-0000-0000-ffff-ffffffffffff", 1<<64 - 1, "00000000-0000-0001-ffff-fffffffffffe"},
	} {
		from, err := apf.ParseUUID(tt.from)
		require.NoError(t, err)
		require.Equal(t, tt.want, Add(from, tt.n).String())
	}
}

func TestBackoff(t *testing.T) {
	var b Backoff
	near := func(want, got time.Duration) {
		t.Helper()
		require.InDelta(t, float64(want), float64(got), float64(want)/4+1)
	}
	for range 2 { // as firmware: two further calls, then a long pause, and again
		near(10*time.Second, b.next(false))
		near(10*time.Second, b.next(false))
		near(10*time.Minute, b.next(false))
	}
	near(10*time.Second, b.next(false))
	near(10*time.Second, b.next(true))
	near(10*time.Second, b.next(false))
	near(10*time.Second, b.next(false))
	near(10*time.Minute, b.next(false))

	b = Backoff{Interval: time.Second, Retries: -1, Pause: time.Hour}
	for range 20 {
		near(time.Second, b.next(false))
	}
}
