package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// commandWait is how long a command may take on a device, unless --wait says.
const commandWait = 10 * time.Minute

// runCommands is the verb that runs commands on devices.
func (a *app) runCommands() []*cobra.Command {
	var devices string
	var group, text string
	var powershell, asUser, asUserOnly, reply bool
	c := a.remote("runcommand", "Run a command on devices", func(ctx context.Context, s *session) error {
		ids, err := s.targets(ctx, devices, group)
		if err != nil {
			return err
		}
		if text == "-" {
			b, err := io.ReadAll(io.LimitReader(s.in, maxCommand+1))
			if err != nil {
				return err
			}
			text = string(b)
		}
		if text == "" || len(text) > maxCommand {
			return usageError("--run must be 1 to %d bytes", maxCommand)
		}
		cmd := controlproto.Command{Text: text, Timeout: commandWait}
		if s.changed("wait") {
			cmd.Timeout = s.flags.wait
		}
		if powershell {
			cmd.Type = controlproto.ShellPowerShell
		}
		switch {
		case asUser:
			cmd.RunAs = controlproto.RunAsUser
		case asUserOnly:
			cmd.RunAs = controlproto.RunAsUserOnly
		}
		if reply {
			return s.runAndShow(ctx, ids, cmd)
		}
		return s.runBlind(ctx, ids, &cmd)
	})
	f := c.Flags()
	f.StringVar(&devices, "id", "", "ids or names of the `DEVICES`, separated by commas")
	f.StringVar(&group, "group", "", "all connected devices of this device `GROUP`")
	f.StringVar(&text, "run", "", "the `COMMAND`; - reads it from the standard input")
	f.BoolVar(&powershell, "powershell", false, "run it in PowerShell")
	f.BoolVar(&asUser, "runasuser", false, "run it as the user who is logged in, if there is one")
	f.BoolVar(&asUserOnly, "runasuseronly", false, "run it only as the user who is logged in")
	f.BoolVar(&reply, "reply", false, "wait for the output and print it")
	complete(c, "id", a.completeDevices)
	complete(c, "group", a.completeGroups)
	need(c, "run")
	c.MarkFlagsOneRequired("id", "group")
	c.MarkFlagsMutuallyExclusive("id", "group")
	c.MarkFlagsMutuallyExclusive("runasuser", "runasuseronly")
	return []*cobra.Command{c}
}

// maxCommand is what servers take.
const maxCommand = 65535

// targets are the devices that are named, or those of a group that are connected.
func (s *session) targets(ctx context.Context, devices, group string) ([]controlproto.ID, error) {
	if group == "" {
		return s.names.deviceList(ctx, devices)
	}
	id, err := s.names.group(ctx, group)
	if err != nil {
		return nil, err
	}
	all, err := s.names.allDevices(ctx)
	if err != nil {
		return nil, err
	}
	var ids []controlproto.ID
	for i := range all {
		if all[i].Group == id && all[i].Conn&controlproto.ConnAgent != 0 {
			ids = append(ids, all[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil, errRefused("no device of this group is connected")
	}
	return ids, nil
}

// runBlind starts a command on devices and does not wait for its end.
func (s *session) runBlind(ctx context.Context, ids []controlproto.ID, cmd *controlproto.Command) error {
	var errs []error
	for _, id := range ids {
		_, err := controlproto.Do(ctx, s.client, &controlproto.RunCommands{
			DeviceIDs: []controlproto.ID{id}, Type: cmd.Type, Commands: cmd.Text, RunAs: cmd.RunAs,
		})
		if err != nil {
			errs = append(errs, &controlproto.DeviceError{Device: id, Err: err})
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return s.done("OK")
}

// ranOn is a line of JSON about one device.
type ranOn struct {
	ID        controlproto.ID `json:"nodeid"`
	Name      string          `json:"name"`
	Output    string          `json:"output"`
	Truncated bool            `json:"truncated"`
	Error     string          `json:"error"`
}

// runAndShow runs a command and prints the output of each device as it comes: of one device just that, of several with
// their names above, and with how many are done on standard error.
func (s *session) runAndShow(ctx context.Context, ids []controlproto.ID, cmd controlproto.Command) error {
	var errs []error
	count := 0
	for result, err := range s.client.RunCommands(ctx, ids, cmd) {
		if err != nil && result.Device == "" { // it is not about one of them: an interruption
			return errors.Join(append(errs, err)...)
		}
		count++
		name := s.names.deviceName(result.Device)
		if err != nil {
			errs = append(errs, &controlproto.DeviceError{Device: result.Device, Err: err})
		}
		if err := s.showResult(name, result, err, len(ids) > 1); err != nil {
			return err
		}
		if len(ids) > 1 && !s.flags.json {
			s.note("%d of %d devices done", count, len(ids))
		}
	}
	return errors.Join(errs...)
}

func (s *session) showResult(name string, r controlproto.RunResult, failed error, several bool) error {
	if s.flags.json {
		line := ranOn{ID: r.Device, Name: name, Output: r.Output, Truncated: r.Truncated}
		if failed != nil {
			line.Error = failed.Error()
		}
		return s.printJSONLine(&line)
	}
	if failed != nil {
		return nil // told at the end
	}
	if several {
		if err := s.println("== " + console.Clean(name)); err != nil {
			return err
		}
	}
	text := r.Output
	if s.outTerminal {
		text = console.CleanLines(text)
	}
	if text = strings.TrimRight(text, "\r\n"); text != "" {
		if err := s.println(text); err != nil {
			return err
		}
	}
	if r.Truncated {
		s.note("the output of %s was longer", name)
	}
	return nil
}
