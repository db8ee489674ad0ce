//go:build linux || darwin || freebsd

package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// lockTimeout is more than what is done under such a lock may take.
	lockTimeout = 15 * time.Minute
	// lockAgain is how soon a lock is tried again. To wait in the kernel would be
	// to wait for ever.
	lockAgain = 100 * time.Millisecond
)

// lockFile waits for an exclusive lock on the named file, which it creates.
// The kernel drops the lock when the process ends, however it ends. The file
// says whose it was last.
func lockFile(ctx context.Context, name string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	tick := time.NewTicker(lockAgain)
	defer tick.Stop()
	for {
		unlock, ok, err := tryLockFile(name)
		if err != nil {
			return nil, err
		}
		if ok {
			_ = os.WriteFile(name, fmt.Appendf(nil, "process %d, %s\n", os.Getpid(), filepath.Base(os.Args[0])), 0o644) // only to tell
			return unlock, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			holder, _ := os.ReadFile(name)
			return nil, fmt.Errorf("interop: waiting for %s, which is held by %q: %w", name, holder, ctx.Err())
		}
	}
}

// tryLockFile is lockFile without the waiting: ok is false when another
// holder, in this process or elsewhere, has the lock.
func tryLockFile(name string) (unlock func(), ok bool, err error) {
	unlock, err = flock(name)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, nil
	}
	return unlock, err == nil, err
}

func flock(name string) (func(), error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("interop: lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
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
