package interop

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestStartX has two displays at once, one of which a dead server has left traces of.
func TestStartX(t *testing.T) {
	Require(t, PeerX)
	number, release, err := reserveDisplay()
	if err != nil {
		t.Fatal(err)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/tmp/.X11-unix/X%d", "/tmp/.X%d-lock"} {
		name = fmt.Sprintf(name, number)
		if err := os.MkdirAll("/tmp/.X11-unix", 0o1777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, fmt.Appendf(nil, "%10d\n", gone.Process.Pid), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The socket goes with the server.
	t.Cleanup(func() { _ = os.Remove(fmt.Sprintf("/tmp/.X%d-lock", number)) })
	release()
	one, two := StartX(t), StartX(t)
	if slices.Equal(one.Env, two.Env) {
		t.Errorf("both displays are %q", one.Env[len(one.Env)-2:])
	}
	for _, x := range []*Display{one, two} {
		display := strings.TrimPrefix(x.Env[len(x.Env)-2], "DISPLAY=:")
		if number, err := strconv.Atoi(display); err != nil || !displayTaken(number) {
			t.Errorf("display %q is not known as taken", display)
		}
		// It ends at once if it is not let in.
		cmd := exec.Command("xwd", "-root", "-silent")
		cmd.Env = x.Env
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out[:min(len(out), 200)]), "xwdump") {
			t.Errorf("xwd: %v, %d bytes, %q", err, len(out), stderr.String())
		}
	}
}
