package certs_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/certs/certstest"
	"github.com/meshcentral-go/sdk/nodeid"
)

// hardware is a signer whose key cannot be had, like one in a TPM.
type hardware struct{ crypto.Signer }

func TestNewAgentIdentity(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	id, err := certs.NewAgentIdentity(&certs.AgentIdentityOptions{
		NewKey: func() (crypto.Signer, error) { return certstest.Key(0), nil },
		Now:    func() time.Time { return now },
	})
	require.NoError(t, err)
	require.NoError(t, id.Check())
	cert, err := x509.ParseCertificate(id.Certificate)
	require.NoError(t, err)
	native, err := x509.ParseCertificate(readCertificate(t, "agent-cert.pem"))
	require.NoError(t, err)

	// In every respect that a reader of it can see, it is like the recorded one of a native agent.
	require.Equal(t, native.Subject.String(), cert.Subject.String())
	require.Equal(t, native.Issuer.String(), cert.Issuer.String())
	require.Equal(t, native.Version, cert.Version)
	require.Equal(t, native.SignatureAlgorithm, cert.SignatureAlgorithm)
	require.Equal(t, native.KeyUsage, cert.KeyUsage)
	require.Equal(t, native.IsCA, cert.IsCA)
	require.Equal(t, native.NotAfter.Sub(native.NotBefore), cert.NotAfter.Sub(cert.NotBefore))
	require.Equal(t, now.AddDate(0, 0, -10), cert.NotBefore)
	require.Len(t, cert.SubjectKeyId, len(native.SubjectKeyId))
	require.Empty(t, cert.AuthorityKeyId)
	require.Regexp(t, "^[0-9]{8}$", string(native.SerialNumber.Bytes()))
	require.Regexp(t, "^[0-9]{8}$", string(cert.SerialNumber.Bytes()))
	require.NoError(t, cert.CheckSignatureFrom(cert))

	node, err := id.NodeID()
	require.NoError(t, err)
	want, err := nodeid.FromPublicKey(certstest.Key(0).Public())
	require.NoError(t, err)
	require.Equal(t, want, node)
}

func TestNewAgentIdentityDefaultKey(t *testing.T) {
	id, err := certs.NewAgentIdentity(nil)
	require.NoError(t, err)
	require.Equal(t, 3072, id.Signer.Public().(*rsa.PublicKey).N.BitLen())
}

func TestNewAgentIdentityRefuses(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		key  crypto.Signer
		err  error
		want error
	}{
		"ECDSA":  {key: ec, want: certs.ErrKeyKind},
		"no key": {want: certs.ErrNoKey},
		"error":  {err: os.ErrDeadlineExceeded, want: os.ErrDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := certs.NewAgentIdentity(&certs.AgentIdentityOptions{
				NewKey: func() (crypto.Signer, error) { return test.key, test.err },
			})
			require.ErrorIs(t, err, test.want)
		})
	}
}

func TestAgentIdentityFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.pem")
	id := certstest.AgentIdentity(1)
	require.NoError(t, id.Save(path))
	require.ErrorIs(t, certstest.AgentIdentity(2).Save(path), fs.ErrExist)

	loaded, err := certs.LoadAgentIdentity(path, nil)
	require.NoError(t, err)
	require.Equal(t, id.Certificate, loaded.Certificate)
	require.NoError(t, loaded.Check())
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file is left")
}

func TestAgentIdentityInHardware(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.pem")
	id := certstest.AgentIdentity(1)
	id.Signer = hardware{id.Signer}
	require.NoError(t, id.Save(path))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(b), "PRIVATE KEY")

	_, err = certs.LoadAgentIdentity(path, nil)
	require.ErrorIs(t, err, certs.ErrNoKey)
	require.ErrorContains(t, err, path)
	_, err = certs.LoadAgentIdentity(path, hardware{certstest.Key(2)})
	require.ErrorIs(t, err, certs.ErrKeyMismatch)
	loaded, err := certs.LoadAgentIdentity(path, id.Signer)
	require.NoError(t, err)
	require.Equal(t, id, loaded)
}

func TestOpenAgentIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.pem")
	made := 0
	opts := &certs.AgentIdentityOptions{NewKey: func() (crypto.Signer, error) { made++; return certstest.Key(3), nil }}
	first, err := certs.OpenAgentIdentity(path, opts)
	require.NoError(t, err)
	second, err := certs.OpenAgentIdentity(path, opts)
	require.NoError(t, err)
	require.Equal(t, 1, made)
	require.Equal(t, first.Certificate, second.Certificate)

	require.NoError(t, os.WriteFile(path, []byte("damaged"), 0o600))
	_, err = certs.OpenAgentIdentity(path, opts)
	require.ErrorIs(t, err, certs.ErrCertificate, "a damaged file is not replaced")

	opts.NewKey = func() (crypto.Signer, error) { return hardware{certstest.Key(3)}, nil }
	other := filepath.Join(t.TempDir(), "agent.pem")
	_, err = certs.OpenAgentIdentity(other, opts)
	require.ErrorIs(t, err, certs.ErrKeyKind)
	require.NoFileExists(t, other)
}

func TestParseAgentIdentityRefuses(t *testing.T) {
	good, err := certstest.AgentIdentity(0).AppendPEM(nil)
	require.NoError(t, err)
	other, err := certstest.AgentIdentity(1).AppendPEM(nil)
	require.NoError(t, err)
	keyAt := bytes.Index(good, []byte("-----BEGIN RSA"))
	for name, test := range map[string]struct {
		pem  []byte
		want error
	}{
		"empty":       {nil, certs.ErrCertificate},
		"no key":      {good[:keyAt], certs.ErrNoKey},
		"no cert":     {good[keyAt:], certs.ErrCertificate},
		"another key": {append(bytes.Clone(other[:bytes.Index(other, []byte("-----BEGIN RSA"))]), good[keyAt:]...), certs.ErrKeyMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := certs.ParseAgentIdentity(test.pem, nil)
			require.ErrorIs(t, err, test.want)
		})
	}
	// What is cut off is refused, or is only the end of the last line.
	for i := range len(good) - 2 {
		_, err := certs.ParseAgentIdentity(good[:i], nil)
		require.Error(t, err, i)
	}
}

// secretsOf returns what must not be printed of an RSA key.
func secretsOf(key *rsa.PrivateKey) []string {
	var all []string
	for _, n := range []*big.Int{key.D, key.Primes[0], key.Primes[1]} {
		all = append(all, n.String(), n.Text(16), fmt.Sprintf("%X", n))
	}
	return all
}

func requireRedacted(t *testing.T, v any, secrets []string) {
	t.Helper()
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%T"} {
		printed = append(printed, fmt.Sprintf(verb, v))
	}
	if s, ok := v.(interface {
		fmt.Stringer
		fmt.GoStringer
	}); ok {
		printed = append(printed, s.String(), s.GoString())
	}
	b, err := json.Marshal(v)
	require.NoError(t, err)
	printed = append(printed, string(b))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	printed = append(printed, log.String())
	for _, p := range printed {
		for _, secret := range secrets {
			require.NotContains(t, p, secret)
		}
	}
}

func TestAgentIdentityIsRedacted(t *testing.T) {
	id := certstest.AgentIdentity(4)
	secrets := secretsOf(certstest.Key(4))
	requireRedacted(t, id, secrets)
	requireRedacted(t, *id, secrets)
	requireRedacted(t, struct{ ID certs.AgentIdentity }{*id}, secrets)
	require.Contains(t, certs.AgentIdentity{}.String(), "no certificate")
}
