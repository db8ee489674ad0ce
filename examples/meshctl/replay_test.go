package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/record"
)

// A recording that a stock server made, and one of a desktop. (relay/record/testdata)
func TestReplay(t *testing.T) {
	const terminal, screen = "../../relay/record/testdata/stock-terminal.mcrec", "../../relay/record/testdata/desktop.mcrec"
	w := newWorld(t)
	out := w.ok(t, "replay", terminal)
	require.Contains(t, out, "42")
	require.NotContains(t, out, "ctrlChannel")
	require.Empty(t, w.stderr.String())
	require.Equal(t, out, w.ok(t, "replay", terminal, "--speed", "1000"))

	dir := filepath.Join(t.TempDir(), "frames")
	require.Contains(t, w.ok(t, "replay", screen, "--frames", dir, "--json"), `"result": "ok"`)
	names, err := filepath.Glob(dir + "/*")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		f, err := os.Open(name)
		require.NoError(t, err)
		img, err := png.Decode(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.False(t, img.Bounds().Empty())
	}

	for _, args := range [][]string{
		{"replay"}, {"replay", screen}, {"replay", terminal, "--frames", dir}, {"replay", terminal, "--speed", "-1"},
		{"replay", terminal, "--speed", "NaN"}, {"replay", screen, "--frames", dir, "--every", "1us"}, {"replay", dir + "/none"},
	} {
		code, _, stderr := w.run(t.Context(), args...)
		require.Equal(t, exitUsage, code, "%v: %s", args, stderr)
	}
	code, _, stderr := w.run(t.Context(), "replay", "main.go")
	require.Equal(t, exitRefused, code)
	require.Contains(t, stderr, "not a valid recording")
}

// With --speed there are the pauses that were; what the operator typed is not shown, as the shell has echoed it.
func TestReplaySpeed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.mcrec")
	f, err := os.Create(path)
	require.NoError(t, err)
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	rec, err := record.NewWriter(f, record.Metadata{Protocol: 1}, begin, record.WriterConfig{})
	require.NoError(t, err)
	require.NoError(t, rec.Write(begin, record.Device, msgconn.Binary, []byte("one ")))
	require.NoError(t, rec.Write(begin, record.User, msgconn.Binary, []byte("typed ")))
	require.NoError(t, rec.Write(begin.Add(time.Hour), record.Device, msgconn.Binary, []byte("two\n")))
	require.NoError(t, f.Close())

	w := newWorld(t)
	for _, test := range []struct {
		takes time.Duration
		args  []string
	}{
		{time.Nanosecond, nil},
		{time.Hour, []string{"--speed", "1"}},
		{6 * time.Minute, []string{"--speed", "10"}},
		{30 * time.Second, []string{"--speed", "1", "--longest", "30s"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			require.Equal(t, "one two\n", w.ok(t, append([]string{"replay", path}, test.args...)...))
			require.Equal(t, test.takes, time.Since(begun))
		})
		require.Contains(t, w.stderr.String(), "has no end")
	}
}
