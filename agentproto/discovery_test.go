package agentproto

import (
	"bytes"
	"crypto/aes"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testServerID is no hash of anything.
func testServerID(t testing.TB) [sha512.Size384]byte {
	t.Helper()
	b, err := hex.DecodeString("4754a233" + strings.Repeat("a5", 44))
	require.NoError(t, err)
	return [sha512.Size384]byte(b)
}

func upper(id [sha512.Size384]byte) string { return strings.ToUpper(hex.EncodeToString(id[:])) }

func TestDiscoveryQuery(t *testing.T) {
	id := testServerID(t)
	q := AppendDiscoveryQuery([]byte("x"), id)[1:]
	require.Equal(t, upper(id), string(q))
	got, ok := ParseDiscoveryQuery(q)
	require.True(t, ok)
	require.Equal(t, id, got)
	for i := range q {
		_, ok := ParseDiscoveryQuery(q[:i])
		require.False(t, ok, i)
	}
	for _, bad := range []string{strings.ToLower(string(q)), string(q) + "0", "G" + string(q[1:]), " " + string(q[1:])} {
		_, ok := ParseDiscoveryQuery([]byte(bad))
		require.False(t, ok, bad)
	}
	buf := make([]byte, 0, discoveryQueryLen)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, ok := ParseDiscoveryQuery(AppendDiscoveryQuery(buf, id)); !ok {
			t.Fatal("not read back")
		}
	}))
}

func TestDiscoveryAnswer(t *testing.T) {
	id := testServerID(t)
	packet := "MeshCentral2|" + upper(id) + "|wss://%s:4430/agent.ashx"
	a, err := ParseDiscoveryAnswer([]byte(packet))
	require.NoError(t, err)
	require.Equal(t, DiscoveryAnswer{ServerID: id, URL: "wss://%s:4430/agent.ashx"}, a)
	require.Equal(t, packet, string(a.AppendTo(nil)))
	require.Equal(t, 110, strings.Index(packet, "wss:"))

	tool := packet + "|My server|host.example|with a bar"
	a, err = ParseDiscoveryAnswer([]byte(tool))
	require.NoError(t, err)
	require.Equal(t, DiscoveryAnswer{ServerID: id, URL: "wss://%s:4430/agent.ashx", Name: "My server", Info: "host.example|with a bar"}, a)
	require.Equal(t, tool, string(a.AppendTo(nil)))

	for i := range discoveryURLOffset {
		_, err := ParseDiscoveryAnswer([]byte(packet[:i]))
		require.ErrorIs(t, err, ErrDiscovery, i)
	}
	for _, bad := range []string{
		strings.ToLower(packet), "MeshCentral1" + packet[12:], strings.Replace(packet, "|wss", " wss", 1),
		packet + "\x00", packet + " ", packet + "é", packet + strings.Repeat("x", 1024),
	} {
		_, err := ParseDiscoveryAnswer([]byte(bad))
		require.ErrorIs(t, err, ErrDiscovery, bad)
	}
}

func TestDiscoveryURL(t *testing.T) {
	for _, tc := range []struct{ url, from, want string }{
		{"wss://%s:4430/agent.ashx", "192.0.2.7", "wss://192.0.2.7:4430/agent.ashx"},
		{"wss://%s:4430/agent.ashx", "::ffff:192.0.2.7", "wss://192.0.2.7:4430/agent.ashx"},
		{"wss://[%s]:4430/agent.ashx", "fd00::2", "wss://[fd00::2]:4430/agent.ashx"},
		{"wss://[%s]:4430/agent.ashx", "fd00::2%eth0", "wss://[fd00::2]:4430/agent.ashx"},
		{"wss://[%s]:4430/agent.ashx", "fe80::1%eth0", "wss://[fe80::1%25eth0]:4430/agent.ashx"},
		{"wss://mesh.example:443/agent.ashx", "192.0.2.7", "wss://mesh.example:443/agent.ashx"},
		{"wss://%s:4430/agent.ashx", "fd00::2", ""}, // no brackets
		{"ws://%s:4430/agent.ashx", "192.0.2.7", ""},
		{"https://%s/", "192.0.2.7", ""},
		{"wss://%s%s:1/", "192.0.2.7", ""},
		{"wss://user@%s:1/", "192.0.2.7", ""},
		{"wss://%s:0/", "192.0.2.7", ""},
		{"wss://%s:70000/", "192.0.2.7", ""},
		{"wss:///agent.ashx", "192.0.2.7", ""},
		{"wss:%s", "192.0.2.7", ""},
		{"%s", "192.0.2.7", ""},
		{"", "192.0.2.7", ""},
	} {
		got, err := DiscoveryAnswer{URL: tc.url}.ResolveURL(netip.MustParseAddr(tc.from))
		if tc.want == "" {
			require.ErrorIs(t, err, ErrDiscovery, tc.url)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tc.want, got)
	}
}

