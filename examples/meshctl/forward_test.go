package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseForward(t *testing.T) {
	for in, want := range map[string]forward{
		"8080:localhost:80":          {"127.0.0.1:8080", "localhost:80"},
		"0:10.0.0.1:22":              {"127.0.0.1:0", "10.0.0.1:22"},
		"192.0.2.1:8080:h:80":        {"192.0.2.1:8080", "h:80"},
		"*:8080:h:80":                {":8080", "h:80"},
		"[::1]:8080:[2001:db8::1]:1": {"[::1]:8080", "[2001:db8::1]:1"},
	} {
		got, err := parseForward(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "80", "80:h", "80:h:0", "80:h:65536", "65536:h:80", "-1:h:80", "x:h:80", "80::80", ":80:h:80", "a:80:h:80:b", "80:[::1:80",
		"80:[::1]x:80", "80:2001:db8::1:1",
	} {
		_, err := parseForward(in)
		require.ErrorIs(t, err, errUsage, in)
	}
}

// lines gives what is written to it, line by line.
type lines struct {
	*io.PipeWriter
	read *bufio.Scanner
}

func newLines(t *testing.T) *lines {
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() })
	return &lines{w, bufio.NewScanner(r)}
}

func (l *lines) next(t *testing.T) string {
	t.Helper()
	require.True(t, l.read.Scan())
	return l.read.Text()
}

// Connections go to what the device reaches; one that cannot be made is told of and ends, and the others go on.
func TestForward(t *testing.T) {
	w := newWorld(t)
	out, notes := newLines(t), newLines(t)
	w.out, w.err = out, notes
	s := &session{app: &app{system: w.system}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	far := make(chan net.Conn, 8)
	ended := make(chan error, 1)
	go func() {
		ended <- s.forward(ctx, []forward{{"127.0.0.1:0", "h:80"}, {"127.0.0.1:0", "nowhere:1"}}, func(_ context.Context, to string) (net.Conn, error) {
			if to != "h:80" {
				return nil, errors.New("no way\x1b")
			}
			near, end := net.Pipe()
			far <- end
			return near, nil
		})
	}()
	at, ok := strings.CutPrefix(strings.TrimSuffix(out.next(t), " to h:80"), "Forwarding ")
	require.True(t, ok)
	nowhere, _, ok := strings.Cut(strings.TrimPrefix(out.next(t), "Forwarding "), " to nowhere:1")
	require.True(t, ok)

	refused, err := net.Dial("tcp", nowhere)
	require.NoError(t, err)
	defer refused.Close()
	require.Equal(t, "forward to nowhere:1: no way\uFFFD", notes.next(t))
	_, err = refused.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)

	for range 2 {
		near, err := net.Dial("tcp", at)
		require.NoError(t, err)
		defer near.Close()
		end := <-far
		_, err = near.Write([]byte("ask"))
		require.NoError(t, err)
		buf := make([]byte, 3)
		_, err = io.ReadFull(end, buf)
		require.NoError(t, err)
		require.Equal(t, "ask", string(buf))
		// The near end has said all it had to; the answer still comes.
		require.NoError(t, near.(*net.TCPConn).CloseWrite())
		_, err = end.Write([]byte("answer"))
		require.NoError(t, err)
		require.NoError(t, end.Close())
		b, err := io.ReadAll(near)
		require.NoError(t, err)
		require.Equal(t, "answer", string(b))
	}

	near, err := net.Dial("tcp", at)
	require.NoError(t, err)
	defer near.Close()
	end := <-far
	cancel()
	require.NoError(t, <-ended)
	_, err = end.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = near.Read(make([]byte, 1))
	require.Error(t, err)
	if other, err := net.Dial("tcp", at); err == nil { // the port may be somebody else's by now
		other.Close()
	}
	require.Empty(t, far, "nobody listens any more")
}

// A far end that stays silent after the near end has gone does not stay.
func TestForwardLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, user := net.Pipe()
		far, device := net.Pipe()
		begun := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			joinConns(t.Context(), near, far)
		}()
		require.NoError(t, user.Close())
		_, err := device.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		<-done
		require.Equal(t, lingerTime, time.Since(begun))
	})
}

// What is wrong is said before there is a connection.
func TestForwardUsage(t *testing.T) {
	for _, args := range [][]string{
		{"forward", "--id", "x", "-L", "80"}, {"forward", "--id", "x"}, {"forward", "-L", "1:h:1"},
	} {
		code, _, _ := newWorld(t).run(t.Context(), args...)
		require.Equal(t, exitUsage, code, args)
	}
}
