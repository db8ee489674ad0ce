package controlproto

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

// recordedServerAuth was asked of a stock server (meshcentral 1.1.55) by TestStockServerAuth.
type recordedServerAuth struct {
	CNonce    string `json:"cnonce"`
	TLSHash   string `json:"tlshash"`
	Cert      string `json:"cert"`
	Nonce     string `json:"nonce"`
	Signature string `json:"signature"`
	ServerID  string `json:"serverid"`
}

func readServerAuth(t testing.TB) (r recordedServerAuth) {
	t.Helper()
	b, err := os.ReadFile("testdata/serverauth.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &r))
	return r
}

func TestServerAuthRecorded(t *testing.T) {
	r := readServerAuth(t)
	id, err := nodeid.ParseServerID(r.ServerID)
	require.NoError(t, err)
	a, err := ParseServerAuth(r.CNonce, r.TLSHash)
	require.NoError(t, err)
	require.NoError(t, a.VerifyReply(r.Cert, r.Nonce, r.Signature, id))
	cnonce, tlshash := a.Request()
	require.Equal(t, r.CNonce, cnonce)
	require.Equal(t, r.TLSHash, tlshash)
	require.Len(t, a.AppendSigned(nil), 144)

	// Any other bit, anywhere, and it is not that server.
	flip := func(s string) string {
		b, err := base64.StdEncoding.DecodeString(s)
		require.NoError(t, err)
		b[len(b)/2] ^= 4
		return base64.StdEncoding.EncodeToString(b)
	}
	other := *a
	other.TLSHash[7] ^= 1
	require.ErrorIs(t, other.VerifyReply(r.Cert, r.Nonce, r.Signature, id), ErrServerAuth)
	other = *a
	other.ClientNonce = bytes.Repeat([]byte{1}, 48)
	require.ErrorIs(t, other.VerifyReply(r.Cert, r.Nonce, r.Signature, id), ErrServerAuth)
	wrong := id
	wrong[0] ^= 1
	for name, err := range map[string]error{
		"nonce":              a.VerifyReply(r.Cert, flip(r.Nonce), r.Signature, id),
		"signature":          a.VerifyReply(r.Cert, r.Nonce, flip(r.Signature), id),
		"certificate":        a.VerifyReply(flip(r.Cert), r.Nonce, r.Signature, id),
		"server":             a.VerifyReply(r.Cert, r.Nonce, r.Signature, wrong),
		"no server":          a.VerifyReply(r.Cert, r.Nonce, r.Signature, nodeid.ServerID{}),
		"short nonce":        a.VerifyReply(r.Cert, r.Nonce[:60], r.Signature, id),
		"nonce no base64":    a.VerifyReply(r.Cert, "?"+r.Nonce[1:], r.Signature, id),
		"no certificate":     a.VerifyReply("", r.Nonce, r.Signature, id),
		"cert no base64":     a.VerifyReply("?", r.Nonce, r.Signature, id),
		"signature no text":  a.VerifyReply(r.Cert, r.Nonce, "?", id),
		"no signature":       a.VerifyReply(r.Cert, r.Nonce, "", id),
		"oversize":           a.VerifyReply(strings.Repeat("A", 1<<20), r.Nonce, r.Signature, id),
		"no nonce of client": (&ServerAuth{}).VerifyReply(r.Cert, r.Nonce, r.Signature, id),
	} {
		require.ErrorIs(t, err, ErrServerAuth, name)
	}
}

func selfSigned(t *testing.T, key crypto.Signer) ([]byte, nodeid.ServerID) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	id, err := nodeid.ServerIDFromPublicKey(key.Public())
	require.NoError(t, err)
	return der, id
}

func TestServerAuthBothSides(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, id := selfSigned(t, key)
	web := []byte("the TLS certificate")

	client, err := NewServerAuth(nil, web)
	require.NoError(t, err)
	server, err := ParseServerAuth(client.Request())
	require.NoError(t, err)
	require.Equal(t, sha512.Sum384(web), server.TLSHash)
	signature, err := server.Sign(nil, key)
	require.NoError(t, err)
	cert, nonce, sig := server.Reply(der, signature)
	require.NoError(t, client.VerifyReply(cert, nonce, sig, id))

	// Two signatures never have the nonce in common.
	before := server.ServerNonce
	_, err = server.Sign(nil, key)
	require.NoError(t, err)
	require.NotEqual(t, before, server.ServerNonce)

	// Other keys.
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, err = server.Sign(nil, ec)
	require.ErrorIs(t, err, ErrServerAuth)
	ecDER, ecID := selfSigned(t, ec)
	require.ErrorIs(t, client.Verify(ecDER, signature, ecID), ErrServerAuth)
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	smallDER, smallID := selfSigned(t, small)
	require.ErrorContains(t, client.Verify(smallDER, signature, smallID), "1024 bits")

	// What has no form, and a source that runs dry.
	hash := hex.EncodeToString(make([]byte, 48))
	for _, bad := range [][2]string{
		{"", hash}, {strings.Repeat("A", 260), hash}, {"?", hash}, {"====", hash}, {"AAAA", ""}, {"AAAA", hash[2:]}, {"AAAA", "x" + hash[1:]},
	} {
		_, err := ParseServerAuth(bad[0], bad[1])
		require.ErrorIs(t, err, ErrServerAuth, bad)
	}
	_, err = NewServerAuth(nil, nil)
	require.ErrorIs(t, err, ErrServerAuth)
	_, err = NewServerAuth(bytes.NewReader(nil), web)
	require.ErrorIs(t, err, io.EOF)
	_, err = server.Sign(bytes.NewReader(nil), key)
	require.ErrorIs(t, err, io.EOF)
	_, err = new(ServerAuth).Sign(nil, key)
	require.ErrorIs(t, err, ErrServerAuth)
}
