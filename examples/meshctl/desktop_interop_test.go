package main

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/examples/agent/x11/x11test"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// The screen of a stock native agent, through a stock server.
func TestStockDesktop(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	x := interop.StartX(t)
	for _, entry := range x.Env {
		if name, value, _ := strings.Cut(entry, "="); name == "DISPLAY" || name == "XAUTHORITY" {
			t.Setenv(name, value)
		}
	}
	x11test.Open(t, 500, 400) // from here on it is seen

	s := interop.StartServer(t, interop.ServerOptions{})
	group := s.CreateGroup(t, "lab")
	interop.StartAgent(t, s.MSH(t, group), interop.AgentOptions{Env: x.Env})
	device := s.WaitDevice(t, interop.CoreRuns)
	w := onStock(t, s)
	code, _, stderr := w.run(t.Context(), "runcommand", "--id", device.ID, "--run", "echo up", "--reply")
	require.Equal(t, exitDone, code, stderr)

	path := filepath.Join(t.TempDir(), "screen.png")
	require.Contains(t, w.ok(t, "desktop", "--id", device.ID, "--snapshot", path), "1024x768")
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 1024, 768), img.Bounds())
	for at, red := range map[image.Point]int{{X: 10, Y: 10}: 255, {X: 490, Y: 390}: 255, {X: 510, Y: 10}: 0, {X: 1000, Y: 750}: 0} {
		r, g, b, _ := img.At(at.X, at.Y).RGBA()
		require.InDelta(t, red, r>>8, 12, "%v", at)
		require.InDelta(t, 0, g>>8, 12, "%v", at)
		require.InDelta(t, 0, b>>8, 12, "%v", at)
	}
}
