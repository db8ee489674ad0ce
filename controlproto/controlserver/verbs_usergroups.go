package controlserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/meshcentral-go/sdk/controlproto"
)

// userGroupVerbs manage groups of accounts.
func (s *Server) userGroupVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.userGroups)
	controlproto.On(m, s.createUserGroup)
	controlproto.On(m, s.deleteUserGroup)
	controlproto.On(m, s.editUserGroup)
	controlproto.On(m, s.addUserToUserGroup)
	controlproto.On(m, s.removeUserFromUserGroup)
}

// userGroups lists the user groups: whole to who manages them, by name to others.
func (s *Server) userGroups(ctx context.Context, c *controlproto.Call, _ *controlproto.UserGroups) error {
	var groups map[controlproto.ID]controlproto.UserGroup
	whole := c.Session.User().SiteRights.Has(controlproto.SiteUserGroups)
	for _, g := range s.userGroupsOf(c.Session.Domain()) {
		if groups == nil {
			groups = map[controlproto.ID]controlproto.UserGroup{}
		}
		if groups[g.ID] = *g; !whole {
			groups[g.ID] = controlproto.UserGroup{Name: g.Name}
		}
	}
	return c.Reply(ctx, &controlproto.UserGroupsReply{Groups: groups})
}

// createUserGroup makes a user group, empty or like another one.
func (s *Server) createUserGroup(ctx context.Context, c *controlproto.Call, req *controlproto.CreateUserGroup) error {
	domain := c.Session.Domain()
	var clone *controlproto.UserGroup
	switch {
	case badLength(req.Name, 1, 64):
		return refused("Invalid group name")
	case badLength(req.Desc, 0, 1024):
		return refused("Invalid group description")
	case req.Clone != "":
		if clone = s.userGroup(req.Clone); clone == nil || clone.Domain != domain {
			return refused("Invalid clone groupid")
		}
	}
	id, err := s.newID(controlproto.KindUserGroup, domain)
	if err != nil {
		return err
	}
	g := &controlproto.UserGroup{
		Type: controlproto.KindUserGroup, ID: id, Name: req.Name, Desc: req.Desc, Domain: domain, Links: controlproto.Links{},
	}
	by := c.Session.User()
	err = s.Update(ctx, func(tx *Tx) error {
		if err := tx.AddUserGroup(g); err != nil {
			return err
		}
		if clone != nil {
			for other, l := range clone.Links {
				if err := tx.joinUserGroup(by, g, other, l.Rights); err != nil {
					return err
				}
			}
		}
		e, err := read[controlproto.UserGroup](tx, KindUserGroup, id)
		if err != nil {
			return err
		}
		g = e.Value
		return tx.tell([]string{toAdmins, string(id), string(by.ID)}, by, controlproto.Event{
			Type: "ugrp", Action: "createusergroup", Domain: domain, MsgID: 69, Msg: "User group created: " + req.Name,
		}, detail{"ugrpid", id}, detail{"name", g.Name}, detail{"desc", g.Desc}, detail{"links", g.Links}, detail{"msgArgv", []string{req.Name}})
	})
	if err != nil {
		return err
	}
	links := g.Links
	if links == nil {
		links = controlproto.Links{}
	}
	return c.Reply(ctx, &controlproto.CreateUserGroupReply{Result: "ok", UserGroupID: id, Links: links})
}

// joinUserGroup links something to a user group: an account as a member, or what its members may use.
func (t *Tx) joinUserGroup(by *controlproto.User, g *controlproto.UserGroup, other controlproto.ID, rights controlproto.Rights) error {
	if other.Kind() != controlproto.KindUser {
		if err := t.Link(g.ID, g.Name, other, rights); err != nil {
			return err
		}
		if other.Kind() != controlproto.KindDeviceGroup {
			return nil
		}
		e, err := read[controlproto.DeviceGroup](t, KindDeviceGroup, other)
		if err != nil {
			return ignoreMissing(err)
		}
		return t.groupChanged(by, e.Value, 68, args(g.Name, e.Value.Name),
			fmt.Sprintf("Added user group %s to device group %s", g.Name, e.Value.Name), string(by.ID))
	}
	a := t.s.account(other)
	if a == nil {
		return nil
	}
	err := t.EditAccount(a.ID, func(a *Account) error {
		a.Links = withLink(a.Links, g.ID, controlproto.Link{Rights: 1})
		return nil
	})
	if err != nil {
		return err
	}
	err = t.EditUserGroup(g.ID, func(g *controlproto.UserGroup) error {
		g.Links = withLink(g.Links, a.ID, controlproto.Link{Rights: 1, Name: a.Name, UserID: a.ID})
		return nil
	})
	if err != nil {
		return err
	}
	return t.accountChanged(by, a.ID, 67, "User group membership changed: ")
}

