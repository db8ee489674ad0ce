package interop

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The pinned package. The lock file holds integrity hashes but no download
// addresses (npm's omit-lockfile-registry-resolved), so that any mirror of the
// registry can serve it.
var (
	//go:embed npm/package.json
	packageJSON []byte
	//go:embed npm/package-lock.json
	packageLock []byte
)

// Several tries fit into installTimeout: npm keeps what it has got, and goes on
// from there.
const (
	installTimeout = 12 * time.Minute
	installTries   = 3 // where a missing peer is a failure
)

// PackageDir returns the directory of the installed MeshCentral package.
func PackageDir(t testing.TB) string {
	t.Helper()
	Require(t, PeerMeshCentral)
	dir, err := installPackage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return packageIn(dir)
}

// AgentsDir returns the package's folder with the stock agents and the sources
// of the agent core.
func AgentsDir(t testing.TB) string {
	t.Helper()
	return filepath.Join(PackageDir(t), "agents")
}

func packageIn(install string) string {
	return filepath.Join(install, "node_modules", "meshcentral")
}

// lockKey names what depends on the pinned package in the cache.
func lockKey() string {
	h := sha256.New()
	h.Write(packageJSON)
	h.Write(packageLock)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// installPackage returns the directory of the installation in the cache, after
// making it if need be.
func installPackage(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "meshcentral-"+lockKey())
	err = produceOnce(ctx, dir, func(tmp string) error { return npmInstall(ctx, tmp) })
	return dir, err
}

func npmInstall(ctx context.Context, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("npm was not found: install it (Debian: apt-get install npm)")
	}
	for name, content := range map[string][]byte{"package.json": packageJSON, "package-lock.json": packageLock} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	// Without a network a developer shall see the skip soon; CI may wait.
	retries, tries := "--fetch-retries=1", 1
	if inCI() {
		retries, tries = "--fetch-retries=5", installTries
	}
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	for try := 1; ; try++ {
		// A transfer that stands still is given up after a minute, and begun anew; by
		// itself npm waits for five.
		cmd := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier",
			retries, "--fetch-timeout=60000", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=10000")
		cmd.Dir = dir
		out, err := run(ctx, cmd)
		if err == nil {
			return nil
		}
		if try == tries || ctx.Err() != nil {
			return fmt.Errorf("npm ci, try %d: %w: %s", try, err, strings.Join(strings.Fields(lastBytes(out, shownLog)), " "))
		}
	}
}
