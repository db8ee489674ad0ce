package main

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto/controltest"
	"github.com/meshcentral-go/sdk/examples/internal/console/ptytest"
)

// On a real terminal, the password is asked for and does not appear, and whatever ends the asking leaves the terminal as it was.
func TestProgramAsks(t *testing.T) {
	s := furnished(t)
	path := build(t)
	const prompt = "Password of admin: "

	terminal := ptytest.Start(t, command(t, s, path, "userinfo", "--loginpass"))
	terminal.Wait(t, prompt)
	terminal.Type(t, controltest.Password+"\r")
	code, shown := terminal.End(t)
	require.Equal(t, exitDone, code, shown)
	require.Contains(t, shown, "_id: user//admin")
	require.NotContains(t, shown, controltest.Password)

	for name, end := range map[string]func(*ptytest.Terminal){
		"Ctrl-C":  func(terminal *ptytest.Terminal) { terminal.Type(t, "half\x03") },
		"SIGTERM": func(terminal *ptytest.Terminal) { terminal.Signal(t, syscall.SIGTERM) },
		"SIGINT":  func(terminal *ptytest.Terminal) { terminal.Signal(t, syscall.SIGINT) },
	} {
		terminal := ptytest.Start(t, command(t, s, path, "userinfo", "--loginpass"))
		terminal.Wait(t, prompt)
		end(terminal)
		code, shown := terminal.End(t)
		require.Equal(t, exitInterrupted, code, "%s: %q", name, shown)
		require.NotContains(t, shown, "half", name)
	}
}
