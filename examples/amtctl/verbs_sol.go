package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// solFlags are those of serial over LAN.
type solFlags struct {
	escape string
	linger time.Duration
	target string
	boot   bootFlags
}

// solCommands is the command for serial over LAN.
func (a *app) solCommands() []*cobra.Command {
	var f solFlags
	c := a.on("sol", "Open the host's serial console (serial over LAN)", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		if s.flags.json {
			return usageError("what a console shows is no JSON")
		}
		escape, err := escapeKey(f.escape)
		if err != nil {
			return err
		}
		if f.linger < 0 {
			return usageError("--linger cannot be below zero")
		}
		var boot *flows.Boot
		if f.target != "" {
			b, err := f.boot.of(ctx, s, f.target)
			if err != nil {
				return err
			}
			b.SOL = true
			boot = &b
		}
		return s.sol(ctx, f, escape, boot)
	})
	c.Long = c.Short + ".\n\nIn a terminal each key goes to the host, Ctrl-C too; the escape key ends the session. In pipes the standard input goes\n" +
		"to the host and what it shows to the standard output, until the device ends the session, or the host is silent for\n" +
		"the time of --linger after the input has ended. What the host sends is passed on as it is, as with ssh."
	c.Flags().StringVar(&f.escape, "escape", "^]", "`KEY` that ends the session, in a terminal: ^A to ^_, or none")
	c.Flags().DurationVar(&f.linger, "linger", 2*time.Second, "in pipes, `TIME` without output after the input has ended; 0 is for ever")
	c.Flags().StringVar(&f.target, "boot", "", "boot the host to `TARGET` (see amtctl boot), with the texts of the BIOS in the session")
	f.boot.add(c.Flags())
	return []*cobra.Command{c}
}

// noEscape stands for no escape key.
const noEscape = -1

// escapeKey reads --escape.
func escapeKey(text string) (int, error) {
	if strings.EqualFold(text, "none") {
		return noEscape, nil
	}
	if key := strings.ToUpper(text); len(key) == 2 && key[0] == '^' && key[1] >= 'A' && key[1] <= '_' {
		return int(key[1] - '@'), nil
	}
	return 0, usageError("--escape can be ^A to ^_ or none, and not %.40q", text)
}

// sol joins the terminal, or the standard input and output, with the console of the host.
func (s *session) sol(ctx context.Context, f solFlags, escape int, boot *flows.Boot) error {
	conn, err := s.dialRedirection(ctx)
	if err != nil {
		return err
	}
	serial, err := redir.OpenSOL(ctx, conn, redir.SOLConfig{Config: s.redirection()})
	if err != nil {
		return err
	}
	defer serial.Close()
	if boot != nil {
		p, err := s.boot(ctx, *boot, f.boot.power)
		if err != nil {
			return err
		}
		s.note("the host is %s", powerText(p))
	}
	if s.inTerminal {
		restore, err := s.rawTerminal()
		if err != nil {
			return err
		}
		defer restore()
		if escape != noEscape { // only now, as keys before would not be the host's
			fmt.Fprintf(s.err, "connected; %s ends the session\r\n", strings.ToUpper(f.escape))
		}
		return passOn(ctx, serial, s.system, escape, 0)
	}
	return passOn(ctx, serial, s.system, noEscape, f.linger)
}

// errEscaped is the end that the escape key makes.
var errEscaped = errors.New("escaped")

// passOn passes on what is typed and what is shown, until one end has had enough.
func passOn(ctx context.Context, serial io.ReadWriteCloser, sys *system, escape int, linger time.Duration) error {
	heard, shown := make(chan struct{}, 1), make(chan error, 1)
	go func() { shown <- show(sys.out, serial, heard) }()
	typed := make(chan error, 1)
	from := sys.in
	// May be left waiting for one more key: nothing ends the reading of a terminal.
	go func() { typed <- typeInto(serial, from, escape) }()

	reason := error(nil)
	var silence <-chan time.Time
	for silent := time.Duration(0); ; {
		select {
		case err := <-shown:
			return consoleEnd(err)
		case err := <-typed:
			typed = nil
			if err != nil {
				reason = err
			} else {
				silent = linger
			}
		case <-heard:
		case <-silence:
			reason = errEscaped
		case <-ctx.Done():
			reason = context.Cause(ctx)
		}
		if reason != nil {
			_ = serial.Close()
			<-shown
			return consoleEnd(reason)
		}
		if silent > 0 {
			silence = time.After(silent)
		}
	}
}

// show writes what the host sends. heard gets a value for each piece.
func show(to io.Writer, from io.Reader, heard chan<- struct{}) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			select {
			case heard <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return err
		}
	}
}

// typeInto sends what is typed, until its end, which is no error, or the escape key.
func typeInto(to io.Writer, from io.Reader, escape int) error {
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		keys, escaped := buf[:n], false
		if escape != noEscape {
			if i := bytes.IndexByte(keys, byte(escape)); i >= 0 {
				keys, escaped = keys[:i], true
			}
		}
		if len(keys) > 0 {
			if _, err := to.Write(keys); err != nil {
				return err
			}
		}
		switch {
		case escaped:
			return errEscaped
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// consoleEnd is nil for the ends that a console usually has.
func consoleEnd(err error) error {
	if errors.Is(err, errEscaped) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
