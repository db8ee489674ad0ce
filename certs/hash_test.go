package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
)

// The hash in command 1 of a recorded native agent, for web-cert.pem.
const recordedWebHash = "cc1e1870dc353c7376dbb0cdaee84beee0f8d08a4696be9717cafc50a9390f149079231c98cb499e5a4e773f5875c062"

func readCertificate(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	block, _ := pem.Decode(b)
	require.NotNil(t, block)
	return block.Bytes
}

func TestRecordedWebHash(t *testing.T) {
	der := readCertificate(t, "web-cert.pem")
	require.Equal(t, recordedWebHash, certs.CertHash(der).String())
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	key, err := certs.KeyHash(der)
	require.NoError(t, err)
	require.Equal(t, certs.Hash(sha512.Sum384(x509.MarshalPKCS1PublicKey(parsed.PublicKey.(*rsa.PublicKey)))), key)
	require.Equal(t, []certs.Hash{certs.CertHash(der), key}, certs.WebHashes(der))
}

func TestKeyHashOfOtherKeys(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	h, err := certs.KeyHash(der)
	require.NoError(t, err)
	require.Equal(t, certs.Hash(sha512.Sum384(spki)), h)
}

func TestHashesOfNoCertificate(t *testing.T) {
	_, err := certs.KeyHash([]byte("no certificate"))
	require.ErrorIs(t, err, certs.ErrCertificate)
	require.Equal(t, []certs.Hash{certs.CertHash([]byte("no certificate"))}, certs.WebHashes([]byte("no certificate")))
}

func TestHashText(t *testing.T) {
	h, err := certs.ParseHash(strings.ToUpper(recordedWebHash))
	require.NoError(t, err)
	require.Equal(t, recordedWebHash, h.String())
	require.False(t, h.IsZero())
	b, err := json.Marshal([]certs.Hash{h})
	require.NoError(t, err)
	require.Equal(t, `["`+recordedWebHash+`"]`, string(b))
	var back []certs.Hash
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, []certs.Hash{h}, back)
	for _, bad := range []string{"", recordedWebHash[1:], recordedWebHash + "0", "g" + recordedWebHash[1:]} {
		_, err := certs.ParseHash(bad)
		require.Error(t, err)
	}
	require.Error(t, json.Unmarshal([]byte(`["x"]`), &back))
}
