package nodeid_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

// Identifiers of one recording: a native agent, its group and its server (MeshCentral 1.1.55).
const (
	recordedNode      = "wCZrd0MjQ$HjRjFLT9bu03s5WZBepQrGrOsYuL4Rn5n1YEu9NLcwmeSLVfHzuVii"
	recordedMesh      = "RWs82XpMktNdSeMESDDtbli9X7o6RzXHCTWgRHKJDMTaOZo9UDRK4pxFi$bKnEXE"
	recordedMeshHex   = "456b3cd97a4c92d35d49e3044830ed6e58bd5fba3a4735c70935a04472890cc4da399a3d50344ae29c458bf6ca9c45c4"
	recordedServerHex = "69634754a2334baac4babbce4d063cf1329125b5097391228917bfa48a79d5e4008cce5617f58d440a0c3a98f5bb8f93"
)

// A group id of the SHA-256 era, and what the reference server writes for it into a .msh file: the digits decoded as
// base64 (Buffer.from(id, 'base64').toString('hex'), run in Node).
const (
	legacyMesh       = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef"
	legacyMeshBase64 = "d34d75db6df7e38e79ebaefbf3cf7d69a6db71c75d79e7dfd35db7e39ebbf3d69b71d79fd35db7e39ebbf3d69b71d79f"
)

func TestParseNodeID(t *testing.T) {
	want, err := nodeid.ParseStrictNodeID(recordedNode)
	require.NoError(t, err)
	require.Equal(t, recordedNode, want.String())
	require.False(t, want.IsZero())
	for _, form := range []string{
		recordedNode,
		want.Hex(),
		strings.ToUpper(want.Hex()),
		"0x" + want.Hex(),
		"0X" + strings.ToUpper(want.Hex()),
		"node//" + recordedNode,
		"node/customer1/" + recordedNode,
		"node//" + want.Hex(),
		"node//0x" + want.Hex(),
	} {
		got, err := nodeid.ParseNodeID(form)
		require.NoError(t, err, form)
		require.Equal(t, want, got, form)
	}
}

func TestParseMeshID(t *testing.T) {
	want, err := nodeid.ParseStrictMeshID(recordedMesh)
	require.NoError(t, err)
	require.Equal(t, recordedMeshHex, want.Hex())
	require.Equal(t, recordedMesh, want.String())
	require.False(t, want.Legacy())
	require.Equal(t, want, want.Canonical())
	for _, form := range []string{
		recordedMesh,
		recordedMeshHex,
		"0x" + strings.ToUpper(recordedMeshHex), // as in a .msh file
		"mesh//" + recordedMesh,
		"mesh/customer1/" + recordedMeshHex,
	} {
		got, err := nodeid.ParseMeshID(form)
		require.NoError(t, err, form)
		require.Equal(t, want, got, form)
	}
}

func TestParseServerID(t *testing.T) {
	want, err := nodeid.ParseServerID(strings.ToUpper(recordedServerHex)) // as in a .msh file
	require.NoError(t, err)
	require.Equal(t, recordedServerHex, want.Hex())
	for _, form := range []string{want.String(), recordedServerHex, "0x" + recordedServerHex} {
		got, err := nodeid.ParseServerID(form)
		require.NoError(t, err, form)
		require.Equal(t, want, got, form)
	}
	got, err := nodeid.ParseStrictServerID(want.String())
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = nodeid.ParseStrictServerID(recordedServerHex)
	require.ErrorIs(t, err, nodeid.ErrSyntax)
}

