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
	"github.com/meshcentral-go/sdk/wsman"
)

// system is the world around the program. Tests make up another one.
type system struct {
	in          *bufio.Reader
	out, err    io.Writer
	inTerminal  bool
	errTerminal bool
	getenv      func(string) string
	now         func() time.Time
	pause       func(ctx context.Context, d time.Duration) error // between questions to a device; nil is for real
	// readSecret asks for a secret on the terminal, without echo.
	readSecret func(ctx context.Context, prompt string) (string, error)
	// rawTerminal hands the terminal over to the host at the other end.
	rawTerminal func() (restore func(), err error)
}

func osSystem() *system {
	return &system{
		in: bufio.NewReader(os.Stdin), out: os.Stdout, err: os.Stderr,
		inTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		getenv:      os.Getenv,
		now:         time.Now,
		readSecret:  console.ReadSecret,
		rawTerminal: func() (func(), error) {
			before, err := term.MakeRaw(int(os.Stdin.Fd()))
			if err != nil {
				return nil, err
			}
			return func() { _ = term.Restore(int(os.Stdin.Fd()), before) }, nil
		},
	}
}

// secretSource says where a secret may come from. There is no flag for one: others on the machine see command lines.
type secretSource struct {
	what string // "password of admin"
	env  string // variable of the environment
	file string // value of the flag that names a file; "-" is the standard input
	flag string // that flag
}

// secret gets a secret: of the file, of the environment, or asked for on the terminal.
func (s *system) secret(ctx context.Context, from secretSource) (wsman.Secret, error) {
	switch {
	case from.file == "-":
		return s.secretLine(from)
	case from.file != "":
		text, err := readSmall(from.file)
		if err != nil {
			return wsman.Secret{}, usageError("--%s: %v", from.flag, err)
		}
		return notEmpty(strings.TrimRight(string(text), "\r\n"), "--"+from.flag)
	case s.getenv(from.env) != "":
		return wsman.NewSecret(s.getenv(from.env)), nil
	case !s.inTerminal:
		return wsman.Secret{}, usageError("no %s: set %s, or use --%s", from.what, from.env, from.flag)
	}
	text, err := s.readSecret(ctx, console.Clean(strings.ToUpper(from.what[:1])+from.what[1:])+": ")
	switch {
	case ctx.Err() != nil:
		return wsman.Secret{}, context.Cause(ctx)
	case errors.Is(err, context.Canceled):
		return wsman.Secret{}, err
	case err != nil:
		return wsman.Secret{}, usageError("reading from the terminal: %v", err)
	}
	return notEmpty(text, "the "+from.what)
}

// secretLine reads the next line of the standard input.
func (s *system) secretLine(from secretSource) (wsman.Secret, error) {
	line, err := s.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return wsman.Secret{}, fmt.Errorf("reading the standard input: %w", err)
	}
	return notEmpty(strings.TrimRight(line, "\r\n"), "--"+from.flag+" -")
}

func notEmpty(text, what string) (wsman.Secret, error) {
	if text == "" {
		return wsman.Secret{}, usageError("%s is empty", what)
	}
	return wsman.NewSecret(text), nil
}

// newSecret gets a secret that is set somewhere. On the terminal it is asked for twice.
func (s *system) newSecret(ctx context.Context, from secretSource) (wsman.Secret, error) {
	first, err := s.secret(ctx, from)
	if err != nil || from.file != "" || s.getenv(from.env) != "" {
		return first, err
	}
	from.what += " again"
	second, err := s.secret(ctx, from)
	if err == nil && first.Reveal() != second.Reveal() {
		return wsman.Secret{}, usageError("they are not the same")
	}
	return first, err
}

// maxSmall bounds files that are read as a whole: passwords, keys, certificates.
const maxSmall = 1 << 20

func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		err = fmt.Errorf("%s is larger than 1 MiB", name)
	}
	return b, err
}
