package nodeid_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
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

	"github.com/meshcentral-go/sdk/nodeid"
)

func readCertificate(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	block, rest := pem.Decode(b)
	require.NotNil(t, block)
	require.Empty(t, rest)
	return block.Bytes
}

func TestRecordedIdentifiers(t *testing.T) {
	agent := readCertificate(t, "agent-cert.pem")
	node, err := nodeid.FromCertificateDER(agent)
	require.NoError(t, err)
	require.Equal(t, recordedNode, node.String())
	parsed, err := x509.ParseCertificate(agent)
	require.NoError(t, err)
	node, err = nodeid.FromCertificate(parsed)
	require.NoError(t, err)
	require.Equal(t, recordedNode, node.String())
	node, err = nodeid.FromPublicKey(parsed.PublicKey)
	require.NoError(t, err)
	require.Equal(t, recordedNode, node.String())

	der := readCertificate(t, "agentserver-cert.pem")
	server, err := nodeid.ServerIDFromCertificateDER(der)
	require.NoError(t, err)
	require.Equal(t, recordedServerHex, server.Hex())
	parsed, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	server, err = nodeid.ServerIDFromCertificate(parsed)
	require.NoError(t, err)
	require.Equal(t, recordedServerHex, server.Hex())
	server, err = nodeid.ServerIDFromPublicKey(parsed.PublicKey)
	require.NoError(t, err)
	require.Equal(t, recordedServerHex, server.Hex())
}

func TestSPKIHashIsAnotherHash(t *testing.T) {
	cert, err := x509.ParseCertificate(readCertificate(t, "agent-cert.pem"))
	require.NoError(t, err)
	h, err := nodeid.SPKIHash(cert.PublicKey)
	require.NoError(t, err)
	require.Equal(t, sha512.Sum384(cert.RawSubjectPublicKeyInfo), h)
	require.NotEqual(t, recordedNode, nodeid.NodeID(h).String())
}

// TestKeyKinds holds the three derivations against each other, and against the bytes that the definition names.
func TestKeyKinds(t *testing.T) {
	edPub, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	point, err := p256.PublicKey.Bytes()
	require.NoError(t, err)

	for name, test := range map[string]struct {
		key     crypto.Signer
		content []byte
	}{
		"Ed25519": {edKey, edPub},
		"P-256":   {p256, point},
		"P-384":   {p384, nil},
	} {
		t.Run(name, func(t *testing.T) {
			der := selfSigned(t, test.key)
			want, err := nodeid.FromPublicKey(test.key.Public())
			require.NoError(t, err)
			if test.content != nil {
				require.Equal(t, nodeid.NodeID(sha512.Sum384(test.content)), want)
			}
			got, err := nodeid.FromCertificateDER(der)
			require.NoError(t, err)
			require.Equal(t, want, got)
			cert, err := x509.ParseCertificate(der)
			require.NoError(t, err)
			got, err = nodeid.FromCertificate(cert)
			require.NoError(t, err)
			require.Equal(t, want, got)
			_, err = nodeid.SPKIHash(test.key.Public())
			require.NoError(t, err)
		})
	}
}

func TestNoKey(t *testing.T) {
	//lint:ignore SA1019 package crypto/ecdsa itself makes no such key
	noPoint := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	for name, pub := range map[string]crypto.PublicKey{
		"nil":              nil,
		"another type":     "key",
		"nil RSA":          (*rsa.PublicKey)(nil),
		"empty RSA":        &rsa.PublicKey{},
		"negative RSA":     &rsa.PublicKey{N: big.NewInt(-1), E: 65537},
		"RSA without e":    &rsa.PublicKey{N: big.NewInt(15)},
		"nil ECDSA":        (*ecdsa.PublicKey)(nil),
		"empty ECDSA":      &ecdsa.PublicKey{},
		"half ECDSA":       &ecdsa.PublicKey{Curve: elliptic.P256()},
		"no point":         noPoint,
		"short Ed25519":    ed25519.PublicKey("short"),
		"a value, not a *": rsa.PublicKey{},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := nodeid.FromPublicKey(pub)
			require.ErrorIs(t, err, nodeid.ErrKey)
			require.Zero(t, id)
			_, err = nodeid.SPKIHash(pub)
			require.ErrorIs(t, err, nodeid.ErrKey)
			_, err = nodeid.FromCertificate(&x509.Certificate{PublicKey: pub})
			require.ErrorIs(t, err, nodeid.ErrKey)
		})
	}
	_, err := nodeid.FromCertificate(nil)
	require.ErrorIs(t, err, nodeid.ErrKey)
	_, err = nodeid.ServerIDFromCertificateDER(nil)
	require.ErrorIs(t, err, nodeid.ErrKey)
}

