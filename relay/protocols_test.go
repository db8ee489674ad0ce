//go:build linux || darwin

package relay

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/relay/files"
	"github.com/meshcentral-go/sdk/relay/terminal"
)

// A shell and files at both ends of tunnels through a relay, over TLS.
func TestShellAndFiles(t *testing.T) {
	w := newWorld(t, Config{})
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer root.Close()
	w.device.Handlers[ProtocolTerminal] = func(ctx context.Context, s *Session) error {
		r := &terminal.Request{Kind: terminal.Kind(s.Protocol())}
		if o := s.Options; o != nil && o.Cols != nil && o.Rows != nil {
			r.Options.Cols, r.Options.Rows = *o.Cols, *o.Rows
		}
		return terminal.Serve(ctx, s, r, terminal.ServeConfig{})
	}
	w.device.Handlers[ProtocolFiles] = func(ctx context.Context, s *Session) error {
		return files.Serve(ctx, s, files.ServeConfig{Root: root})
	}

	o := w.options(ProtocolTerminal)
	o.Options = &ControlOptions{Cols: new(93), Rows: new(27)}
	tunnel, err := Open(t.Context(), w, testNode, o)
	require.NoError(t, err)
	shell := terminal.New(tunnel, terminal.Config{})
	defer shell.Close()
	_, err = shell.Write([]byte("stty size; echo $((6*7)); exit\r"))
	require.NoError(t, err)
	output, err := io.ReadAll(shell)
	require.NoError(t, err, "the end of the shell is the end of the tunnel")
	require.Contains(t, string(output), "27 93")
	require.Contains(t, string(output), "42")
	require.NoError(t, <-w.got)

	tunnel, err = Open(t.Context(), w, testNode, w.options(ProtocolFiles))
	require.NoError(t, err)
	c := files.New(tunnel, files.Config{})
	defer c.Close()
	want := bytes.Repeat([]byte("\x00{content"), 1<<20)
	_, err = c.Upload(t.Context(), bytes.NewReader(want), "/f", files.UploadOptions{})
	require.NoError(t, err)
	var got bytes.Buffer
	r, err := c.Download(t.Context(), "/f", &got, files.DownloadOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, r.Hash)
	require.True(t, bytes.Equal(want, got.Bytes()))
	require.NoError(t, c.Close())
	require.NoError(t, <-w.got)
}
