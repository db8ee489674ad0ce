package agentproto

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAgentTable(t *testing.T) {
	n, last := 0, AgentID(0)
	for a := range AgentArchs() {
		require.True(t, n == 0 || a.ID > last, "%d after %d", a.ID, last)
		n, last = n+1, a.ID
		got, ok := LookupAgent(a.ID)
		require.True(t, ok)
		require.Equal(t, a, got)
		require.NotEmpty(t, a.Binary)
		require.NotEmpty(t, a.Description)
		require.Equal(t, a.ID > 10000, a.DownloadOnly())
		switch a.Platform {
		case "win32":
			if a.Core != "" {
				require.Equal(t, CoreWindowsAMT, a.Core)
				require.Equal(t, CoreWindowsTiny, a.CoreFor(CoreTiny))
				require.Equal(t, CoreWindowsRecovery, a.CoreFor(CoreRecovery))
				require.Equal(t, CoreWindowsAgentRecovery, a.CoreFor(CoreAgentRecovery))
			}
		case "node":
			require.Equal(t, CoreNodeJS, a.CoreFor(CoreTiny))
		default:
			require.Equal(t, CoreLinuxTiny, a.CoreFor(CoreTiny))
			require.Equal(t, CoreLinuxRecovery, a.CoreFor(CoreRecovery))
			require.Equal(t, CoreLinuxAgentRecovery, a.CoreFor(CoreAgentRecovery))
		}
	}
	require.Equal(t, 49, n)
	for range AgentArchs() {
		break // the iterator stops when it is told to
	}
	for _, id := range []AgentID{31, 38, 39, 44, 46, 10002, 1 << 31} {
		_, ok := LookupAgent(id)
		require.False(t, ok, id)
	}
	a, _ := LookupAgent(AgentLinux64)
	require.Equal(t, AgentArch{6, "meshagent_x86-64", "Linux x86-64", "linux", true, true, CoreLinuxAMT}, a)
	a, _ = LookupAgent(AgentNodeJS)
	require.False(t, a.NativeUpdate)
	a, _ = LookupAgent(11000)
	require.Empty(t, a.CoreFor(CoreDefault))
	require.Empty(t, a.CoreFor(CoreTiny))
}

func TestAgentIDFor(t *testing.T) {
	for system, want := range map[[2]string]string{
		{"windows", "amd64"}: "MeshService64.exe",
		{"windows", "386"}:   "MeshService.exe",
		{"windows", "arm64"}: "MeshServiceARM64.exe",
		{"linux", "amd64"}:   "meshagent_x86-64",
		{"linux", "386"}:     "meshagent_x86",
		{"linux", "arm"}:     "meshagent_armhf",
		{"linux", "arm64"}:   "meshagent_aarch64",
		{"linux", "mips"}:    "meshagent_mips",
		{"linux", "mipsle"}:  "meshagent_mipsel24kc",
		{"linux", "riscv64"}: "meshagent_riscv64",
		{"darwin", "amd64"}:  "meshagent_osx-x86-64",
		{"darwin", "arm64"}:  "meshagent_osx-arm-64",
		{"freebsd", "amd64"}: "meshagent_freebsd_x86-64",
		{"openbsd", "amd64"}: "meshagent_openbsd_x86-64",
		{"android", "arm64"}: "meshagent_android.apk",
	} {
		id, ok := AgentIDFor(system[0], system[1])
		require.True(t, ok, system)
		a, ok := LookupAgent(id)
		require.True(t, ok)
		require.Equal(t, want, a.Binary, system)
		require.False(t, a.DownloadOnly())
	}
	for _, system := range [][2]string{{"js", "wasm"}, {"plan9", "amd64"}, {"linux", "s390x"}, {"", ""}} {
		id, ok := AgentIDFor(system[0], system[1])
		require.False(t, ok)
		require.Equal(t, AgentNodeJS, id)
	}
}

func TestCapabilities(t *testing.T) {
	require.Equal(t, "console|core|compression", Capabilities(0x118).String())
	require.Equal(t, "desktop|terminal|files|console|core|temporary|recovery|reserved|compression|0x200", Capabilities(0x3ff).String())
	require.Equal(t, "0x0", Capabilities(0).String())
	require.True(t, Capabilities(0x118).Has(CapCore|CapConsole))
	require.False(t, Capabilities(0x118).Has(CapCore|CapFiles))
	require.Equal(t, "virtual", PlatformVirtual.String())
	require.Equal(t, "PlatformType(9)", PlatformType(9).String())
	require.Equal(t, "PlatformType(0)", PlatformType(0).String())
	require.Equal(t, "CoreKind(9)", CoreKind(9).String())
}

func ExampleAgentIDFor() {
	id, native := AgentIDFor("linux", "arm64")
	arch, _ := LookupAgent(id)
	fmt.Println(id, native, arch.Binary, arch.CoreFor(CoreDefault))
	// Output: 32 true meshagent_aarch64 linux-noamt
}
