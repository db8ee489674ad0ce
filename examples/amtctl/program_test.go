package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// buildProgram makes the program as its users have it.
func buildProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "amtctl")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// command runs it with nothing of this machine's settings.
func command(t *testing.T, password, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "AMTCTL_PASSWORD="+password, "AMTCTL_HOST=", "AMTCTL_URL=", "AMTCTL_DEVICE=", "AMTCTL_USER=")
	return cmd
}

// The program itself: its exit codes, its two outputs, a pipe through a console, and Ctrl-C.
func TestProgram(t *testing.T) {
	m := newMachine(t, wsmantest.Config{SOL: shell})
	path := buildProgram(t)
	for secret, code := range map[string]int{password: exitDone, "Wr0ng-Secret!": exitRefused, "": exitUsage} {
		cmd := command(t, secret, path, m.at("power")...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if code != exitDone {
			require.ErrorAs(t, err, &exit)
			require.Equal(t, code, exit.ExitCode())
			require.Contains(t, stderr.String(), "amtctl: ")
			require.Empty(t, stdout.String())
			continue
		}
		require.NoError(t, err, stderr.String())
		require.Equal(t, "on (S0)\n", stdout.String())
		require.Empty(t, stderr.String())
	}

	cmd := command(t, password, path, m.at("sol", "--linger", "0")...)
	cmd.Stdin = strings.NewReader("a pipe\n")
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "login: hello a pipe\n", string(out))

	if runtime.GOOS == "windows" {
		return // signals are another thing there
	}
	cmd = command(t, password, path, m.at("ider", "--start", "now", "--iso", write(t, "disk.iso", noise(1<<20)))...)
	var stdout, stderr bytes.Buffer
	ready := &noted{&stderr, "the drives are there", make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &stdout, ready
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ready.came: // the host may have read the image before the program has said that it can
	case err := <-ended:
		require.FailNow(t, "the program has ended", "%v: %s", err, stderr.String())
	}
	require.NoError(t, m.Wait(t.Context(), func() bool { return len(m.Media()) == 1 }))
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, <-ended, "%s", &stderr)
	require.Contains(t, stdout.String(), "1048576")
}
