//go:build !(linux || darwin || freebsd)

package interop

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

// processGroups says that there are no process groups: Require ends every test
// before a stock peer is started. A Program is ended without its descendants.
const processGroups = false

// hangUp has no other meaning here.
var hangUp = os.Kill

func ownGroup(*exec.Cmd) {}

func askGroup(pid int) { killGroup(pid) }

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // an error says that it is gone
	}
}

func groupMembers(int) ([]int, error) { return nil, nil }

func endGroup(int, time.Duration) error { return nil }

func openTerminal() (master, slave *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}
