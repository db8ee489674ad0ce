package wsman

import (
	"crypto/tls"
	"crypto/x509"
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

// TLSConfig says how TLS is spoken and which certificate is accepted. One of Pins, RootCAs and AcceptAny is needed.
type TLSConfig struct {
	Profile TLSProfile
	// Pins are the fingerprints of accepted certificates of devices; chains, names and dates are not looked at then.
	Pins []Pin
	// RootCAs verify the chain, if there are no Pins.
	RootCAs *x509.CertPool
	// ServerName is the name in the certificate, with RootCAs. "" means the host of the address.
	ServerName string
	// AcceptAny accepts every certificate: the connection is secret from who listens, not from who stands between.
	AcceptAny bool
	// Certificate of the client, for mutual authentication and for provisioning.
	Certificate *tls.Certificate
}

// Pin is the SHA-256, SHA-384 or SHA-1 hash of a certificate (DER), told by its length.
type Pin []byte

// ParsePin reads a pin: 64, 96 or 40 hexadecimal digits, with or without colons.
func ParsePin(s string) (Pin, error) { return nil, ErrMalformed }
