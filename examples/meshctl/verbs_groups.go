package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
)

// groupCommands are the verbs about device groups.
func (a *app) groupCommands() []*cobra.Command {
	return []*cobra.Command{a.listGroups(), a.addGroup(), a.editGroup(), a.removeGroup(), a.moveToGroup()}
}

// groupFlags name a device group. meshctrl wants an id in --id and a name in --group; here either takes both.
type groupFlags struct{ id, group string }

func (g *groupFlags) add(a *app, c *cobra.Command) {
	c.Flags().StringVar(&g.id, "id", "", "id or name of the device `GROUP`")
	c.Flags().StringVar(&g.group, "group", "", "the same")
	complete(c, "id", a.completeGroups)
	complete(c, "group", a.completeGroups)
	c.MarkFlagsMutuallyExclusive("id", "group")
}

func (g *groupFlags) find(ctx context.Context, s *session) (controlproto.ID, error) {
	return s.names.group(ctx, g.id+g.group)
}

// onGroup makes a command that works on a device group.
func (a *app) onGroup(name, short string, do func(ctx context.Context, s *session, group controlproto.ID) error) *cobra.Command {
	var group groupFlags
	c := a.remote(name, short, func(ctx context.Context, s *session) error {
		id, err := group.find(ctx, s)
		if err != nil {
			return err
		}
		return do(ctx, s, id)
	})
	group.add(a, c)
	c.MarkFlagsOneRequired("id", "group")
	return c
}

func (a *app) listGroups() *cobra.Command {
	var idExists, nameExists, emailExists string
	var inHex bool
	c := a.remote("listdevicegroups", "List device groups", func(ctx context.Context, s *session) error {
		groups, err := s.names.allGroups(ctx)
		if err != nil {
			return err
		}
		match := func(is func(*controlproto.DeviceGroup) bool) (ids []controlproto.ID) {
			for i := range groups {
				if is(&groups[i]) {
					ids = append(ids, groups[i].ID)
				}
			}
			return ids
		}
		switch {
		case s.changed("idexists"):
			id := idExists
			return s.exists(len(match(func(g *controlproto.DeviceGroup) bool { return string(g.ID) == id || g.ID.Name() == id })) > 0)
		case s.changed("nameexists"):
			return s.printIDs(match(func(g *controlproto.DeviceGroup) bool { return g.Name == nameExists }))
		case s.changed("emailexists"):
			return usageError("device groups have no e-mail address")
		}
		t := table{columns: []string{"id", "name", "type", "desc"}, none: "None"}
		for i := range groups {
			g := &groups[i]
			id := g.ID.Name()
			if inHex {
				id = hexID(g.ID)
				g.Extra = withMember(g.Extra, "_idhex", id)
			}
			t.add(id, g.Name, g.GroupType.String(), g.Desc)
		}
		t.json = groups
		return s.list(&t)
	})
	f := c.Flags()
	f.StringVar(&idExists, "idexists", "", "print 1 if there is a device group with this `ID`, 0 if not")
	f.StringVar(&nameExists, "nameexists", "", "print the id of the device group with this `NAME`, if there is one")
	f.StringVar(&emailExists, "emailexists", "", "in meshctrl's help, where it does nothing")
	f.BoolVar(&inHex, "hex", false, "print ids in hexadecimal digits")
	_ = f.MarkHidden("emailexists")
	return c
}

// withMember adds a member of text to those of a record.
func withMember(extra map[string]json.RawMessage, name, text string) map[string]json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil {
		return extra
	}
	out := map[string]json.RawMessage{name: raw}
	for k, v := range extra {
		if k != name {
			out[k] = v
		}
	}
	return out
}

