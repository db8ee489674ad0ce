//go:build !js

package terminal

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// The operator's end of a shell of the stock native agent, through a stock server.
func TestStockAgent(t *testing.T) {
	s := interop.StartServer(t, interop.ServerOptions{})
	interop.StartAgent(t, s.MSH(t, s.CreateGroup(t, "shells")), interop.AgentOptions{})
	device := s.WaitDevice(t, interop.CoreRuns)
	control := s.Control(t)
	require.NotEmpty(t, control.Console(t, device.ID, "info"), "the core runs")

	open := func(t *testing.T, kind Kind) *Terminal {
		conn := s.OpenTunnel(t, control, device.ID, int(kind))
		term, err := Open(t.Context(), conn, kind, &Options{Cols: 97, Rows: 31}, Config{})
		require.NoError(t, err)
		// Whatever hangs ends the test.
		timer := time.AfterFunc(3*time.Minute, func() { term.Close() })
		t.Cleanup(func() { timer.Stop(); term.Close() })
		return term
	}
	typed := func(t *testing.T, term *Terminal, text string) {
		_, err := term.Write([]byte(text))
		require.NoError(t, err)
	}
	for _, kind := range []Kind{System, PowerShell, UserPowerShell} {
		t.Run(kind.String(), func(t *testing.T) {
			term := open(t, kind)
			typed(t, term, "echo x$((6*7))x; exit\r")
			out, err := io.ReadAll(term)
			require.NoError(t, err, "the end of the shell is io.EOF")
			require.Contains(t, string(out), "x42x")
			require.NotContains(t, string(out), "ctrlChannel")
		})
	}
	t.Run("resize", func(t *testing.T) {
		term := open(t, System)
		typed(t, term, "echo ready$((1+1))\r")
		readUntil(t, term, "ready2")
		require.NoError(t, term.Resize(Size{Cols: 123, Rows: 45}))
		typed(t, term, "stty size\r")
		readUntil(t, term, "45 123")
	})
	t.Run("close", func(t *testing.T) {
		term := open(t, System)
		typed(t, term, "echo pid=$$=; cat\r")
		readUntil(t, term, "pid=")
		require.NoError(t, term.Close())
		_, err := term.Read(make([]byte, 1))
		require.Error(t, err)
	})
}
