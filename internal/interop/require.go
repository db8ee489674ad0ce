package interop

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// A Peer is something real that a test runs against.
type Peer int

const (
	// PeerMeshCentral is the stock server with its command-line client.
	PeerMeshCentral Peer = iota
	// PeerAgent is the stock agent for Linux on x86-64.
	PeerAgent
	// PeerNginx is Debian's nginx.
	PeerNginx
	// PeerX is an X server without a screen, and the X programs that tests of desktops use.
	PeerX
	// PeerNginxStream is the module with which nginx passes on anything but HTTP.
	PeerNginxStream
)

// NginxStreamModule is where Debian has that module, for a load_module line.
const NginxStreamModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

// Require skips the test, or fails it when the environment says CI=true,
// unless all the named peers can run here. PeerMeshCentral and PeerAgent are
// installed into the cache if they are not there yet. With -short the test is
// skipped, because no real peer is quick; CI=true overrules that too.
//
// The functions that start a peer call Require themselves; a test calls it
// first when it wants to skip before doing other work.
func Require(t testing.TB, peers ...Peer) {
	t.Helper()
	if testing.Short() && !inCI() {
		t.Skip("interop: real peers are not run with -short")
	}
	if !processGroups {
		unavailable(t, "the stock peers cannot be run on "+runtime.GOOS+": use Linux")
	}
	for _, peer := range peers {
		switch peer {
		case PeerMeshCentral:
			requirePackage(t)
		case PeerAgent:
			if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
				unavailable(t, "the stock agent is run on linux/amd64 only, this is "+runtime.GOOS+"/"+runtime.GOARCH)
			}
			requirePackage(t)
		case PeerNginx:
			if _, err := nginxPath(); err != nil {
				unavailable(t, "nginx was not found: install it (Debian: apt-get install nginx)")
			}
		case PeerNginxStream:
			if !present(NginxStreamModule) {
				unavailable(t, "nginx has no stream module: install it (Debian: apt-get install libnginx-mod-stream)")
			}
		case PeerX:
			for _, program := range []string{"Xvfb", "xauth", "xwd", "xlogo"} {
				if _, err := exec.LookPath(program); err != nil {
					unavailable(t, program+" was not found: install it (Debian: apt-get install xvfb xauth x11-apps libxtst6 libxfixes3 libxdamage1)")
				}
			}
		default:
			t.Fatalf("interop: Require(%d): no such peer", peer)
		}
	}
}

// skipTime is how long a developer's test waits until the stock server is
// installed, be it by another test binary. That is less than the ten minutes
// that go test gives a package, so that a skip is seen, and not a panic.
const skipTime = 8 * time.Minute

// requirePackage makes sure that the npm package is in the cache.
func requirePackage(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		unavailable(t, "node was not found: install Node.js 18 or newer with npm (Debian: apt-get install nodejs npm)")
	}
	ctx := t.Context()
	if !inCI() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, skipTime)
		defer cancel()
	}
	if _, err := installPackage(ctx); err != nil {
		unavailable(t, "the stock server could not be installed: "+err.Error())
	}
}

// unavailable ends the test: a failure in CI, a skip elsewhere.
func unavailable(t testing.TB, why string) {
	t.Helper()
	if inCI() {
		t.Fatalf("interop: %s (CI=true turns this skip into a failure)", why)
	}
	t.Skipf("interop: %s", why)
}

func inCI() bool {
	ci, err := strconv.ParseBool(os.Getenv("CI"))
	return err == nil && ci
}
