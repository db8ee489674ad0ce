package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Program is a program in a process group of its own, with all that it printed.
type Program struct {
	name  string
	grace time.Duration // from being asked to end to being killed
	log   *logBuffer
	proc  *process // nil before the first start
}

func newProgram(name string, grace time.Duration) Program {
	return Program{name: name, grace: grace, log: newLogBuffer()}
}

// StartProgram runs a command, for instance an example that the test has
// built. Without an environment of its own it gets this process's, less proxies
// and MESHCENTRAL_ variables. It and its descendants are ended when the test
// ends; if the test has failed by then, the end of the program's log is printed.
func StartProgram(t testing.TB, cmd *exec.Cmd) *Program {
	t.Helper()
	p := newProgram(cmd.Path, stopGrace)
	p.endWith(t)
	if err := p.launch(cmd, false); err != nil {
		t.Fatal(err)
	}
	return &p
}

// launch runs cmd as the program, which must not be running.
func (p *Program) launch(cmd *exec.Cmd, terminal bool) error {
	proc, err := startProcess(cmd, p.log, terminal)
	if err != nil {
		return fmt.Errorf("interop: %s: %w", p.name, err)
	}
	p.proc = proc
	return nil
}

// endWith stops the program when the test ends.
func (p *Program) endWith(t testing.TB) {
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("the log of %s ends with:\n%s", p.name, lastBytes(p.Log(), 8<<10))
		}
	})
}

// Stop asks the program's process group to end, kills it if it does not, and
// returns when nothing of it is left. It may be called more than once.
func (p *Program) Stop() {
	if p.proc != nil {
		p.proc.stop(p.grace)
	}
}

// Signal sends a signal to the program, not to its descendants.
func (p *Program) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.proc.cmd.Process.Signal(signal); err != nil {
		t.Fatalf("interop: %s: %v", p.name, err)
	}
}

// Pid returns the id of the program's process, which is that of its process group.
func (p *Program) Pid() int { return p.proc.cmd.Process.Pid }

// Running says whether the program, or something it has started, still runs.
func (p *Program) Running() bool { return p.proc.running() }

// Exited returns a channel that is closed when the program has ended and its
// descendants too. After a restart there is another one.
func (p *Program) Exited() <-chan struct{} { return p.proc.done }

// ExitCode returns the exit status of a program that has ended, or -1 if it
// was ended by a signal or still runs.
func (p *Program) ExitCode() int {
	if p.Running() {
		return -1
	}
	return p.proc.cmd.ProcessState.ExitCode()
}

// Log returns what the program printed, of a long log the end.
func (p *Program) Log() string { return p.log.String() }

// WaitLog waits until the program has printed text. After two minutes
// without it, or when the program ends, it fails the test.
func (p *Program) WaitLog(t testing.TB, text string) {
	t.Helper()
	p.waitLogSince(t, 0, text)
}

// waitLogSince is WaitLog for what is printed after a mark.
func (p *Program) waitLogSince(t testing.TB, mark int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.log.wait(ctx, p.proc.done, mark, text); err != nil {
		t.Fatalf("interop: waiting for %s: %v", p.name, err)
	}
}
