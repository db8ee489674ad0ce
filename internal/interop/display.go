package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Display is an X server without a screen of its own, 1024 by 768.
type Display struct {
	// Env is what programs on the display need, an agent included, beside the test's own environment.
	Env []string
}

// StartX starts an X server, until the test ends. An agent finds the display and its key in that program's command line.
func StartX(t testing.TB) *Display {
	t.Helper()
	Require(t, PeerX)
	name := fmt.Sprintf(":%d", 100+os.Getpid()%30000)
	auth := filepath.Join(t.TempDir(), "Xauthority")
	x := &Display{Env: append(os.Environ(), "DISPLAY="+name, "XAUTHORITY="+auth)}
	key := fmt.Sprintf("%032x", time.Now().UnixNano())
	if out, err := exec.CommandContext(t.Context(), "xauth", "-f", auth, "add", name, ".", key).CombinedOutput(); err != nil {
		t.Fatalf("interop: xauth: %v: %s", err, out)
	}
	x.Run(t, "Xvfb", name, "-screen", "0", "1024x768x24", "-auth", auth)
	limit := time.After(startTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat("/tmp/.X11-unix/X" + name[1:]); err == nil {
			return x
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("interop: the X server did not start")
		}
	}
}

// Run starts a program on the display, until the test ends.
func (x *Display) Run(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = x.Env
	StartProgram(t, cmd)
}
