//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// resized gives a value whenever the terminal has got another size.
func resized(ctx context.Context) <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	context.AfterFunc(ctx, func() { signal.Stop(c) })
	return c
}
