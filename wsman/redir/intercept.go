package redir

import (
	"context"
	"errors"
	"io"
	"sync"
)

// Interceptor changes what goes through a stream between an operator and a device. Both methods append to dst what is to be
// passed on for what came in src, which may be nothing yet; they may be called from two goroutines, one each. An error is
// final: the stream is to be closed, after what was appended with it has been passed on.
type Interceptor interface {
	FromOperator(dst, src []byte) ([]byte, error)
	FromDevice(dst, src []byte) ([]byte, error)
}

var (
	_ Interceptor = (*RedirInterceptor)(nil)
	_ Interceptor = (*HTTPInterceptor)(nil)
)

// interceptBuffer is how much is read at once.
const interceptBuffer = 32 << 10

// Intercept joins both ends with an interceptor in between, until one of them ends, the interceptor refuses something, or ctx
// is done. It closes both, and returns when nothing of it runs any more: nil if an end was at its end, else the reason.
func Intercept(ctx context.Context, operator, device io.ReadWriteCloser, interceptor Interceptor) error {
	var once sync.Once
	var reason error
	stop := func(err error) {
		once.Do(func() {
			reason = err
			_ = operator.Close()
			_ = device.Close()
		})
	}
	defer context.AfterFunc(ctx, func() { stop(context.Cause(ctx)) })()

	var wg sync.WaitGroup
	wg.Go(func() { stop(pass(device, operator, interceptor.FromOperator)) })
	wg.Go(func() { stop(pass(operator, device, interceptor.FromDevice)) })
	wg.Wait()
	return reason
}

// pass copies from src to dst through one direction of an interceptor.
func pass(dst io.Writer, src io.Reader, through func(dst, src []byte) ([]byte, error)) error {
	in := make([]byte, interceptBuffer)
	out := make([]byte, 0, interceptBuffer)
	for {
		n, readErr := src.Read(in)
		var err error
		out, err = through(out[:0], in[:n])
		if len(out) > 0 {
			if _, writeErr := dst.Write(out); err == nil && writeErr != nil {
				if isTimeout(writeErr) {
					return writeErr
				}
				return nil // that end has left
			}
		}
		switch {
		case err != nil:
			return err
		case errors.Is(readErr, io.EOF):
			return nil
		case readErr != nil:
			return readErr
		}
	}
}
