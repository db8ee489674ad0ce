package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// PEM block types.
const (
	pemCertificate  = "CERTIFICATE"
	pemPKCS8        = "PRIVATE KEY"
	pemPKCS8Secret  = "ENCRYPTED PRIVATE KEY"
	pemPKCS1        = "RSA PRIVATE KEY"
	pemEC           = "EC PRIVATE KEY"
	pemHeaderSecret = "DEK-Info" // of the encrypted form of the last two
)

// Errors about private keys.
var (
	// ErrNoKey reports that a private key is needed and not there.
	ErrNoKey = errors.New("certs: no private key")
	// ErrKeyMismatch reports a private key that is not the one of its certificate.
	ErrKeyMismatch = errors.New("certs: the private key does not belong to the certificate")
	// ErrPassword reports an encrypted private key that none of the passwords opens.
	ErrPassword = errors.New("certs: no password opens the private key")
	// ErrKeyKind reports a key of a kind that is of no use in its place.
	ErrKeyKind = errors.New("certs: unsupported kind of key")
)

// publicKey is what every public key of the standard library has.
type publicKey interface{ Equal(crypto.PublicKey) bool }

// samePublicKey reports whether signer holds the private key of pub.
func samePublicKey(signer crypto.Signer, pub crypto.PublicKey) bool {
	key, ok := signer.Public().(publicKey)
	return ok && key.Equal(pub)
}

// marshalKey returns the PEM form of a private key, and false if it cannot leave the place where it is.
//
// An RSA key is written as PKCS#1, as the reference server does; it reads any form.
func marshalKey(signer crypto.Signer) ([]byte, bool, error) {
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		return pem.EncodeToMemory(&pem.Block{Type: pemPKCS1, Bytes: x509.MarshalPKCS1PrivateKey(key)}), true, nil
	case *ecdsa.PrivateKey, ed25519.PrivateKey:
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, false, fmt.Errorf("certs: encoding a private key: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: pemPKCS8, Bytes: der}), true, nil
	default:
		return nil, false, nil
	}
}

// parseKey decodes a private key block. It returns false for a block that is not one.
func parseKey(block *pem.Block, passwords []string) (crypto.Signer, bool, error) {
	var key any
	var err error
	switch block.Type {
	case pemPKCS8:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case pemPKCS8Secret:
		key, err = decryptPKCS8(block.Bytes, passwords)
	case pemPKCS1, pemEC:
		if block.Headers[pemHeaderSecret] != "" {
			return nil, true, fmt.Errorf("certs: a private key in the outdated encrypted PEM form: convert it to PKCS#8")
		}
		if block.Type == pemPKCS1 {
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		} else {
			key, err = x509.ParseECPrivateKey(block.Bytes)
		}
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, true, fmt.Errorf("certs: private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, true, fmt.Errorf("%w: %T", ErrKeyKind, key)
	}
	return signer, true, nil
}

// pemBlocks calls f for each PEM block in b, until f returns an error. It reads what editors leave behind: a mark before
// the first block, and the line ends of old Macs.
//
// Confirmed in certoperations.js, fixEndOfLines.
func pemBlocks(b []byte, f func(*pem.Block) error) error {
	if i := bytes.Index(b, []byte("-----BEGIN ")); i > 0 {
		b = b[i:]
	}
	if !bytes.ContainsRune(b, '\n') {
		b = bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil
		}
		if err := f(block); err != nil {
			return err
		}
	}
}

// newRSA and newP256 make keys.
func newRSA(bits int) (crypto.Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("certs: making an RSA key: %w", err)
	}
	return key, nil
}

func newP256() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certs: making an ECDSA key: %w", err)
	}
	return key, nil
}
