//go:build !(linux || darwin || freebsd)

package interop

import "errors"

func lockFile(string) (func(), error) {
	return nil, errors.ErrUnsupported
}

func tryLockFile(string) (func(), bool, error) {
	return nil, false, errors.ErrUnsupported
}
