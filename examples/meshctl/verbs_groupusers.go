package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/meshcentral-go/sdk/controlproto"
)

// groupUserCommands are the verbs about who may do what in a device group.
func (a *app) groupUserCommands() []*cobra.Command {
	return []*cobra.Command{a.listGroupUsers(), a.addGroupUser(), a.removeGroupUser()}
}

// deviceUserCommands are those about single devices.
func (a *app) deviceUserCommands() []*cobra.Command {
	return []*cobra.Command{a.addDeviceUser(), a.removeDeviceUser()}
}

func (a *app) listGroupUsers() *cobra.Command {
	return a.onGroup("listusersofdevicegroup", "List who has rights on a device group",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			links, err := s.client.DeviceGroupUsers(ctx, group)
			if err != nil {
				return err
			}
			t := table{columns: []string{"id", "name", "rights"}, json: links, none: "None"}
			for _, id := range sortedKeys(links) {
				t.add(string(id), links[id].Name, links[id].Rights.String())
			}
			return s.list(&t)
		})
}

// rightFlags are meshctrl's flags for rights on device groups and devices, and more that it does not have.
var rightFlags = []struct { //nolint:gochecknoglobals // constant
	name  string
	right controlproto.Rights
	usage string
}{
	{"editgroup", controlproto.EditGroup, "may change the group"},
	{"manageusers", controlproto.ManageUsers, "may add and remove users"},
	{"managedevices", controlproto.ManageDevices, "may change devices"},
	{"remotecontrol", controlproto.RemoteControl, "may use devices"},
	{"agentconsole", controlproto.AgentConsole, "may use the agent's console"},
	{"serverfiles", controlproto.ServerFiles, "may use the group's files on the server"},
	{"wakedevices", controlproto.WakeDevice, "may wake devices"},
	{"notes", controlproto.SetNotes, "may write notes"},
	{"desktopviewonly", controlproto.RemoteViewOnly, "only sees the desktop"},
	{"noterminal", controlproto.NoTerminal, "no terminal"},
	{"nofiles", controlproto.NoFiles, "no files"},
	{"noamt", controlproto.NoAMT, "no Intel AMT"},
	{"limiteddesktop", controlproto.LimitedInput, "limited keys on the desktop"},
	{"limitedevents", controlproto.LimitedEvents, "sees own events only"},
	{"chatnotify", controlproto.ChatNotify, "may chat and notify"},
	{"uninstall", controlproto.UninstallAgent, "may uninstall the agent"},
	{"nodesktop", controlproto.NoDesktop, "no desktop"},
	{"remotecommand", controlproto.RemoteCommand, "may run commands"},
	{"resetoff", controlproto.ResetOff, "may reset and switch off"},
	{"guestsharing", controlproto.GuestSharing, "may share with guests"},
	{"devicedetails", controlproto.DeviceDetails, "sees details of devices"},
	{"relay", controlproto.RelayRight, "may use relays"},
}

// fullDeviceRights is what --fullrights means for one device, as with meshctrl.
const fullDeviceRights = controlproto.RemoteControl | controlproto.AgentConsole | controlproto.ServerFiles | controlproto.WakeDevice |
	controlproto.SetNotes | controlproto.ChatNotify | controlproto.UninstallAgent

// rightSet are the flags of rights of one command.
type rightSet struct {
	full   bool
	single map[string]*bool
}

func (r *rightSet) add(f *pflag.FlagSet, device bool) {
	full := "all rights"
	if device {
		full = "remotecontrol, agentconsole, serverfiles, wakedevices, notes, chatnotify and uninstall"
	}
	f.BoolVar(&r.full, "fullrights", false, full)
	r.single = map[string]*bool{}
	for _, flag := range rightFlags {
		if !device || flag.right.DeviceLink() {
			r.single[flag.name] = f.Bool(flag.name, false, flag.usage)
		}
	}
}

func (r *rightSet) rights(full controlproto.Rights) (rights controlproto.Rights) {
	if r.full {
		rights = full
	}
	for _, flag := range rightFlags {
		if set := r.single[flag.name]; set != nil && *set {
			rights |= flag.right
		}
	}
	return rights
}

// linkUser is an account or user group as the methods for rights take it: an id, or the bare name of an account.
func linkUser(text string) controlproto.ID {
	if id := controlproto.ID(text); id.Valid() {
		return id
	}
	return controlproto.ID(strings.ToLower(text))
}

func (a *app) addGroupUser() *cobra.Command {
	var user string
	var set rightSet
	c := a.onGroup("addusertodevicegroup", "Give an account or a user group rights on a device group",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			err := s.client.AddUserToDeviceGroup(ctx, group, linkUser(user), set.rights(controlproto.FullRights))
			if err != nil {
				return err
			}
			return s.done("ok")
		})
	addUserFlag(c, &user)
	set.add(c.Flags(), false)
	return c
}

func (a *app) removeGroupUser() *cobra.Command {
	var user string
	c := a.onGroup("removeuserfromdevicegroup", "Take the rights on a device group from an account or a user group",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			if err := s.client.RemoveUserFromDeviceGroup(ctx, group, linkUser(user)); err != nil {
				return err
			}
			return s.done("ok")
		})
	addUserFlag(c, &user)
	return c
}

func (a *app) addDeviceUser() *cobra.Command {
	var user string
	var set rightSet
	c := a.onDevice("addusertodevice", "Give an account or a user group rights on a device",
		func(ctx context.Context, s *session, device controlproto.ID) error {
			if err := s.client.AddUserToDevice(ctx, device, linkUser(user), set.rights(fullDeviceRights)); err != nil {
				return err
			}
			return s.done("ok")
		})
	addUserFlag(c, &user)
	set.add(c.Flags(), true)
	return c
}

func (a *app) removeDeviceUser() *cobra.Command {
	var user string
	c := a.onDevice("removeuserfromdevice", "Take the rights on a device from an account or a user group",
		func(ctx context.Context, s *session, device controlproto.ID) error {
			if err := s.client.RemoveUserFromDevice(ctx, device, linkUser(user)); err != nil {
				return err
			}
			return s.done("ok")
		})
	addUserFlag(c, &user)
	return c
}

func addUserFlag(c *cobra.Command, user *string) {
	c.Flags().StringVar(user, "userid", "", "id or name of the `ACCOUNT`, or id of a user group")
	need(c, "userid")
}
