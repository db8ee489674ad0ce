//go:build !js

package mps

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// TestBehindNginx has nginx speak TLS with devices, and tell their addresses.
func TestBehindNginx(t *testing.T) {
	interop.Require(t, interop.PeerNginx, interop.PeerNginxStream)
	s, addr, events := startServer(t, Config{
		Authenticate: byPassword, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	certFile, keyFile := interop.SelfSigned(t, t.TempDir(), testKey())
	port := interop.FreePort(t)
	interop.StartNginx(t, fmt.Sprintf(`load_module %s;
stream {
  server {
    listen 127.0.0.1:%d ssl;
    ssl_certificate %q;
    ssl_certificate_key %q;
    proxy_pass %s;
    proxy_protocol on;
  }
}
`, interop.NginxStreamModule, port, certFile, keyFile, addr))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	startDevice(t, tls.Client(conn, &tls.Config{InsecureSkipVerify: true}))
	c := online(t, events)
	if p := c.Peer(); p.Addr.String() != conn.LocalAddr().String() || p.Proxy.Addr().String() != "127.0.0.1" || p.TLSVersion != 0 {
		t.Errorf("peer %v, the device is at %v", p, conn.LocalAddr())
	}
	d, _ := s.Registry().Device(c.Device())
	checkEcho(t, d, ":16992")

	// What is no device is seen with its address, too.
	scanner, err := tls.DialWithDialer(&dialer, "tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer scanner.Close()
	if _, err := scanner.Write([]byte{10}); err != nil {
		t.Fatal(err)
	}
	if e := endOf(events); e.Phase != PhaseLogin || e.Peer.Addr.String() != scanner.LocalAddr().String() || string(e.Peer.First) != "\n" {
		t.Errorf("%v of %v, first bytes %q", e.Err, e.Peer.Addr, e.Peer.First)
	}
}
