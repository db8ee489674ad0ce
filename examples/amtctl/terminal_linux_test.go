package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/examples/internal/console/ptytest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// On a real terminal: the password is asked for and does not appear, Ctrl-C goes to the host, and the escape key ends it.
func TestProgramOnTerminal(t *testing.T) {
	m := newMachine(t, wsmantest.Config{})
	path := buildProgram(t)
	terminal := ptytest.Start(t, command(t, "", path, m.at("sol")...))
	for _, step := range []struct{ shown, typed string }{
		{"Password of admin: ", password + "\r"}, {"^] ends the session", "ab\x03cd"}, {"ab\x03cd", "\x1d"},
	} {
		terminal.Wait(t, step.shown)
		terminal.Type(t, step.typed)
	}
	code, shown := terminal.End(t)
	require.Equal(t, exitDone, code, "%q", shown)
	require.NotContains(t, shown, password)

	terminal = ptytest.Start(t, command(t, "", path, m.at("sol")...))
	terminal.Wait(t, "Password of admin: ")
	terminal.Type(t, "half\x03")
	code, shown = terminal.End(t)
	require.Equal(t, exitInterrupted, code, "%q", shown)
	require.NotContains(t, shown, "half")
}
