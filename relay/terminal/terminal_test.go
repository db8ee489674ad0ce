package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// fakeShell says what is typed in capitals, until it is told "exit".
type fakeShell struct {
	sizes  chan Size
	pr     *io.PipeReader
	pw     *io.PipeWriter
	closed chan struct{}
}

func newFakeShell() *fakeShell {
	s := &fakeShell{sizes: make(chan Size, 10), closed: make(chan struct{})}
	s.pr, s.pw = io.Pipe()
	return s
}

func (s *fakeShell) Read(p []byte) (int, error) { return s.pr.Read(p) }

func (s *fakeShell) Write(p []byte) (int, error) {
	if string(p) == "exit" {
		return len(p), s.pw.Close()
	}
	return s.pw.Write(bytes.ToUpper(p))
}

func (s *fakeShell) Resize(size Size) error { s.sizes <- size; return nil }

func (s *fakeShell) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	s.pr.Close()
	return s.pw.Close()
}

// served is a terminal on a fake shell, and what Serve returned.
func served(t *testing.T, o *Options, cfg Config, start func(context.Context, *Request) (Shell, error)) (*Terminal, *msgconn.PipeConn, <-chan error) {
	t.Helper()
	a, b := msgconn.Pipe()
	done := make(chan error, 1)
	go func() {
		r, err := Accept(t.Context(), b)
		if err == nil {
			err = Serve(t.Context(), b, r, ServeConfig{Start: start})
		} else {
			b.Close(msgconn.CloseNormal, "")
		}
		done <- err
	}()
	term, err := Open(t.Context(), a, UserShell, o, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { term.Close() })
	return term, b, done
}

func TestBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shell := newFakeShell()
		var request Request
		term, device, done := served(t, &Options{Cols: 100, Rows: 1 << 30}, Config{}, func(_ context.Context, r *Request) (Shell, error) {
			request = *r
			return shell, nil
		})
		_, err := term.Write([]byte("héllo"))
		require.NoError(t, err)
		buf := make([]byte, 100)
		n, err := term.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "HÉLLO", string(buf[:n]))
		require.Equal(t, Request{Kind: UserShell, Options: Options{Cols: 100, Rows: maxSide}}, request)

		require.NoError(t, term.Resize(Size{120, 40}))
		require.NoError(t, term.Resize(Size{0, 40}), "which is no size")
		require.NoError(t, term.Resize(Size{1 << 30, 1}))
		require.Equal(t, Size{120, 40}, <-shell.sizes)
		require.Equal(t, Size{maxSide, 1}, <-shell.sizes)

		// Text of any kind is never typed, and never shown.
		for _, text := range []string{"typed", "{", `{"ctrlChannel":"102938","type":"ping"}`, `{"type":"rtt","time":5}`, "7"} {
			require.NoError(t, term.conn.WriteMessage(t.Context(), Text, []byte(text)))
			require.NoError(t, device.WriteMessage(t.Context(), Text, []byte(text)))
		}
		_, err = term.Write([]byte("next"))
		require.NoError(t, err)
		n, err = term.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "NEXT", string(buf[:n]))

		_, err = term.Write([]byte("exit"))
		require.NoError(t, err)
		_, err = term.Read(buf)
		require.ErrorIs(t, err, io.EOF, "the shell has ended")
		require.NoError(t, <-done)
		<-shell.closed
		_, err = term.Read(buf)
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestOperatorCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shell := newFakeShell()
		term, _, done := served(t, nil, Config{}, func(context.Context, *Request) (Shell, error) { return shell, nil })
		read := make(chan error)
		go func() {
			_, err := term.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		require.NoError(t, term.Close())
		require.NoError(t, term.Close())
		require.ErrorIs(t, <-read, net.ErrClosed)
		_, err := term.Write([]byte("x"))
		require.ErrorIs(t, err, net.ErrClosed)
		require.NoError(t, <-done)
		<-shell.closed
	})
}

func TestTunnelBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shell := newFakeShell()
		term, device, done := served(t, nil, Config{}, func(context.Context, *Request) (Shell, error) { return shell, nil })
		synctest.Wait()
		device.Close(0, "")
		_, err := term.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF, "a broken tunnel is no end of a shell")
		require.NoError(t, <-done)
		<-shell.closed
	})
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		cfg := Config{OnConsole: func(c *Console) { lines = append(lines, c.Msg) }}
		for _, c := range []struct {
			err  error
			want string
		}{
			{&Refusal{"not today"}, "not today"},
			{errors.New("secret path"), "Unable to start a terminal"},
		} {
			term, _, done := served(t, nil, cfg, func(context.Context, *Request) (Shell, error) { return nil, c.err })
			_, err := term.Read(make([]byte, 1))
			require.ErrorIs(t, err, ErrDenied)
			require.ErrorContains(t, err, c.want)
			require.ErrorIs(t, <-done, c.err)
		}
		require.Equal(t, []string{"not today", "Unable to start a terminal"}, lines)
	})
}

func TestKinds(t *testing.T) {
	a, b := msgconn.Pipe()
	_, err := Open(t.Context(), a, 2, nil, Config{})
	require.ErrorIs(t, err, ErrKind)
	require.NoError(t, a.WriteMessage(t.Context(), Text, []byte("2")))
	_, err = Accept(t.Context(), b)
	require.ErrorIs(t, err, ErrKind)
	require.ErrorIs(t, Serve(t.Context(), b, &Request{Kind: 3}, ServeConfig{}), ErrKind)
	for _, k := range []Kind{System, PowerShell, UserShell, UserPowerShell} {
		require.True(t, k.Valid())
		require.NotContains(t, k.String(), "Kind")
	}
	require.Equal(t, "Kind(4)", Kind(4).String())
}

// Output is the same however it is cut into messages, and however it is read.
func TestEverySplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "a ☃ and \x1b[2J"
		for cut := range len(text) + 1 {
			for size := 1; size <= len(text); size++ {
				a, b := msgconn.Pipe()
				term := New(a, Config{})
				for _, part := range []string{text[:cut], text[cut:]} {
					require.NoError(t, b.WriteMessage(t.Context(), Binary, []byte(part)))
				}
				b.Close(msgconn.CloseNormal, "")
				var got strings.Builder
				_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{term}, make([]byte, size))
				require.NoError(t, err)
				require.Equal(t, text, got.String())
				term.Close()
			}
		}
	})
}

func TestLargeWriteIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := msgconn.Pipe()
		term := New(a, Config{})
		defer term.Close()
		n, err := term.Write(make([]byte, 2*maxWrite+1))
		require.NoError(t, err)
		require.Equal(t, 2*maxWrite+1, n)
		for _, want := range []int{maxWrite, maxWrite, 1} {
			typ, p, err := b.ReadMessage(t.Context())
			require.NoError(t, err)
			require.Equal(t, Binary, typ)
			require.Len(t, p, want)
		}
	})
}

// readUntil reads until a text has come.
func readUntil(t *testing.T, r io.Reader, text string) string {
	t.Helper()
	var all strings.Builder
	b := make([]byte, 1000)
	for !strings.Contains(all.String(), text) {
		n, err := r.Read(b)
		all.Write(b[:n])
		require.NoError(t, err, "until %q came %q", text, all.String())
	}
	return all.String()
}
