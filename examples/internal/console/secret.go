package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// ReadSecret asks on the terminal. Interrupted, by ctx or by Ctrl-C, it leaves the terminal as it was and returns an error that is
// [context.Canceled].
//
// The terminal shows nothing of what is typed from before the prompt on. So it is this program that sees to keys like Ctrl-C and
// backspace; package term's ReadPassword, which leaves them to the terminal, would have to be given up when ctx ends, in the
// middle of changing how the terminal is.
func ReadSecret(ctx context.Context, prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer fmt.Fprintln(os.Stderr)
	defer func() { _ = term.Restore(fd, before) }()
	fmt.Fprint(os.Stderr, prompt)
	type answer struct {
		text string
		err  error
	}
	came := make(chan answer, 1)
	go func() { // is left behind when ctx ends: nothing ends the reading of a terminal
		text, err := readLine(os.Stdin)
		came <- answer{text, err}
	}()
	select {
	case a := <-came:
		return a.text, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// maxSecret bounds what is typed.
const maxSecret = 4096

// errTooLong is a line of more than that.
var errTooLong = errors.New("the line is too long")

// readLine reads a line from a terminal in raw mode, and nothing behind it.
func readLine(from io.Reader) (string, error) {
	const (
		interrupt, end, newline, enter = 3, 4, '\n', '\r'
		backspace, erase, kill         = 8, 127, 21
	)
	var line []byte
	for key := []byte{0}; ; {
		switch _, err := io.ReadFull(from, key); {
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case err != nil:
			return "", err
		}
		switch key[0] {
		case interrupt:
			return "", context.Canceled
		case end:
			if len(line) == 0 {
				return "", io.EOF
			}
		case enter, newline:
			return string(line), nil
		case backspace, erase:
			_, n := utf8.DecodeLastRune(line)
			line = line[:len(line)-n]
		case kill:
			line = line[:0]
		default:
			if len(line) == maxSecret {
				return "", errTooLong
			}
			line = append(line, key[0])
		}
	}
}