func TestLegacyMeshID(t *testing.T) {
	want, err := nodeid.ParseStrictMeshID(legacyMesh)
	require.NoError(t, err)
	require.True(t, want.Legacy())
	require.Equal(t, legacyMesh, want.String())
	require.Equal(t, legacyMesh, want.Hex())
	require.Equal(t, make([]byte, 16), want[32:])
	for _, form := range []string{
		legacyMesh,
		"mesh//" + legacyMesh,
		"0x" + legacyMesh,
		"0x" + strings.ToUpper(legacyMesh),
		legacyMesh + strings.Repeat("0", 32),
		legacyMeshBase64,
		"0x" + strings.ToUpper(legacyMeshBase64),
	} {
		got, err := nodeid.ParseMeshID(form)
		require.NoError(t, err, form)
		require.Equal(t, want, got, form)
	}
	for _, raw := range []string{legacyMesh, legacyMeshBase64} {
		b, err := hex.DecodeString(raw)
		require.NoError(t, err)
		got, err := nodeid.MeshIDFromBytes(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}

	// The two byte forms have one text, and one canonical value.
	b, err := hex.DecodeString(legacyMeshBase64)
	require.NoError(t, err)
	copied := nodeid.MeshID(b)
	require.NotEqual(t, want, copied)
	require.Equal(t, legacyMesh, copied.String())
	require.Equal(t, want, copied.Canonical())

	// One upper-case letter, and the reference server would not take it for a legacy id.
	got, err := nodeid.ParseMeshID(strings.ToUpper(legacyMesh))
	require.NoError(t, err)
	require.False(t, got.Legacy())
	require.Equal(t, strings.ToUpper(legacyMesh), got.String())
}

func TestParseStrict(t *testing.T) {
	node, err := nodeid.ParseNodeID(recordedNode)
	require.NoError(t, err)
	zeroTail := strings.Repeat("Q", 42) + strings.Repeat("A", 22) // the base64 of a legacy id
	for _, form := range []string{
		"", node.Hex(), "0x" + node.Hex(), "node//" + recordedNode, "mesh//" + recordedMesh, " " + recordedNode,
		recordedNode[1:], recordedNode + "A",
	} {
		_, err := nodeid.ParseStrictNodeID(form)
		require.ErrorIs(t, err, nodeid.ErrSyntax, form)
		_, err = nodeid.ParseStrictMeshID(form)
		require.ErrorIs(t, err, nodeid.ErrSyntax, form)
	}
	_, err = nodeid.ParseStrictMeshID(zeroTail)
	require.ErrorIs(t, err, nodeid.ErrSyntax)
	got, err := nodeid.ParseMeshID(zeroTail)
	require.NoError(t, err)
	require.True(t, got.Legacy())
}

func TestParseRefuses(t *testing.T) {
	node, err := nodeid.ParseNodeID(recordedNode)
	require.NoError(t, err)
	for name, form := range map[string]string{
		"empty":              "",
		"short":              recordedNode[:63],
		"long":               recordedNode + "A",
		"standard base64":    strings.ReplaceAll(recordedNode, "$", "/"),
		"URL base64":         strings.ReplaceAll(recordedNode, "$", "_"),
		"padding":            recordedNode[:63] + "=",
		"line end":           recordedNode[:63] + "\n",
		"line ends":          strings.Repeat("\n", 64),
		"percent":            strings.ReplaceAll(recordedNode, "$", "%24"),
		"blank before":       " " + recordedNode[1:],
		"short hex":          node.Hex()[2:],
		"hex with a g":       node.Hex()[:95] + "g",
		"0x alone":           "0x",
		"0x and base64":      "0x" + recordedNode,
		"0x and short":       "0x" + node.Hex()[2:],
		"two prefixes":       "node//node//" + recordedNode,
		"user":               "user//" + recordedNode,
		"no domain":          "node/" + recordedNode,
		"more parts":         "node///" + recordedNode,
		"domain with blank":  "node/a b/" + recordedNode,
		"domain with markup": "node/<b>/" + recordedNode,
		"domain with NUL":    "node/\x00/" + recordedNode,
		"domain not UTF-8":   "node/\xff/" + recordedNode,
		"domain too long":    "node/" + strings.Repeat("d", nodeid.MaxDomain+1) + "/" + recordedNode,
	} {
		t.Run(name, func(t *testing.T) {
			id, err := nodeid.ParseNodeID(form)
			require.ErrorIs(t, err, nodeid.ErrSyntax)
			require.Zero(t, id)
			group, err := nodeid.ParseMeshID(strings.Replace(form, "node", "mesh", 1))
			require.ErrorIs(t, err, nodeid.ErrSyntax)
			require.Zero(t, group)
		})
	}
	_, err = nodeid.ParseNodeID("mesh//" + recordedMesh)
	require.ErrorIs(t, err, nodeid.ErrSyntax)
	_, err = nodeid.ParseMeshID("node//" + recordedNode)
	require.ErrorIs(t, err, nodeid.ErrSyntax)
}

// TestEveryPrefix: nothing that is cut off is taken for something whole.
func TestEveryPrefix(t *testing.T) {
	key := "mesh/customer1/" + recordedMesh
	for i := range key {
		_, err := nodeid.ParseMeshKey(key[:i])
		require.ErrorIs(t, err, nodeid.ErrSyntax, key[:i])
		_, err = nodeid.ParseMeshID(key[:i])
		require.ErrorIs(t, err, nodeid.ErrSyntax, key[:i])
	}
}

func TestErrorIsShort(t *testing.T) {
	_, err := nodeid.ParseNodeID(strings.Repeat("\x00", 1<<20))
	require.ErrorIs(t, err, nodeid.ErrSyntax)
	require.Less(t, len(err.Error()), 500)
	require.NotContains(t, err.Error(), "\x00")
}

func TestJSON(t *testing.T) {
	type record struct {
		ID     nodeid.NodeID          `json:"id"`
		Key    nodeid.NodeKey         `json:"key"`
		Group  nodeid.MeshKey         `json:"group"`
		Server nodeid.ServerID        `json:"server"`
		Names  map[nodeid.NodeID]bool `json:"names"`
		Legacy nodeid.MeshID          `json:"legacy"`
		UUID   nodeid.UUID            `json:"uuid"`
	}
	const text = `{"id":"` + recordedNode + `","key":"node//` + recordedNode + `","group":"mesh/d1/` + recordedMesh +
		`","server":"aWNHVKIzS6rEurvOTQY88TKRJbUJc5EiiRe$pIp51eQAjM5WF$WNRAoMOpj1u4@T","names":{"` + recordedNode +
		`":true},"legacy":"` + legacyMesh + `","uuid":"00112233-4455-6677-8899-aabbccddeeff"}`
	var r record
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	require.Equal(t, recordedServerHex, r.Server.Hex())
	require.Equal(t, "d1", r.Group.Domain)
	got, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, text, string(got))

	before := r
	require.Error(t, json.Unmarshal([]byte(`{"id":"x"}`), &r))
	require.Error(t, json.Unmarshal([]byte(`{"key":"node//x"}`), &r))
	require.Equal(t, before, r, "refused text changes nothing")
}

