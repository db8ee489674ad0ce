package certs_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/certs/certstest"
)

// oddCertificate makes what the reference server makes at times and crypto/x509 refuses: a negative serial number, and a
// host name with an underscore in a PrintableString.
func oddCertificate(t testing.TB, issuer, subject string, key, signer *rsa.PrivateKey) []byte {
	t.Helper()
	name := func(cn string) asn1.RawValue {
		type attribute struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		attr, err := asn1.Marshal([][]attribute{{{
			Type:  asn1.ObjectIdentifier{2, 5, 4, 3},
			Value: asn1.RawValue{Tag: asn1.TagPrintableString, Bytes: []byte(cn)},
		}}})
		require.NoError(t, err)
		attr[2] = 0x31 // the inner SEQUENCE OF is a SET OF in a name
		return asn1.RawValue{FullBytes: attr}
	}
	algorithm := pkix.AlgorithmIdentifier{
		Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, // sha384WithRSAEncryption
		Parameters: asn1.NullRawValue,
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	tbs, err := asn1.Marshal(struct {
		Version   int `asn1:"explicit,tag:0"`
		Serial    *big.Int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    asn1.RawValue
		Validity  struct{ NotBefore, NotAfter time.Time }
		Subject   asn1.RawValue
		SPKI      asn1.RawValue
	}{
		Version:   2,
		Serial:    big.NewInt(-0x7654_3211), // 8 digits, the first of them 8 or 9, read as hexadecimal
		Algorithm: algorithm,
		Issuer:    name(issuer),
		Validity: struct{ NotBefore, NotAfter time.Time }{
			time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC),
		},
		Subject: name(subject),
		SPKI:    asn1.RawValue{FullBytes: spki},
	})
	require.NoError(t, err)
	digest := sha512.Sum384(tbs)
	signature, err := rsa.SignPKCS1v15(rand.Reader, signer, crypto.SHA384, digest[:])
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	require.NoError(t, err)
	return der
}

// writePair writes a certificate and a PKCS#1 key as the reference server does: PEM with the line ends of Windows.
func writePair(t testing.TB, dir string, name certs.Name, der []byte, key *rsa.PrivateKey) {
	t.Helper()
	write := func(suffix, kind string, b []byte) {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})
		text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		require.NoError(t, os.WriteFile(filepath.Join(dir, string(name)+suffix), text, 0o644))
	}
	write("-public.crt", "CERTIFICATE", der)
	write("-private.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

// stockFolder makes a data folder in the shape of the reference server's, with certificates that crypto/x509 refuses.
func stockFolder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	root := certstest.Key(0)
	for name, entry := range map[certs.Name]struct {
		subject string
		key     *rsa.PrivateKey
	}{
		certs.Root:        {"MeshCentralRoot-abcdef", root},
		certs.AgentServer: {"MeshCentralAgentServer-abcdef", certstest.Key(1)},
		certs.Web:         {"my_host.example.com", certstest.Key(2)},
		certs.MPS:         {"my_host.example.com", certstest.Key(3)},
		certs.CodeSign:    {"my_host.example.com-abcdef", certstest.Key(4)},
	} {
		writePair(t, dir, name, oddCertificate(t, "MeshCentralRoot-abcdef", entry.subject, entry.key, root), entry.key)
	}
	return dir
}
