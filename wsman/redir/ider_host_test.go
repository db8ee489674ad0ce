package redir

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// openHost is the device's end of a session whose operator the test plays itself.
func openHost(t *testing.T, test func(h *IDERHost, say func(message func(sequence uint32) wireMessage), hear func() Message)) {
	t.Helper()
	a, b := net.Pipe()
	h := newIDERHost(newTransport(a, Operator, time.Minute), DiskHostConfig{})
	h.t.parser.SetSession(IDER)
	h.start()
	defer h.close()
	tr := newTransport(b, AMT, time.Minute)
	tr.parser.SetSession(IDER)
	var n uint32
	say := func(message func(uint32) wireMessage) {
		require.NoError(t, tr.send(message(n).Append(nil), time.Time{}))
		n++
	}
	hear := func() Message {
		m, err := tr.receive(0)
		require.NoError(t, err)
		return m
	}
	say(func(n uint32) wireMessage { return IDEROpen{Sequence: n} })
	hear()
	say(func(n uint32) wireMessage { return IDERFeatures{n, FeaturesToggle, StartNow} })
	hear()
	test(h, say, hear)
}

// TestIDERHostCancelled: memory of a command that was given up is the caller's again.
func TestIDERHostCancelled(t *testing.T) {
	openHost(t, func(h *IDERHost, say func(func(uint32) wireMessage), hear func() Message) {
		ctx, cancel := context.WithCancel(t.Context())
		into := make([]byte, 10)
		ended := make(chan error, 1)
		go func() {
			_, err := h.Command(ctx, HostCommand{Drive: CD, Into: into})
			ended <- err
		}()
		hear()
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		say(func(n uint32) wireMessage {
			return IDERDataToHost{Sequence: n, Select: 0xB0, Completed: true, Data: []byte("0123456789")}
		})
		say(func(n uint32) wireMessage { return IDERSignal{CommandIDERPing, n} })
		hear()
		require.Equal(t, make([]byte, 10), into)
		require.NoError(t, h.Err())
	})
}

// TestIDERHostReset: a command that a reset has ended is not waited for.
func TestIDERHostReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		openHost(t, func(h *IDERHost, say func(func(uint32) wireMessage), hear func() Message) {
			ended := make(chan error, 1)
			go func() {
				_, err := h.Command(t.Context(), HostCommand{Drive: CD})
				ended <- err
			}()
			hear()
			reset := make(chan error, 1)
			go func() { reset <- h.Reset(t.Context(), 1) }()
			hear()
			say(func(n uint32) wireMessage { return IDERSignal{CommandIDERResetDone, n} })
			require.NoError(t, <-reset)
			require.ErrorIs(t, <-ended, ErrReset)
			require.NoError(t, h.Err())
		})
	})
}

// TestIDERHostBlocks: a drive whose blocks are of another size than such drives have is not read at the wrong places.
func TestIDERHostBlocks(t *testing.T) {
	openHost(t, func(h *IDERHost, say func(func(uint32) wireMessage), hear func() Message) {
		ended := make(chan error, 1)
		go func() {
			_, err := h.CopyMedium(t.Context(), io.Discard, CD)
			ended <- err
		}()
		hear()
		say(func(n uint32) wireMessage {
			return IDERDataToHost{Sequence: n, Select: 0xB0, Completed: true, Data: []byte{0, 0, 0, 9, 0, 0, 2, 0}}
		})
		require.ErrorIs(t, <-ended, ErrProtocol)
	})
}
