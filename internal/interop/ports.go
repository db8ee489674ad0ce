package interop

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Reserved ports come from below the range that the kernel uses for outgoing
// connections, so that one cannot be lost while a server restarts.
const (
	firstPort = 20000
	lastPort  = 29999
)

// FreePort reserves a TCP port on 127.0.0.1 for the length of the test. No
// other test binary that asks the same way gets it, even while nothing listens
// on it.
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// lockDir returns the folder with the locks of one kind, which exists afterwards. All test binaries have the same one.
func lockDir(kind string) (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("meshcentral-go-%s-%d", kind, os.Getuid()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("interop: locks: %w", err)
	}
	return dir, nil
}

// reservePort picks a free port and locks a file of its number.
func reservePort() (port int, release func(), err error) {
	dir, err := lockDir("ports")
	if err != nil {
		return 0, nil, err
	}
	const count = lastPort - firstPort + 1
	start := rand.IntN(count)
	for i := range count {
		port := firstPort + (start+i)%count
		unlock, ok, err := tryLockFile(filepath.Join(dir, strconv.Itoa(port)))
		if err != nil {
			return 0, nil, err
		}
		if !ok {
			continue
		}
		if ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			if err := ln.Close(); err != nil {
				unlock()
				return 0, nil, fmt.Errorf("interop: port: %w", err)
			}
			return port, unlock, nil
		}
		unlock()
	}
	return 0, nil, errors.New("interop: no free port")
}
