package apf

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestServiceThatDoesNotRead: a service that neither reads nor writes nor ends does not keep a connection that has ended.
func TestServiceThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, service := net.Pipe()
		defer service.Close()
		d := testDeviceConfig()
		d.Accept, d.Dial = nil, func(context.Context, *OpenRequest) (io.ReadWriteCloser, error) { return here, nil }
		server, device := pair(t, testServerConfig(), d)
		online(t, server, device)
		ch, err := server.Dial(t.Context(), "", 16992)
		require.NoError(t, err)
		_, err = ch.Write(make([]byte, 1000))
		require.NoError(t, err)
		synctest.Wait()
		device.Close()
		require.ErrorIs(t, device.wait(t), ErrClosed)
		_, err = service.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}

// panicWriter is a writer that does not return, as http.ErrAbortHandler does not.
type panicWriter struct{}

func (panicWriter) Write([]byte) (int, error) { panic("writer") }

// TestWriterPanics: a panic of the writer that a channel is copied to can be recovered from.
func TestWriterPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := ends(t, nil)
		_, err := z.Write([]byte("x"))
		require.NoError(t, err)
		require.PanicsWithValue(t, "writer", func() { _, _ = io.Copy(panicWriter{}, a) })
		require.NoError(t, a.Close())
	})
}

// TestDialTimesOut: the end of a caller's context is a timeout to whoever asks, and told with its cause.
func TestDialTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told *OpenError
		s := testServerConfig()
		s.Trace = &Trace{OpenFailed: func(_ *Conn, err *OpenError) { told = err }}
		d := testDeviceConfig()
		d.Firmware.MuteOpens = true
		server, device := pair(t, s, d)
		online(t, server, device)
		ctx, cancel := context.WithTimeout(t.Context(), 1e9)
		defer cancel()
		_, err := server.Dial(ctx, "", 16992)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var timeout net.Error
		require.True(t, errors.As(err, &timeout) && timeout.Timeout())
		require.ErrorIs(t, told, context.DeadlineExceeded)
	})
}

// TestHookPanics: a panic of a hook that a caller recovers from is the end of that call, and of nothing else.
func TestHookPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testServerConfig()
		closed := false
		s.Trace = &Trace{OpenFailed: func(*Conn, *OpenError) { panic("hook") }, Closed: func(*Conn, error) { closed = true }}
		server, device := pair(t, s, testDeviceConfig())
		online(t, server, device)
		require.PanicsWithValue(t, "hook", func() { _, _ = server.Dial(t.Context(), "", 1) })
		server.Close()
		require.ErrorIs(t, server.wait(t), ErrClosed)
		require.True(t, closed)
	})
}
