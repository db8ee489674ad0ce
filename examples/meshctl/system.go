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

	"github.com/meshcentral-go/sdk/examples/internal/console"
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
	// patience is how long to wait for a connection where so much was asked for. A test that has to see how long an answer is
	// waited for does not have to connect in as short a time.
	patience func(time.Duration) time.Duration
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
		patience:    func(d time.Duration) time.Duration { return d },
		readSecret:  console.ReadSecret,
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

// secret gets a secret from the user: on a terminal without echo, else as the next line of the standard input.
func (s *system) secret(ctx context.Context, prompt string) (string, error) {
	if s.inTerminal {
		text, err := s.readSecret(ctx, prompt)
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case errors.Is(err, context.Canceled):
			return "", err
		case err != nil:
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