func TestDiscoveryKey(t *testing.T) {
	// Made by the functions encryptPacket of meshscanner.js (1.1.55), with this IV, of the key "LAN key" and the text below.
	iv, err := hex.DecodeString("000102030405060708090a0b0c0d0e0f")
	require.NoError(t, err)
	golden, err := hex.DecodeString("000102030405060708090a0b0c0d0e0f0a47bdc8a8bd9a430a8aba43b4cc541e")
	require.NoError(t, err)
	k := NewDiscoveryKey("LAN key")
	sealed, err := k.Seal([]byte("x"), bytes.NewReader(iv), []byte("MeshServerScan"))
	require.NoError(t, err)
	require.Equal(t, golden, sealed[1:])
	plain, ok := k.Open(golden)
	require.True(t, ok)
	require.Equal(t, "MeshServerScan", string(plain))
	_, ok = NewDiscoveryKey("another key").Open(golden)
	require.False(t, ok)

	for n := range 40 {
		text := bytes.Repeat([]byte("a"), n)
		p, err := k.Seal(nil, nil, text)
		require.NoError(t, err)
		require.Len(t, p, 16+(n/16+1)*16)
		got, ok := k.Open(p)
		require.True(t, ok)
		require.Equal(t, string(text), string(got))
		for i := range p {
			if i%aes.BlockSize != 0 || i < 32 {
				_, ok := k.Open(p[:i])
				require.False(t, ok, i)
			}
		}
	}
	_, err = k.Seal(nil, bytes.NewReader(iv[:15]), nil)
	require.Error(t, err)

	var none *DiscoveryKey
	require.Nil(t, NewDiscoveryKey(""))
	p, err := none.Seal([]byte("x"), nil, []byte("y"))
	require.NoError(t, err)
	require.Equal(t, "xy", string(p))
}

func newTestResponder(t testing.TB, cfg ResponderConfig) *Responder {
	t.Helper()
	cfg.ServerID = testServerID(t)
	cfg.Port = 4430
	r, err := NewResponder(cfg)
	require.NoError(t, err)
	return r
}

