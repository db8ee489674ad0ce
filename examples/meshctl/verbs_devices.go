package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
)

// deviceCommands are the verbs that change what the server keeps of devices.
func (a *app) deviceCommands() []*cobra.Command {
	return []*cobra.Command{a.editDevice(), a.removeDevice(), a.addLocalDevice(), a.addAMTDevice()}
}

// onDevice makes a command that works on one device.
func (a *app) onDevice(name, short string, do func(ctx context.Context, s *session, device controlproto.ID) error) *cobra.Command {
	var device string
	c := a.remote(name, short, func(ctx context.Context, s *session) error {
		id, err := s.names.device(ctx, device)
		if err != nil {
			return err
		}
		return do(ctx, s, id)
	})
	c.Flags().StringVar(&device, "id", "", "id or name of the `DEVICE`")
	complete(c, "id", a.completeDevices)
	need(c, "id")
	return c
}

// onDevices makes a command that works on devices.
func (a *app) onDevices(name, short string, do func(ctx context.Context, s *session, devices []controlproto.ID) error) *cobra.Command {
	var devices string
	c := a.remote(name, short, func(ctx context.Context, s *session) error {
		ids, err := s.names.deviceList(ctx, devices)
		if err != nil {
			return err
		}
		return do(ctx, s, ids)
	})
	c.Flags().StringVar(&devices, "id", "", "ids or names of the `DEVICES`, separated by commas")
	complete(c, "id", a.completeDevices)
	need(c, "id")
	return c
}

func (a *app) editDevice() *cobra.Command {
	var name, desc, tags string
	var icon uint8
	var consent uint32
	c := a.onDevice("editdevice", "Change what the server keeps of a device", func(ctx context.Context, s *session, device controlproto.ID) error {
		change := &controlproto.ChangeDevice{DeviceID: device, Name: name}
		if s.changed("desc") {
			change.Desc = &desc
		}
		if s.changed("tags") {
			change.Tags = controlproto.Tags{}
			for tag := range strings.SplitSeq(tags, ",") {
				if tag = strings.TrimSpace(tag); tag != "" {
					change.Tags = append(change.Tags, tag)
				}
			}
		}
		if s.changed("icon") {
			if icon < 1 || icon > 8 {
				return usageError("--icon must be 1 to 8")
			}
			change.Icon = controlproto.Icon(icon)
		}
		if s.changed("consent") {
			v := controlproto.Consent(consent)
			change.Consent = &v
		}
		if err := s.client.EditDevice(ctx, change); err != nil {
			return err
		}
		return s.done("ok")
	})
	f := c.Flags()
	f.StringVar(&name, "name", "", "new `NAME`")
	f.StringVar(&desc, "desc", "", "new `TEXT` that describes it; empty removes it")
	f.StringVar(&tags, "tags", "", "new `TAGS`, separated by commas; empty removes all")
	f.Uint8Var(&icon, "icon", 0, "`NUMBER` of the icon: 1 desktop, 2 laptop, 3 phone, 4 server, 5 HTPC, 6 router, 7 embedded, 8 virtual")
	f.Uint32Var(&consent, "consent", 0, consentUsage)
	c.MarkFlagsOneRequired("name", "desc", "tags", "icon", "consent")
	return c
}

func (a *app) removeDevice() *cobra.Command {
	return a.onDevices("removedevice", "Remove devices; one whose agent runs comes back", func(ctx context.Context, s *session, devices []controlproto.ID) error {
		if err := s.client.RemoveDevices(ctx, devices...); err != nil {
			return err
		}
		return s.done("ok")
	})
}

func (a *app) addLocalDevice() *cobra.Command {
	var device controlproto.AddLocalDevice
	var kind int
	c := a.onGroup("addlocaldevice", "Add a device without agent to a device group for such",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			device.GroupID, device.Type = group, controlproto.LocalType(kind)
			switch device.Type {
			case controlproto.LocalWindows, controlproto.LocalLinux, controlproto.LocalMacOS:
			default:
				return usageError("--type must be 4, 6 or 29")
			}
			if err := s.client.AddLocalDevice(ctx, &device); err != nil {
				return err
			}
			return s.done("ok")
		})
	f := c.Flags()
	f.StringVar(&device.Name, "devicename", "", "`NAME` of the device")
	f.StringVar(&device.Host, "hostname", "", "host name or IP `ADDRESS`")
	f.IntVar(&kind, "type", int(controlproto.LocalWindows), "`KIND` of device: 4 Windows, 6 Linux, 29 macOS")
	need(c, "devicename", "hostname")
	return c
}

func (a *app) addAMTDevice() *cobra.Command {
	device := controlproto.AddAMTDevice{TLS: 1}
	var pass string
	var noTLS bool
	c := a.onGroup("addamtdevice", "Add a device with Intel AMT to a device group for such",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			device.GroupID = group
			if noTLS {
				device.TLS = 0
			}
			if pass == "" {
				var err error
				if pass, err = s.secret(ctx, "Intel AMT password: "); err != nil {
					return err
				}
			}
			device.Password = controlproto.NewSecret(pass)
			if err := s.client.AddAMTDevice(ctx, &device); err != nil {
				return err
			}
			return s.done("ok")
		})
	f := c.Flags()
	f.StringVar(&device.Name, "devicename", "", "`NAME` of the device")
	f.StringVar(&device.Host, "hostname", "", "host name or IP `ADDRESS`")
	f.StringVar(&device.User, "user", "", "Intel AMT `USER`")
	f.StringVar(&pass, "pass", "", "Intel AMT `PASSWORD`; empty asks for it")
	f.BoolVar(&noTLS, "notls", false, "without TLS")
	need(c, "devicename", "hostname", "user", "pass")
	return c
}
