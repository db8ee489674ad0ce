package wsman

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testCert makes a certificate, signed by parent or by itself.
func testCert(t *testing.T, name string, key crypto.Signer, parent *tls.Certificate) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: parent == nil,
	}
	signer, signerKey := template, key
	if parent != nil {
		signer, signerKey = parent.Leaf, parent.PrivateKey.(crypto.Signer)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, key.Public(), signerKey)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}

// overTLS makes the peer speak TLS within what the client dials, as in a channel of a device that called in.
func (p *peer) overTLS(server *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.dials++
		p.conns[theirs] = true
		p.wg.Add(1)
		go p.serve(tls.Server(theirs, server), p.dials)
		return ours, nil
	}
}

func TestTLSPins(t *testing.T) {
	ca := testCert(t, "CA", ecKey(t), nil)
	leaf := testCert(t, "device", ecKey(t), ca)
	leaf.Certificate = append(leaf.Certificate, ca.Certificate...)
	h1, h384 := sha1.Sum(leaf.Leaf.Raw), sha512.Sum384(leaf.Leaf.Raw)
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	none := x509.NewCertPool()
	other := testCert(t, "other", ecKey(t), nil)
	isPin := func(err error) bool {
		return errors.Is(err, ErrPin) && strings.Contains(err.Error(), PinOf(leaf.Leaf).String())
	}
	isName := func(err error) bool { return errors.As(err, new(x509.HostnameError)) }
	isUnknown := func(err error) bool { return errors.As(err, new(x509.UnknownAuthorityError)) }
	for name, c := range map[string]struct {
		cfg  TLSConfig
		want func(error) bool
	}{
		"SHA-256":            {TLSConfig{Pins: []Pin{PinOf(leaf.Leaf)}}, nil},
		"SHA-384":            {TLSConfig{Profile: TLSStrict, Pins: []Pin{h384[:]}}, nil},
		"SHA-1":              {TLSConfig{Profile: TLSAMT6to11, Pins: []Pin{h1[:]}}, nil},
		"one of several":     {TLSConfig{Pins: []Pin{PinOf(other.Leaf), PinOf(leaf.Leaf)}}, nil},
		"another":            {TLSConfig{Pins: []Pin{PinOf(other.Leaf)}}, isPin},
		"that of the issuer": {TLSConfig{Pins: []Pin{PinOf(ca.Leaf)}, RootCAs: roots, AcceptAny: true}, isPin},
		"issuer":             {TLSConfig{RootCAs: roots, ServerName: "device"}, nil},
		"issuer, by address": {TLSConfig{RootCAs: roots}, nil},
		"issuer, other name": {TLSConfig{RootCAs: roots, ServerName: "elsewhere"}, isName},
		"unknown issuer":     {TLSConfig{RootCAs: none}, isUnknown},
		"anyone":             {TLSConfig{AcceptAny: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, general)
			requests := 0
			client := p.client(func(cfg *Config) {
				cfg.TLS = &c.cfg
				cfg.Dial = p.overTLS(&tls.Config{Certificates: []tls.Certificate{*leaf}})
				cfg.Trace = &Trace{Request: func(RequestInfo) { requests++ }}
			})
			_, err := Get[generalSettings](t.Context(), client)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.True(t, c.want(err), "%v", err)
			require.Zero(t, requests, "nothing is sent to who is not known")
			dials, _ := p.count()
			require.Equal(t, 1, dials, "trying again does not help")
		})
	}
}

// Without a name any certificate of the authority would do: that of every other device.
func TestTLSNeedsAName(t *testing.T) {
	for _, address := range []string{":16993", ""} {
		_, err := (&TLSConfig{RootCAs: x509.NewCertPool()}).Client(address)
		require.Error(t, err)
		_, err = (&TLSConfig{RootCAs: x509.NewCertPool(), ServerName: "device"}).Client(address)
		require.NoError(t, err)
		_, err = (&TLSConfig{Pins: []Pin{make(Pin, 32)}, RootCAs: x509.NewCertPool()}).Client(address)
		require.NoError(t, err)
	}
}

func TestTLSOldFirmware(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	cert := testCert(t, "device", key, nil)
	old := &tls.Config{
		Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
		CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	}
	for profile, works := range map[TLSProfile]bool{TLSAMT6to11: true, TLSDefault: false, TLSStrict: false} {
		p := newPeer(t, general)
		var version uint16
		c := p.client(func(cfg *Config) {
			cfg.TLS = &TLSConfig{Profile: profile, Pins: []Pin{PinOf(cert.Leaf)}}
			cfg.Dial = p.overTLS(old)
			cfg.Attempts = 1
			cfg.Trace = &Trace{Dial: func(i DialInfo) {
				if i.TLS != nil {
					version = i.TLS.Version
				}
			}}
		})
		_, err := Get[generalSettings](t.Context(), c)
		if works {
			require.NoError(t, err, "%v", profile)
			require.EqualValues(t, tls.VersionTLS10, version)
		} else {
			require.Error(t, err, "%v", profile)
			require.NotContains(t, err.Error(), peerPassword)
		}
	}
}

func TestTLSClientCertificate(t *testing.T) {
	ca := testCert(t, "CA", ecKey(t), nil)
	server, client := testCert(t, "device", ecKey(t), nil), testCert(t, "console", ecKey(t), ca)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	p := newPeer(t, general)
	p.digest = nil // no login besides, as in provisioning over TLS
	c := p.client(func(cfg *Config) {
		cfg.Username, cfg.Password = "", Secret{}
		cfg.TLS = &TLSConfig{Pins: []Pin{PinOf(server.Leaf)}, Certificate: client}
		cfg.Dial = p.overTLS(&tls.Config{Certificates: []tls.Certificate{*server}, ClientAuth: tls.RequireAnyClientCert,
			VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
				leaf, err := x509.ParseCertificate(raw[0])
				if err != nil {
					return err
				}
				_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
				return err
			}})
	})
	_, err := Get[generalSettings](t.Context(), c)
	require.NoError(t, err)
}

func TestParsePin(t *testing.T) {
	for _, n := range []int{40, 64, 96} {
		p, err := ParsePin(strings.Repeat("aB", n/2))
		require.NoError(t, err)
		require.Len(t, p, n/2)
		require.Equal(t, strings.Repeat("ab", n/2), p.String())
	}
	p, err := ParsePin("AB:" + strings.Repeat("cd:", 18) + "EF")
	require.NoError(t, err)
	require.Equal(t, byte(0xEF), p[19])
	for _, s := range []string{"", "0", "ab", "xy", strings.Repeat("a", 63), hex.EncodeToString(make([]byte, 33))} {
		_, err := ParsePin(s)
		require.Error(t, err)
	}
	for _, cfg := range []TLSConfig{{}, {Profile: TLSStrict, Pins: []Pin{make([]byte, 20)}}, {Pins: []Pin{{1}}}, {Profile: 9, AcceptAny: true}} {
		_, err := cfg.Client("device:16993")
		require.Error(t, err)
	}
	cfg, err := (&TLSConfig{AcceptAny: true}).Client("node//x@y$z:16993")
	require.NoError(t, err)
	require.Empty(t, cfg.ServerName, "what is no host name is not sent as one")
}
