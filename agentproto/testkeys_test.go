package agentproto

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

// keyPair is a key with a certificate for it, made once for all tests of a kind.
type keyPair struct {
	der    []byte
	signer crypto.Signer
}

func makePair(signer crypto.Signer, err error) keyPair {
	if err != nil {
		panic(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, signer.Public(), signer)
	if err != nil {
		panic(err)
	}
	return keyPair{der, signer}
}

func rsaPair(bits int) func() keyPair {
	return sync.OnceValue(func() keyPair { return makePair(rsa.GenerateKey(rand.Reader, bits)) })
}

var (
	testAgent   = rsaPair(2048)
	testAgent2  = rsaPair(2048)
	testServer  = rsaPair(2048)
	testServer2 = rsaPair(2048)
	weakPair    = rsaPair(1024)
	ecPair      = sync.OnceValue(func() keyPair { return makePair(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

// testWeb is the hash of the TLS certificate in tests without TLS.
var testWeb = Hash{1, 2, 3}

func (p keyPair) identity(t testing.TB) *ServerIdentity {
	t.Helper()
	id, err := NewServerIdentity(p.der, p.signer)
	require.NoError(t, err)
	return id
}

func (p keyPair) node(t testing.TB) nodeid.NodeID {
	t.Helper()
	id, err := nodeid.FromCertificateDER(p.der)
	require.NoError(t, err)
	return id
}

func (p keyPair) sign(t testing.TB, digest [48]byte) []byte {
	t.Helper()
	sig, err := p.signer.Sign(rand.Reader, digest[:], crypto.SHA384)
	require.NoError(t, err)
	return sig
}

func publicKey(t testing.TB, der []byte) *rsa.PublicKey {
	t.Helper()
	key, err := peerKey(der)
	require.NoError(t, err)
	return key
}

// recordedIdentity is the recorded server, whose private key is not known.
func recordedIdentity(t testing.TB) *ServerIdentity {
	t.Helper()
	der := loadCertificate(t, "agentserver-cert.pem")
	id, err := NewServerIdentity(der, publicOnly{publicKey(t, der)})
	require.NoError(t, err)
	return id
}

// publicOnly is a signer that can not sign.
type publicOnly struct{ pub *rsa.PublicKey }

func (p publicOnly) Public() crypto.PublicKey { return p.pub }
func (publicOnly) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	panic("no private key")
}

// selfSignedBy returns a certificate for a public key whose private key nobody has.
func selfSignedBy(t testing.TB, key *rsa.PublicKey) []byte {
	t.Helper()
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key, testServer().signer)
	require.NoError(t, err)
	return der
}