// leaveUserGroup ends a link of a user group, and tells of it.
func (t *Tx) leaveUserGroup(by *controlproto.User, g *controlproto.UserGroup, other controlproto.ID) error {
	if err := t.Unlink(g.ID, other); err != nil {
		return err
	}
	switch other.Kind() {
	case controlproto.KindUser:
		return t.accountChanged(by, other, 67, "User group membership changed: ")
	case controlproto.KindDeviceGroup:
		e, err := read[controlproto.DeviceGroup](t, KindDeviceGroup, other)
		if err != nil {
			return ignoreMissing(err)
		}
		return t.groupChanged(by, e.Value, 70, args(g.Name, e.Value.Name),
			fmt.Sprintf("Removed user group %s from device group %s", g.Name, e.Value.Name), string(by.ID))
	}
	return nil
}

// deleteUserGroup removes a user group and the links to it.
func (s *Server) deleteUserGroup(ctx context.Context, c *controlproto.Call, req *controlproto.DeleteUserGroup) error {
	id := req.UserGroupID
	switch {
	case badLength(string(id), 1, 1024):
		return refused("Invalid group id")
	case !id.Valid(), id.Kind() != controlproto.KindUserGroup, id.Domain() != c.Session.Domain():
		return refused("Invalid domain id")
	}
	g := s.userGroup(id)
	if g == nil {
		return refused("Unknown device group")
	}
	if g.MembershipType != "" && hasMembers(g) {
		return nil // managed elsewhere
	}
	by := c.Session.User()
	err := s.Update(ctx, func(tx *Tx) error {
		for _, other := range slices.Sorted(maps.Keys(g.Links)) {
			if err := tx.leaveUserGroup(by, g, other); err != nil {
				return err
			}
		}
		if err := tx.Remove(KindUserGroup, id); err != nil {
			return err
		}
		return tx.tell([]string{toAdmins, string(id), string(by.ID)}, by, controlproto.Event{
			Type: "ugrp", Action: "deleteusergroup", Domain: g.Domain, Msg: "User group deleted: " + g.Name,
		}, detail{"ugrpid", id})
	})
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.DeleteUserGroupReply{Result: "ok", UserGroupID: id})
}

func hasMembers(g *controlproto.UserGroup) bool {
	for id := range g.Links {
		if id.Kind() == controlproto.KindUser {
			return true
		}
	}
	return false
}

// editUserGroup changes a user group.
func (s *Server) editUserGroup(ctx context.Context, c *controlproto.Call, req *controlproto.EditUserGroup) error {
	id := req.UserGroupID
	if s.userGroup(id) == nil || id.Domain() != c.Session.Domain() {
		return nil
	}
	by := c.Session.User()
	return s.Update(ctx, func(tx *Tx) error {
		text := ""
		var after controlproto.UserGroup
		err := tx.EditUserGroup(id, func(g *controlproto.UserGroup) error {
			text = changeUserGroup(g, req)
			after = *g
			return nil
		})
		if err != nil || text == "" {
			return err
		}
		return tx.tell([]string{toAdmins, string(id), string(by.ID)}, by, controlproto.Event{
			Type: "ugrp", Action: "usergroupchange", Domain: after.Domain, Msg: text,
		}, detail{"ugrpid", id}, detail{"name", after.Name}, detail{"desc", after.Desc}, detail{"consent", after.Consent},
			detail{"links", after.Links}, detail{"flags", after.Flags})
	})
}

