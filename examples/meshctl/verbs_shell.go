package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// tunnelPowerShell is the kind of tunnel with a PowerShell in place of the usual shell.
const tunnelPowerShell controlproto.TunnelKind = 6

// shellCommands is the verb that opens a shell on a device.
func (a *app) shellCommands() []*cobra.Command {
	var powershell bool
	c := a.onDevice("shell", "Open a shell on a device", func(ctx context.Context, s *session, device controlproto.ID) error {
		if !s.inTerminal || !s.outTerminal {
			return usageError("shell needs a terminal: runcommand does without")
		}
		kind := controlproto.TunnelTerminal
		if powershell {
			kind = tunnelPowerShell
		}
		return s.shell(ctx, device, kind)
	})
	c.Long = c.Short + ".\n\nWhat the device sends goes to the terminal as it is, as with ssh."
	c.Flags().BoolVar(&powershell, "powershell", false, "open a PowerShell")
	return []*cobra.Command{c}
}

// shell joins the terminal with a shell until the device ends it.
func (s *session) shell(ctx context.Context, device controlproto.ID, kind controlproto.TunnelKind) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	size := func(typ string) controlFrame {
		columns, rows := s.terminalSize()
		return controlFrame{Channel: controlChannel, Type: typ, Columns: columns, Rows: rows}
	}
	options := size("options")
	t, err := s.openTunnel(ctx, device, kind, &options)
	if err != nil {
		return err
	}
	defer t.close()
	restore, err := s.rawTerminal()
	if err != nil {
		return err
	}
	defer restore()

	// Keystrokes are read by a goroutine that may be left waiting for one more: nothing ends the reading of a terminal.
	go func() {
		defer cancel()
		buf := make([]byte, 4096)
		for {
			n, err := s.in.Read(buf)
			if n > 0 && t.conn.WriteMessage(ctx, msgconn.Binary, buf[:n]) != nil || err != nil {
				return
			}
		}
	}()
	go func() {
		changes := s.resized(ctx)
		for {
			select {
			case <-changes:
				if t.sendJSON(ctx, size("termsize")) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		b, err := t.next(ctx)
		if err != nil {
			return shellEnd(err)
		}
		if _, err := s.out.Write(b); err != nil {
			return err
		}
	}
}

// shellEnd is nil for the ends that a shell usually has.
func shellEnd(err error) error {
	var closed *msgconn.CloseError
	if errors.As(err, &closed) || errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
