package nodeid

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/derwalk"
)

// ErrKey is what every error about a key or a certificate that has no identifier wraps.
var ErrKey = errors.New("nodeid: no identifier for this key")

// FromPublicKey returns the identifier of the device that holds the private key of pub.
//
// It is the SHA-384 hash of the content of the subjectPublicKey BIT STRING: for an RSA key the DER of the PKCS#1
// RSAPublicKey, for an ECDSA key the uncompressed point, for Ed25519 the 32 bytes. Devices have RSA keys; the reference
// server takes no others. Some documents tell of a hash over the whole SubjectPublicKeyInfo: that is [SPKIHash], which
// names no device.
//
// Confirmed in meshagent.js, the handling of command 2, where the hash is node-forge's getPublicKeyFingerprint of type
// RSAPublicKey.
func FromPublicKey(pub crypto.PublicKey) (NodeID, error) {
	h, err := keyHash(pub)
	return NodeID(h), err
}

// FromCertificate returns the identifier of the device with this certificate; see [FromPublicKey]. Only the key counts:
// a new certificate for the same key is the same device.
func FromCertificate(cert *x509.Certificate) (NodeID, error) {
	h, err := certificateHash(cert)
	return NodeID(h), err
}

// FromCertificateDER is [FromCertificate] for a certificate as agents send it. It also takes certificates that
// crypto/x509 refuses, for example because of a negative serial number.
func FromCertificateDER(der []byte) (NodeID, error) {
	h, err := derHash(der)
	return NodeID(h), err
}

// ServerIDFromPublicKey returns the identifier of the server whose agent server certificate has this key. It is the
// same hash as in [FromPublicKey].
//
// Confirmed in webserver.js, agentCertificateHashHex.
func ServerIDFromPublicKey(pub crypto.PublicKey) (ServerID, error) {
	h, err := keyHash(pub)
	return ServerID(h), err
}

// ServerIDFromCertificate returns the identifier of the server with this agent server certificate. Only the key counts:
// the certificate can be renewed for the same key without agents noticing.
func ServerIDFromCertificate(cert *x509.Certificate) (ServerID, error) {
	h, err := certificateHash(cert)
	return ServerID(h), err
}

// ServerIDFromCertificateDER is [ServerIDFromCertificate] for a certificate as servers send it. It also takes
// certificates that crypto/x509 refuses; the reference server makes such.
func ServerIDFromCertificateDER(der []byte) (ServerID, error) {
	h, err := derHash(der)
	return ServerID(h), err
}

// SPKIHash returns the SHA-384 hash of the whole SubjectPublicKeyInfo of pub. Some descriptions of the protocol take it
// for the device identifier. It is not, for any kind of key, so it is not a [NodeID] here; it is of use to find the
// same key in data of software that follows such a description.
func SPKIHash(pub crypto.PublicKey) ([Size]byte, error) {
	if _, err := subjectPublicKey(pub); err != nil { // refuses what MarshalPKIXPublicKey would panic on
		return [Size]byte{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return [Size]byte{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return sha512.Sum384(der), nil
}

func keyHash(pub crypto.PublicKey) ([Size]byte, error) {
	content, err := subjectPublicKey(pub)
	if err != nil {
		return [Size]byte{}, err
	}
	return sha512.Sum384(content), nil
}

func certificateHash(cert *x509.Certificate) ([Size]byte, error) {
	if cert == nil {
		return [Size]byte{}, fmt.Errorf("%w: no certificate", ErrKey)
	}
	return keyHash(cert.PublicKey)
}

func derHash(der []byte) ([Size]byte, error) {
	cert, err := derwalk.Parse(der)
	if err != nil {
		return [Size]byte{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if cert.IsRSA() {
		// A second way to write the same two numbers would give one key two identifiers. What follows them is not looked
		// at when the key is parsed.
		key, err := x509.ParsePKCS1PublicKey(cert.PublicKey)
		if err != nil {
			return [Size]byte{}, fmt.Errorf("%w: RSA key: %w", ErrKey, err)
		}
		if !bytes.Equal(x509.MarshalPKCS1PublicKey(key), cert.PublicKey) {
			return [Size]byte{}, fmt.Errorf("%w: RSA key: more than the two numbers", ErrKey)
		}
	}
	return sha512.Sum384(cert.PublicKey), nil
}

// subjectPublicKey returns the content of the subjectPublicKey BIT STRING of pub.
func subjectPublicKey(pub crypto.PublicKey) ([]byte, error) {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if key == nil || key.N == nil || key.N.Sign() <= 0 || key.E <= 0 {
			return nil, fmt.Errorf("%w: incomplete RSA key", ErrKey)
		}
		return x509.MarshalPKCS1PublicKey(key), nil
	case *ecdsa.PublicKey:
		//lint:ignore SA1019 the coordinates are only looked at: Bytes panics if they are missing
		if key == nil || key.X == nil || key.Y == nil {
			return nil, fmt.Errorf("%w: incomplete ECDSA key", ErrKey)
		}
		b, err := key.Bytes()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		return b, nil
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: Ed25519 key of %d bytes", ErrKey, len(key))
		}
		return key, nil
	default:
		return nil, fmt.Errorf("%w: unsupported type %T", ErrKey, pub)
	}
}
