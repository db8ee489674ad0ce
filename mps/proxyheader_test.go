package mps

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// v2 of nginx 1.26 for a connection from 127.0.0.9:40000 to 127.0.0.1:4433, and of the specification for the others.
var proxyHeaders = []struct {
	name, header, source string
}{
	{"v1 IPv4", "PROXY TCP4 192.0.2.7 198.51.100.1 40000 4433\r\n", "192.0.2.7:40000"},
	{"v1 IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 40000 4433\r\n", "[2001:db8::7]:40000"},
	{"v1 mapped", "PROXY TCP6 ::ffff:192.0.2.7 ::1 40000 4433\r\n", "192.0.2.7:40000"},
	{"v1 unknown", "PROXY UNKNOWN\r\n", ""},
	{"v1 unknown with more", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ""},
	{"v2 IPv4", unhex("0d0a0d0a000d0a515549540a2111000c7f0000097f0000019c401151"), "127.0.0.9:40000"},
	{"v2 IPv6", unhex("0d0a0d0a000d0a515549540a2121002420010db800000000000000000000000720010db80000000000000000000000019c401151"), "[2001:db8::7]:40000"},
	{"v2 with TLVs", unhex("0d0a0d0a000d0a515549540a21110013c00002077f0000019c401151030004a9b87e8f"), "192.0.2.7:40000"},
	{"v2 local", unhex("0d0a0d0a000d0a515549540a20000000"), ""},
	{"v2 of no family", unhex("0d0a0d0a000d0a515549540a21000003040000"), ""},
}

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestProxyHeader(t *testing.T) {
	for _, c := range proxyHeaders {
		t.Run(c.name, func(t *testing.T) {
			all := []byte(c.header + "\xc0rest")
			source, n, err := parseProxyHeader(all)
			if err != nil || n != len(c.header) {
				t.Fatalf("%d bytes of %d, %v", n, len(c.header), err)
			}
			want := netip.AddrPort{}
			if c.source != "" {
				want = netip.MustParseAddrPort(c.source)
			}
			if source != want {
				t.Errorf("source %v, want %v", source, want)
			}
			for i := range c.header {
				if i > 0 && !startsProxyHeader(all[:i]) {
					t.Errorf("%d bytes do not start a header", i)
				}
				if _, n, err := parseProxyHeader(all[:i]); i > 0 && (n != 0 || err != nil) {
					t.Errorf("%d bytes: %d, %v", i, n, err)
				}
			}
		})
	}
}

func TestProxyHeaderRefused(t *testing.T) {
	for _, header := range []string{
		"", "\xc0", "PROXX", "GET / HTTP/1.1\r\n", "\r\n\r\n\x00\r\nQUIX",
		"PROXY TCP4 192.0.2.7 198.51.100.1 40000 4433\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 40000 4433 \r\n",
		"PROXY TCP4 2001:db8::7 2001:db8::1 40000 4433\r\n",
		"PROXY TCP6 192.0.2.7 198.51.100.1 40000 4433\r\n",
		"PROXY TCP6 fe80::1%eth0 fe80::2 40000 4433\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 65536 4433\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 -1 4433\r\n",
		"PROXY UDP4 192.0.2.7 198.51.100.1 1 4433\r\n",
		"PROXY \r\n",
		"PROXY UNKNOWN " + strings.Repeat("x", maxProxyV1),
		unhex("0d0a0d0a000d0a515549540a1111000c7f0000097f0000019c401151"),
		unhex("0d0a0d0a000d0a515549540a2211000c7f0000097f0000019c401151"),
		unhex("0d0a0d0a000d0a515549540a2112000c7f0000097f0000019c401151"),
		unhex("0d0a0d0a000d0a515549540a2111000b7f0000097f0000019c4011"),
		unhex("0d0a0d0a000d0a515549540a2111ffff"),
	} {
		if _, n, err := parseProxyHeader([]byte(header)); !errors.Is(err, ErrProxyHeader) || n != 0 {
			t.Errorf("%.60q: %d, %v", header, n, err)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	for _, c := range proxyHeaders {
		f.Add([]byte(c.header))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		source, n, err := parseProxyHeader(b)
		if err != nil {
			if n != 0 || source.IsValid() {
				t.Fatalf("%d bytes and %v beside %v", n, source, err)
			}
			return
		}
		if n == 0 {
			if len(b) >= maxProxyV2 {
				t.Fatalf("wants more than %d bytes", len(b))
			}
			return
		}
		// What follows the header changes nothing, and a part of it is not enough.
		again, m, err := parseProxyHeader(append(bytes.Clone(b[:n]), 0xc0))
		if again != source || m != n || err != nil {
			t.Fatalf("%v, %d, %v; with more behind it %v, %d", source, n, err, again, m)
		}
		if _, m, err := parseProxyHeader(b[:n-1]); m != 0 || err != nil {
			t.Fatalf("less than all: %d, %v", m, err)
		}
	})
}
