package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// replaceFile writes a file in one step: it has its old content or all of the new one, also after a power failure.
func replaceFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}
