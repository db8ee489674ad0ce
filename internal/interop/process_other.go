//go:build !(linux || darwin || freebsd)

package interop

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"time"
)

// processGroups says that peers cannot be run here: Require ends every test
// before one is started.
const processGroups = false

func ownGroup(*exec.Cmd) {}
func askGroup(int)       {}
func killGroup(int)      {}

func hangUp(int) error { return errors.ErrUnsupported }

func groupMembers(int) ([]int, error) { return nil, nil }

func endGroup(int, time.Duration) error { return nil }

func attachTerminal(io.Writer) (<-chan struct{}, *os.File, error) {
	return nil, nil, errors.ErrUnsupported
}
