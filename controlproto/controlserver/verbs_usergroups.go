package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"

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
	by := c.Session.User()
	var g *controlproto.UserGroup
	err = s.Update(ctx, func(tx *Tx) error {
		g = &controlproto.UserGroup{
			Type: controlproto.KindUserGroup, ID: id, Name: req.Name, Desc: req.Desc, Domain: domain, Links: controlproto.Links{},
		}
		if err := tx.AddUserGroup(g); err != nil {
			return err
		}
		first := len(tx.notices)
		if clone != nil {
			from, err := read[controlproto.UserGroup](tx, KindUserGroup, clone.ID)
			if err != nil {
				return err
			}
			for _, other := range slices.Sorted(maps.Keys(from.Value.Links)) {
				if err := tx.joinUserGroup(by, g, other, from.Value.Links[other].Rights); err != nil {
					return err
				}
			}
		}
		e, err := read[controlproto.UserGroup](tx, KindUserGroup, id)
		if err != nil {
			return err
		}
		g = e.Value
		defer tx.lastFirst(first) // the group before what refers to it
		return tx.tell([]string{toAdmins, string(id), string(by.ID)}, by, controlproto.Event{
			Type: "ugrp", Action: "createusergroup", Domain: domain, MsgID: 69, Msg: "User group created: " + req.Name,
		}, detail{"ugrpid", id}, detail{"name", g.Name}, detail{"desc", g.Desc}, detail{"links", g.Links}, detail{"msgArgv", []string{req.Name}})
	})
	if err != nil {
		return gone(err, "Invalid clone groupid")
	}
	links := g.Links
	if links == nil {
		links = controlproto.Links{}
	}
	return c.Reply(ctx, &controlproto.CreateUserGroupReply{Result: "ok", UserGroupID: id, Links: links})
}

// lastFirst makes the last event of a change the first of those from a place on.
func (t *Tx) lastFirst(place int) {
	n := len(t.notices)
	if n-place < 2 {
		return
	}
	last := t.notices[n-1]
	copy(t.notices[place+1:], t.notices[place:n-1])
	t.notices[place] = last
}

