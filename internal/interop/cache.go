package interop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CacheEnv names the environment variable that moves the cache directory; by
// default it is meshcentral-go under os.UserCacheDir. It holds a few hundred
// megabytes and may be deleted whenever no test runs.
const CacheEnv = "MESHCENTRAL_GO_CACHE"

// cacheDir returns the cache directory, which exists afterwards.
func cacheDir() (string, error) {
	dir := os.Getenv(CacheEnv)
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("interop: no cache directory (set %s): %w", CacheEnv, err)
		}
		dir = filepath.Join(user, "meshcentral-go")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("interop: cache directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("interop: cache directory: %w", err)
	}
	return dir, nil
}

// produceOnce makes sure that the directory path exists. If it does not, build
// fills a temporary directory beside it, which then gets the name, so that
// path is never seen half made. Of several test binaries that want the same
// path at once, one builds and the others wait for it.
func produceOnce(ctx context.Context, path string, build func(dir string) error) (err error) {
	if present(path) {
		return nil
	}
	unlock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if present(path) {
		return nil
	}
	// What an interrupted run left: nobody else is building while we hold the lock.
	stale, err := filepath.Glob(path + ".tmp-*")
	if err != nil {
		return err
	}
	for _, dir := range stale {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := build(dir); err != nil {
		return err
	}
	return os.Rename(dir, path)
}

func present(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
