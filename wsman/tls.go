package wsman

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // what older servers stored
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
)

// TLSProfile says which versions and ciphers are spoken.
type TLSProfile uint8

// Profiles.
const (
	// TLSDefault is what Go's TLS does by itself: 1.2 and 1.3, no static RSA. AMT 12 and later.
	TLSDefault TLSProfile = iota
	// TLSAMT6to11 adds TLS 1.0 and 1.1 and static RSA key exchange, which firmware of AMT 6 to 11 needs, and renegotiation
	// once, with which it asks for a client certificate. What old firmware speaks can be broken by a resourceful attacker.
	TLSAMT6to11
	// TLSStrict is 1.2 and 1.3 with forward secrecy and authenticated encryption only, and no SHA-1 pins.
	TLSStrict
)

// String names the profile.
func (p TLSProfile) String() string {
	switch p {
	case TLSDefault:
		return "default"
	case TLSAMT6to11:
		return "amt6to11"
	case TLSStrict:
		return "strict"
	}
	return fmt.Sprintf("TLSProfile(%d)", uint8(p))
}

// TLSConfig says how TLS is spoken and which certificate is accepted. One of Pins, RootCAs and AcceptAny is needed. Some certificates
// that a stock MeshCentral has made cannot be accepted without x509negativeserial=1 in GODEBUG, see PROTOCOL.md.
type TLSConfig struct {
	Profile TLSProfile
	// Pins are the fingerprints of accepted certificates of devices; chains, names and dates are not looked at then.
	Pins []Pin
	// RootCAs verify the chain, if there are no Pins.
	RootCAs *x509.CertPool
	// ServerName is the name in the certificate, with RootCAs. "" means the host of the address, which then must have one.
	ServerName string
	// AcceptAny accepts every certificate: the connection is secret from who listens, not from who stands between.
	AcceptAny bool
	// Certificate of the client, for mutual authentication and for provisioning.
	Certificate *tls.Certificate
}

// Pin is the SHA-256, SHA-384 or SHA-1 hash of a certificate (DER), told by its length.
type Pin []byte

// ParsePin reads a pin: 64, 96 or 40 hexadecimal digits, with or without colons.
func ParsePin(s string) (Pin, error) {
	b, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(s))
	if err != nil {
		return nil, fmt.Errorf("wsman: a pin is hexadecimal: %s", quoted(s))
	}
	switch len(b) {
	case sha1.Size, sha256.Size, sha512.Size384:
		return b, nil
	}
	return nil, fmt.Errorf("wsman: a pin has 40, 64 or 96 digits: %s", quoted(s))
}

// PinOf returns the SHA-256 pin of a certificate.
func PinOf(cert *x509.Certificate) Pin {
	h := sha256.Sum256(cert.Raw)
	return h[:]
}

// String returns hexadecimal digits.
func (p Pin) String() string { return hex.EncodeToString(p) }

// Matches says whether a certificate is the pinned one.
func (p Pin) Matches(cert *x509.Certificate) bool {
	var sum []byte
	switch len(p) {
	case sha1.Size:
		h := sha1.Sum(cert.Raw) //nolint:gosec // see above
		sum = h[:]
	case sha256.Size:
		h := sha256.Sum256(cert.Raw)
		sum = h[:]
	case sha512.Size384:
		h := sha512.Sum384(cert.Raw)
		sum = h[:]
	default:
		return false
	}
	return subtle.ConstantTimeCompare(p, sum) == 1
}

// Client returns the configuration for crypto/tls. The address serves for the name in the certificate.
func (t *TLSConfig) Client(address string) (*tls.Config, error) {
	if len(t.Pins) == 0 && t.RootCAs == nil && !t.AcceptAny {
		return nil, errors.New("wsman: TLS needs Pins, RootCAs or AcceptAny")
	}
	for _, p := range t.Pins {
		switch len(p) {
		case sha1.Size:
			if t.Profile == TLSStrict {
				return nil, errors.New("wsman: the strict profile takes no SHA-1 pins")
			}
		case sha256.Size, sha512.Size384:
		default:
			return nil, fmt.Errorf("wsman: a pin of %d bytes", len(p))
		}
	}
	name := t.ServerName
	if name == "" {
		name = address
		if host, _, err := net.SplitHostPort(address); err == nil {
			name = host
		}
	}
	if name == "" && len(t.Pins) == 0 && t.RootCAs != nil {
		return nil, errors.New("wsman: TLS with RootCAs needs a ServerName where the address has no host")
	}
	cfg := &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // verify does it, as certificates of devices are mostly their own
		MinVersion:         tls.VersionTLS12,
		VerifyConnection:   t.verify(name),
	}
	if net.ParseIP(name) == nil && validHost(name) {
		cfg.ServerName = name
	}
	if t.Certificate != nil {
		cert := t.Certificate
		// Given whatever list of authorities the device sends, as firmware's lists are not to be relied upon.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	switch t.Profile {
	case TLSDefault:
	case TLSAMT6to11:
		cfg.MinVersion = tls.VersionTLS10 //nolint:gosec // opted into, for old firmware
		cfg.CipherSuites = append(strongSuites(),
			tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
			tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
		cfg.Renegotiation = tls.RenegotiateOnceAsClient
	case TLSStrict:
		cfg.CipherSuites = strongSuites()
	default:
		return nil, fmt.Errorf("wsman: %v", t.Profile)
	}
	return cfg, nil
}

func strongSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// validHost says whether a name may be sent to the server. Devices that called in are addressed by identifiers that are not.
func validHost(name string) bool {
	return name != "" && !strings.ContainsAny(name, "/@$: ")
}

// verify looks at the leaf alone for pins: what else a server presents proves nothing.
func (t *TLSConfig) verify(name string) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return errors.New("wsman: TLS without a certificate")
		}
		leaf := cs.PeerCertificates[0]
		switch {
		case len(t.Pins) > 0:
			for _, p := range t.Pins {
				if p.Matches(leaf) {
					return nil
				}
			}
			return fmt.Errorf("%w: its SHA-256 is %s", ErrPin, PinOf(leaf))
		case t.RootCAs != nil:
			opts := x509.VerifyOptions{Roots: t.RootCAs, DNSName: name, Intermediates: x509.NewCertPool()}
			for _, c := range cs.PeerCertificates[1:] {
				// Some devices send their own certificate again.
				if !bytes.Equal(c.Raw, leaf.Raw) {
					opts.Intermediates.AddCert(c)
				}
			}
			_, err := leaf.Verify(opts)
			return err
		}
		return nil // AcceptAny
	}
}
