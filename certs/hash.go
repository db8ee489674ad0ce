package certs

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/derwalk"
)

// ErrCertificate is what every error about bytes that are not a certificate wraps.
var ErrCertificate = errors.New("certs: not a certificate")

// Hash is a SHA-384 hash by which agents and servers name a TLS certificate. It is public.
type Hash [sha512.Size384]byte

// CertHash returns the hash of a whole certificate. It is what native agents send in command 1.
//
// Confirmed in certoperations.js, getCertHashBinary, and agentcore.c, util_certhash2.
func CertHash(der []byte) Hash { return sha512.Sum384(der) }

// KeyHash returns the hash of the key in a certificate: for RSA over the DER of the PKCS#1 RSAPublicKey, for any other
// kind of key over the whole SubjectPublicKeyInfo. Servers accept it in command 1 for the sake of old agents.
//
// This is not the derivation of a device or server identifier, although it is the same for RSA: see package nodeid.
//
// Confirmed in certoperations.js, getPublicKeyHashBinary.
func KeyHash(der []byte) (Hash, error) {
	cert, err := derwalk.Parse(der)
	if err != nil {
		return Hash{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if cert.IsRSA() {
		return sha512.Sum384(cert.PublicKey), nil
	}
	return sha512.Sum384(cert.SPKI), nil
}

// WebHashes returns the hashes that an agent may show of this TLS certificate: [CertHash] and, if der is a
// certificate, [KeyHash].
//
// Confirmed in meshagent.js, the handling of command 1.
func WebHashes(der []byte) []Hash {
	hashes := []Hash{CertHash(der)}
	if h, err := KeyHash(der); err == nil && h != hashes[0] {
		hashes = append(hashes, h)
	}
	return hashes
}

// ParseHash takes the 96 hexadecimal digits that String returns, in either case.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != hex.EncodedLen(len(h)) {
		return Hash{}, fmt.Errorf("certs: a hash of %d characters, want %d", len(s), hex.EncodedLen(len(h)))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("certs: hash %q: %w", s, err)
	}
	return h, nil
}

// AppendTo appends h as 96 lower-case hexadecimal digits to b.
func (h Hash) AppendTo(b []byte) []byte { return hex.AppendEncode(b, h[:]) }

// String returns h as 96 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is the zero value.
func (h Hash) IsZero() bool { return h == Hash{} }

// AppendText appends what [Hash.AppendTo] appends. It implements [encoding.TextAppender].
func (h Hash) AppendText(b []byte) ([]byte, error) { return h.AppendTo(b), nil }

// MarshalText returns what String returns.
func (h Hash) MarshalText() ([]byte, error) { return h.AppendTo(nil), nil }

// UnmarshalText takes what [ParseHash] takes.
func (h *Hash) UnmarshalText(b []byte) error {
	parsed, err := ParseHash(string(b))
	if err == nil {
		*h = parsed
	}
	return err
}