func TestNewMeshID(t *testing.T) {
	a, err := nodeid.NewMeshID(nil)
	require.NoError(t, err)
	b, err := nodeid.NewMeshID(nil)
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	require.False(t, a.Legacy())

	id, err := nodeid.NewMeshID(strings.NewReader(strings.Repeat("z", 48)))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("7a", 48), id.Hex())

	_, err = nodeid.NewMeshID(strings.NewReader("short"))
	require.Error(t, err)
	_, err = nodeid.NewMeshID(iotest.ErrReader(bytes.ErrTooLarge))
	require.ErrorIs(t, err, bytes.ErrTooLarge)
	_, err = nodeid.NewMeshID(bytes.NewReader(make([]byte, 48)))
	require.Error(t, err, "zeros are not random")
}

func TestMeshIDFromBytes(t *testing.T) {
	for n := range 64 {
		_, err := nodeid.MeshIDFromBytes(make([]byte, n))
		if n == 32 || n == 48 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, nodeid.ErrSyntax)
		}
	}
}

func TestEscaped(t *testing.T) {
	node, err := nodeid.ParseNodeID(recordedNode)
	require.NoError(t, err)
	require.Equal(t, "wCZrd0MjQ%24HjRjFLT9bu03s5WZBepQrGrOsYuL4Rn5n1YEu9NLcwmeSLVfHzuVii", string(node.AppendEscaped(nil)))
	mesh, err := nodeid.ParseMeshID("TKz3qQJGGfAi@o7oVcSpMoJQKXEvpkX1FRUsKRRCB4@uptJKaaTlEC3VGhbDeOkT")
	require.NoError(t, err)
	require.Equal(t, "x=TKz3qQJGGfAi%40o7oVcSpMoJQKXEvpkX1FRUsKRRCB4%40uptJKaaTlEC3VGhbDeOkT", string(mesh.AppendEscaped([]byte("x="))))
}

func TestCompare(t *testing.T) {
	a, b := nodeid.NodeID{1}, nodeid.NodeID{2}
	require.Negative(t, a.Compare(b))
	require.Positive(t, b.Compare(a))
	require.Zero(t, a.Compare(a))
	require.Negative(t, nodeid.MeshID{1}.Compare(nodeid.MeshID{1, 1}))
	require.Positive(t, nodeid.ServerID{2}.Compare(nodeid.ServerID{1, 9}))
}
