package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/mps/mpstest"
)

// parse reads a certificate.
func parse(t *testing.T, cert *tls.Certificate) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(cert.Certificate[0])
	require.NoError(t, err)
	return c
}

// otherCertificate is one that has signed nothing but itself.
func otherCertificate(t *testing.T) []byte {
	t.Helper()
	cert, err := mpstest.NewCertificate("other", "", nil)
	require.NoError(t, err)
	return cert.Certificate[0]
}

// writePEM writes a file and returns its name.
func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return name
}
