package controlproto

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// ServerIdentity is what a server proves itself with to clients that do not rely on its TLS certificate ("serverAuth"). Printing
// it shows no key.
type ServerIdentity struct {
	// Certificate is the agent server certificate, in DER, and Signer its RSA key.
	Certificate []byte
	Signer      crypto.Signer
	// WebHashes returns the SHA-384 hashes of the TLS certificates, whole or of the key, under which clients see this server
	// when they connect to a name. It signs for no other.
	WebHashes func(serverName string) [][]byte
}

func (s *ServerIdentity) check() error {
	if s == nil {
		return nil
	}
	if s.Signer == nil || s.WebHashes == nil {
		return errors.New("controlproto: server identity without signer or web hashes")
	}
	cert, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return fmt.Errorf("controlproto: server identity: %w", err)
	}
	key, ok := s.Signer.Public().(*rsa.PublicKey)
	if !ok || !key.Equal(cert.PublicKey) {
		return errors.New("controlproto: server identity: the signer is not the RSA key of the certificate")
	}
	return nil
}

// sees tells whether clients see this server under a certificate with this hash.
func (s *ServerIdentity) sees(serverName string, hash []byte) bool {
	if s == nil {
		return false
	}
	for _, h := range s.WebHashes(serverName) {
		if len(h) > 0 && bytes.Equal(h, hash) {
			return true
		}
	}
	return false
}

// String returns "[redacted]".
func (s *ServerIdentity) String() string { return secret.Redacted }

// GoString is what %#v prints.
func (s *ServerIdentity) GoString() string { return "controlproto.ServerIdentity([redacted])" }

// Format makes every verb print the redacted form.
func (s *ServerIdentity) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, s.String(), s.GoString())
}

// LogValue is what log/slog prints.
func (s *ServerIdentity) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is what encoding/json prints.
func (s *ServerIdentity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
