package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/certs/certstest"
)

func parsed(t testing.TB, c *certs.Certificate) *x509.Certificate {
	t.Helper()
	cert, err := c.X509()
	require.NoError(t, err)
	return cert
}

func TestNewServerSet(t *testing.T) {
	set, err := certs.NewServerSet(certs.Config{
		Host: "mesh.example.com", AltNames: []string{"10.0.0.1", "mesh"}, MPSHost: "192.0.2.1",
		Country: "DE", Organization: "Example", NewKey: certstest.NewKey,
	})
	require.NoError(t, err)
	require.Len(t, set.Created, 5)
	root := parsed(t, set.Root)
	require.Regexp(t, "^MeshCentralRoot-[0-9a-f]{6}$", root.Subject.CommonName)
	require.True(t, root.IsCA)
	require.Equal(t, x509.KeyUsageCertSign, root.KeyUsage)

	for _, c := range set.All() {
		cert := parsed(t, c)
		require.NoError(t, cert.CheckSignatureFrom(root), c.Name)
		require.Positive(t, cert.SerialNumber.Sign())
		require.Len(t, cert.SerialNumber.Bytes(), 15)
		require.Equal(t, x509.SHA384WithRSA, cert.SignatureAlgorithm)
		require.Equal(t, time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), cert.NotBefore)
		require.Equal(t, time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC), cert.NotAfter)
		require.True(t, cert.BasicConstraintsValid)
		require.Len(t, cert.SubjectKeyId, 20)
		require.NotNil(t, c.Signer)
		if c.Name != certs.Root {
			require.False(t, cert.IsCA)
			require.Equal(t, []string{"DE"}, cert.Subject.Country)
			require.Equal(t, []string{"Example"}, cert.Subject.Organization)
		}
	}
	web := parsed(t, set.Web)
	require.IsType(t, &ecdsa.PublicKey{}, web.PublicKey)
	require.Equal(t, "mesh.example.com", web.Subject.CommonName)
	require.Equal(t, []string{"mesh.example.com", "mesh", "localhost"}, web.DNSNames)
	require.Equal(t, x509.KeyUsageDigitalSignature, web.KeyUsage)
	for _, host := range []string{"mesh.example.com", "mesh", "localhost", "10.0.0.1", "127.0.0.1", "::1"} {
		require.True(t, set.Web.Covers(host), host)
	}
	require.False(t, set.Web.Covers("192.0.2.1"))

	agent := parsed(t, set.AgentServer)
	require.Regexp(t, "^MeshCentralAgentServer-[0-9a-f]{6}$", agent.Subject.CommonName)
	require.Empty(t, agent.ExtKeyUsage)
	require.Equal(t, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment|x509.KeyUsageDataEncipherment, agent.KeyUsage)

	mps := parsed(t, set.MPS)
	require.Equal(t, "192.0.2.1", mps.Subject.CommonName)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, mps.ExtKeyUsage)
	require.IsType(t, &rsa.PublicKey{}, mps.PublicKey)

	code := parsed(t, set.CodeSign)
	require.Regexp(t, "^mesh.example.com-[0-9a-f]{6}$", code.Subject.CommonName)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, code.ExtKeyUsage)
}

// TestShortKeyName: the six digits at the end of a name are those of the subject key identifier, as in the recorded
// certificate of a reference server.
func TestShortKeyName(t *testing.T) {
	recorded, err := x509.ParseCertificate(readCertificate(t, "agentserver-cert.pem"))
	require.NoError(t, err)
	require.Equal(t, "MeshCentralAgentServer-"+hex.EncodeToString(recorded.SubjectKeyId[:3]), recorded.Subject.CommonName)
	set := certstest.ServerSet()
	agent, root := parsed(t, set.AgentServer), parsed(t, set.Root)
	require.Equal(t, "MeshCentralAgentServer-"+hex.EncodeToString(agent.SubjectKeyId[:3]), agent.Subject.CommonName)
	require.Equal(t, "MeshCentralRoot-"+hex.EncodeToString(root.SubjectKeyId[:3]), root.Subject.CommonName)
}

func TestDefaultKeys(t *testing.T) {
	for name, want := range map[certs.Name]int{
		certs.AgentServer: 3072, certs.MPS: 2048, "webserver-one-cert": 2048, certs.Web: 256,
	} {
		key, err := certs.NewKey(name)
		require.NoError(t, err)
		switch pub := key.Public().(type) {
		case *rsa.PublicKey:
			require.Equal(t, want, pub.N.BitLen(), name)
		case *ecdsa.PublicKey:
			require.Equal(t, want, pub.Curve.Params().BitSize, name)
		}
	}
}

