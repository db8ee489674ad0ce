package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// groupVerbs make and change device groups. The list of them is in listVerbs.
func (s *Server) groupVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.createMesh)
	controlproto.On(m, s.deleteMesh)
	controlproto.On(m, s.editMesh)
	controlproto.On(m, s.meshAMTPolicy)
	controlproto.On(m, s.addMeshUser)
	controlproto.On(m, s.removeMeshUser)
	controlproto.On(m, s.createInviteLink)
	controlproto.On(m, s.inviteAgent)
}

// createMesh makes a device group; its creator has all rights on it.
func (s *Server) createMesh(ctx context.Context, c *controlproto.Call, req *controlproto.CreateMesh) error {
	u := c.Session.User()
	switch {
	case u.SiteRights.Restricted(controlproto.SiteNoNewGroups):
		return refused("Permission denied")
	case badLength(req.Name, 1, 128):
		return refused("Invalid group name")
	case badLength(req.Desc, 0, 1024):
		return refused("Invalid group description")
	case req.GroupType < controlproto.GroupAMT || req.GroupType > controlproto.GroupLocal: // there are no IP-KVMs here
		return refused("Invalid group type")
	}
	id, err := s.newID(controlproto.KindDeviceGroup, c.Session.Domain())
	if err != nil {
		return err
	}
	g := &controlproto.DeviceGroup{
		Type: controlproto.KindDeviceGroup, ID: id, Name: req.Name, GroupType: req.GroupType, Desc: req.Desc, Domain: id.Domain(),
		Created: s.cfg.Now(), CreatorID: u.ID, CreatorName: u.Name, Flags: req.Flags, Consent: req.Consent,
	}
	if r := req.RelayID; req.GroupType == controlproto.GroupLocal && r.Kind() == controlproto.KindDevice && r.Domain() == id.Domain() {
		g.RelayID = r
	}
	var links controlproto.Links
	err = s.Update(ctx, func(tx *Tx) error {
		if err := tx.AddGroup(g); err != nil {
			return err
		}
		if err := tx.Link(u.ID, u.Name, id, controlproto.FullRights); err != nil {
			return err
		}
		made, err := read[controlproto.DeviceGroup](tx, KindDeviceGroup, id)
		if err != nil {
			return err
		}
		links = made.Value.Links
		a, err := read[Account](tx, KindAccount, u.ID)
		if err != nil {
			return err
		}
		err = tx.tell([]string{toAdmins, toManagers, string(u.ID)}, u, controlproto.Event{
			Type: "user", Action: "accountchange", Domain: id.Domain(), NoLog: 1,
		}, detail{"account", a.Value.Public()})
		if err != nil {
			return err
		}
		shown := publicGroup(made.Value)
		return tx.tell([]string{toAdmins, "server-createmesh", string(id), string(u.ID)}, u, controlproto.Event{
			Type: "mesh", Action: "createmesh", GroupID: id, Domain: id.Domain(), MsgID: 76, MsgArgs: args(req.Name),
			Msg: "Device group created: " + req.Name,
		}, detail{"mtype", req.GroupType}, detail{"mesh", &shown})
	})
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.CreateMeshReply{Result: "ok", GroupID: id, Links: links})
}

// anyGroup finds the device group that a request names, whether the account may see it or not; the rights tell.
// invalid is the text for a name or id that cannot be one.
func (s *Server) anyGroup(c *controlproto.Session, id controlproto.ID, name, invalid, unknown string) (*controlproto.DeviceGroup, controlproto.Rights, error) {
	if id == "" && name != "" {
		g, err := s.groupNamed(c, name)
		if err != nil {
			return nil, 0, refused(err.Error())
		}
		if g != nil {
			id = g.ID
		}
	}
	if badLength(string(id), 8, 134) {
		return nil, 0, refused(invalid)
	}
	id = id.In(controlproto.KindDeviceGroup, c.Domain())
	g := s.groupOrDeleted(id)
	if g == nil || id.Domain() != c.Domain() {
		return nil, 0, refused(unknown)
	}
	if len(g.Deleted) > 0 {
		return g, 0, nil // nobody has rights on it any more
	}
	rights, _ := s.rights(c.UserID(), id, "")
	return g, rights, nil
}

