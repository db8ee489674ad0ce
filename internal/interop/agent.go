package interop

import (
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	// agentGrace is shorter than for others: an agent that has just lost its
	// server does not react to SIGTERM.
	agentGrace = 2 * time.Second
	// maxScript keeps a script under the kernel's limit for one argument.
	maxScript = 90 << 10
)

// AgentOptions changes how a native agent is run.
type AgentOptions struct {
	// Dir is the directory to run in, for instance that of an earlier agent,
	// whose identity it then takes over. Empty means a new one, removed when the
	// test ends.
	Dir string
	// Args are appended to the command line.
	Args []string
	// Env is added to the environment.
	Env []string
}

// Agent is a stock native agent.
type Agent struct {
	Program
	dir     string
	options AgentOptions
}

// StartAgent runs the stock agent with the given settings file. With msh nil
// the directory must hold one. It is stopped when the test ends; if the test
// has failed by then, the end of its log is printed.
func StartAgent(t testing.TB, msh []byte, options AgentOptions) *Agent {
	t.Helper()
	a := newAgent(t, options)
	if msh != nil {
		if err := os.WriteFile(filepath.Join(a.dir, "meshagent.msh"), msh, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	return a
}

// StartB64 runs a script in the runtime of the stock agent (-b64exec), without
// a settings file or a server.
func StartB64(t testing.TB, script string, options AgentOptions) *Agent {
	t.Helper()
	if len(script) > maxScript {
		t.Fatalf("interop: a script of %d bytes does not fit into an argument", len(script))
	}
	options.Args = append([]string{"-b64exec", base64.StdEncoding.EncodeToString([]byte(script))}, options.Args...)
	a := newAgent(t, options)
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	return a
}

// RunB64 runs a script in the runtime of the stock agent until the script calls
// process.exit, and returns what it printed.
func RunB64(t testing.TB, script string, options AgentOptions) string {
	t.Helper()
	a := StartB64(t, script, options)
	select {
	case <-a.Exited():
	case <-time.After(patience):
		t.Fatalf("interop: the script did not end within %v, having printed %q", patience, lastBytes(a.Log(), shownLog))
	}
	if code := a.ExitCode(); code != 0 {
		t.Fatalf("interop: the script ended with status %d: %q", code, lastBytes(a.Log(), shownLog))
	}
	return a.Log()
}

// newAgent makes the directory with the agent's program in it.
func newAgent(t testing.TB, options AgentOptions) *Agent {
	t.Helper()
	Require(t, PeerAgent)
	a := &Agent{Program: newProgram("the stock agent", agentGrace), dir: options.Dir, options: options}
	if a.dir == "" {
		dir, err := os.MkdirTemp("", "meshagent-") //nolint:usetesting // paths of t.TempDir are too long for the agent's Unix socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
		a.dir = dir
	}
	if err := copyProgram(a.path(), filepath.Join(AgentsDir(t), "meshagent_x86-64")); err != nil {
		t.Fatal(err)
	}
	a.endWith(t)
	return a
}

func (a *Agent) path() string { return filepath.Join(a.dir, "meshagent") }

// copyProgram copies a program unless it is there already.
func copyProgram(to, from string) (err error) {
	if present(to) {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	// A child that is forked meanwhile would hold the file open for writing until
	// it runs its own program, and the kernel runs no program that is being written.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

func (a *Agent) start() error {
	cmd := exec.Command(a.path(), a.options.Args...)
	cmd.Dir = a.dir
	cmd.Env = append(cleanEnv(), a.options.Env...)
	return a.launch(cmd, true)
}

// Restart stops the agent if it runs and starts it again with the same identity.
func (a *Agent) Restart(t testing.TB) {
	t.Helper()
	a.Stop()
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
}

// Dir returns the directory that holds the agent's program, settings and
// meshagent.db, its identity. It stays until the test ends.
func (a *Agent) Dir() string { return a.dir }
