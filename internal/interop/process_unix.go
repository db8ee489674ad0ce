//go:build linux || darwin || freebsd

package interop

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// processGroups says that peers can be run and ended here.
const processGroups = true

func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
}

// askGroup and killGroup ignore the error: a group that is gone is what they want.
func askGroup(pgid int)  { _ = syscall.Kill(-pgid, syscall.SIGTERM) }
func killGroup(pgid int) { _ = syscall.Kill(-pgid, syscall.SIGKILL) }

// hangUp usually tells a daemon to read its configuration again.
const hangUp = syscall.SIGHUP

// endGroup kills what the leader left behind and waits until it is gone.
func endGroup(pgid int, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		members, err := groupMembers(pgid)
		if err != nil {
			return err
		}
		if len(members) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("interop: processes %v of group %d outlive SIGKILL", members, pgid)
		}
		killGroup(pgid)
		// The kernel tells nobody but a parent when a process is gone.
		time.Sleep(5 * time.Millisecond)
	}
}
