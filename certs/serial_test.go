package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTLSNegativeSerial: some certificates that a stock server makes have a negative serial number, and TLS with them works
// in programs whose module says so, as this one does in its go.mod.
func TestTLSNegativeSerial(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial := big.NewInt(0x1234567890)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: serial}, &x509.Certificate{}, key.Public(), key)
	require.NoError(t, err)
	at := bytes.Index(der, serial.Bytes())
	require.Positive(t, at)
	der[at] |= 0x80 // nobody looks at the signature

	here, there := net.Pipe()
	server := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	client := tls.Client(here, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a pin would be compared here
	served := make(chan error, 1)
	go func() { served <- server.Handshake() }()
	require.NoError(t, client.Handshake())
	require.NoError(t, <-served)
	require.Negative(t, client.ConnectionState().PeerCertificates[0].SerialNumber.Sign())
}
