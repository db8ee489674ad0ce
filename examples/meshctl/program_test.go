package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto/controltest"
)

// build makes the program as its users have it.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "meshctl")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// command runs it with nothing of this machine's settings.
func command(t *testing.T, s *controltest.Server, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "APPDATA="+home, "MESHCTL_URL="+s.URL, "MESHCTL_PIN="+pinOf(s.Certificate().Raw),
		"MESHCTL_PROFILE=", "MESHCTL_USER=", "MESHCTL_PASSWORD=", "MESHCTL_LOGINKEY=", "MESHCTL_LOGINKEYFILE=")
	return cmd
}

// The program itself: its exit codes and its two outputs.
func TestProgram(t *testing.T) {
	s := furnished(t)
	path := build(t)
	for password, code := range map[string]int{controltest.Password: exitDone, "wrong": exitRefused, "": exitUsage} {
		cmd := command(t, s, path, "listdevices", "--csv")
		cmd.Env = append(cmd.Env, "MESHCTL_PASSWORD="+password)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if code != exitDone {
			require.ErrorAs(t, err, &exit)
			require.Equal(t, code, exit.ExitCode())
			require.Contains(t, stderr.String(), "meshctl: ")
			require.Empty(t, stdout.String())
			continue
		}
		require.NoError(t, err, stderr.String())
		require.Contains(t, stdout.String(), "pc1")
		require.Empty(t, stderr.String())
	}
}
