package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// Every verb of meshctrl exists, with each of its flags. (testdata/meshctrl-flags.txt)
func TestMeshctrlFlags(t *testing.T) {
	b, err := os.ReadFile("testdata/meshctrl-flags.txt")
	require.NoError(t, err)
	root := (&app{system: newWorld(t).system}).root()
	verbs := 0
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(words) == 0 {
			continue
		}
		c := root
		if words[0] != "*" {
			verbs++
			c = child(root, words[0])
			require.NotNil(t, c, words[0])
		}
		for _, flag := range words[1:] {
			name := strings.ToLower(flag)
			if c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil && c.PersistentFlags().Lookup(name) == nil {
				t.Errorf("%s --%s is missing", words[0], flag)
			}
		}
	}
	require.Equal(t, 51, verbs)
}

func child(root *cobra.Command, name string) *cobra.Command {
	for _, c := range root.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// All that the program is made of has a text, and every mark names a flag that exists.
func TestHelp(t *testing.T) {
	root := (&app{system: newWorld(t).system}).root()
	for _, c := range root.Commands() {
		require.NotEmpty(t, c.Short, c.Name())
		require.NotEmpty(t, c.GroupID, c.Name())
		w := newWorld(t)
		require.Contains(t, w.ok(t, "help", c.Name()), "meshctl "+c.Name())
	}
	require.Contains(t, newWorld(t).ok(t), "listdevices")
}

func TestLikeMeshctrl(t *testing.T) {
	root := (&app{system: newWorld(t).system}).root()
	for in, want := range map[string]string{
		"ListDevices --json":                      "listdevices --json",
		"--url wss://X ListDevices":               "--url wss://X listdevices",
		"--json ListDevices":                      "--json listdevices",
		"help ListDevices":                        "help listdevices",
		"EditDevice --desc":                       "editdevice --desc=",
		"EditDevice --desc --id X":                "editdevice --desc= --id X",
		"EditDevice --desc X --id Y":              "editdevice --desc X --id Y",
		"listusers --loginpass":                   "listusers --loginpass=",
		"config --removefromdomain D --title":     "config --removefromdomain D --title=",
		"config --settodomain --newAccounts true": "config --settodomain= --newAccounts true",
		"profile list":                            "profile list",
		"-- ListDevices":                          "-- ListDevices",
	} {
		require.Equal(t, want, strings.Join(likeMeshctrl(root, strings.Fields(in)), " "), in)
	}
}

// The scripts of completion are what the shells take.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script := newWorld(t).ok(t, "completion", shell)
		require.Contains(t, script, "meshctl")
		if path, err := exec.LookPath(shell); err == nil && shell == "bash" {
			cmd := exec.CommandContext(t.Context(), path, "-n")
			cmd.Stdin = strings.NewReader(script)
			require.NoError(t, cmd.Run())
		}
	}
}
