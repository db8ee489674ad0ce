package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// Files and a shell of a stock native agent, through the server of this module.
func TestOwnServer(t *testing.T) {
	interop.Require(t, interop.PeerAgent)
	program := filepath.Join(t.TempDir(), "server")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../server").CombinedOutput()
	require.NoError(t, err, string(out))
	data, port := filepath.Join(t.TempDir(), "data"), interop.FreePort(t)
	server := interop.StartProgram(t, exec.Command(program, "-data", data, "-listen", fmt.Sprintf("127.0.0.1:%d", port),
		"-admin", interop.User+":"+interop.Password, "-core", interop.AgentsDir(t)))
	server.WaitLog(t, "Connect the agent of this module")
	msh, err := os.ReadFile(filepath.Join(data, "default.msh"))
	require.NoError(t, err)
	interop.StartAgent(t, msh, interop.AgentOptions{})
	server.WaitLog(t, `msg="core stable"`)

	w := newWorld(t)
	w.now, w.flags = time.Now, []string{"--wait", busyTime.String()}
	w.env["MESHCTL_URL"], w.env["MESHCTL_PIN"] = fmt.Sprintf("wss://127.0.0.1:%d", port), pinOf(webCertificate(t, data))
	w.env["MESHCTL_USER"], w.env["MESHCTL_PASSWORD"] = interop.User, interop.Password
	name := runningDevice(t, w)

	far := t.TempDir()
	for _, size := range []int{0, 3_000_000} {
		content := noise(size)
		local := write(t, "up.bin", string(content), 0o600)
		w.ok(t, "upload", "--id", name, "--file", local, "--target", far)
		near := filepath.Join(t.TempDir(), "down.bin")
		w.ok(t, "download", "--id", name, "--file", far+"/up.bin", "--target", near)
		back, err := os.ReadFile(near)
		require.NoError(t, err)
		require.True(t, string(content) == string(back), size)
	}
	code, _, _ := w.run(t.Context(), "download", "--id", name, "--file", far+"/missing", "--target", filepath.Join(far, "missing"))
	require.Equal(t, exitRefused, code)

	if runtime.GOOS == "linux" {
		w.inTerminal, w.outTerminal = true, true
		w.rawTerminal = func() (func(), error) { return func() {}, nil }
		w.terminalSize = func() (int, int) { return 80, 25 }
		w.resized = resized
		keys, typed := io.Pipe()
		w.reads(keys)
		go func() { _, _ = typed.Write([]byte("echo shell$((1+1)); exit\n")) }()
		require.Contains(t, w.ok(t, "shell", "--id", name), "shell2")
		require.NoError(t, typed.Close())
	}
}

// runningDevice waits until the one device's core, which does what operators ask for, has reported, and returns the device's id.
func runningDevice(t *testing.T, w *world) string {
	t.Helper()
	for deadline := time.Now().Add(busyTime); ; {
		var devices []interop.Device
		list := w.ok(t, "listdevices", "--json")
		require.NoError(t, json.Unmarshal([]byte(list), &devices))
		require.Len(t, devices, 1)
		if interop.CoreRuns(devices[0]) {
			return devices[0].ID
		}
		require.True(t, time.Now().Before(deadline), "the core does not run: %s", list)
	}
}

// webCertificate reads the TLS certificate of a server in its data folder.
func webCertificate(t *testing.T, data string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "webserver-cert-public.crt"))
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	_, err = x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return block.Bytes
}
