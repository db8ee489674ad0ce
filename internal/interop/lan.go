package interop

import (
	"net/netip"
	"os"
	"testing"
)

// A LAN is a local network of two machines, this one and another, with no way
// out of it: two network namespaces of the kernel and a cable between them.
//
// On both machines the cable is the interface lan0, which has an IPv4 address
// and, where the kernel has IPv6, a link-local one. There is no default route.
type LAN struct {
	// Here and There are the IPv4 addresses of this machine, on which the test
	// and all peers run, and of the other one.
	Here, There netip.Addr
	// Here6 and There6 are the IPv6 addresses, with the zone lan0. They are not
	// valid where there is no IPv6.
	Here6, There6 netip.Addr

	calls chan func() // to the other machine's thread
}

// The cable has the same name and index on both machines, because package net
// remembers for the whole process which index a name has.
const (
	cable      = "lan0"
	cableIndex = 10
)

// lanEnv is set in the process that is on a LAN, to the name of the test that
// it runs.
const lanEnv = "INTEROP_TEST_LAN"

// OnLAN runs a test on a LAN. To be there, the test binary runs itself again
// with this test or subtest alone; OnLAN returns when that has ended, and fails
// the test if it failed. What the test does before OnLAN is done both outside
// and inside: it calls [Require], which may install the stock peers as long as
// there still is a network, and decides about skipping. In the process inside,
// OnLAN calls test in its caller's goroutine.
//
// Where there can be no LAN, for want of Linux, of permission or of the program
// ip, OnLAN skips or fails the test like [Require].
func OnLAN(t *testing.T, test func(*LAN)) {
	t.Helper()
	switch name := os.Getenv(lanEnv); name {
	case "":
		repeatOnLAN(t)
	case t.Name():
		test(newLAN(t))
	default:
		t.Fatalf("interop: %s is on the LAN of %s", t.Name(), name)
	}
}

// OnOther calls f on the other machine and returns when f does. The sockets
// that f opens, in the goroutine in which it is called, are on that machine and
// stay there when they are used elsewhere later. f must not end the test; it
// hands out its errors. Of several calls one is made at a time.
func (l *LAN) OnOther(f func()) {
	done := make(chan struct{})
	l.calls <- func() {
		defer close(done)
		f()
	}
	<-done
}
