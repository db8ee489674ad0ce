package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// userGroupCommands are the verbs about user groups.
func (a *app) userGroupCommands() []*cobra.Command {
	return []*cobra.Command{
		a.listUserGroups(), a.addUserGroup(), a.removeUserGroup(), a.addToUserGroup(), a.removeFromUserGroup(), a.removeAllFromUserGroup(),
	}
}

func (a *app) listUserGroups() *cobra.Command {
	return a.remote("listusergroups", "List user groups and what they are linked to", func(ctx context.Context, s *session) error {
		groups, err := s.client.UserGroups(ctx)
		if err != nil {
			return err
		}
		t := table{columns: []string{"id", "name", "desc", "users", "device groups", "devices"}, json: groups, none: "None"}
		for _, id := range sortedKeys(groups) {
			g := groups[id]
			count := map[string]int{}
			for member := range g.Links {
				count[member.Kind()]++
			}
			t.add(string(id), g.Name, g.Desc, strconv.Itoa(count[controlproto.KindUser]),
				strconv.Itoa(count[controlproto.KindDeviceGroup]), strconv.Itoa(count[controlproto.KindDevice]))
		}
		if err := s.list(&t); err != nil || s.flags.json || s.flags.csv {
			return err
		}
		return s.printMembers(groups)
	})
}

// printMembers lists for people what is in user groups, below the table of them.
func (s *session) printMembers(groups map[controlproto.ID]controlproto.UserGroup) error {
	for _, id := range sortedKeys(groups) {
		g := groups[id]
		t := table{columns: []string{"member", "rights"}}
		for _, member := range sortedKeys(g.Links) {
			rights := ""
			if member.Kind() != controlproto.KindUser {
				rights = g.Links[member].Rights.String()
			}
			t.add(string(member), rights)
		}
		if len(t.rows) == 0 {
			continue
		}
		if err := s.println("\n" + console.Clean(g.Name) + ":"); err != nil {
			return err
		}
		if err := s.printTable(&t); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) addUserGroup() *cobra.Command {
	var group controlproto.CreateUserGroup
	var domain string
	c := a.remote("addusergroup", "Make a user group", func(ctx context.Context, s *session) error {
		if s.changed("domain") {
			if err := s.names.mayManage(domain); err != nil {
				return err
			}
			group.Domain = &domain
		}
		id, err := s.client.AddUserGroup(ctx, &group)
		if err != nil {
			return err
		}
		return s.done(fmt.Sprintf("ok %s", id), field{"id", string(id)})
	})
	c.Flags().StringVar(&group.Name, "name", "", "`NAME` of the user group")
	c.Flags().StringVar(&group.Desc, "desc", "", "`TEXT` that describes it")
	c.Flags().StringVar(&domain, "domain", "", "`DOMAIN` of the user group, for administrators of several")
	need(c, "name")
	return c
}

// onUserGroup makes a command that works on a user group.
func (a *app) onUserGroup(name, short string, do func(ctx context.Context, s *session, group controlproto.ID) error) *cobra.Command {
	var group string
	c := a.remote(name, short, func(ctx context.Context, s *session) error {
		id, err := s.names.userGroup(ctx, group)
		if err != nil {
			return err
		}
		return do(ctx, s, id)
	})
	c.Flags().StringVar(&group, "groupid", "", "id or name of the user `GROUP`")
	need(c, "groupid")
	return c
}

func (a *app) removeUserGroup() *cobra.Command {
	c := a.onUserGroup("removeusergroup", "Remove a user group", func(ctx context.Context, s *session, group controlproto.ID) error {
		if err := s.client.RemoveUserGroup(ctx, group); err != nil {
			return err
		}
		return s.done("ok")
	})
	return c
}

// memberFlags are the ways in which meshctrl takes what is to be in a user group.
type memberFlags struct{ id, user, group, device string }

func (m *memberFlags) add(a *app, c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&m.id, "id", "", "`ID` of an account, a device group or a device, or the name of an account")
	f.StringVar(&m.user, "userid", "", "the same for an `ACCOUNT` only")
	f.StringVar(&m.group, "meshid", "", "the same for a device `GROUP` only, or its name")
	f.StringVar(&m.device, "nodeid", "", "the same for a `DEVICE` only, or its name")
	complete(c, "meshid", a.completeGroups)
	complete(c, "nodeid", a.completeDevices)
	c.MarkFlagsOneRequired("id", "userid", "meshid", "nodeid")
	c.MarkFlagsMutuallyExclusive("id", "userid", "meshid", "nodeid")
}

func (m *memberFlags) member(ctx context.Context, s *session) (controlproto.ID, error) {
	switch {
	case m.group != "":
		return s.names.group(ctx, m.group)
	case m.device != "":
		return s.names.device(ctx, m.device)
	case m.user != "":
		return s.names.member(m.user), nil
	case m.id != "":
		return s.names.member(m.id), nil
	}
	return "", usageError("the member's id is empty")
}

func (a *app) addToUserGroup() *cobra.Command {
	var member memberFlags
	var rights string
	c := a.onUserGroup("addtousergroup", "Put a user into a user group, or link a device or device group to it",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			id, err := member.member(ctx, s)
			if err != nil {
				return err
			}
			var r controlproto.Rights
			if rights != "" {
				if r, err = controlproto.ParseRights(rights); err != nil {
					return usageError("--rights: %v", err)
				}
			}
			if err := s.client.AddToUserGroup(ctx, group, id, r); err != nil {
				return err
			}
			return s.done("ok")
		})
	member.add(a, c)
	c.Flags().StringVar(&rights, "rights", "", "`RIGHTS` on the device or device group: a number, full, or words of addusertodevicegroup separated by commas")
	return c
}

func (a *app) removeFromUserGroup() *cobra.Command {
	var member memberFlags
	c := a.onUserGroup("removefromusergroup", "Remove a user, a device or a device group from a user group",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			id, err := member.member(ctx, s)
			if err != nil {
				return err
			}
			if err := s.client.RemoveFromUserGroup(ctx, group, id); err != nil {
				return err
			}
			return s.done("ok")
		})
	member.add(a, c)
	return c
}

func (a *app) removeAllFromUserGroup() *cobra.Command {
	return a.onUserGroup("removeallusersfromusergroup", "Remove all users from a user group",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			removed, err := s.client.RemoveAllFromUserGroup(ctx, group)
			if s.flags.json {
				return errors.Join(s.printJSON(map[string][]controlproto.ID{"removed": removed}), err)
			}
			for _, id := range removed {
				if err := s.println("Removing " + console.Clean(string(id))); err != nil {
					return err
				}
			}
			if err != nil {
				return err
			}
			return s.done("ok")
		})
}
