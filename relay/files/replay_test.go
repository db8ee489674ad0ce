package files

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// What the stock operator said is answered with the same bytes, in messages of the same types, as by the stock agent.
func TestReplay(t *testing.T) {
	for _, verb := range []string{"upload", "download"} {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "srv", "dl"), 0o700))
		require.NoError(t, os.Mkdir(filepath.Join(dir, "etc"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "etc", "hostname"), []byte("vm\n"), 0o600))
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		defer root.Close()
		a, b := msgconn.Pipe()
		done := make(chan error, 1)
		go func() {
			err := Accept(context.Background(), b)
			if err == nil {
				err = Serve(context.Background(), b, ServeConfig{Root: root})
			}
			done <- err
		}()
		for _, r := range recording(t, verb, "viewer") {
			typ, p := r.message(t)
			if r.operator {
				require.NoError(t, a.WriteMessage(t.Context(), typ, p))
				continue
			}
			if string(p) == "c" { // is the server's
				continue
			}
			gotType, got, err := a.ReadMessage(t.Context())
			require.NoError(t, err)
			require.Equal(t, typ, gotType, "%q", p)
			require.Equal(t, string(p), string(got))
		}
		// The stock operator of an upload leaves without a word.
		a.Close(msgconn.CloseNormal, "")
		require.NoError(t, <-done)
		if verb == "upload" {
			got, err := os.ReadFile(filepath.Join(dir, "srv", "dl", "up.txt"))
			require.NoError(t, err)
			require.Equal(t, "hello upload\n", string(got))
		}
	}
}

// Encoding what makes up transfers into a buffer that is there makes no garbage.
func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 1<<17)
	data := content(MaxBlock)
	var block, chunk Message = Block{Data: data}, Chunk(data)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _, _ = Append(buf, block)
		_, _, _ = Append(buf, chunk)
	}))
}
