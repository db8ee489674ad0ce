package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestPackageIsPinned(t *testing.T) {
	var lock struct {
		Packages map[string]struct {
			Version   string `json:"version"`
			Resolved  string `json:"resolved"`
			Integrity string `json:"integrity"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(packageLock, &lock); err != nil {
		t.Fatal(err)
	}
	if got := lock.Packages["node_modules/meshcentral"].Version; got != "1.1.55" {
		t.Errorf("meshcentral is %q, want 1.1.55", got)
	}
	for name, p := range lock.Packages {
		if name == "" {
			continue // ourselves
		}
		if !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s: integrity is %q, want a SHA-512", name, p.Integrity)
		}
		if p.Resolved != "" {
			t.Errorf("%s is bound to %s: regenerate the lock file with npm's --omit-lockfile-registry-resolved", name, p.Resolved)
		}
	}
}

func TestProduceOnce(t *testing.T) {
	if !processGroups {
		t.Skip("no file locks")
	}
	path := filepath.Join(t.TempDir(), "thing")
	stale := path + ".tmp-123"
	if err := os.Mkdir(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := produceOnce(t.Context(), path, func(string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a build that fails: %v", err)
	}
	if present(path) || present(stale) {
		t.Error("a build that fails leaves something")
	}
	var builds atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := produceOnce(t.Context(), path, func(dir string) error {
				builds.Add(1)
				return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o644)
			})
			if err != nil || !present(filepath.Join(path, "whole")) {
				t.Errorf("produceOnce: %v, or half made", err)
			}
		})
	}
	wg.Wait()
	if builds.Load() != 1 {
		t.Errorf("%d builds, want 1", builds.Load())
	}
	left, err := filepath.Glob(path + ".tmp-*")
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// TestProduceOnceIsNotWaitedForEver waits for a lock that somebody else has, until its context ends.
func TestProduceOnceIsNotWaitedForEver(t *testing.T) {
	if !processGroups {
		t.Skip("no file locks")
	}
	path := filepath.Join(t.TempDir(), "thing")
	unlock, err := lockFile(t.Context(), path+".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = produceOnce(ctx, path, func(string) error { t.Error("it builds"); return nil })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), fmt.Sprintf("process %d, ", os.Getpid())) {
		t.Errorf("produceOnce: %v, want the end of the context and who has the lock", err)
	}
}

func TestFreePortsDiffer(t *testing.T) {
	if !processGroups {
		t.Skip("no file locks")
	}
	seen := make(map[int]bool)
	for range 50 {
		port := FreePort(t)
		if seen[port] || port < firstPort || port > lastPort {
			t.Errorf("port %d is given twice or out of range", port)
		}
		seen[port] = true
	}
}
