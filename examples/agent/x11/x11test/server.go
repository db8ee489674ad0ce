package x11test

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// StartX starts an X server that lets in who is on this machine, with a screen such as 640x480x24, and makes it the display of
// the test and of the programs it starts. It ends with the test.
func StartX(t *testing.T, screen string) *interop.Program {
	t.Helper()
	interop.Require(t, interop.PeerX)
	number, printed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer number.Close()
	// Without -r a key that is held for long repeats, and on a machine that is busy every key is.
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", screen, "-nolisten", "tcp", "-noreset", "-r")
	cmd.ExtraFiles = []*os.File{printed}
	server := interop.StartProgram(t, cmd)
	_ = printed.Close() // the server's is another, and reading fails if that is closed
	line, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		t.Fatalf("the X server did not start: %v: %s", err, server.Log())
	}
	n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DISPLAY", ":"+strconv.FormatUint(n, 10))
	t.Setenv("XAUTHORITY", t.TempDir()+"/none")
	return server
}
