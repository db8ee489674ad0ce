package nodeid_test

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

func FuzzParseNodeID(f *testing.F) {
	f.Add(recordedNode)
	f.Add("node//" + recordedNode)
	f.Add("node/customer1/0x" + recordedMeshHex)
	f.Fuzz(func(t *testing.T, s string) {
		id, err := nodeid.ParseNodeID(s)
		strict, strictErr := nodeid.ParseStrictNodeID(s)
		if err != nil {
			require.ErrorIs(t, err, nodeid.ErrSyntax)
			require.ErrorIs(t, strictErr, nodeid.ErrSyntax, "strict takes nothing that tolerant does not")
			require.Zero(t, id)
			return
		}
		if strictErr == nil {
			require.Equal(t, id, strict)
			require.Equal(t, s, strict.String())
		}
		unescaped, err := url.QueryUnescape(string(id.AppendEscaped(nil)))
		require.NoError(t, err)
		require.Equal(t, id.String(), unescaped)
		if uuid, ok := id.UUID(); ok {
			require.Equal(t, id, nodeid.FromUUID(uuid))
		}
		for _, form := range []string{id.String(), id.Hex(), "0x" + id.Hex(), nodeid.NodeKey{ID: id}.String()} {
			again, err := nodeid.ParseNodeID(form)
			require.NoError(t, err)
			require.Equal(t, id, again)
		}
	})
}

// FuzzFromCertificateDER: a certificate has one identifier, whoever parses it.
func FuzzFromCertificateDER(f *testing.F) {
	der := readCertificate(f, "agent-cert.pem")
	f.Add(der)
	f.Add(readCertificate(f, "agentserver-cert.pem"))
	f.Add(readCertificate(f, "web-cert.pem"))
	cert, err := x509.ParseCertificate(der)
	require.NoError(f, err)
	for _, key := range otherSpellings(f, cert.PublicKey.(*rsa.PublicKey)) {
		f.Add(withSPKI(f, der, rsaSPKI(f, key)))
	}
	f.Add(selfSigned(f, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))))
	f.Fuzz(func(t *testing.T, der []byte) {
		id, err := nodeid.FromCertificateDER(der)
		server, serverErr := nodeid.ServerIDFromCertificateDER(der)
		if err != nil {
			require.ErrorIs(t, err, nodeid.ErrKey)
			require.ErrorIs(t, serverErr, nodeid.ErrKey)
			require.Zero(t, id)
			return
		}
		require.NoError(t, serverErr)
		require.Equal(t, id.Hex(), server.Hex())
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		if same, err := nodeid.FromCertificate(cert); err == nil {
			require.Equal(t, same, id)
		}
	})
}

func FuzzParseMeshID(f *testing.F) {
	f.Add(recordedMesh)
	f.Add(recordedMeshHex)
	f.Add(legacyMesh)
	f.Add(legacyMeshBase64)
	f.Add("mesh/customer1/0x" + strings.ToUpper(legacyMesh))
	f.Fuzz(func(t *testing.T, s string) {
		id, err := nodeid.ParseMeshID(s)
		strict, strictErr := nodeid.ParseStrictMeshID(s)
		if err != nil {
			require.ErrorIs(t, err, nodeid.ErrSyntax)
			require.ErrorIs(t, strictErr, nodeid.ErrSyntax, "strict takes nothing that tolerant does not")
			require.Zero(t, id)
			return
		}
		if strictErr == nil {
			require.Equal(t, id, strict)
			require.Equal(t, s, strict.String())
		}
		require.Equal(t, id, id.Canonical(), "one value for a group")
		for _, form := range []string{id.String(), "0x" + id.Hex(), nodeid.MeshKey{ID: id}.String()} {
			again, err := nodeid.ParseMeshID(form)
			require.NoError(t, err)
			require.Equal(t, id, again)
		}
		again, err := nodeid.MeshIDFromBytes(id[:])
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}

func FuzzParseServerID(f *testing.F) {
	f.Add(recordedServerHex)
	f.Add(recordedNode)
	f.Fuzz(func(t *testing.T, s string) {
		id, err := nodeid.ParseServerID(s)
		strict, strictErr := nodeid.ParseStrictServerID(s)
		if err != nil {
			require.ErrorIs(t, err, nodeid.ErrSyntax)
			require.ErrorIs(t, strictErr, nodeid.ErrSyntax, "strict takes nothing that tolerant does not")
			require.Zero(t, id)
			return
		}
		if strictErr == nil {
			require.Equal(t, id, strict)
			require.Equal(t, s, strict.String())
		}
		for _, form := range []string{id.String(), id.Hex(), strings.ToUpper(id.Hex())} {
			again, err := nodeid.ParseServerID(form)
			require.NoError(t, err)
			require.Equal(t, id, again)
		}
	})
}

// FuzzParseKeys: what is taken is written back as it was, so that no key has two spellings.
func FuzzParseKeys(f *testing.F) {
	f.Add("node//" + recordedNode)
	f.Add("mesh/customer1/" + recordedMesh)
	f.Add("mesh//" + legacyMesh)
	f.Fuzz(func(t *testing.T, s string) {
		if key, err := nodeid.ParseNodeKey(s); err == nil {
			require.Equal(t, s, key.String())
			require.NoError(t, nodeid.CheckDomain(key.Domain))
		} else {
			require.ErrorIs(t, err, nodeid.ErrSyntax)
		}
		if key, err := nodeid.ParseMeshKey(s); err == nil {
			require.Equal(t, s, key.String())
			require.NoError(t, nodeid.CheckDomain(key.Domain))
		} else {
			require.ErrorIs(t, err, nodeid.ErrSyntax)
		}
		if uuid, err := nodeid.ParseUUID(s); err == nil {
			require.Equal(t, strings.ToLower(s), uuid.String())
			require.Equal(t, uuid, nodeid.UUIDFromGUID(uuid.GUID()))
		} else {
			require.ErrorIs(t, err, nodeid.ErrSyntax)
		}
	})
}
