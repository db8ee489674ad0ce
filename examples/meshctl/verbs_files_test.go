package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/files"
)

// noise is content with all bytes in it.
func noise(size int) []byte {
	b := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(b)
	return b
}

// onFolder gives a client the files in a folder, and what the session prints.
func onFolder(t *testing.T, dir string) (*session, *files.Client, *world) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	near, far := msgconn.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = files.Serve(context.Background(), far, files.ServeConfig{Root: root})
	}()
	c := files.New(near, files.Config{})
	t.Cleanup(func() {
		c.Close()
		<-served
		root.Close()
	})
	w := newWorld(t)
	return &session{app: &app{system: w.system}}, c, w
}

func TestUpload(t *testing.T) {
	dir := t.TempDir()
	s, c, w := onFolder(t, dir)
	out := func() string {
		defer w.stdout.Reset()
		return w.stdout.String()
	}
	at := filepath.Join(dir, "f")
	for _, size := range []int{0, 1, 3_000_007} {
		content := noise(size)
		require.NoError(t, s.sendFile(t.Context(), c, bytes.NewReader(content), int64(size), "/f", false))
		require.True(t, bytes.Equal(content, must(os.ReadFile(at))), size)
		require.Equal(t, "Upload done.\n", out())
	}
	// One that was cut off goes on where it was.
	content := noise(3_000_007)
	require.NoError(t, os.WriteFile(at, content[:1_000_000], 0o600))
	require.NoError(t, s.sendFile(t.Context(), c, bytes.NewReader(content), int64(len(content)), "/f", true))
	require.True(t, bytes.Equal(content, must(os.ReadFile(at))))
	require.Equal(t, "Upload done: 1000000 bytes were there already.\n", out())

	err := s.sendFile(t.Context(), c, strings.NewReader("x"), 1, "/missing/f", false)
	require.Equal(t, exitRefused, exitCode(err))
	require.Equal(t, "/tmp/f", remotePath("/tmp/", "f"))
	require.Equal(t, `C:\Temp\f`, remotePath(`C:\Temp`, "f"))
	require.Equal(t, "C:/Temp/f", remotePath("C:/Temp", "f"))
}

func TestDownload(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "down")
	s, c, w := onFolder(t, dir)
	for _, size := range []int{0, 5, 1_000_000} {
		content := noise(size)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), content, 0o600))
		require.NoError(t, s.receiveFile(t.Context(), c, "/f", to))
		require.True(t, bytes.Equal(content, must(os.ReadFile(to))), size)
	}
	require.Contains(t, w.stdout.String(), "Download done: 1000000 bytes to ")
	require.NoError(t, os.Remove(to))
	require.Equal(t, exitRefused, exitCode(s.receiveFile(t.Context(), c, "/missing", to)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, exitInterrupted, exitCode(s.receiveFile(ctx, c, "/f", to)))
	left, err := os.ReadDir(filepath.Dir(to))
	require.NoError(t, err)
	require.Empty(t, left, "what breaks off is not kept")
}

// The bar is for terminals, and ends with how it ended.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	a := &app{system: w.system}
	p := a.progress(1000)
	p.at(500)
	p.end()
	require.Empty(t, w.stderr.String())

	w.errTerminal = true
	p = a.progress(1000)
	now := w.now
	a.now = func() time.Time { return now().Add(time.Second) }
	p.at(500)
	p.at(1000)
	p.end()
	lines := strings.Split(w.stderr.String(), "\r")
	require.Equal(t, "[===============               ]  50%  500 of 1000 bytes, 0 KB/s ", lines[1])
	require.Equal(t, "[==============================] 100%  1000 of 1000 bytes, 0 KB/s \n", lines[2])
	p.end()
	require.Len(t, strings.Split(w.stderr.String(), "\r"), 3)
}

// Names of files come from the command line or the server, and are no paths.
func TestLocalName(t *testing.T) {
	for in, want := range map[string]string{
		"/etc/passwd": "passwd", `C:\dir\a b.txt`: "a b.txt", "plain": "plain", "/dir/": "", "..": "", "../..": "", "a/..": "",
		"x\x1b": "", "C:": "", "": "",
	} {
		require.Equal(t, want, localName(in), in)
	}
	dir := t.TempDir()
	for _, test := range []struct{ file, target, want string }{
		{"/a/b.txt", dir, dir + "/b.txt"},
		{"/a/b.txt", dir + "/new/", dir + "/new/b.txt"},
		{"/a/b.txt", dir + "/c.txt", dir + "/c.txt"},
		{"/a/b.txt", "", "b.txt"},
	} {
		got, err := downloadTarget(test.file, test.target)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
	_, err := downloadTarget("/a/", dir)
	require.ErrorIs(t, err, errUsage)
}

// Whoever uses a tunnel sees that it is recorded, and what the device's user is asked and says.
func TestTunnelEvents(t *testing.T) {
	w := newWorld(t)
	s := &session{app: &app{system: w.system}}
	for _, e := range []relay.Event{
		{Kind: relay.EventRequested}, {Kind: relay.EventConnected}, {Kind: relay.EventConnected, Recorded: true}, {Kind: relay.EventConsent},
		{Kind: relay.EventGranted}, {Kind: relay.EventConsole, Text: "five\x1b minutes"}, {Kind: relay.EventDenied, Text: "no"},
	} {
		s.tunnelEvent(e)
	}
	require.Equal(t, []string{
		"this session is recorded by the server", "the device asks its user", "the device's user has agreed",
		"the device says: five\uFFFD minutes", "",
	}, strings.Split(w.stderr.String(), "\n"))
	require.Equal(t, exitRefused, exitCode(fmt.Errorf("files: tunnel: %w", relay.ErrDenied)))
}
