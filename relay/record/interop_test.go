//go:build !js

package record

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// imageSizeModule stands in for the package "image-size", which mcrec.js would otherwise install into the folder of the
// stock server. It finds the size in a JPEG's frame header.
const imageSizeModule = `
exports.imageSize = function (b) {
  for (var i = 2; i + 9 < b.length; i += 2 + b.readUInt16BE(i + 2)) {
    if (b[i + 1] >= 0xC0 && b[i + 1] <= 0xC2) return { height: b.readUInt16BE(i + 5), width: b.readUInt16BE(i + 7) };
  }
  throw new Error('no size');
};`

// TestStockIndexer: mcrec.js accepts our recording, and makes the index that we make.
func TestStockIndexer(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	dir := t.TempDir()
	module := filepath.Join(dir, "modules", "image-size")
	require.NoError(t, os.MkdirAll(module, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(module, "index.js"), []byte(imageSizeModule), 0o600))
	file := filepath.Join(dir, "ours.mcrec")
	ours := desktop(t, WriterConfig{})
	require.NoError(t, os.WriteFile(file, ours.b, 0o600))

	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(interop.PackageDir(t), "mcrec.js"), file)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Dir(module))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Done.")

	indexed, err := os.ReadFile(file)
	require.NoError(t, err)
	_, err = AddIndex(ours, int64(len(ours.b)))
	require.NoError(t, err)
	require.Equal(t, ours.b, indexed)
}

// TestStockRecorder: a stock server records a terminal of a stock agent, and we play what it wrote.
func TestStockRecorder(t *testing.T) {
	dir := t.TempDir()
	s := interop.StartServer(t, interop.ServerOptions{Domain: map[string]any{"sessionRecording": map[string]any{"filepath": dir}}})
	group := s.CreateGroup(t, "recorded")
	interop.StartAgent(t, s.MSH(t, group), interop.AgentOptions{})
	device := s.WaitDevice(t, interop.CoreRuns)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	conn := s.OpenTunnel(t, s.Control(t), device.ID, 1)
	defer conn.Close(0, "")
	sent := []string{`{"ctrlChannel":"102938","type":"options","cols":80,"rows":25}`, "1", "echo $((6*7)); exit\r"}
	for i, text := range sent {
		typ := msgconn.Text
		if i == 2 {
			typ = msgconn.Binary
			_, _, err := conn.ReadMessage(ctx) // the shell is there
			require.NoError(t, err)
		}
		require.NoError(t, conn.WriteMessage(ctx, typ, []byte(text)))
	}
	for {
		if _, _, err := conn.ReadMessage(ctx); err != nil {
			require.NoError(t, ctx.Err())
			break // the shell has ended, and with it the tunnel
		}
	}

	b := finished(ctx, t, dir)
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	m := r.Metadata()
	require.Equal(t, 1, m.Protocol)
	require.Equal(t, device.ID, m.NodeID)
	require.Equal(t, "user//"+interop.User, m.UserID)
	require.NotEmpty(t, m.DeviceName)
	all := blocks(t, r)
	var fromUser []string
	for _, b := range all {
		if b.From() == User {
			fromUser = append(fromUser, string(b.Payload))
		}
	}
	require.Equal(t, sent, fromUser)
	require.Contains(t, terminalOutput(all), "42")
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join("testdata", "stock-terminal.mcrec"), b, 0o600))
	}
}

// finished waits for the recording that is written into a folder: its end comes five seconds after the session's.
func finished(ctx context.Context, t *testing.T, dir string) []byte {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		names, err := filepath.Glob(filepath.Join(dir, "*.mcrec"))
		require.NoError(t, err)
		if len(names) == 1 {
			b, err := os.ReadFile(names[0])
			require.NoError(t, err)
			if strings.HasSuffix(string(b), endPlain) {
				return b
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.FailNow(t, "no finished recording", "%v", names)
		}
	}
}
