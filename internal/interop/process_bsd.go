//go:build darwin || freebsd

package interop

import (
	"errors"
	"os"
	"syscall"
)

// dieWithParent does nothing: there is no such signal here. The server still
// ends with the test binary, because it watches its standard input.
func dieWithParent(*syscall.SysProcAttr) {}

// groupMembers returns the group's leader while the group exists.
func groupMembers(pgid int) ([]int, error) {
	err := syscall.Kill(-pgid, 0)
	if errors.Is(err, syscall.ESRCH) {
		return nil, nil
	}
	return []int{pgid}, nil
}

func openTerminal() (master, slave *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}
