package main

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// The screen of a stock native agent, through a stock server.
func TestStockDesktop(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	x := interop.StartX(t)
	x.Run(t, "xlogo", "-geometry", "500x400+100+60", "-fg", "red", "-bg", "#30a0e0")

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
	r, g, b, _ := img.At(105, 450).RGBA() // the corner of the logo
	require.InDelta(t, 0x30, r>>8, 12)
	require.InDelta(t, 0xA0, g>>8, 12)
	require.InDelta(t, 0xE0, b>>8, 12)
}
