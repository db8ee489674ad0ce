//go:build !unix

package main

import (
	"context"
	"os"
)

// resized never gives a value: there is no signal for it here.
func resized(context.Context) <-chan os.Signal { return nil }
