package interop

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"unsafe"
)

// dieWithParent lets the kernel kill the child when the test binary is gone,
// even if that was killed itself.
func dieWithParent(attr *syscall.SysProcAttr) {
	attr.Pdeathsig = syscall.SIGKILL
}

// groupMembers lists the processes of a group. Zombies do not count: they wait
// for a parent to collect them, and where the first process of a container
// does not do that they stay for ever.
func groupMembers(pgid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var members []int
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name) state ppid pgrp ...; the name may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 3 || string(fields[0]) == "Z" || string(fields[2]) != strconv.Itoa(pgid) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, fmt.Errorf("interop: %s: %w", name, err)
		}
		members = append(members, pid)
	}
	return members, nil
}

// openTerminal opens a pseudo-terminal, our end and the one for a process.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("interop: pseudo-terminal: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, master.Close())
		}
	}()
	var number, locked int32
	raw, err := master.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGPTN, uintptr(unsafe.Pointer(&number)))
		if errno == 0 {
			_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&locked)))
		}
	})
	if err != nil {
		return nil, nil, err
	}
	if errno != 0 {
		return nil, nil, fmt.Errorf("interop: pseudo-terminal: %w", errno)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("interop: pseudo-terminal: %w", err)
	}
	return master, slave, nil
}
