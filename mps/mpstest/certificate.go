package mpstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// clientKeyBits is what MeshCentral and firmware use.
const clientKeyBits = 2048

// NewCertificate makes a certificate with which a device logs in, self-signed and with a key of its own. MeshCentral takes
// any whose organization is a device group, as the 64 characters of its id; the common name becomes the device's, and the
// key is its identity. A nil key makes one, which takes a tenth of a second or two.
func NewCertificate(name, group string, key crypto.Signer) (*tls.Certificate, error) {
	if key == nil {
		made, err := rsa.GenerateKey(rand.Reader, clientKeyBits)
		if err != nil {
			return nil, fmt.Errorf("mpstest: certificate: %w", err)
		}
		key = made
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, fmt.Errorf("mpstest: certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: name, Organization: []string{group}},
		NotBefore:    time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(20, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("mpstest: certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