func TestResponderAnswers(t *testing.T) {
	id := testServerID(t)
	lan4, lan6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("fe80::1%eth0")
	now := time.Unix(1e9, 0)
	query := AppendDiscoveryQuery(nil, id)
	r := newTestResponder(t, ResponderConfig{Host: "mesh.example", Name: "A|B\x07", Info: ""})

	require.Equal(t, "MeshCentral2|"+upper(id)+"|wss://%s:4430/agent.ashx", string(r.Answer(query, lan4, now)))
	require.Equal(t, "MeshCentral2|"+upper(id)+"|wss://[%s]:4430/agent.ashx", string(r.Answer(query, lan6, now)))
	require.Equal(t, "MeshCentral2|"+upper(id)+"|wss://%s:4430/agent.ashx",
		string(r.Answer(query, netip.MustParseAddr("::ffff:192.0.2.8"), now)))
	require.Equal(t, "MeshCentral2|"+upper(id)+"|wss://mesh.example:4430/agent.ashx|A B|mesh.example",
		string(r.Answer([]byte("MeshServerScan"), lan4, now)))
	require.Equal(t, r.Answer(query, lan4, now), r.Advert(false))

	other := id
	other[47]++
	for _, p := range []string{"", "MeshServerScan ", "meshserverscan", strings.ToLower(string(query)), string(query) + "\n",
		string(query[:95]), string(AppendDiscoveryQuery(nil, other))} {
		require.Nil(t, r.Answer([]byte(p), lan4, now), "%q", p)
	}

	// The name of a server that has no dot in it is no address for a tool.
	r = newTestResponder(t, ResponderConfig{Host: "mesh"})
	require.Equal(t, "MeshCentral2|"+upper(id)+"|wss://[%s]:4430/agent.ashx|MeshCentral|mesh", string(r.Answer([]byte("MeshServerScan"), lan6, now)))

	// With a key only encrypted packets are heard, and answers are encrypted.
	key := NewDiscoveryKey("LAN key")
	r = newTestResponder(t, ResponderConfig{Key: key})
	require.Nil(t, r.Answer(query, lan4, now))
	sealed, err := key.Seal(nil, nil, query)
	require.NoError(t, err)
	answer := r.Answer(sealed, lan4, now)
	url, err := AcceptDiscovery(answer, id, key, lan4)
	require.NoError(t, err)
	require.Equal(t, "wss://192.0.2.7:4430/agent.ashx", url)
	_, err = AcceptDiscovery(answer, id, nil, lan4)
	require.ErrorIs(t, err, ErrDiscovery)
	_, err = AcceptDiscovery(answer, other, key, lan4)
	require.ErrorContains(t, err, "another server")
	_, err = AcceptDiscovery(make([]byte, 1024), id, key, lan4)
	require.ErrorContains(t, err, "1024 bytes")

	r = newTestResponder(t, ResponderConfig{AllowSource: netip.Addr.IsPrivate})
	require.Nil(t, r.Answer(query, netip.MustParseAddr("203.0.113.1"), now))
	require.NotNil(t, r.Answer(query, netip.MustParseAddr("10.0.0.1"), now))
}

func TestResponderIsNoAmplifier(t *testing.T) {
	r := newTestResponder(t, ResponderConfig{})
	query := AppendDiscoveryQuery(nil, testServerID(t))
	now := time.Unix(1e9, 0)
	count := func(from string, n int, now time.Time) (answered int) {
		for range n {
			if r.Answer(query, netip.MustParseAddr(from), now) != nil {
				answered++
			}
		}
		return answered
	}
	require.Equal(t, 8, count("192.0.2.1", 100, now))
	require.Equal(t, 0, count("192.0.2.1", 100, now.Add(999*time.Millisecond)))
	require.Equal(t, 1, count("192.0.2.1", 100, now.Add(time.Second)))
	require.Equal(t, 8, count("192.0.2.1", 100, now.Add(time.Hour)))
	require.Equal(t, 8, count("192.0.2.2", 100, now.Add(time.Hour)))
	require.Equal(t, 8, count("2001:db8::1", 100, now.Add(time.Hour)))
	require.Equal(t, 0, count("2001:db8::2", 100, now.Add(time.Hour)), "the same network")
	require.Equal(t, 8, count("2001:db8:0:1::2", 100, now.Add(time.Hour)))

	// Sources that lie about their address share one allowance.
	now = now.Add(2 * time.Hour)
	answered := 0
	for i := range 12_000 {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if r.Answer(query, from, now) != nil {
			answered++
		}
	}
	require.Equal(t, 128, answered)
	require.Less(t, len(r.agent6), 2*len(query))
	// The clock may step back.
	require.Nil(t, r.Answer(query, netip.MustParseAddr("192.0.2.1"), now.Add(-time.Hour)))
}

