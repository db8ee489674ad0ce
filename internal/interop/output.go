package interop

import (
	"errors"
	"io"
	"os"
	"time"
)

// output is where a process prints to. Package exec would make such a pipe by
// itself, but it gives up reading some time after the process has ended, and
// then what a busy machine has not read yet is lost. Here the reading ends when
// the last holder of the other end is gone.
type output struct {
	child *os.File // for the process; closed by who starts it
	ours  *os.File
	read  chan struct{} // closed when all was read
}

// openOutput makes a pipe to log or, where there is one and it is wanted, a
// pseudo-terminal.
func openOutput(log io.Writer, terminal bool) (output, error) {
	o := output{read: make(chan struct{})}
	err := errors.ErrUnsupported
	if terminal {
		o.ours, o.child, err = openTerminal()
	}
	if errors.Is(err, errors.ErrUnsupported) {
		o.ours, o.child, err = os.Pipe()
	}
	if err != nil {
		return output{}, err
	}
	go func() {
		defer close(o.read)
		_, _ = io.Copy(log, o.ours) // a terminal ends with EIO
		_ = o.ours.Close()
	}()
	return o, nil
}

// drain returns when all was read. After patience it stops reading.
func (o output) drain(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-o.read:
	case <-timer.C:
		_ = o.ours.Close()
		<-o.read
	}
}
