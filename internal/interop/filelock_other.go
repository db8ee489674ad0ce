//go:build !(linux || darwin || freebsd)

package interop

import (
	"context"
	"errors"
)

func lockFile(context.Context, string) (func(), error) {
	return nil, errors.ErrUnsupported
}

func tryLockFile(string) (func(), bool, error) {
	return nil, false, errors.ErrUnsupported
}