func TestWebLifetime(t *testing.T) {
	now := time.Date(2027, 5, 5, 5, 5, 5, 0, time.UTC)
	set, err := certs.NewServerSet(certs.Config{
		WebLifetime: 800 * 24 * time.Hour, Now: func() time.Time { return now }, NewKey: certstest.NewKey,
	})
	require.NoError(t, err)
	notBefore, notAfter, err := set.Web.Validity()
	require.NoError(t, err)
	require.Equal(t, now.Add(-time.Hour), notBefore)
	require.Equal(t, now.Add(800*24*time.Hour), notAfter)
	require.Empty(t, set.Expiring(notAfter))
	require.Equal(t, []*certs.Certificate{set.Web}, set.Expiring(notAfter.Add(time.Second)))
	require.Len(t, set.Expiring(time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)), 5)
	require.Equal(t, "un-configured", set.Web.CommonName())
}

func TestAuthorityRefuses(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	authority, err := certs.NewAuthority(certs.Config{NewKey: certstest.NewKey})
	require.NoError(t, err)
	_, err = authority.Issue(certs.AgentServer, ed)
	require.ErrorIs(t, err, certs.ErrKeyKind)
	_, err = authority.Issue(certs.Root, nil)
	require.Error(t, err)
	_, err = authority.Issue("webserver-unknown-cert", nil)
	require.ErrorContains(t, err, "no configured domain")
	_, err = authority.Issue("other", nil)
	require.Error(t, err)

	withoutKey := *authority.Root()
	withoutKey.Signer = nil
	_, err = certs.OpenAuthority(&withoutKey, certs.Config{})
	require.ErrorIs(t, err, certs.ErrNoKey)
	_, err = authority.Renew(&withoutKey)
	require.ErrorIs(t, err, certs.ErrNoKey)
	_, err = certs.NewAuthority(certs.Config{NewKey: func(certs.Name) (crypto.Signer, error) { return nil, nil }})
	require.ErrorIs(t, err, certs.ErrNoKey)
	_, err = certs.NewAuthority(certs.Config{NewKey: func(certs.Name) (crypto.Signer, error) { return odd{}, nil }})
	require.ErrorIs(t, err, certs.ErrKeyKind)
}

// odd is a signer with a key that no certificate can have.
type odd struct{ crypto.Signer }

func (odd) Public() crypto.PublicKey { return "key" }

func TestRootsOfOtherKinds(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p256, err := certs.NewKey(certs.Web)
	require.NoError(t, err)
	for _, root := range []crypto.Signer{ed, p256} {
		set, err := certs.NewServerSet(certs.Config{NewKey: func(name certs.Name) (crypto.Signer, error) {
			if name == certs.Root {
				return root, nil
			}
			return certstest.NewKey(name)
		}})
		require.NoError(t, err)
		for _, c := range set.All() {
			require.NoError(t, parsed(t, c).CheckSignatureFrom(parsed(t, set.Root)))
		}
	}
}

func TestCovers(t *testing.T) {
	der := func(cn string) *certs.Certificate {
		return &certs.Certificate{Name: certs.Web, DER: oddCertificate(t, "root", cn, certstest.Key(0), certstest.Key(0))}
	}
	for _, test := range []struct {
		cn, host string
		want     bool
	}{
		{"a_b.example.com", "a_b.example.com", true},
		{"a_b.example.com", "A_B.example.com.", true},
		{"a_b.example.com", "b.example.com", false},
		{"*.example.com", "a.example.com", true},
		{"*.example.com", "a.b.example.com", false},
		{"*.example.com", "example.com", false},
		{"*.example.com", ".example.com", false},
		{"*.0.0.1", "127.0.0.1", false},
		{"*", "a", false},
		{"", "", false},
	} {
		require.Equal(t, test.want, der(test.cn).Covers(test.host), "%q %q", test.cn, test.host)
	}
}

func TestEmptySet(t *testing.T) {
	var set certs.ServerSet
	require.Empty(t, set.All())
	require.Empty(t, set.WebHashes(""))
	require.Nil(t, set.ForHost("a"))
	require.Empty(t, set.Expiring(time.Now()))
	_, err := set.ServerID()
	require.Error(t, err)
	_, err = set.TLSConfig()
	require.Error(t, err)
}

func TestCertificateIsRedacted(t *testing.T) {
	set := certstest.ServerSet()
	secrets := secretsOf(certstest.Key(1))
	requireRedacted(t, set.AgentServer, secrets)
	requireRedacted(t, *set.AgentServer, secrets)
	requireRedacted(t, *set, secrets)
	requireRedacted(t, certs.Certificate{}, secrets)
	require.Contains(t, set.AgentServer.String(), "MeshCentralAgentServer-")
}