func TestCutCertificate(t *testing.T) {
	der := readCertificate(t, "agent-cert.pem")
	for i := range der {
		_, err := nodeid.FromCertificateDER(der[:i])
		require.ErrorIs(t, err, nodeid.ErrKey)
	}
	_, err := nodeid.FromCertificateDER(append(der, 0))
	require.ErrorIs(t, err, nodeid.ErrKey)
}

// TestOneKeyOneIdentifier: another way to write a key is the same key, and must not become another device.
func TestOneKeyOneIdentifier(t *testing.T) {
	der := readCertificate(t, "agent-cert.pem")
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	for name, key := range otherSpellings(t, cert.PublicKey.(*rsa.PublicKey)) {
		_, err = nodeid.FromCertificateDER(withSPKI(t, der, rsaSPKI(t, key)))
		require.ErrorIs(t, err, nodeid.ErrKey, name)
		require.ErrorContains(t, err, "RSA key", name)
	}
	got, err := nodeid.FromCertificateDER(withSPKI(t, der, cert.RawSubjectPublicKeyInfo))
	require.NoError(t, err)
	require.Equal(t, recordedNode, got.String())
}

// otherSpellings has encodings of a key that are not the one that counts.
func otherSpellings(t testing.TB, pub *rsa.PublicKey) map[string][]byte {
	t.Helper()
	spell := func(padding int, more ...asn1.RawValue) []byte {
		modulus := append(make([]byte, padding), pub.N.Bytes()...)
		key, err := asn1.Marshal(append([]asn1.RawValue{
			{Tag: asn1.TagInteger, Bytes: modulus}, {Tag: asn1.TagInteger, Bytes: []byte{1, 0, 1}},
		}, more...))
		require.NoError(t, err)
		return key
	}
	require.Equal(t, x509.MarshalPKCS1PublicKey(pub), spell(1), "the one that counts")
	return map[string][]byte{
		"padded modulus":          spell(2),
		"negative modulus":        spell(0),
		"more than two numbers":   spell(1, asn1.RawValue{Tag: asn1.TagInteger, Bytes: []byte{5}}),
		"more behind the numbers": append(spell(1), 5, 0),
	}
}

// rsaSPKI returns the SubjectPublicKeyInfo of an RSA key.
func rsaSPKI(t testing.TB, key []byte) []byte {
	t.Helper()
	spki, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}{
		Algorithm: pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1},
			Parameters: asn1.NullRawValue,
		},
		PublicKey: asn1.BitString{Bytes: key, BitLength: 8 * len(key)},
	})
	require.NoError(t, err)
	return spki
}

// withSPKI returns the certificate with another SubjectPublicKeyInfo; its signature is then of no use.
func withSPKI(t testing.TB, der, spki []byte) []byte {
	t.Helper()
	var cert struct {
		TBS struct {
			Version                                          asn1.RawValue
			Serial                                           *big.Int
			Algorithm, Issuer, Validity, Subject, SPKI, Rest asn1.RawValue
		}
		Algorithm, Signature asn1.RawValue
	}
	rest, err := asn1.Unmarshal(der, &cert)
	require.NoError(t, err)
	require.Empty(t, rest)
	cert.TBS.SPKI = asn1.RawValue{FullBytes: spki}
	out, err := asn1.Marshal(cert)
	require.NoError(t, err)
	return out
}

func selfSigned(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}
