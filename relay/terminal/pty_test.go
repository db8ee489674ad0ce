//go:build linux || darwin

package terminal

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// script is a shell that runs a script.
func script(text string) *PTY {
	return &PTY{Command: func(*Request) (*exec.Cmd, error) { return exec.Command("/bin/sh", "-c", text), nil }}
}

// onPTY is a terminal on a real one, and what Serve returned.
func onPTY(t *testing.T, p *PTY, o *Options) (*Terminal, <-chan error) {
	t.Helper()
	term, _, done := served(t, o, Config{}, p.Start)
	return term, done
}

func TestPTY(t *testing.T) {
	// The trap shows that the signal of a new size arrives. In some shells it ends a read that waits.
	term, done := onPTY(t, script(`test -t 0 && test -t 1 && test -t 2 && echo terminal; stty size; trap 'stty size' WINCH; echo ready; while :; do
		if read line; then case $line in end) exit 3;; *) echo "got $line";; esac; fi; done`), &Options{Cols: 91, Rows: 23})
	out := readUntil(t, term, "ready")
	require.Contains(t, out, "terminal")
	require.Contains(t, out, "23 91")
	_, err := term.Write([]byte("wörd\r"))
	require.NoError(t, err)
	readUntil(t, term, "got wörd")
	require.NoError(t, term.Resize(Size{100, 40}))
	_, err = term.Write([]byte("\r")) // some shells run traps between commands only
	require.NoError(t, err)
	readUntil(t, term, "40 100")
	_, err = term.Write([]byte("end\r"))
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, term)
	require.NoError(t, err, "the end of the shell is the end of the terminal")
	require.NoError(t, <-done)
}

func TestPTYLastOutput(t *testing.T) {
	term, done := onPTY(t, script(`i=0; while test $i -lt 2000; do echo "line $i of the last output"; i=$((i+1)); done; echo over`), nil)
	out, err := io.ReadAll(term)
	require.NoError(t, err)
	require.Contains(t, string(out), "line 1999 of")
	require.Contains(t, string(out), "over")
	require.NoError(t, <-done)
}

// A shell has ended, and what it has written last is not read before the time for that is over: it is not lost, whether
// something holds the terminal open or not.
func TestPTYReadLate(t *testing.T) {
	for name, text := range map[string]string{
		"closed": `echo last words`, "held open": `trap '' HUP; sleep 1000 & echo last words`,
	} {
		t.Run(name, func(t *testing.T) {
			started, err := script(text).Start(t.Context(), &Request{Kind: System})
			require.NoError(t, err)
			defer started.Close()
			shell := started.(*ptyShell)
			if name == "held open" {
				defer syscall.Kill(-shell.cmd.Process.Pid, syscall.SIGKILL)
			}
			<-shell.exited
			if shell.master.SetReadDeadline(time.Unix(1, 0)) != nil {
				t.Skip("reads of terminals have no deadline here")
			}
			out, err := io.ReadAll(shell)
			require.NoError(t, err)
			require.Equal(t, "last words\r\n", string(out))
		})
	}
}

// gone waits until no process of a group is left.
func gone(t *testing.T, pid string) {
	t.Helper()
	p, err := os.ReadFile(pid)
	require.NoError(t, err)
	var n int
	for _, c := range strings.TrimSpace(string(p)) {
		n = n*10 + int(c-'0')
	}
	deadline := time.After(2 * time.Minute)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if err := syscall.Kill(n, 0); errors.Is(err, syscall.ESRCH) {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("process %d is still there", n)
		}
	}
}

// Whoever closes the tunnel ends the shell, and one that ignores that is killed.
func TestPTYClose(t *testing.T) {
	for name, text := range map[string]string{
		"obedient": `echo $$ > "$F"; echo ready; cat`,
		"stubborn": `trap '' HUP TERM; echo $$ > "$F"; echo ready; while :; do sleep 1; done`,
		"silent":   `stty -echo -icanon; echo $$ > "$F"; echo ready; exec sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := t.TempDir() + "/pid"
			term, done := onPTY(t, script(`F=`+file+`; `+text), nil)
			readUntil(t, term, "ready")
			require.NoError(t, term.Close())
			require.NoError(t, <-done)
			gone(t, file)
		})
	}
}

func TestDefaultCommand(t *testing.T) {
	t.Setenv("VERY_SECRET", "1")
	p := &PTY{Env: []string{"EXTRA=here"}}
	cmd, err := p.DefaultCommand(&Request{Kind: System})
	require.NoError(t, err)
	env := strings.Join(cmd.Env, " ")
	require.NotContains(t, env, "VERY_SECRET")
	require.Contains(t, env, "EXTRA=here")
	require.Contains(t, env, "TERM=")
	_, err = p.DefaultCommand(&Request{Kind: UserShell})
	if os.Geteuid() == 0 {
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal)
	} else {
		require.NoError(t, err)
	}
	a, b := msgconn.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), b, &Request{Kind: System}, ServeConfig{Start: p.Start}) }()
	term := New(a, Config{})
	defer term.Close()
	_, err = term.Write([]byte("echo $((6*7)) $EXTRA\rexit\r"))
	require.NoError(t, err)
	readUntil(t, term, "42 here")
	_, err = io.Copy(io.Discard, term)
	require.NoError(t, err)
	require.NoError(t, <-done)
}

func TestPTYDoesNotStart(t *testing.T) {
	p := &PTY{Command: func(*Request) (*exec.Cmd, error) { return exec.Command("/does/not/exist"), nil }}
	_, err := p.Start(t.Context(), &Request{Kind: System})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "terminal: start")
}
