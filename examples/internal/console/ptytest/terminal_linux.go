package ptytest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/term"
)

// patience is how long a program may take on a machine that is busy.
const patience = 2 * time.Minute

// Terminal is a terminal with a program on it.
type Terminal struct {
	cmd    *exec.Cmd
	before *term.State
	master *os.File
	slave  *os.File // is kept, as a terminal forgets how it was when nobody has it
	exited chan struct{}
	err    error         // of the program; after exited
	read   chan struct{} // closed when all that was shown was read

	mu      sync.Mutex
	shown   strings.Builder
	changed chan struct{} // closed and replaced when more is shown
}

// Start runs a program, which is killed when the test ends.
func Start(t *testing.T, cmd *exec.Cmd) *Terminal {
	t.Helper()
	p := &Terminal{cmd: cmd, exited: make(chan struct{}), read: make(chan struct{}), changed: make(chan struct{})}
	if err := p.open(); err != nil {
		t.Fatalf("ptytest: %v", err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.slave, p.slave, p.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		p.slave.Close()
		p.master.Close()
		t.Fatalf("ptytest: %v", err)
	}
	go func() {
		defer close(p.exited)
		p.err = cmd.Wait()
	}()
	go func() {
		defer close(p.read)
		_, _ = io.Copy(p, p.master) // ends with EIO when nobody has the terminal any more
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // failing, it has ended
		<-p.exited
		p.slave.Close()
		<-p.read
		p.master.Close()
	})
	return p
}

// open makes the terminal.
func (p *Terminal) open() (err error) {
	if p.master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		return err
	}
	var number, locked int32
	err = errors.Join(ioctl(p.master, syscall.TIOCSPTLCK, &locked), ioctl(p.master, syscall.TIOCGPTN, &number))
	if err == nil {
		p.slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err == nil {
		p.before, err = p.state()
	}
	if err != nil {
		p.slave.Close() // of nil it does nothing
		p.master.Close()
	}
	return err
}

func ioctl(f *os.File, request uintptr, value *int32) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	if err := raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(value)))
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}

func (p *Terminal) state() (state *term.State, err error) {
	raw, err := p.slave.SyscallConn()
	if err != nil {
		return nil, err
	}
	if controlErr := raw.Control(func(fd uintptr) { state, err = term.GetState(int(fd)) }); controlErr != nil {
		return nil, controlErr
	}
	return state, err
}

// Write implements [io.Writer] for what is shown.
func (p *Terminal) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.shown.Write(b)
}

// Shown is what the terminal has shown so far.
func (p *Terminal) Shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// Wait waits until the terminal has shown a text.
func (p *Terminal) Wait(t *testing.T, text string) {
	t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		shown, changed := p.shown.String(), p.changed
		p.mu.Unlock()
		if strings.Contains(shown, text) {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("ptytest: %q does not appear: %q", text, shown)
		}
	}
}

// Type types keys.
func (p *Terminal) Type(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(p.master, keys); err != nil {
		t.Fatalf("ptytest: %v", err)
	}
}

// Signal sends a signal to the program.
func (p *Terminal) Signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatalf("ptytest: %v", err)
	}
}

// End waits for the end of the program, which has to leave the terminal as it was, and returns its exit code and all that it has
// shown.
func (p *Terminal) End(t *testing.T) (code int, shown string) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("ptytest: the program does not end: %q", p.Shown())
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		t.Fatalf("ptytest: %v", p.err)
	}
	after, err := p.state()
	if err != nil {
		t.Fatalf("ptytest: %v", err)
	}
	if *after != *p.before {
		t.Errorf("ptytest: the program has left the terminal in another state: %+v, and not %+v", *after, *p.before)
	}
	p.slave.Close()
	<-p.read
	return p.cmd.ProcessState.ExitCode(), p.Shown()
}