// deleteMesh removes a device group with its devices. The group itself is kept, marked as deleted, as on the stock server.
func (s *Server) deleteMesh(ctx context.Context, c *controlproto.Call, req *controlproto.DeleteMesh) error {
	g, rights, err := s.anyGroup(c.Session, req.GroupID, req.GroupName, "Invalid group identifier", "Unknown device group")
	if err != nil {
		return err
	}
	if !rights.Full() {
		return refused("Access denied")
	}
	devices, err := s.DeviceIDs(ctx, g.ID)
	if err != nil {
		return err
	}
	by := c.Session.User()
	err = s.Update(ctx, func(tx *Tx) error {
		err := tx.tell(groupTargets(g, "server-deletemesh"), by, controlproto.Event{
			Type: "mesh", Action: "deletemesh", GroupID: g.ID, Domain: g.Domain, MsgID: 77, MsgArgs: args(g.Name),
			Msg: "Device group deleted: " + g.Name,
		}, detail{"mtype", g.GroupType}, detail{"name", g.Name})
		if err != nil {
			return err
		}
		for _, id := range devices {
			if err := tx.RemoveDevice(by, id); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		for who := range g.Links {
			if err := tx.Unlink(who, g.ID); err != nil {
				return err
			}
			if err := tx.membershipChanged(by, who); err != nil {
				return err
			}
		}
		return tx.EditGroup(g.ID, func(g *controlproto.DeviceGroup) error {
			g.Invite = nil
			var err error
			g.Deleted, err = json.Marshal(s.cfg.Now().UTC().Truncate(time.Millisecond))
			return err
		})
	})
	if err != nil {
		return err
	}
	for _, id := range devices {
		if err := s.cfg.Router.Disconnect(ctx, id, false); err != nil && !errors.Is(err, ErrNotConnected) {
			s.log.Warn("the agent of a removed device is still connected", "node", id, "reason", err)
		}
	}
	return c.Result(ctx, "ok")
}

// membershipChanged tells that an account or user group is linked to other device groups than before.
func (t *Tx) membershipChanged(by *controlproto.User, who controlproto.ID) error {
	switch who.Kind() {
	case controlproto.KindUser:
		return t.accountChanged(by, who, 78, "Device group membership changed: ")
	case controlproto.KindUserGroup:
		g, err := read[controlproto.UserGroup](t, KindUserGroup, who)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return t.userGroupChanged(by, who, 79, "User group changed: "+g.Value.Name, g.Value.Name)
	}
	return nil
}

// Numbers of what has changed in a device group, in the arguments of the event.
const (
	changedName = iota + 1
	changedDesc
	changedFlags
	changedConsent
	changedExpire
	changedInvite
	changedRelay
)

// groupChanges collects what has changed, in the words of the log.
type groupChanges struct {
	name string
	text string
	ids  []int
}

func (g *groupChanges) add(id int, what string) {
	g.ids = append(g.ids, id)
	if g.text == "" {
		g.text = fmt.Sprintf("Device group %q %s changed", g.name, what)
		return
	}
	g.text += " and " + what + " changed"
}

// editMesh changes a device group. Who may not gets no answer, as on the stock server.
func (s *Server) editMesh(ctx context.Context, c *controlproto.Call, req *controlproto.EditMesh) error {
	g, rights, err := s.anyGroup(c.Session, req.GroupID, req.GroupName, "Invalid group identifier", "Invalid group identifier ")
	if err != nil {
		return err
	}
	if !rights.Has(controlproto.EditGroup) {
		return nil
	}
	if code := s.takenCode(g, req.Invite); code != "" {
		n := &controlproto.Notification{
			Title: "Invite Codes", Value: fmt.Sprintf("Error, invite code %q already in use.", code), TitleID: 6, MsgID: 22,
			Args: args(code),
		}
		return c.Session.Send(ctx, n)
	}
	err = s.Update(ctx, func(tx *Tx) error {
		var ch groupChanges
		var after controlproto.DeviceGroup
		err := tx.EditGroup(g.ID, func(g *controlproto.DeviceGroup) error {
			ch = editGroup(g, req)
			after = *g
			return nil
		})
		if err != nil || len(ch.ids) == 0 {
			return err
		}
		ids, err := json.Marshal(ch.ids)
		if err != nil {
			return err
		}
		return tx.groupChanged(c.Session.User(), &after, 142, append(args(after.Name), ids), ch.text,
			string(c.Session.UserID()), "server-editmesh")
	})
	if err != nil {
		return err
	}
	return c.Result(ctx, "ok")
}

// groupChanged tells of a device group that has changed.
func (t *Tx) groupChanged(by *controlproto.User, g *controlproto.DeviceGroup, msgID int, msgArgs []json.RawMessage, text string, targets ...string) error {
	details := []detail{{"name", g.Name}, {"mtype", g.GroupType}, {"desc", g.Desc}, {"links", g.Links}}
	for _, d := range []struct {
		set bool
		detail
	}{
		{g.Flags != 0, detail{"flags", g.Flags}}, {g.Consent != 0, detail{"consent", g.Consent}},
		{g.Invite != nil, detail{"invite", g.Invite}}, {g.ExpireDays != 0, detail{"expireDevs", g.ExpireDays}},
		{g.RelayID != "", detail{"relayid", g.RelayID}},
	} {
		if d.set {
			details = append(details, d.detail)
		}
	}
	return t.tell(groupTargets(g, targets...), by, controlproto.Event{
		Type: "mesh", Action: "meshchange", GroupID: g.ID, Domain: g.Domain, MsgID: msgID, MsgArgs: msgArgs, Msg: text,
	}, details...)
}

func editGroup(g *controlproto.DeviceGroup, req *controlproto.EditMesh) groupChanges {
	ch := groupChanges{name: g.Name}
	if n := req.Name; n != nil && !badLength(*n, 1, 128) && *n != g.Name {
		ch.ids = append(ch.ids, changedName)
		ch.text = fmt.Sprintf("Device group name changed from %q to %q", g.Name, *n)
		g.Name = *n
	}
	if d := req.Desc; d != nil && !badLength(*d, 0, 1024) && *d != g.Desc {
		g.Desc = *d
		ch.add(changedDesc, "description")
	}
	if req.Flags != nil && *req.Flags != g.Flags {
		g.Flags = *req.Flags
		ch.add(changedFlags, "flags")
	}
	if req.Consent != nil && *req.Consent != g.Consent {
		g.Consent = *req.Consent
		ch.add(changedConsent, "consent")
	}
	if e := req.Expire; e != nil && *e >= 0 && *e <= 2000 && *e != g.ExpireDays {
		g.ExpireDays = *e
		ch.add(changedExpire, "auto-remove")
	}
	if r := req.RelayID; r != nil && g.GroupType == controlproto.GroupLocal && g.RelayID != "" && *r != g.RelayID &&
		r.Kind() == controlproto.KindDevice && r.Domain() == g.Domain {
		g.RelayID = *r
		ch.add(changedRelay, "device relay")
	}
	if req.Invite != nil && g.GroupType == controlproto.GroupAgent {
		g.Invite = req.Invite.Codes
		ch.add(changedInvite, "invite code")
	}
	return ch
}

// takenCode finds an invite code of a change that another group of the domain has.
func (s *Server) takenCode(g *controlproto.DeviceGroup, change *controlproto.InviteChange) string {
	if change == nil || change.Codes == nil {
		return ""
	}
	for _, other := range s.groupsOf(g.Domain) {
		if other.ID == g.ID || other.Invite == nil {
			continue
		}
		for _, code := range change.Codes.Codes {
			for _, taken := range other.Invite.Codes {
				if code == taken {
					return code
				}
			}
		}
	}
	return ""
}

// meshAMTPolicy says what the server does with Intel AMT in a group.
func (s *Server) meshAMTPolicy(ctx context.Context, c *controlproto.Call, req *controlproto.MeshAMTPolicy) error {
	g, rights := s.groupFor(c.Session, req.GroupID)
	p := req.Policy
	if g == nil || !rights.Has(controlproto.EditGroup) || p.Type < 0 || p.Type > 4 {
		return nil
	}
	return s.Update(ctx, func(tx *Tx) error {
		var after controlproto.DeviceGroup
		err := tx.EditGroup(g.ID, func(g *controlproto.DeviceGroup) error {
			policy := &controlproto.AMTPolicy{Type: p.Type}
			if p.Type == 2 || p.Type == 3 {
				policy.Password = p.Password
				if p.Password.Reveal() == "" && g.AMT != nil {
					policy.Password = g.AMT.Password
				}
				for _, v := range []struct {
					given *int
					most  int
					to    *int
				}{{p.BadPass, 1, &policy.BadPass}, {p.CCM, 2, &policy.CCM}, {p.CIRASetup, 2, &policy.CIRASetup}} {
					if v.given != nil && *v.given >= 0 && *v.given <= v.most {
						*v.to = *v.given
					}
				}
			}
			if g.AMT = policy; p.Type == 0 {
				g.AMT = nil
			}
			after = *g
			return nil
		})
		if err != nil {
			return err
		}
		shown := publicGroup(&after)
		return tx.tell(groupTargets(g, string(c.Session.UserID()), "server-editmesh"), c.Session.User(), controlproto.Event{
			Type: "mesh", Action: "meshchange", GroupID: g.ID, Domain: g.Domain, MsgID: 141, MsgArgs: args(g.Name),
			Msg: "Intel(r) AMT policy change",
		}, detail{"amt", shown.AMT}, detail{"links", g.Links})
	})
}

// namedAccounts turns names into ids of accounts; unknown names are passed over.
func (s *Server) namedAccounts(domain string, names []string) (ids []controlproto.ID) {
	for _, n := range names {
		if a := s.account(controlproto.UserID(domain, n)); a != nil {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// addMeshUser links accounts and user groups to a device group, changes their rights, or ends their links.
func (s *Server) addMeshUser(ctx context.Context, c *controlproto.Call, req *controlproto.AddMeshUser) error {
	who := req.UserIDs
	if req.UserID != "" {
		who = []controlproto.ID{req.UserID}
	}
	if len(who) == 0 && len(req.Usernames) == 0 || len(who) > 0 && !validIDs(who, 128) {
		return refused("Invalid usernames")
	}
	g, rights, err := s.anyGroup(c.Session, req.GroupID, req.GroupName, "Invalid groupid", "Unknown group")
	if err != nil {
		return err
	}
	if !rights.Has(controlproto.ManageUsers) {
		return refused("Permission denied")
	}
	if len(who) == 0 {
		who = s.namedAccounts(c.Session.Domain(), req.Usernames)
	}
	var texts []string
	done, failed := 0, 0
	for _, w := range who {
		text, result, err := s.addOneMeshUser(ctx, c, g, w, rights, req)
		if err != nil {
			return err
		}
		texts = append(texts, text)
		switch result {
		case linkDone:
			done++
		case linkUnknown:
			failed++
		}
	}
	if done == 0 && failed == 0 {
		texts = append(texts, "Nothing done")
	}
	if !c.Asked() {
		return nil
	}
	return c.Reply(ctx, &controlproto.AddMeshUserReply{Result: strings.Join(texts, ", "), Success: &done, Failed: &failed})
}

type linkResult int

const (
	linkRefused linkResult = iota
	linkDone
	linkUnknown
)

func (s *Server) addOneMeshUser(ctx context.Context, c *controlproto.Call, g *controlproto.DeviceGroup, who controlproto.ID, mine controlproto.Rights, req *controlproto.AddMeshUser) (string, linkResult, error) {
	if who.Domain() != g.Domain {
		return "Mismatch domains", linkRefused, nil
	}
	var name string
	var links controlproto.Links
	if a := s.account(who); a != nil {
		name, links = a.Name, a.Links
	} else if ug := s.userGroup(who); ug != nil {
		name, links = ug.Name, ug.Links
	} else {
		return "Unknown user " + who.Name(), linkUnknown, nil
	}
	theirs := links[g.ID].Rights
	switch {
	case who == c.Session.UserID():
		return "Can't change self", linkRefused, nil
	case theirs.Full() && !mine.Full():
		return "Can't change rights of device group administrator", linkRefused, nil
	case !req.Remove && !mine.Full() && req.Rights.Full():
		return "Can't set device group administrator, if not administrator", linkRefused, nil
	}
	by := c.Session.User()
	err := s.Update(ctx, func(tx *Tx) error {
		var err error
		if req.Remove {
			err = tx.Unlink(who, g.ID)
		} else {
			err = tx.Link(who, name, g.ID, req.Rights)
		}
		if err == nil {
			err = tx.membershipChanged(by, who)
		}
		if err != nil {
			return err
		}
		after, err := read[controlproto.DeviceGroup](tx, KindDeviceGroup, g.ID)
		if err != nil {
			return err
		}
		text := "Added user " + name + " to device group " + g.Name
		if req.Remove {
			text = "Removed user " + name + " from device group " + g.Name
		}
		// The stock server names the account that changed it by its id, and the changed one by its name.
		return tx.groupChanged(&controlproto.User{ID: by.ID, Name: name}, after.Value, 0, nil, text, string(by.ID), string(who))
	})
	if req.Remove {
		return "Removed user " + who.Name(), linkDone, err
	}
	return "Added user " + who.Name(), linkDone, err
}

// removeMeshUser ends the link of an account or a user group to a device group.
func (s *Server) removeMeshUser(ctx context.Context, c *controlproto.Call, req *controlproto.RemoveMeshUser) error {
	who := req.UserID.In(controlproto.KindUser, c.Session.Domain())
	switch {
	case badLength(string(req.UserID), 1, 1024), !who.Valid(), who.Domain() != c.Session.Domain():
		return refused("Invalid userid")
	case who == c.Session.UserID():
		return refused("Can't remove self")
	}
	g, rights, err := s.anyGroup(c.Session, req.GroupID, req.GroupName, "Invalid groupid", "Unknown device group")
	if err != nil {
		return err
	}
	if !rights.Has(controlproto.ManageUsers) {
		return refused("Permission denied")
	}
	link, linked := g.Links[who]
	if !linked {
		return refused("User not in group")
	}
	if link.Rights.Full() && !rights.Full() {
		return refused("Permission denied") // who is no administrator of the group cannot remove one
	}
	name := who.Name()
	if a := s.account(who); a != nil {
		name = a.Name
	} else if ug := s.userGroup(who); ug != nil {
		name = ug.Name
	}
	by := c.Session.User()
	err = s.Update(ctx, func(tx *Tx) error {
		if err := tx.Unlink(who, g.ID); err != nil {
			return err
		}
		if err := tx.membershipChanged(by, who); err != nil {
			return err
		}
		after, err := read[controlproto.DeviceGroup](tx, KindDeviceGroup, g.ID)
		if err != nil {
			return err
		}
		return tx.groupChanged(by, after.Value, 83, args(name, g.Name), "Removed user "+name+" from device group "+g.Name,
			string(by.ID), string(who))
	})
	if err != nil {
		return err
	}
	return c.Result(ctx, "ok")
}

// maxInviteHours bounds how long an invitation is good.
const maxInviteHours = 99999 * time.Hour

// createInviteLink makes the address of a page on which somebody finds the agent for a group.
func (s *Server) createInviteLink(ctx context.Context, c *controlproto.Call, req *controlproto.CreateInviteLink) error {
	g, _, err := s.anyGroup(c.Session, req.GroupID, req.GroupName, "Invalid group id", "Invalid group id")
	if err != nil {
		return err
	}
	if _, visible := s.rights(c.Session.UserID(), g.ID, ""); !visible {
		return refused("Invalid group id")
	}
	if _, wrong := req.Extra["expire"]; wrong || req.Expire < 0 || req.Expire > maxInviteHours {
		return refused("Invalid expire time")
	}
	cookie, err := s.inviteCodec().Encode(controlproto.Cookie{
		Action: controlproto.CookieInvite, InviteGroup: g.ID, InviteKind: req.Flags, InviteAgents: req.Agents, Expire: forever(req.Expire),
	})
	if err != nil {
		return err
	}
	address := s.cfg.BaseURL(c.Session.Domain(), c.Session.Login().Host) + "agentinvite?c=" + cookie.Reveal()
	return c.Reply(ctx, &controlproto.CreateInviteLinkReply{
		GroupID: g.ID, URL: controlproto.NewSecretURL(address), Expire: req.Expire, Cookie: cookie,
	})
}

// inviteCodec makes and reads cookies of invitations and guest links.
func (s *Server) inviteCodec() *controlproto.CookieCodec {
	return &controlproto.CookieCodec{Key: *s.cfg.InviteKey, Now: s.cfg.Now, Rand: s.cfg.Rand}
}

// forever is the lifetime of a cookie, where 0 is without limit.
func forever(d time.Duration) time.Duration {
	if d == 0 {
		return controlproto.CookieForever
	}
	return d
}

// inviteAgent would send an invitation by mail.
func (s *Server) inviteAgent(context.Context, *controlproto.Call, *controlproto.InviteAgent) error {
	return refused("Unsupported feature") // what the stock server says without a mail server
}
