package nodeid_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

// What the MPS of MeshCentral 1.1.55 makes of a UUID: on the wire, as text, as device.
const (
	uuidWire = "33221100554477668899aabbccddeeff"
	uuidText = "00112233-4455-6677-8899-aabbccddeeff"
	uuidNode = "node//ABEiM0RVZneImaq7zN3u$wARIjNEVWZ3iJmqu8zd7v8AESIzRFVmd4iZqrvM3e7$"
)

func TestUUID(t *testing.T) {
	wire, err := hex.DecodeString(uuidWire)
	require.NoError(t, err)
	uuid := nodeid.UUIDFromGUID([16]byte(wire))
	require.Equal(t, uuidText, uuid.String())
	require.Equal(t, [16]byte(wire), uuid.GUID())
	require.Equal(t, uuidNode, nodeid.NodeKey{ID: nodeid.FromUUID(uuid)}.String())

	for _, s := range []string{uuidText, strings.ToUpper(uuidText)} {
		got, err := nodeid.ParseUUID(s)
		require.NoError(t, err)
		require.Equal(t, uuid, got)
	}
	got, ok := nodeid.FromUUID(uuid).UUID()
	require.True(t, ok)
	require.Equal(t, uuid, got)
}

func TestUUIDOfAKey(t *testing.T) {
	node, err := nodeid.ParseNodeID(recordedNode)
	require.NoError(t, err)
	_, ok := node.UUID()
	require.False(t, ok)
	_, ok = nodeid.NodeID{}.UUID()
	require.False(t, ok, "the zero value names nothing")
}

func TestParseUUIDRefuses(t *testing.T) {
	for i := range uuidText {
		_, err := nodeid.ParseUUID(uuidText[:i])
		require.ErrorIs(t, err, nodeid.ErrSyntax)
		bad := []byte(uuidText)
		bad[i] = 'x'
		_, err = nodeid.ParseUUID(string(bad))
		require.ErrorIs(t, err, nodeid.ErrSyntax)
	}
	for _, s := range []string{"{" + uuidText + "}", strings.ReplaceAll(uuidText, "-", ""), uuidText + "0"} {
		_, err := nodeid.ParseUUID(s)
		require.ErrorIs(t, err, nodeid.ErrSyntax)
	}
}
