package nodeid_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

func TestNodeKey(t *testing.T) {
	for _, domain := range []string{"", "customer1", "käse-3", strings.Repeat("d", nodeid.MaxDomain)} {
		s := "node/" + domain + "/" + recordedNode
		key, err := nodeid.ParseNodeKey(s)
		require.NoError(t, err)
		require.Equal(t, domain, key.Domain)
		require.Equal(t, recordedNode, key.ID.String())
		require.Equal(t, s, key.String())
		require.False(t, key.IsZero())
	}
}

func TestMeshKey(t *testing.T) {
	for _, id := range []string{recordedMesh, legacyMesh} {
		s := "mesh/customer1/" + id
		key, err := nodeid.ParseMeshKey(s)
		require.NoError(t, err)
		require.Equal(t, "customer1", key.Domain)
		require.Equal(t, s, key.String())
	}
}

// TestKeysAreStrict: two spellings of one device must not be two keys of a database.
func TestKeysAreStrict(t *testing.T) {
	node, err := nodeid.ParseNodeID(recordedNode)
	require.NoError(t, err)
	for _, s := range []string{
		recordedNode,
		"node//" + node.Hex(),
		"node//0x" + node.Hex(),
		"Node//" + recordedNode,
		"node/" + recordedNode,
		"node//" + recordedNode + "/",
		"mesh//" + recordedNode,
	} {
		_, err := nodeid.ParseNodeKey(s)
		require.ErrorIs(t, err, nodeid.ErrSyntax, s)
	}
	for _, s := range []string{"mesh//" + strings.ToUpper("0x"+legacyMesh), "mesh//0x" + recordedMeshHex, "node//" + recordedMesh} {
		_, err := nodeid.ParseMeshKey(s)
		require.ErrorIs(t, err, nodeid.ErrSyntax, s)
	}
}

func TestCheckDomain(t *testing.T) {
	for _, name := range []string{"", "customer1", "a.b-c_d", "日本", strings.Repeat("x", 64)} {
		require.NoError(t, nodeid.CheckDomain(name), name)
	}
	for _, name := range []string{
		" ", "a b", "a/b", `a\b`, "a\x00", "a\u200b", "a\u2028b", "\xc3", "a%2f", "a?b", "a#b", "<b>", `"`,
		strings.Repeat("x", 65), "a\u202eb",
	} {
		require.ErrorIs(t, nodeid.CheckDomain(name), nodeid.ErrSyntax, "%q", name)
	}
}
