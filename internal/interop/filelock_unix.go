//go:build linux || darwin || freebsd

package interop

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile waits for an exclusive lock on the named file, which it creates.
// The kernel drops the lock when the process ends, however it ends.
func lockFile(name string) (unlock func(), err error) {
	return flock(name, syscall.LOCK_EX)
}

// tryLockFile is lockFile without the waiting: ok is false when another
// holder, in this process or elsewhere, has the lock.
func tryLockFile(name string) (unlock func(), ok bool, err error) {
	unlock, err = flock(name, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, nil
	}
	return unlock, err == nil, err
}

func flock(name string, how int) (func(), error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("interop: lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("interop: lock %s: %w", name, err)
	}
	return func() { _ = f.Close() }, nil
}