func (a *app) addGroup() *cobra.Command {
	group := controlproto.CreateMesh{}
	var amt, agentless bool
	var features, consent uint32
	c := a.remote("adddevicegroup", "Make a device group", func(ctx context.Context, s *session) error {
		group.GroupType = controlproto.GroupAgent
		switch {
		case amt:
			group.GroupType = controlproto.GroupAMT
		case agentless:
			group.GroupType = controlproto.GroupLocal
		}
		group.Flags, group.Consent = controlproto.GroupFlags(features), controlproto.Consent(consent)
		id, err := s.client.AddDeviceGroup(ctx, &group)
		if err != nil {
			return err
		}
		return s.done(fmt.Sprintf("ok %s", id), field{"id", string(id)})
	})
	f := c.Flags()
	f.StringVar(&group.Name, "name", "", "`NAME` of the device group")
	f.StringVar(&group.Desc, "desc", "", "`TEXT` that describes it")
	f.BoolVar(&amt, "amtonly", false, "for devices with Intel AMT and without agent")
	f.BoolVar(&agentless, "agentless", false, "for devices without agent")
	f.Uint32Var(&features, "features", 0, groupFlagsUsage)
	f.Uint32Var(&consent, "consent", 0, consentUsage)
	need(c, "name")
	c.MarkFlagsMutuallyExclusive("amtonly", "agentless")
	return c
}

const (
	groupFlagsUsage = "`SUM` of 1 remove devices that disconnect, 2 names follow host names, 4 record sessions, 8 prefer agent names, 16 allow other names"
	consentUsage    = "`SUM` of 1 desktop notify, 2 terminal notify, 4 files notify, 8 desktop prompt, 16 terminal prompt, 32 files prompt, 64 privacy bar"
)

func (a *app) editGroup() *cobra.Command {
	var name, desc, codes string
	var flags, consent uint32
	var background, interactive bool
	c := a.onGroup("editdevicegroup", "Change a device group", func(ctx context.Context, s *session, group controlproto.ID) error {
		change := &controlproto.EditMesh{GroupID: group}
		if s.changed("name") {
			change.Name = &name
		}
		if s.changed("desc") {
			change.Desc = &desc
		}
		if s.changed("flags") {
			v := controlproto.GroupFlags(flags)
			change.Flags = &v
		}
		if s.changed("consent") {
			v := controlproto.Consent(consent)
			change.Consent = &v
		}
		if s.changed("invitecodes") {
			change.Invite = &controlproto.InviteChange{}
			if codes != "" {
				change.Invite.Codes = &controlproto.InviteCodes{Codes: strings.Split(codes, ","), Flags: inviteKind(background, interactive)}
			}
		} else if background || interactive {
			return usageError("--backgroundonly and --interactiveonly go with --invitecodes")
		}
		if err := s.client.EditDeviceGroup(ctx, change); err != nil {
			return err
		}
		return s.done("ok")
	})
	f := c.Flags()
	f.StringVar(&name, "name", "", "new `NAME`")
	f.StringVar(&desc, "desc", "", "new `TEXT` that describes it; empty removes it")
	f.Uint32Var(&flags, "flags", 0, groupFlagsUsage)
	f.Uint32Var(&consent, "consent", 0, consentUsage)
	f.StringVar(&codes, "invitecodes", "", "`CODES` of invitation, separated by commas; empty removes them")
	f.BoolVar(&background, "backgroundonly", false, "with --invitecodes: agents are only installed")
	f.BoolVar(&interactive, "interactiveonly", false, "with --invitecodes: agents are only run")
	c.MarkFlagsMutuallyExclusive("backgroundonly", "interactiveonly")
	c.MarkFlagsOneRequired("name", "desc", "flags", "consent", "invitecodes", "backgroundonly", "interactiveonly")
	return c
}

func inviteKind(background, interactive bool) controlproto.InviteKind {
	switch {
	case background:
		return controlproto.InviteBackgroundOnly
	case interactive:
		return controlproto.InviteInteractiveOnly
	}
	return controlproto.InviteBoth
}

func (a *app) removeGroup() *cobra.Command {
	return a.onGroup("removedevicegroup", "Remove a device group and its devices", func(ctx context.Context, s *session, group controlproto.ID) error {
		if err := s.client.RemoveDeviceGroup(ctx, group); err != nil {
			return err
		}
		return s.done("ok")
	})
}

func (a *app) moveToGroup() *cobra.Command {
	var devices string
	c := a.onGroup("movetodevicegroup", "Move devices to another device group", func(ctx context.Context, s *session, group controlproto.ID) error {
		ids, err := s.names.deviceList(ctx, devices)
		if err != nil {
			return err
		}
		if err := s.client.MoveDevices(ctx, group, ids...); err != nil {
			return err
		}
		return s.done("ok")
	})
	c.Flags().StringVar(&devices, "devid", "", "the `DEVICES`, separated by commas")
	complete(c, "devid", a.completeDevices)
	need(c, "devid")
	return c
}
