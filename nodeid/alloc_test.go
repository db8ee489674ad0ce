package nodeid_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

func TestNoAllocations(t *testing.T) {
	node, err := nodeid.ParseNodeKey("node/customer1/" + recordedNode)
	require.NoError(t, err)
	mesh, err := nodeid.ParseMeshKey("mesh/customer1/" + recordedMesh)
	require.NoError(t, err)
	legacy, err := nodeid.ParseMeshID(legacyMesh)
	require.NoError(t, err)
	server, err := nodeid.ParseServerID(recordedServerHex)
	require.NoError(t, err)
	uuid, err := nodeid.ParseUUID(uuidText)
	require.NoError(t, err)
	nodeKey, meshKey, nodeHex, meshHex := node.String(), mesh.String(), node.ID.Hex(), "0x"+mesh.ID.Hex()
	buf := make([]byte, 0, 512)
	meshRaw := mesh.ID[:]

	for name, f := range map[string]func() error{
		"NodeID.AppendTo":      func() error { buf = node.ID.AppendTo(buf[:0]); return nil },
		"NodeID.AppendHex":     func() error { buf = node.ID.AppendHex(buf[:0]); return nil },
		"NodeID.AppendEscaped": func() error { buf = node.ID.AppendEscaped(buf[:0]); return nil },
		"MeshID.AppendTo":      func() error { buf = mesh.ID.AppendTo(buf[:0]); return nil },
		"MeshID.AppendEscaped": func() error { buf = mesh.ID.AppendEscaped(buf[:0]); return nil },
		"legacy AppendTo":      func() error { buf = legacy.AppendTo(buf[:0]); return nil },
		"ServerID.AppendTo":    func() error { buf = server.AppendTo(buf[:0]); return nil },
		"ServerID.AppendText":  func() (err error) { buf, err = server.AppendText(buf[:0]); return err },
		"NodeKey.AppendTo":     func() error { buf = node.AppendTo(buf[:0]); return nil },
		"MeshKey.AppendTo":     func() error { buf = mesh.AppendTo(buf[:0]); return nil },
		"UUID.AppendTo":        func() error { buf = uuid.AppendTo(buf[:0]); return nil },
		"Canonical":            func() error { mesh.ID = mesh.ID.Canonical(); return nil },
		"ParseNodeID":          func() error { _, err := nodeid.ParseNodeID(recordedNode); return err },
		"ParseNodeID hex":      func() error { _, err := nodeid.ParseNodeID(nodeHex); return err },
		"ParseNodeID key":      func() error { _, err := nodeid.ParseNodeID(nodeKey); return err },
		"ParseMeshID":          func() error { _, err := nodeid.ParseMeshID(recordedMesh); return err },
		"ParseMeshID hex":      func() error { _, err := nodeid.ParseMeshID(meshHex); return err },
		"ParseMeshID legacy":   func() error { _, err := nodeid.ParseMeshID(legacyMesh); return err },
		"MeshIDFromBytes":      func() error { _, err := nodeid.MeshIDFromBytes(meshRaw); return err },
		"ParseServerID":        func() error { _, err := nodeid.ParseServerID(recordedServerHex); return err },
		"ParseNodeKey":         func() error { _, err := nodeid.ParseNodeKey(nodeKey); return err },
		"ParseMeshKey":         func() error { _, err := nodeid.ParseMeshKey(meshKey); return err },
		"ParseUUID":            func() error { _, err := nodeid.ParseUUID(uuidText); return err },
		"FromUUID":             func() error { node.ID = nodeid.FromUUID(uuid); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if err := f(); err != nil {
					t.Fatal(err)
				}
			}))
		})
	}
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() { _ = node.String() }), "the string itself")
}
