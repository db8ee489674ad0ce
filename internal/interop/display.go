package interop

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Displays get numbers from here on; those of people are lower.
const (
	firstDisplay = 100
	lastDisplay  = 999
)

// Display is an X server without a screen of its own, 1024 by 768.
type Display struct {
	// Env is what programs on the display need, an agent included, beside the test's own environment.
	Env []string
}

// StartX starts an X server, until the test ends, and returns when it lets programs in. The display and the file with its
// key are in the server's command line, where an agent may look for them.
func StartX(t testing.TB) *Display {
	t.Helper()
	Require(t, PeerX)
	number, release, err := reserveDisplay()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	name := ":" + strconv.Itoa(number)
	auth := filepath.Join(t.TempDir(), "Xauthority")
	x := &Display{Env: append(cleanEnv(), "DISPLAY="+name, "XAUTHORITY="+auth)}
	key := fmt.Sprintf("%032x", time.Now().UnixNano())
	if out, err := exec.CommandContext(t.Context(), "xauth", "-f", auth, "add", name, ".", key).CombinedOutput(); err != nil {
		t.Fatalf("interop: xauth: %v: %s", err, out)
	}
	// The server writes its number to a descriptor when it is ready. A socket file says nothing: a server that was killed
	// leaves one behind.
	ready, child, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	// Without -noreset it begins anew whenever its last client has gone, and drops one that comes just then.
	cmd := exec.Command("Xvfb", name, "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset", "-auth", auth)
	cmd.Env, cmd.ExtraFiles = x.Env, []*os.File{child}
	server := StartProgram(t, cmd)
	_ = child.Close()
	if err := ready.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(ready).ReadString('\n')
	if err != nil || strings.TrimSpace(said) != name[1:] {
		t.Fatalf("interop: the X server did not say that display %s is ready but %q: %v; it printed %q", name, said, err, lastBytes(server.Log(), shownLog))
	}
	return x
}

// reserveDisplay picks the number of a display that nobody has, as reservePort does with ports.
func reserveDisplay() (number int, release func(), err error) {
	dir, err := lockDir("displays")
	if err != nil {
		return 0, nil, err
	}
	for number := firstDisplay; number <= lastDisplay; number++ {
		unlock, ok, err := tryLockFile(filepath.Join(dir, strconv.Itoa(number)))
		if err != nil {
			return 0, nil, err
		}
		if !ok {
			continue
		}
		if !displayTaken(number) {
			return number, unlock, nil
		}
		unlock()
	}
	return 0, nil, errors.New("interop: no free X display")
}

// displayTaken looks for the lock of an X server that lives, and for the socket, which is all that a server has that has
// been started with -displayfd.
func displayTaken(number int) bool {
	if pid, err := os.ReadFile(fmt.Sprintf("/tmp/.X%d-lock", number)); err == nil && present(filepath.Join("/proc", strings.TrimSpace(string(pid)))) {
		return true
	}
	conn, err := net.Dial("unix", fmt.Sprintf("/tmp/.X11-unix/X%d", number))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// Run starts a program on the display, until the test ends.
func (x *Display) Run(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = x.Env
	StartProgram(t, cmd)
}
