package certs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile is the largest file that is read as keys or certificates.
const maxFile = 1 << 20

// readFile reads a whole file, unless it is too big to be what it should be.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("certs: %s: bigger than %d bytes", path, maxFile)
	}
	return b, nil
}

// exists reports whether there is a file. An error is one that leaves the question open.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("certs: %w", err)
	}
	return true, nil
}

// createFile makes a file with all of its content or not at all. It fails with fs.ErrExist if there is a file already.
func createFile(path string, b []byte, mode fs.FileMode) error {
	temporary, err := writeTemporary(path, b, mode)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary) }()
	// A hard link is the one operation that both is atomic and never replaces a file.
	err = os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Some file systems have no links. What is left is a rename, which replaces: look first.
		if _, statErr := os.Lstat(path); statErr == nil {
			err = &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		} else {
			err = os.Rename(temporary, path)
		}
	}
	if err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// replaceFile puts new content in place of a file in one step, and keeps the old file with -old, -old2 and so on at the
// end of its name, as the reference server does.
//
// Confirmed in common.js, moveOldFiles.
func replaceFile(path string, b []byte, mode fs.FileMode) error {
	old, err := readFile(path)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		name := path + "-old"
		if n > 1 {
			name = fmt.Sprintf("%s-old%d", path, n)
		}
		err := createFile(name, old, mode)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) || n == 1000 {
			return err
		}
	}
	temporary, err := writeTemporary(path, b, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("certs: %w", err)
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// writeTemporary writes b to a new file beside path, down to the disk.
func writeTemporary(path string, b []byte, mode fs.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.tmp") // mode 0600
	if err != nil {
		return "", fmt.Errorf("certs: %w", err)
	}
	_, err = f.Write(b)
	if err == nil && mode != 0o600 {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("certs: %w", err)
	}
	return f.Name(), nil
}

// syncFolder makes a new name survive a power failure where the system can do that; elsewhere it is a best effort.
func syncFolder(path string) {
	if d, err := os.Open(path); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