// changeUserGroup changes what a request names, and says so in the words of the log.
func changeUserGroup(g *controlproto.UserGroup, req *controlproto.EditUserGroup) (text string) {
	add := func(what string) {
		if text != "" {
			text += " and " + what + " changed"
			return
		}
		text = fmt.Sprintf("User group %q %s changed", g.Name, what)
	}
	if n := req.Name; n != nil && g.MembershipType == "" && !badLength(*n, 1, 64) && *n != g.Name {
		text = fmt.Sprintf("User group name changed from %q to %q", g.Name, *n)
		g.Name = *n
	}
	if d := req.Desc; d != nil && !badLength(*d, 0, 1024) && *d != g.Desc {
		g.Desc = *d
		add("description")
	}
	if req.Consent != nil && *req.Consent != g.Consent {
		g.Consent = *req.Consent
		add("consent")
	}
	if req.Flags != nil {
		g.Flags = *req.Flags
		if text == "" {
			text = "User group features changed."
		}
	}
	return text
}

// addUserToUserGroup makes accounts members. It says ok, whatever comes of it, as the stock server does.
func (s *Server) addUserToUserGroup(ctx context.Context, c *controlproto.Call, req *controlproto.AddUserToUserGroup) error {
	id := req.UserGroupID
	switch {
	case badLength(string(id), 1, 1024):
		return refused("Invalid groupid")
	case len(req.Usernames) == 0 || slices.ContainsFunc(req.Usernames, func(n string) bool { return badLength(n, 1, 128) }):
		return refused("Invalid usernames")
	case !id.Valid(), id.Kind() != controlproto.KindUserGroup, id.Domain() != c.Session.Domain():
		return refused("Invalid groupid")
	}
	g := s.userGroup(id)
	if g == nil {
		return c.Reply(ctx, &controlproto.AddUserToUserGroupReply{Result: "ok"})
	}
	by := c.Session.User()
	members := s.namedAccounts(g.Domain, req.Usernames)
	failed := len(req.Usernames) - len(members)
	err := s.Update(ctx, func(tx *Tx) error {
		for _, m := range members {
			if err := tx.joinUserGroup(by, g, m, 1); err != nil {
				return err
			}
			a := s.account(m)
			text := fmt.Sprintf("Added user %s to user group %s", a.Name, g.Name)
			if err := tx.userGroupChanged(by, id, 71, text, a.Name, g.Name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if failed > 0 {
		msgID, text := 15, "User not found"
		if failed > 1 {
			msgID, text = 16, "Users not found"
		}
		n := &controlproto.Notification{
			Value: text, Title: "Device Group", TitleID: controlproto.TitleDeviceGroup, MsgID: msgID, Tag: "ServerNotify", ID: s.randomFloat(),
		}
		if err := c.Session.Send(ctx, n); err != nil {
			return err
		}
	}
	added := len(members)
	return c.Reply(ctx, &controlproto.AddUserToUserGroupReply{Result: "ok", Added: &added, Failed: &failed})
}

// removeUserFromUserGroup ends a membership.
func (s *Server) removeUserFromUserGroup(ctx context.Context, c *controlproto.Call, req *controlproto.RemoveUserFromUserGroup) error {
	id := req.UserGroupID.In(controlproto.KindUserGroup, c.Session.Domain())
	who := req.UserID.In(controlproto.KindUser, c.Session.Domain())
	switch {
	case badLength(string(req.UserGroupID), 1, 1024), !id.Valid(), id.Domain() != c.Session.Domain():
		return refused("Invalid groupid")
	case badLength(string(req.UserID), 1, 256), !who.Valid(), who.Domain() != c.Session.Domain():
		return refused("Invalid userid")
	}
	g := s.userGroup(id)
	a := s.account(who)
	if g == nil || a == nil {
		return c.Result(ctx, "ok")
	}
	by := c.Session.User()
	err := s.Update(ctx, func(tx *Tx) error {
		if err := tx.leaveUserGroup(by, g, who); err != nil {
			return err
		}
		text := fmt.Sprintf("Removed user %s from user group %s", a.Name, g.Name)
		return tx.userGroupChanged(by, id, 62, text, a.Name, g.Name)
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return c.Result(ctx, "ok")
}
