//go:build !linux

package interop

import (
	"runtime"
	"testing"
)

func repeatOnLAN(t testing.TB) {
	t.Helper()
	unavailable(t, "networks for tests cannot be made on "+runtime.GOOS+": use Linux")
}

// newLAN is not reached: repeatOnLAN starts nothing that would call it.
func newLAN(t testing.TB) *LAN {
	t.Helper()
	t.Fatal("interop: there are no networks for tests on " + runtime.GOOS)
	return nil
}
