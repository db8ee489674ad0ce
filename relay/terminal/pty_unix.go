//go:build linux || darwin

package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	// hangup is how long a shell may take to end once its terminal is gone.
	hangup = 2 * time.Second
	// drain is how long output is still read when the shell has ended but something else holds its terminal open.
	drain = time.Second
	// stalled is how long typing waits for a shell that does not read. Then it is dropped, as terminals do when their queue
	// is full: waiting longer would keep the end of the tunnel from being seen.
	stalled = 5 * time.Second
	// lastOutput is how much is still read after that time: more than a terminal holds of what its shell had written by then.
	lastOutput = 128 << 10
)

// ptyShell is a command on a pseudo terminal.
type ptyShell struct {
	master *os.File
	cmd    *exec.Cmd
	exited chan struct{} // closed when the command has ended and was waited for
	last   int           // what may still be read when the time for it is over; the reader's

	close sync.Once
}

// startPTY starts a command as the leader of a session on a new pseudo terminal.
func startPTY(cmd *exec.Cmd, size Size) (_ Shell, err error) {
	master, slave, err := openPTY()
	if err != nil {
		return nil, fmt.Errorf("terminal: pty: %w", err)
	}
	defer slave.Close()
	s := &ptyShell{master: master, cmd: cmd, exited: make(chan struct{}), last: lastOutput}
	defer func() {
		if err != nil {
			master.Close()
		}
	}()
	if err := s.Resize(size); err != nil {
		return nil, fmt.Errorf("terminal: pty: size: %w", err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty, cmd.SysProcAttr.Ctty = true, true, 0
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("terminal: start: %w", err)
	}
	go s.wait()
	return s, nil
}

// wait takes note of the end of the command. Its terminal hangs up with it, and reads then end by themselves; the deadline is
// for what left the session and still holds the terminal.
func (s *ptyShell) wait() {
	_ = s.cmd.Wait() // a status cannot be told to the operator
	_ = s.master.SetReadDeadline(time.Now().Add(drain))
	close(s.exited)
}

// Read returns output, and io.EOF once the command has ended. One goroutine calls it.
func (s *ptyShell) Read(p []byte) (int, error) {
	n, err := s.master.Read(p)
	switch {
	case n > 0 || err == nil:
	case errors.Is(err, syscall.EIO): // is how Linux says that the other side is closed
		err = io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		if n = s.unread(p); n > 0 {
			return n, nil
		}
		err = io.EOF
	}
	return n, err
}

// unread is output that waits although the time for it is over. It is not for a tunnel that was slow, or a machine that was
// busy, to cut off the last words of a shell.
func (s *ptyShell) unread(p []byte) int {
	p = p[:min(len(p), s.last)]
	raw, err := s.master.SyscallConn()
	if err != nil || len(p) == 0 {
		return 0
	}
	n := 0
	err = raw.Control(func(fd uintptr) { // which, unlike raw.Read, knows no deadline
		var readErr error
		for n, readErr = syscall.Read(int(fd), p); errors.Is(readErr, syscall.EINTR); {
			n, readErr = syscall.Read(int(fd), p)
		}
	})
	if err != nil || n <= 0 {
		return 0
	}
	s.last -= n
	return n
}

// Write types.
func (s *ptyShell) Write(p []byte) (int, error) {
	_ = s.master.SetWriteDeadline(time.Now().Add(stalled)) // without effect on macOS, where writes block
	n, err := s.master.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return len(p), nil
	}
	return n, err
}

// winsize is struct winsize of <sys/ioctl.h>.
type winsize struct{ rows, cols, x, y uint16 }

// Resize changes the size, of which the foreground process is told by a signal.
func (s *ptyShell) Resize(size Size) error {
	size = size.bounded()
	ws := winsize{rows: uint16(size.Rows), cols: uint16(size.Cols)}
	return ioctl(s.master, syscall.TIOCSWINSZ, unsafe.Pointer(&ws))
}

// Close hangs up, and kills what does not go.
func (s *ptyShell) Close() error {
	s.close.Do(func() {
		group := -s.cmd.Process.Pid // the session's leader leads its group
		select {
		case <-s.exited:
		default:
			_ = syscall.Kill(group, syscall.SIGHUP)
			_ = syscall.Kill(group, syscall.SIGCONT)
		}
		s.master.Close() // the foreground processes get a SIGHUP too
		select {
		case <-s.exited:
			return
		case <-time.After(hangup):
		}
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-s.exited
	})
	return nil
}

// ioctl is an ioctl on a file that stays in non-blocking mode.
func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) { _, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg)) })
	if err == nil && errno != 0 {
		err = errno
	}
	return err
}