// joinUserGroup links something to a user group: an account as a member, or what its members may use. What there is not any
// more is passed over.
func (t *Tx) joinUserGroup(by *controlproto.User, g *controlproto.UserGroup, other controlproto.ID, rights controlproto.Rights) error {
	if other.Kind() != controlproto.KindUser {
		if err := t.Link(g.ID, g.Name, other, rights); err != nil {
			return ignoreMissing(err)
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
	e, err := read[Account](t, KindAccount, other)
	if err != nil {
		return ignoreMissing(err)
	}
	a := e.Value
	if err := t.exists(g.ID); err != nil {
		return err
	}
	err = t.EditAccount(a.ID, func(a *Account) error {
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
		e, err := read[controlproto.UserGroup](tx, KindUserGroup, id)
		if err != nil {
			return err
		}
		g := e.Value
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
		return gone(err, "Unknown device group")
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
	err := s.Update(ctx, func(tx *Tx) error {
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
	return ignoreMissing(err)
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
	case shapeOf(c, "usernames") != '[' || slices.ContainsFunc(req.Usernames, func(n string) bool { return badLength(n, 1, 128) }):
		return refused("Invalid usernames")
	case !id.Valid(), id.Kind() != controlproto.KindUserGroup, id.Domain() != c.Session.Domain():
		return refused("Invalid groupid")
	}
	g := s.userGroup(id)
	if g == nil {
		return addedToNone(ctx, c)
	}
	if g.MembershipType != "" {
		return nil // managed elsewhere
	}
	by := c.Session.User()
	added := 0
	var unknown []string
	err := s.Update(ctx, func(tx *Tx) error {
		added, unknown = 0, nil
		var names []string
		var last controlproto.ID
		for _, name := range req.Usernames {
			a := s.accountNamed(g.Domain, name)
			if a == nil || tx.exists(a.ID) != nil {
				unknown = append(unknown, name)
				continue
			}
			if err := tx.joinUserGroup(by, g, a.ID, 1); err != nil {
				return err
			}
			names, last = append(names, a.Name), a.ID
		}
		if added = len(names); added == 0 {
			return nil
		}
		list, err := json.Marshal(names)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("Added user(s) %s to user group %s", strings.Join(names, ","), g.Name)
		return tx.userGroupChanged(by, id, 71, text, append([]json.RawMessage{list}, args(g.Name)...), string(last))
	})
	if errors.Is(err, ErrNotFound) {
		return addedToNone(ctx, c)
	}
	if err != nil {
		return err
	}
	if err := s.noticeUnknown(ctx, c.Session, unknown); err != nil {
		return err
	}
	if !c.Asked() {
		return nil
	}
	failed := len(unknown)
	return c.Reply(ctx, &controlproto.AddUserToUserGroupReply{Result: "ok", Added: &added, Failed: &failed})
}

func addedToNone(ctx context.Context, c *controlproto.Call) error {
	if !c.Asked() {
		return nil
	}
	return c.Reply(ctx, &controlproto.AddUserToUserGroupReply{Result: "ok"})
}

// accountNamed finds an account by its name, as it is or in lower case, or returns nil.
func (s *Server) accountNamed(domain, name string) *Account {
	if a := s.account(controlproto.UserID(domain, name)); a != nil {
		return a
	}
	return s.account(controlproto.MakeID(controlproto.KindUser, domain, name))
}

// noticeUnknown tells the session of names that are those of no account.
func (s *Server) noticeUnknown(ctx context.Context, c *controlproto.Session, names []string) error {
	if len(names) == 0 {
		return nil
	}
	list := html.EscapeString(strings.Join(names, ", "))
	n := &controlproto.Notification{
		Value: "User " + list + " not found.", Title: "Device Group", TitleID: controlproto.TitleDeviceGroup, MsgID: 15, Args: args(list),
	}
	if len(names) > 1 {
		n.Value, n.MsgID = "Users "+list+" not found.", 16
	}
	return s.notice(ctx, c, n)
}

// removeUserFromUserGroup ends a membership.
func (s *Server) removeUserFromUserGroup(ctx context.Context, c *controlproto.Call, req *controlproto.RemoveUserFromUserGroup) error {
	id := req.UserGroupID
	switch {
	case badLength(string(id), 1, 1024):
		return refused("Invalid groupid")
	case badLength(string(req.UserID), 1, 256):
		return refused("Invalid userid")
	case !id.Valid(), id.Kind() != controlproto.KindUserGroup, id.Domain() != c.Session.Domain():
		return refused("Invalid groupid")
	}
	a := s.account(req.UserID)
	if req.UserID.Kind() != controlproto.KindUser {
		a = s.accountNamed(c.Session.Domain(), string(req.UserID))
	}
	g := s.userGroup(id)
	if g == nil || a == nil || a.Domain != c.Session.Domain() {
		return c.Result(ctx, "ok")
	}
	if g.MembershipType != "" {
		return nil // managed elsewhere
	}
	by := c.Session.User()
	err := s.Update(ctx, func(tx *Tx) error {
		e, err := read[controlproto.UserGroup](tx, KindUserGroup, id)
		if err != nil {
			return err
		}
		if _, member := e.Value.Links[a.ID]; !member {
			return nil
		}
		if err := tx.leaveUserGroup(by, g, a.ID); err != nil {
			return err
		}
		text := fmt.Sprintf("Removed user %s from user group %s", a.Name, g.Name)
		return tx.userGroupChanged(by, id, 72, text, args(a.Name, g.Name), string(a.ID))
	})
	if err := ignoreMissing(err); err != nil {
		return err
	}
	return c.Result(ctx, "ok")
}
