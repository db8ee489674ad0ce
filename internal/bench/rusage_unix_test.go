//go:build unix

package bench

import (
	"syscall"
	"time"
)

// processTime returns what this process has used of the processor so far, user and system.
func processTime() string {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return err.Error()
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).String()
}
