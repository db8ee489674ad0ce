package mps

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// Profile is which versions of TLS and which ciphers a server offers. AMT says neither a server name nor an ALPN protocol,
// and nothing tells why it does not connect when there is no version or cipher that both sides have.
type Profile uint8

const (
	// ProfileDefault is TLS 1.2 and 1.3, with the RSA key exchange and the CBC ciphers that AMT from version 12 on asks
	// for.
	ProfileDefault Profile = iota
	// ProfileAMT11to15 is ProfileDefault and TLS 1.1, which AMT 11 and some of the later ones up to 15 speak.
	ProfileAMT11to15
	// ProfileLegacy is ProfileDefault, TLS 1.1 and TLS 1.0: what AMT up to version 10 speaks, and what a stock server
	// offers unless it was configured otherwise.
	ProfileLegacy
	// ProfileStrict is TLS 1.2 and 1.3 with forward secrecy and authenticated encryption alone.
	ProfileStrict
)

var profileNames = [...]string{ProfileDefault: "default", ProfileAMT11to15: "amt11to15", ProfileLegacy: "legacy", ProfileStrict: "strict"}

// String returns the name that ParseProfile takes.
func (p Profile) String() string {
	if int(p) < len(profileNames) {
		return profileNames[p]
	}
	return fmt.Sprintf("Profile(%d)", uint8(p))
}

// ParseProfile takes default, amt11to15, legacy or strict.
func ParseProfile(name string) (Profile, error) {
	for p, n := range profileNames {
		if n == name {
			return Profile(p), nil
		}
	}
	return 0, fmt.Errorf("mps: no TLS profile %.32q: there are default, amt11to15, legacy and strict", name)
}

// strictSuites are those of TLS 1.2 with forward secrecy and authenticated encryption. Those of TLS 1.3 cannot be chosen.
var strictSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// firmwareSuites are what AMT offers besides. Go has them switched off, and no suite with DHE at all.
var firmwareSuites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// TLSConfig returns the configuration of a server with this profile. It asks for a client certificate and takes any: AMT's
// are made by whoever configured it, and who they let in is for [Config.Authenticate] to say. The certificate should be
// RSA-2048 with the name that was configured into AMT as common name; AMT 12 is known to refuse RSA-3072.
func (p Profile) TLSConfig(certificates ...tls.Certificate) *tls.Config {
	c := &tls.Config{Certificates: certificates, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	c.CipherSuites = append(c.CipherSuites, strictSuites...)
	switch p {
	case ProfileStrict:
		return c
	case ProfileAMT11to15:
		c.MinVersion = tls.VersionTLS11
	case ProfileLegacy:
		c.MinVersion = tls.VersionTLS10
	default:
	}
	c.CipherSuites = append(c.CipherSuites, firmwareSuites...)
	return c
}

// DeviceTLSConfig returns a configuration for TLS with a device, inside of its tunnel. AMT's certificates are made by itself,
// and there is nothing that they could be checked against: verify, if not nil, says whether one is that of the device, and nil
// takes any, as a stock server does. The tunnel has its own login.
func DeviceTLSConfig(verify func(certificate []byte) error) *tls.Config {
	c := ProfileLegacy.TLSConfig()
	c.ClientAuth = tls.NoClientCert
	c.InsecureSkipVerify = true //nolint:gosec // see above
	if verify != nil {
		c.VerifyPeerCertificate = func(chain [][]byte, _ [][]*x509.Certificate) error {
			if len(chain) == 0 {
				return errors.New("mps: the device shows no certificate")
			}
			return verify(chain[0])
		}
	}
	return c
}
