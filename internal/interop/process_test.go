//go:build linux || darwin || freebsd

package interop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStopEndsTheWholeGroup(t *testing.T) {
	log := newLogBuffer()
	// The leader ignores the polite request, and has a child.
	p, err := startProcess(exec.Command("sh", "-c", `trap "" TERM; sleep 600 & echo ready; wait; wait`), log, false)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop(0)
	if err := log.wait(t.Context(), p.done, 0, "ready"); err != nil {
		t.Fatal(err)
	}
	group := p.cmd.Process.Pid
	if members, err := groupMembers(group); err != nil || len(members) == 0 {
		t.Fatalf("before: %v, %v", members, err)
	}
	p.stop(10 * time.Millisecond)
	requireGone(t, group)
	p.stop(time.Hour) // a second time does nothing
}

func TestEndOfTheLeaderEndsTheGroup(t *testing.T) {
	p, err := startProcess(exec.Command("sh", "-c", "sleep 600 & exit 3"), newLogBuffer(), false)
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	requireGone(t, p.cmd.Process.Pid)
	if code := p.cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit status %d, want 3", code)
	}
}

func TestProgram(t *testing.T) {
	p := StartProgram(t, exec.Command("sh", "-c", `trap "echo caught; exit 7" USR1; echo ready; while :; do sleep 0.01; done`))
	p.WaitLog(t, "ready")
	if !p.Running() || p.ExitCode() != -1 {
		t.Errorf("running %v with exit status %d", p.Running(), p.ExitCode())
	}
	p.Signal(t, syscall.SIGUSR1)
	<-p.Exited()
	if p.Running() || p.ExitCode() != 7 || p.Log() != "ready\ncaught\n" {
		t.Errorf("running %v, exit status %d, log %q", p.Running(), p.ExitCode(), p.Log())
	}
}

func TestRunKillsWhatIsLate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", "echo begun; echo >&3; sleep 600")
	cmd.ExtraFiles = []*os.File{w}
	go func() { // it is late as soon as it has printed
		defer cancel()
		_, _ = r.Read(make([]byte, 1))
	}()
	out, err := run(ctx, cmd)
	_ = w.Close()
	if !errors.Is(err, context.Canceled) || out != "begun\n" {
		t.Errorf("run = %q, %v, want what was printed and the context's error", out, err)
	}
}

// TestOutputIsWhole reads the output of a process only when it has ended and its child, which goes on, was killed.
func TestOutputIsWhole(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		log := newLogBuffer()
		log.mu.Lock() // not more than one piece can be read
		p, err := startProcess(exec.Command("sh", "-c", "seq 1 500; sleep 600 & exit 5"), log, terminal)
		if err != nil {
			t.Fatal(err)
		}
		awaitGone(t, p.cmd.Process.Pid)
		log.mu.Unlock()
		<-p.done
		if got := log.String(); !strings.HasPrefix(got, "1\n2\n") || !strings.HasSuffix(got, "\n500\n") {
			t.Errorf("terminal %v: of the output is left %q", terminal, got)
		}
		if code := p.cmd.ProcessState.ExitCode(); code != 5 {
			t.Errorf("exit status %d, want 5", code)
		}
	}
}

func TestTerminalOutputComesAtOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("pseudo-terminals are used on Linux only")
	}
	log := newLogBuffer()
	p, err := startProcess(exec.Command("sh", "-c", "if [ -t 1 ]; then echo terminal; fi; sleep 600"), log, true)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop(0)
	if err := log.wait(t.Context(), p.done, 0, "terminal\n"); err != nil {
		t.Errorf("%v: %q", err, log)
	}
}

func TestPeerDiesWithTheTestBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has the signal for it")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), orphanEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if killErr := cmd.Process.Kill(); killErr != nil {
		t.Fatal(killErr)
	}
	if err != nil {
		t.Fatalf("the test binary said %q: %v", line, err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("a killed test binary ended well")
	}
	var peer int
	if _, err := fmt.Sscan(line, &peer); err != nil {
		t.Fatalf("the test binary said %q: %v", line, err)
	}
	// The signal is on its way; endGroup would send its own.
	awaitGone(t, peer)
}

// awaitGone waits until nothing of a process group is left, without doing anything for it.
func awaitGone(t *testing.T, group int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(groupGrace)
	for members := []int{group}; len(members) != 0; <-tick.C {
		var err error
		if members, err = groupMembers(group); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			killGroup(group)
			t.Fatalf("processes %v of group %d do not end", members, group)
		}
	}
}

func TestCleanEnv(t *testing.T) {
	t.Setenv("MESHCENTRAL_PORT", "1")
	t.Setenv("https_proxy", "http://127.0.0.1:1")
	t.Setenv("INTEROP_TEST_KEPT", "yes")
	env := strings.Join(cleanEnv(), "\n")
	for _, name := range []string{"MESHCENTRAL_PORT", "https_proxy"} {
		if strings.Contains(env, name) {
			t.Errorf("%s is passed on", name)
		}
	}
	if !strings.Contains(env, "INTEROP_TEST_KEPT=yes") {
		t.Error("INTEROP_TEST_KEPT is not passed on")
	}
}
