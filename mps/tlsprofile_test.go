//go:build !js

package mps

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
)

// Firmware as far as a Go client can be like it: versions and ciphers.
var firmware = []struct {
	name     string
	min, max uint16
	suites   []uint16
	profiles string // with which it connects
}{
	{"AMT 7", tls.VersionTLS10, tls.VersionTLS10, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, "legacy"},
	{"AMT 11", tls.VersionTLS10, tls.VersionTLS11, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA}, "amt11to15 legacy"},
	{"AMT 12", tls.VersionTLS11, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA}, "default amt11to15 legacy"},
	{"AMT 16", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}, "default amt11to15 legacy strict"},
	{"TLS 1.3", tls.VersionTLS13, tls.VersionTLS13, nil, "default amt11to15 legacy strict"},
}

func TestTLSProfiles(t *testing.T) {
	for _, name := range []string{"default", "amt11to15", "legacy", "strict"} {
		p, err := ParseProfile(name)
		if err != nil || p.String() != name {
			t.Fatalf("%q: %v, %v", name, p, err)
		}
		_, addr, events := startServer(t, Config{Certificates: []tls.Certificate{testCertificate("mps.example")}, Profile: p})
		for _, f := range firmware {
			conn := tls.Client(dialTCP(t, addr), &tls.Config{
				InsecureSkipVerify: true, MinVersion: f.min, MaxVersion: f.max, CipherSuites: f.suites,
			})
			want := strings.Contains(" "+f.profiles+" ", " "+name+" ")
			if err := conn.Handshake(); (err == nil) != want {
				t.Errorf("%s with profile %s: %v", f.name, name, err)
			}
			conn.Close()
			e := endOf(events)
			if want {
				if e.Phase != PhaseFirst || e.Peer.TLSVersion != f.max || e.Peer.Cipher == 0 {
					t.Errorf("%s with profile %s: %v, %v", f.name, name, e.Peer, e.Err)
				}
				continue
			}
			// Without this nobody finds out why a device does not connect.
			if text := fmt.Sprint(e.Err); e.Phase != PhaseTLS || !strings.Contains(text, "offered "+tls.VersionName(f.max)) || !strings.Contains(text, tls.CipherSuiteName(f.suites[0])) {
				t.Errorf("%s with profile %s: %v", f.name, name, text)
			}
		}
	}
	if _, err := ParseProfile("modern"); err == nil {
		t.Error("there is no profile of that name")
	}
}

func TestClientCertificateIsAskedFor(t *testing.T) {
	_, addr, events := startServer(t, Config{Certificates: []tls.Certificate{testCertificate("mps.example")}})
	asked := make(chan struct{}, 1)
	conn := tls.Client(dialTCP(t, addr), &tls.Config{
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked <- struct{}{}
			cert := testCertificate("device")
			return &cert, nil
		},
	})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if got := conn.ConnectionState().NegotiatedProtocol; got != "" {
		t.Errorf("protocol %q", got)
	}
	conn.Close()
	endOf(events)
}
