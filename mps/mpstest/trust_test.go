package mpstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serverCert makes a certificate of a server, signed by itself.
func serverCert(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := testKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mps.example"}, DNSNames: []string{"other.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// handshake does a TLS handshake with a server in memory and returns what the device says and what the server has seen.
func handshake(t *testing.T, server tls.Certificate, trust Trust, cert *tls.Certificate) (tls.ConnectionState, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	seen := make(chan tls.ConnectionState, 1)
	go func() {
		defer theirs.Close()
		s := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert})
		_ = s.Handshake() // the device says whether it worked
		seen <- s.ConnectionState()
	}()
	c := tls.Client(ours, trust.config(nil, "mps.example", cert))
	err := c.HandshakeContext(t.Context())
	ours.Close()
	return <-seen, explain(err)
}

func TestTrust(t *testing.T) {
	server := serverCert(t, nil)
	roots := x509.NewCertPool()
	roots.AddCert(server.Leaf)
	expired := serverCert(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	no := errors.New("not this one")
	pin := PinOf(server.Leaf)
	wrong := pin
	wrong[31] ^= 1
	for name, tt := range map[string]struct {
		server tls.Certificate
		trust  Trust
		want   string // empty is success
	}{
		"pin":                            {server, Trust{Pin: pin}, ""},
		"pin of an expired certificate":  {expired, Trust{Pin: PinOf(expired.Leaf)}, ""},
		"wrong pin":                      {server, Trust{Pin: wrong}, "its pin is " + pin.String()},
		"wrong pin, and root":            {server, Trust{Pin: wrong, Roots: roots}, "its pin is"},
		"wrong pin, insecure":            {server, Trust{Pin: wrong, Insecure: true}, "its pin is"},
		"root and common name":           {server, Trust{Roots: roots}, ""},
		"root and common name, any case": {server, Trust{Roots: roots, Name: "MPS.example"}, ""},
		"root and alternative name":      {server, Trust{Roots: roots, Name: "other.example"}, ""},
		"root and wrong name":            {server, Trust{Roots: roots, Name: "evil.example"}, "evil.example"},
		"no root":                        {server, Trust{}, "its pin is " + pin.String()},
		"another root":                   {server, Trust{Roots: x509.NewCertPool()}, "unknown authority"},
		"hook":                           {server, Trust{Verify: func(*x509.Certificate) error { return nil }}, ""},
		"hook that refuses":              {server, Trust{Roots: roots, Verify: func(*x509.Certificate) error { return no }}, "not this one"},
		"insecure":                       {server, Trust{Insecure: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := handshake(t, tt.server, tt.trust, nil)
			if tt.want == "" {
				require.NoError(t, err)
				require.Empty(t, state.ServerName, "firmware sends none")
				require.Empty(t, state.PeerCertificates)
				return
			}
			require.ErrorIs(t, err, ErrUntrusted)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestClientCertificate(t *testing.T) {
	cert, err := NewCertificate("pc-1", "group", testKey(t))
	require.NoError(t, err)
	state, err := handshake(t, serverCert(t, nil), Trust{Insecure: true}, cert)
	require.NoError(t, err)
	require.Len(t, state.PeerCertificates, 1)
	got := state.PeerCertificates[0]
	require.Equal(t, "pc-1", got.Subject.CommonName)
	require.Equal(t, []string{"group"}, got.Subject.Organization)
	require.Positive(t, got.SerialNumber.Sign())

	made, err := NewCertificate("pc-2", "group", nil)
	require.NoError(t, err)
	require.NotEqual(t, cert.PrivateKey, made.PrivateKey)
}

// TestNegativeSerial meets a certificate as MeshCentral makes some.
func TestNegativeSerial(t *testing.T) {
	serial := []byte{0x42, 0x94, 0x96, 0x72, 0x95}
	cert := serverCert(t, func(c *x509.Certificate) { c.SerialNumber = new(big.Int).SetBytes(serial) })
	der := bytes.Clone(cert.Certificate[0])
	at := bytes.Index(der, serial)
	require.GreaterOrEqual(t, at, 0)
	der[at] = 0x82 // the signature does not fit now, which nobody checks
	cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: cert.PrivateKey}

	t.Setenv("GODEBUG", "x509negativeserial=0")
	d, err := NewDevice(Config{Server: serveTLS(t, cert), Trust: Trust{Insecure: true}})
	require.NoError(t, err)
	defer d.Close()
	_, err = d.Login(t.Context())
	require.ErrorIs(t, err, ErrNegativeSerial)
	require.ErrorContains(t, err, "GODEBUG=x509negativeserial=1")

	t.Setenv("GODEBUG", "x509negativeserial=1")
	_, err = handshake(t, cert, Trust{Pin: Pin{1}}, nil)
	require.ErrorIs(t, err, ErrUntrusted, "the device has read it")
	_, err = handshake(t, cert, Trust{Insecure: true}, nil)
	require.NoError(t, err)
}

// serveTLS is a server that does handshakes and then closes. It returns its address.
func serveTLS(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).HandshakeContext(context.Background())
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func TestParsePin(t *testing.T) {
	pin := PinOf(serverCert(t, nil).Leaf)
	got, err := ParsePin(pin.String())
	require.NoError(t, err)
	require.Equal(t, pin, got)
	got, err = ParsePin("00:11" + pin.String()[4:])
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0x11}, got[:2])
	for _, s := range []string{"", "00", pin.String() + "00", "zz" + pin.String()[2:]} {
		_, err := ParsePin(s)
		require.ErrorContains(t, err, "64 hexadecimal digits")
	}
}
