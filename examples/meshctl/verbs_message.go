package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
)

// messageCommands are the verbs that show something to who uses devices.
func (a *app) messageCommands() []*cobra.Command {
	return []*cobra.Command{a.deviceMessage(), a.deviceToast(), a.openURL(), a.groupMessage(), a.groupToast()}
}

// textFlags are a text and its title.
type textFlags struct {
	msg, title string
	timeout    int64
}

func (t *textFlags) add(c *cobra.Command, timeout bool) {
	f := c.Flags()
	f.StringVar(&t.msg, "msg", "", "`TEXT` of the message")
	f.StringVar(&t.title, "title", "MeshCentral", "`TITLE`")
	if timeout {
		f.Int64Var(&t.timeout, "timeout", 120000, "`MILLISECONDS` that it is shown; 0 is until it is closed")
	}
	need(c, "msg")
}

func (t *textFlags) shown() (time.Duration, error) {
	if t.timeout < 0 {
		return 0, usageError("--timeout is negative")
	}
	return time.Duration(t.timeout) * time.Millisecond, nil
}

func (a *app) deviceMessage() *cobra.Command {
	var text textFlags
	c := a.onDevices("devicemessage", "Show a message on devices", func(ctx context.Context, s *session, devices []controlproto.ID) error {
		shown, err := text.shown()
		if err != nil {
			return err
		}
		return s.each(devices, func(id controlproto.ID) error {
			return s.client.MessageBox(ctx, &controlproto.MsgMessageBox{DeviceID: id, Title: text.title, Msg: text.msg, Timeout: &shown})
		})
	})
	text.add(c, true)
	return c
}

// each does something to one device after the other.
func (s *session) each(devices []controlproto.ID, do func(id controlproto.ID) error) error {
	var errs []error
	for _, id := range devices {
		if err := do(id); err != nil {
			errs = append(errs, &controlproto.DeviceError{Device: id, Err: err})
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return s.done("ok")
}

func (a *app) deviceToast() *cobra.Command {
	var text textFlags
	c := a.onDevices("devicetoast", "Show a notice on devices", func(ctx context.Context, s *session, devices []controlproto.ID) error {
		if err := s.client.Toast(ctx, text.title, text.msg, devices...); err != nil {
			return err
		}
		return s.done("ok")
	})
	text.add(c, false)
	return c
}

func (a *app) openURL() *cobra.Command {
	var url string
	c := a.onDevices("deviceopenurl", "Open a web page on devices", func(ctx context.Context, s *session, devices []controlproto.ID) error {
		return s.each(devices, func(id controlproto.ID) error { return s.client.OpenURL(ctx, id, url) })
	})
	c.Flags().StringVar(&url, "openurl", "", "`ADDRESS` of the page")
	need(c, "openurl")
	return c
}

func (a *app) groupMessage() *cobra.Command {
	var text textFlags
	c := a.onGroup("groupmessage", "Show a message on all connected devices of a device group",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			shown, err := text.shown()
			if err != nil {
				return err
			}
			if err := s.client.GroupMessage(ctx, group, text.title, text.msg, shown); err != nil {
				return err
			}
			return s.done("ok")
		})
	text.add(c, true)
	return c
}

func (a *app) groupToast() *cobra.Command {
	var text textFlags
	c := a.onGroup("grouptoast", "Show a notice on all connected devices of a device group",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			if err := s.client.GroupToast(ctx, group, text.title, text.msg); err != nil {
				return err
			}
			return s.done("ok")
		})
	text.add(c, false)
	return c
}
