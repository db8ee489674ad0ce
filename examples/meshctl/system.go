package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// system is the world around the program. Tests make up another one.
type system struct {
	in          *bufio.Reader
	out, err    io.Writer
	inTerminal  bool
	outTerminal bool
	errTerminal bool
	getenv      func(string) string
	configDir   func() (string, error)
	now         func() time.Time
	// readSecret asks for a secret on the terminal, without echo.
	readSecret func(ctx context.Context, prompt string) (string, error)
	// rawTerminal hands the terminal over to another program, a shell on a device. terminalSize is its size, and resized
	// gives a value when that has changed.
	rawTerminal  func() (restore func(), err error)
	terminalSize func() (columns, rows int)
	resized      func(ctx context.Context) <-chan os.Signal
}

func osSystem() *system {
	return &system{
		in: bufio.NewReader(os.Stdin), out: os.Stdout, err: os.Stderr,
		inTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		outTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		getenv:      os.Getenv,
		configDir:   os.UserConfigDir,
		now:         time.Now,
		readSecret:  readSecret,
		rawTerminal: func() (func(), error) {
			before, err := term.MakeRaw(int(os.Stdin.Fd()))
			if err != nil {
				return nil, err
			}
			return func() { _ = term.Restore(int(os.Stdin.Fd()), before) }, nil
		},
		terminalSize: func() (int, int) {
			columns, rows, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 0, 0
			}
			return columns, rows
		},
		resized: resized,
	}
}

// readSecret asks on the terminal. Interrupted, it leaves the terminal as it was.
func readSecret(ctx context.Context, prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	came := make(chan answer, 1)
	go func() { // is left behind when the user interrupts: nothing ends the reading of a terminal
		text, err := term.ReadPassword(fd)
		came <- answer{text, err}
	}()
	// Only once there is no echo any more, or what a fast typist answers would stand on the screen.
	for range 1000 {
		if now, err := term.GetState(fd); err != nil || *now != *before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	select {
	case a := <-came:
		return string(a.text), a.err
	case <-ctx.Done():
		_ = term.Restore(fd, before) // the program ends
		return "", context.Cause(ctx)
	}
}

// secret gets a secret from the user: on a terminal without echo, else as the next line of the standard input.
func (s *system) secret(ctx context.Context, prompt string) (string, error) {
	if s.inTerminal {
		text, err := s.readSecret(ctx, prompt)
		if ctx.Err() != nil {
			return "", err
		}
		if err != nil {
			return "", usageError("reading from the terminal: %v", err)
		}
		return text, nil
	}
	line, err := s.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the standard input: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", usageError("a secret was to come from the standard input, which is empty")
	}
	return line, nil
}
