package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

const (
	// patience is how long is waited for anything that a peer should do at once.
	// It only guards against a hang: on a busy machine of few cores, on which other
	// test binaries run their own peers, a peer may get no time for many seconds.
	patience = 2 * time.Minute
	// stopGrace is how long a peer may take to end after being asked. Tests look
	// at how programs end that put their things in order first.
	stopGrace = time.Minute
	// groupGrace is how long the kernel may take to remove a killed group.
	groupGrace = time.Minute
	// drainGrace is for reading the rest of the output when the group is gone. It
	// is used up only when a descendant has left the group and holds the output
	// open.
	drainGrace = 10 * time.Second
)

// process is a peer, the leader of a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the leader was waited for and the group is gone
	err  error         // of the leader, or of ending the group; valid after done
}

// startProcess starts cmd in a new process group. What it prints goes to log;
// with terminal set its standard output is a pseudo-terminal where there is
// one, because programs with a C library print to a pipe only when a buffer is
// full.
func startProcess(cmd *exec.Cmd, log *logBuffer, terminal bool) (*process, error) {
	if cmd.Env == nil {
		cmd.Env = cleanEnv()
	}
	var out output
	if log != nil {
		var err error
		if out, err = openOutput(log, terminal); err != nil {
			return nil, err
		}
		defer out.child.Close()
		cmd.Stdout, cmd.Stderr = out.child, out.child
	}
	ownGroup(cmd)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel's "kill the child when its parent is gone" means the
		// parent's thread. This goroutine keeps the thread as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(p.done)
		p.err = cmd.Wait()
		if err := endGroup(cmd.Process.Pid, groupGrace); err != nil {
			p.err = errors.Join(p.err, err)
		}
		if log != nil {
			out.drain(drainGrace)
		}
	}()
	if err := <-started; err != nil {
		if log != nil {
			_ = out.child.Close()
			out.drain(drainGrace)
		}
		return nil, err
	}
	return p, nil
}

// running says whether the process, or one of its group, still lives.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks the group to end, ends it by force after grace, and returns when
// nothing of it is left.
func (p *process) stop(grace time.Duration) {
	if !p.running() {
		return
	}
	askGroup(p.cmd.Process.Pid)
	select {
	case <-p.done:
		return
	case <-time.After(grace):
	}
	killGroup(p.cmd.Process.Pid)
	<-p.done
}

// run runs cmd to its end and returns what it printed, on standard output and
// standard error together. When ctx ends first the whole group is killed.
func run(ctx context.Context, cmd *exec.Cmd) (string, error) {
	log := newLogBuffer()
	p, err := startProcess(cmd, log, false)
	if err != nil {
		return "", err
	}
	if err := p.waitOrKill(ctx); err != nil {
		return log.String(), err
	}
	return log.String(), nil
}

// waitOrKill waits for the process to end by itself, and kills it when ctx ends.
func (p *process) waitOrKill(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	}
	if !p.running() { // both happened
		return p.err
	}
	p.stop(0)
	return fmt.Errorf("%s did not end in time: %w", p.cmd.Path, ctx.Err())
}

// cleanEnv is the environment of this process without what would change how a
// stock peer behaves: MeshCentral takes MESHCENTRAL_ variables for arguments
// and installs another package when it sees a proxy.
func cleanEnv() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(strings.ToLower(entry), "=")
		switch {
		case strings.HasPrefix(name, "meshcentral_"):
		case strings.HasSuffix(name, "_proxy"):
		case name == "node_options":
		default:
			env = append(env, entry)
		}
	}
	return env
}
