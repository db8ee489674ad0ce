package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto/controltest"
	"github.com/meshcentral-go/sdk/internal/leakcheck"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	leakcheck.Main(m)
}

// busyTime is how long what has to happen may take on a machine that is busy.
const busyTime = 2 * time.Minute

// world is a machine on which the program runs.
type world struct {
	*system
	flags          []string // of every run
	stdout, stderr bytes.Buffer
	env            map[string]string
	dir            string // of settings
	asked          []string
	answer         string
}

// newWorld is one without a terminal, and with nothing set.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{env: map[string]string{}, dir: t.TempDir()}
	w.system = &system{
		in: bufio.NewReader(strings.NewReader("")), out: &w.stdout, err: &w.stderr,
		getenv:    func(name string) string { return w.env[name] },
		configDir: func() (string, error) { return w.dir, nil },
		now:       func() time.Time { return time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC) },
		patience:  func(d time.Duration) time.Duration { return max(d, busyTime) },
		readSecret: func(ctx context.Context, prompt string) (string, error) {
			w.asked = append(w.asked, prompt)
			if w.answer == "" {
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
			return w.answer, nil
		},
	}
	return w
}

// reads gives the program something to read. What it had before may still be read: nothing ends the reading of a terminal.
func (w *world) reads(from io.Reader) { w.in = bufio.NewReader(from) }

// run runs the program and returns its exit code and what it printed.
func (w *world) run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	w.stdout.Reset()
	w.stderr.Reset()
	code = run(ctx, append(w.flags[:len(w.flags):len(w.flags)], args...), w.system)
	return code, w.stdout.String(), w.stderr.String()
}

// ok runs the program, which has to succeed, and returns its output.
func (w *world) ok(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := w.run(t.Context(), args...)
	require.Equal(t, exitDone, code, "%v: %s", args, stderr)
	return stdout
}

// pinOf is what --pin takes.
func pinOf(raw []byte) string {
	hash := sha512.Sum384(raw)
	return hex.EncodeToString(hash[:])
}

// on makes a world that knows a fake server.
func on(t *testing.T, s *controltest.Server) *world {
	t.Helper()
	w := newWorld(t)
	w.env["MESHCTL_URL"], w.env["MESHCTL_PIN"] = s.URL, pinOf(s.Certificate().Raw)
	w.env["MESHCTL_USER"], w.env["MESHCTL_PASSWORD"] = controltest.User, controltest.Password
	return w
}

// write makes a file and returns its path.
func write(t *testing.T, name, content string, mode os.FileMode) string {
	t.Helper()
	path := t.TempDir() + "/" + name
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	return path
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
