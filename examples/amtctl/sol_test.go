package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/redir"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// shell is a host whose console asks for a line, answers it, and says goodbye.
func shell(_ context.Context, port *redir.Serial) error {
	if _, err := io.WriteString(port, "login: "); err != nil {
		return err
	}
	line, err := bufio.NewReader(port).ReadString('\n')
	if err != nil {
		return err
	}
	_, err = io.WriteString(port, "hello "+line)
	return err
}

// A console in pipes: what is read goes to the host, what it shows comes out, plain and over TLS.
func TestSOLInPipes(t *testing.T) {
	w, m := on(t, wsmantest.Config{TLS: true, SOL: shell})
	for _, args := range [][]string{m.at("sol", "--linger", "0"), append(m.overTLS("sol", "--linger", "0"), "--pin", m.pin(t))} {
		w.reads(strings.NewReader("ann\n"))
		require.Equal(t, "login: hello ann\n", w.ok(t, args...))
	}
}

// A console on a terminal: the escape key ends it, every other key goes to the host.
func TestSOLOnTerminal(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	raw := 0
	w.inTerminal, w.rawTerminal = true, func() (func(), error) { raw++; return func() { raw-- }, nil }
	keys, typed := io.Pipe()
	shown, out := io.Pipe()
	w.reads(keys)
	w.out = out
	w.answers = []string{password}
	code := make(chan int)
	go func() { code <- run(t.Context(), m.at("sol", "--escape", "^a"), w.system) }()
	_, err := io.WriteString(typed, "x\x03\x1d")
	require.NoError(t, err)
	echo := make([]byte, 3)
	_, err = io.ReadFull(shown, echo)
	require.NoError(t, err)
	require.Equal(t, "x\x03\x1d", string(echo))
	_, err = io.WriteString(typed, "\x01not sent")
	require.NoError(t, err)
	require.Equal(t, exitDone, <-code)
	require.Zero(t, raw)
	require.Contains(t, w.stderr.String(), "^A ends the session")
}

// A host that stays silent after the input has ended is left; one that is interrupted too.
func TestSOLEnds(t *testing.T) {
	silent := func(ctx context.Context, _ *redir.Serial) error { <-ctx.Done(); return nil }
	w, m := on(t, wsmantest.Config{SOL: silent})
	w.reads(strings.NewReader("anybody there?\n"))
	require.Empty(t, w.ok(t, m.at("sol", "--linger", "1ms")...))

	ctx, cancel := context.WithCancel(t.Context())
	keys, typed := io.Pipe()
	t.Cleanup(func() { typed.Close() })
	w.reads(keys)
	code := make(chan int)
	go func() {
		got, _, _ := w.run(ctx, m.at("sol")...)
		code <- got
	}()
	require.NoError(t, m.Wait(t.Context(), func() bool { return m.Sessions()["SOL"] == 1 }))
	cancel()
	require.Equal(t, exitInterrupted, <-code)
}

// The texts of the BIOS are in the session that was opened before the boot.
func TestSOLWithBoot(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	w.reads(strings.NewReader(""))
	w.ok(t, m.at("sol", "--boot", "bios", "--linger", "1ms")...)
	boots := m.Boots()
	require.Equal(t, "reset: BIOS setup, SOL", boots[len(boots)-1].String())
	require.Contains(t, w.stderr.String(), "the host is on")
}

func TestEscapeKey(t *testing.T) {
	for text, want := range map[string]int{"^]": 0x1d, "^a": 1, "^_": 0x1f, "NONE": noEscape} {
		got, err := escapeKey(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "a", "^", "^1", "^^^"} {
		_, err := escapeKey(text)
		require.ErrorIs(t, err, errUsage, text)
	}
}
