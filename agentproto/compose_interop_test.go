//go:build !js

package agentproto_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// TestComposeStockCores composes every core from the real folder. The lengths and hashes are those that MeshCentral 1.1.55
// computes of them (meshcentral.js, updateMeshCore, was run for all 18).
func TestComposeStockCores(t *testing.T) {
	agents := os.DirFS(interop.AgentsDir(t))
	for _, want := range []struct {
		minified bool
		name     agentproto.CoreName
		length   int
		hash     string
	}{
		{false, agentproto.CoreWindowsAMT, 670716, "1ec1cc0accffe31f"},
		{false, agentproto.CoreLinuxAMT, 594962, "04f0decbd56fac57"},
		{false, agentproto.CoreLinuxNoAMT, 494426, "3f1074061cc06170"},
		{false, agentproto.CoreWindowsRecovery, 137782, "28421a74b3d96d3d"},
		{false, agentproto.CoreLinuxRecovery, 82170, "38d8340bcddbb0e6"},
		{false, agentproto.CoreWindowsAgentRecovery, 61977, "6d764fa3111d3bbf"},
		{false, agentproto.CoreLinuxAgentRecovery, 6365, "8414d5d4d4658b17"},
		{false, agentproto.CoreWindowsTiny, 6305, "ac7704de2697d2ec"},
		{false, agentproto.CoreLinuxTiny, 6305, "ac7704de2697d2ec"},
		{true, agentproto.CoreWindowsAMT, 424349, "c134e71b18a56625"},
		{true, agentproto.CoreLinuxAMT, 410895, "648788b7487f67bc"},
		{true, agentproto.CoreLinuxNoAMT, 370771, "c12d613855c85867"},
		{true, agentproto.CoreWindowsRecovery, 104663, "a26764eb4844c90f"},
		{true, agentproto.CoreLinuxRecovery, 82170, "38d8340bcddbb0e6"},
		{true, agentproto.CoreWindowsAgentRecovery, 28858, "d749d3f22fc27dde"},
		{true, agentproto.CoreLinuxAgentRecovery, 6365, "8414d5d4d4658b17"},
		{true, agentproto.CoreWindowsTiny, 6305, "ac7704de2697d2ec"},
		{true, agentproto.CoreLinuxTiny, 6305, "ac7704de2697d2ec"},
	} {
		blob, err := agentproto.CoreSource{Agents: agents, Minified: want.minified}.Compose(want.name)
		require.NoError(t, err)
		hash := agentproto.HashCore(blob)
		require.Equal(t, want.length, len(blob), "%s, minified %t", want.name, want.minified)
		require.Equal(t, want.hash, hex.EncodeToString(hash[:8]), "%s, minified %t", want.name, want.minified)
	}
}

// TestStockExecutableHashes compares with MeshCentral's hashes (exeHandler.js, hashExecutableFile, was run); that of the
// Linux program is also what the recorded agent says of itself in command 12.
func TestStockExecutableHashes(t *testing.T) {
	dir := interop.AgentsDir(t)
	for name, want := range map[string]string{
		"meshagent_x86-64":     "434bf98c5d4f394c",
		"meshagent_osx-arm-64": "cfe022146f2ed61e",
		"MeshService64.exe":    "168572e0999089de",
		"MeshService.exe":      "a28899c93ae7273c",
		"MeshServiceARM64.exe": "5d49143b18a7af6b",
		"MeshCmd.exe":          "7c78c5895e259601",
	} {
		f, err := os.Open(filepath.Join(dir, name))
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		hash, err := agentproto.ExecutableHash(f, info.Size())
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, want, hex.EncodeToString(hash[:8]), name)
	}
}