func TestNewResponderRefuses(t *testing.T) {
	id := testServerID(t)
	for name, cfg := range map[string]ResponderConfig{
		"no id":          {Port: 1},
		"no port":        {ServerID: id},
		"host is a URL":  {ServerID: id, Port: 1, Host: "wss://x"},
		"host with a %":  {ServerID: id, Port: 1, Host: "x%s.y"},
		"short interval": {ServerID: id, Port: 1, Interval: time.Millisecond},
	} {
		_, err := NewResponder(cfg)
		require.Error(t, err, name)
	}
	// However long the texts are, agents accept the packet.
	r, err := NewResponder(ResponderConfig{ServerID: id, Port: 65535, Host: strings.Repeat("a.", 400), Name: strings.Repeat("n", 5000), Info: strings.Repeat("i", 5000)})
	require.NoError(t, err)
	_, err = ParseDiscoveryAnswer(r.tool6)
	require.NoError(t, err)
}

func FuzzDiscovery(f *testing.F) {
	id := testServerID(f)
	key := NewDiscoveryKey("LAN key")
	answer := DiscoveryAnswer{ServerID: id, URL: "wss://%s:4430/agent.ashx", Name: "n", Info: "i"}.AppendTo(nil)
	sealed, err := key.Seal(nil, bytes.NewReader(make([]byte, 16)), answer)
	require.NoError(f, err)
	f.Add(AppendDiscoveryQuery(nil, id), true)
	f.Add(answer, false)
	f.Add(sealed, true)
	f.Add([]byte(discoveryScan), false)
	f.Add([]byte(strings.Replace(string(answer), "%s", "[::1]%25", 1)), true)
	plain := newTestResponder(f, ResponderConfig{})
	keyed := newTestResponder(f, ResponderConfig{Key: key})
	f.Fuzz(func(t *testing.T, p []byte, ipv6 bool) {
		from := netip.MustParseAddr("192.0.2.7")
		if ipv6 {
			from = netip.MustParseAddr("fe80::1%eth0")
		}
		before := bytes.Clone(p)
		for _, r := range []*Responder{plain, keyed} {
			r.limit = newAnswerLimiter()
			out := r.Answer(p, from, time.Unix(1e9, 0))
			if out == nil {
				continue
			}
			if r == plain && string(p) != string(r.query) && string(p) != discoveryScan {
				t.Fatalf("%q was answered", p)
			}
			if _, err := AcceptDiscovery(out, id, r.cfg.Key, from); err != nil && len(out) < 300 {
				t.Fatalf("an agent refuses %q: %v", out, err)
			}
		}
		if q, ok := ParseDiscoveryQuery(p); ok && !bytes.Equal(AppendDiscoveryQuery(nil, q), p) {
			t.Fatalf("%q changed", p)
		}
		if a, err := ParseDiscoveryAnswer(p); err == nil {
			out := a.AppendTo(nil)
			b, err := ParseDiscoveryAnswer(out)
			// Replaced bytes can make a packet too long.
			if err != nil && len(out) > maxDiscoveryPacket {
				return
			}
			if err != nil || a != b {
				t.Fatalf("%q: %+v became %+v, %v", p, a, b, err)
			}
		}
		for _, k := range []*DiscoveryKey{nil, key} {
			if url, err := AcceptDiscovery(p, id, k, from); err == nil && !strings.HasPrefix(strings.ToLower(url), "wss://") {
				t.Fatalf("%q accepted", url)
			}
		}
		if plain, ok := key.Open(p); ok {
			again, err := key.Seal(nil, bytes.NewReader(p[:16]), plain)
			if err != nil || !bytes.Equal(again, p) {
				t.Fatalf("%x became %x, %v", p, again, err)
			}
		}
		if !bytes.Equal(p, before) {
			t.Fatal("the packet was changed")
		}
	})
}

func ExampleAcceptDiscovery() {
	id := sha512.Sum384([]byte("the key of the agent server"))
	// The server makes its answer ...
	r, err := NewResponder(ResponderConfig{ServerID: id, Port: 4430})
	if err != nil {
		fmt.Println(err)
		return
	}
	packet := r.Answer(AppendDiscoveryQuery(nil, id), netip.MustParseAddr("192.0.2.50"), time.Now())
	// ... and the agent reads it, knowing the address that it came from.
	fmt.Println(AcceptDiscovery(packet, id, nil, netip.MustParseAddr("192.0.2.1")))
	// Output: wss://192.0.2.1:4430/agent.ashx <nil>
}
