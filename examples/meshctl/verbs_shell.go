package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/terminal"
)

// shellCommands is the verb that opens a shell on a device.
func (a *app) shellCommands() []*cobra.Command {
	var powershell bool
	c := a.onDevice("shell", "Open a shell on a device", func(ctx context.Context, s *session, device controlproto.ID) error {
		if !s.inTerminal || !s.outTerminal {
			return usageError("shell needs a terminal: runcommand does without")
		}
		kind := relay.ProtocolTerminal
		if powershell {
			kind = relay.ProtocolPowerShell
		}
		return s.shell(ctx, device, kind)
	})
	c.Long = c.Short + ".\n\nWhat the device sends goes to the terminal as it is, as with ssh."
	c.Flags().BoolVar(&powershell, "powershell", false, "open a PowerShell")
	return []*cobra.Command{c}
}

// shell joins the terminal with a shell until the device ends it.
func (s *session) shell(ctx context.Context, device controlproto.ID, kind relay.Protocol) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	columns, rows := s.terminalSize()
	o := s.tunnelOptions(kind)
	o.Options = &relay.ControlOptions{Cols: &columns, Rows: &rows}
	tunnel, err := relay.Open(ctx, s.client, string(device), o)
	if err != nil {
		return err
	}
	t := terminal.New(tunnel, terminal.Config{})
	defer t.Close()
	defer context.AfterFunc(ctx, func() { t.Close() })()
	restore, err := s.rawTerminal()
	if err != nil {
		return err
	}
	defer restore()

	// Keystrokes are read by a goroutine that may be left waiting for one more: nothing ends the reading of a terminal.
	keys := s.in
	go func() {
		defer cancel()
		_, _ = io.Copy(t, keys) // either end is the end
	}()
	go func() {
		changes := s.resized(ctx)
		for {
			select {
			case <-changes:
				columns, rows := s.terminalSize()
				if t.Resize(terminal.Size{Cols: columns, Rows: rows}) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	if _, err = io.Copy(s.out, t); ctx.Err() != nil || errors.Is(err, relay.ErrPeerGone) {
		err = nil
	}
	return err
}
