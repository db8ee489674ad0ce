//go:build linux || darwin

package terminal

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// What the stock operator said and typed drives a shell of this package: a size of zero, one command, exit.
func TestReplay(t *testing.T) {
	a, b := msgconn.Pipe()
	done := make(chan error, 1)
	p := &PTY{Command: func(*Request) (*exec.Cmd, error) { return exec.Command("/bin/sh"), nil }}
	go func() {
		r, err := Accept(context.Background(), b)
		if err == nil {
			err = Serve(context.Background(), b, r, ServeConfig{Start: p.Start})
		}
		done <- err
	}()
	for _, l := range recording(t, "relay-terminal-viewer.jsonl") {
		if l.Dir == "client" {
			typ, msg := l.message(t)
			require.NoError(t, a.WriteMessage(t.Context(), typ, msg))
		}
	}
	var out strings.Builder
	for {
		typ, p, err := a.ReadMessage(t.Context())
		if err != nil {
			break
		}
		require.Equal(t, Binary, typ)
		out.Write(p)
	}
	require.NoError(t, <-done)
	require.Contains(t, out.String(), "hi-42")
}
