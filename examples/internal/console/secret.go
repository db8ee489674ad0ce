package console

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// ReadSecret asks on the terminal. Interrupted, it leaves the terminal as it was.
func ReadSecret(ctx context.Context, prompt string) (string, error) {
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
