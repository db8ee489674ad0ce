package msgconn

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		msg := []byte("hello")
		require.NoError(t, a.WriteMessage(t.Context(), Text, msg))
		msg[0] = 'J' // the pipe has its own copy
		typ, got, err := b.ReadMessage(t.Context())
		require.NoError(t, err)
		require.Equal(t, Text, typ)
		require.Equal(t, "hello", string(got))

		require.NoError(t, a.WriteMessage(t.Context(), Binary, []byte("last")))
		a.Close(CloseGoingAway, "later")
		_, got, err = b.ReadMessage(t.Context())
		require.NoError(t, err, "what was sent before the end is delivered")
		require.Equal(t, "last", string(got))
		_, _, err = b.ReadMessage(t.Context())
		require.Equal(t, &CloseError{Code: CloseGoingAway, Reason: "later"}, err)
		require.ErrorIs(t, b.WriteMessage(t.Context(), Text, nil), net.ErrClosed)
		_, _, err = a.ReadMessage(t.Context())
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestPipeBlocksAndUnblocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		var err error
		sent := 0
		go func() {
			for err == nil {
				if err = a.WriteMessage(ctx, Text, []byte("x")); err == nil {
					sent++
				}
			}
		}()
		synctest.Wait()
		require.Equal(t, pipeDepth, sent)
		cancel(cause)
		synctest.Wait()
		require.ErrorIs(t, err, cause)
		_, _, err = b.ReadMessage(t.Context())
		require.NoError(t, err)
		go a.Close(0, "")
		for err == nil {
			_, _, err = b.ReadMessage(t.Context())
		}
		require.Equal(t, &CloseError{Code: CloseAbnormal}, err)
	})
}

func TestPipeLimitAndControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		pongs, pings := 0, 0
		a.OnControl(func() { pongs++ })
		b.OnControl(func() { pings++ })
		b.SetReadLimit(3)
		go a.ReadMessage(t.Context())
		go func() {
			_ = a.Ping(t.Context())
			_ = a.WriteMessage(t.Context(), Text, []byte("abc"))
			_ = a.WriteMessage(t.Context(), Text, []byte("abcd"))
		}()
		_, _, err := b.ReadMessage(t.Context())
		require.NoError(t, err)
		_, _, err = b.ReadMessage(t.Context())
		require.ErrorIs(t, err, ErrTooLarge)
		synctest.Wait()
		require.Equal(t, 1, pings)
		require.Equal(t, 1, pongs)
	})
}

func TestCloseErrorQuotes(t *testing.T) {
	err := &CloseError{Code: 1008, Reason: "line\nbreak \x1b[31m"}
	require.Equal(t, `msgconn: closed by peer with code 1008: "line\nbreak \x1b[31m"`, err.Error())
	require.Equal(t, "text binary Type(9)", Text.String()+" "+Binary.String()+" "+Type(9).String())
}
