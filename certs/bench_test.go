package certs_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/certs/certstest"
)

// TestNoAllocations has what is done at every login.
func TestNoAllocations(t *testing.T) {
	der := readCertificate(t, "web-cert.pem")
	set := certstest.ServerSet()
	buf := make([]byte, 0, 128)
	h := certs.CertHash(der)
	proxy := newProxy(t, certs.ProxyConfig{URL: "file://testdata/web-cert.pem"})
	_, err := proxy.Refresh(t.Context())
	require.NoError(t, err)
	for name, f := range map[string]func() bool{
		"CertHash":      func() bool { return certs.CertHash(der) == h },
		"KeyHash":       func() bool { _, err := certs.KeyHash(der); return err == nil },
		"Hash.AppendTo": func() bool { buf = h.AppendTo(buf[:0]); return len(buf) == 96 },
		"Accepts":       func() bool { return proxy.Accepts(h) },
		"does not":      func() bool { return !proxy.Accepts(certs.Hash{}) },
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if !f() {
				t.Fatal(name)
			}
		}), name)
	}
	config, err := set.TLSConfig()
	require.NoError(t, err)
	hello := helloFor("127.0.0.1")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := config.GetCertificate(hello); err != nil {
			t.Fatal(err)
		}
	}))
}

func BenchmarkKeyHash(b *testing.B) {
	der := readCertificate(b, "web-cert.pem")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := certs.KeyHash(der); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseMSH(b *testing.B) {
	text := []byte(recordedMSH + "translation=" + string(make([]byte, 33600)) + "\r\n")
	b.ReportAllocs()
	for b.Loop() {
		m, err := certs.ParseMSH(text)
		if err != nil || m.Validate() != nil {
			b.Fatal(err)
		}
	}
}

func helloFor(name string) *tls.ClientHelloInfo { return &tls.ClientHelloInfo{ServerName: name} }
