package terminal

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// openPTY makes a pseudo terminal. Its files are blocking: kqueue does not know terminals.
func openPTY() (master, slave *os.File, err error) {
	master, err = openBlocking("/dev/ptmx")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			master.Close()
		}
	}()
	if err := ioctl(master, syscall.TIOCPTYGRANT, nil); err != nil {
		return nil, nil, err
	}
	if err := ioctl(master, syscall.TIOCPTYUNLK, nil); err != nil {
		return nil, nil, err
	}
	var name [128]byte // the size is part of the request's number
	if err := ioctl(master, syscall.TIOCPTYGNAME, unsafe.Pointer(&name)); err != nil {
		return nil, nil, err
	}
	n := bytes.IndexByte(name[:], 0)
	if n <= 0 {
		return nil, nil, errors.New("the terminal has no name")
	}
	slave, err = openBlocking(string(name[:n]))
	return master, slave, err
}

func openBlocking(name string) (*os.File, error) {
	fd, err := syscall.Open(name, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
