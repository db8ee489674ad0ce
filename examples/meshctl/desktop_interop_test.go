package main

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// The screen of a stock native agent, through a stock server.
func TestStockDesktop(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	for _, program := range []string{"Xvfb", "xauth", "xlogo"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	display := fmt.Sprintf(":%d", 1000+os.Getpid()%900)
	auth := filepath.Join(t.TempDir(), "Xauthority")
	env := append(os.Environ(), "DISPLAY="+display, "XAUTHORITY="+auth)
	out, err := exec.CommandContext(t.Context(), "xauth", "-f", auth, "add", display, ".", fmt.Sprintf("%032x", time.Now().UnixNano())).CombinedOutput()
	require.NoError(t, err, string(out))
	interop.StartProgram(t, exec.Command("Xvfb", display, "-screen", "0", "1024x768x24", "-auth", auth))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat("/tmp/.X11-unix/X" + display[1:]); err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the X server did not start")
		}
	}
	logo := exec.Command("xlogo", "-geometry", "500x400+100+60", "-fg", "red", "-bg", "#30a0e0")
	logo.Env = env
	interop.StartProgram(t, logo)

	s := interop.StartServer(t, interop.ServerOptions{})
	group := s.CreateGroup(t, "lab")
	interop.StartAgent(t, s.MSH(t, group), interop.AgentOptions{Env: env})
	device := s.WaitDevice(t, interop.Online)
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
