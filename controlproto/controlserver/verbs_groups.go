package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	if req.GroupType == controlproto.GroupLocal && s.mayRelay(ctx, c.Session, req.RelayID) {
		g.RelayID = req.RelayID
	}
	var links controlproto.Links
	err = s.Update(ctx, func(tx *Tx) error {
		if err := tx.exists(u.ID); err != nil {
			return err
		}
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
	if err := c.Reply(ctx, &controlproto.CreateMeshReply{Result: "ok", GroupID: id, Links: links}); err != nil || g.RelayID == "" {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error { return tx.relayChanged(u, g.RelayID, g.Name, true) })
}

// mayRelay tells whether the devices of a group may be reached through a device: who makes it so must have the right to reach
// something through it himself.
func (s *Server) mayRelay(ctx context.Context, c *controlproto.Session, id controlproto.ID) bool {
	if !id.Valid() {
		return false
	}
	d, rights, err := s.deviceFor(ctx, c, id)
	return err == nil && d.MeshType == controlproto.GroupAgent && rights&(controlproto.RemoteControl|controlproto.RelayRight) != 0
}

// relayChanged tells that the devices of a group are reached through a device, or no longer.
func (t *Tx) relayChanged(by *controlproto.User, id controlproto.ID, group string, is bool) error {
	d, err := t.Device(id)
	if err != nil {
		return ignoreMissing(err)
	}
	msgID, text := 152, "No longer a relay for "+group+"."
	if is {
		msgID, text = 153, "Is a relay for "+group+"."
	}
	return t.changedNode(by, d, controlproto.Event{MsgID: msgID, MsgArgs: args(group), Msg: text})
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
	by := c.Session.User()
	var devices []controlproto.ID
	err = s.Update(ctx, func(tx *Tx) error {
		if r, _ := s.rights(by.ID, g.ID, ""); !r.Full() { // again, now that nobody else changes anything
			return refused("Access denied")
		}
		e, err := read[controlproto.DeviceGroup](tx, KindDeviceGroup, g.ID)
		if err != nil {
			return err
		}
		if len(e.Value.Deleted) > 0 {
			return ErrNotFound
		}
		g := e.Value
		list, err := tx.store.List(KindDevice, Query{Owner: string(g.ID)})
		if err != nil {
			return err
		}
		devices = devices[:0]
		// When the event is sent, nobody is linked to the group any more.
		err = tx.tell(append(groupTargets(g, "server-deletemesh"), linkedTo(g.Links)...), by, controlproto.Event{
			Type: "mesh", Action: "deletemesh", GroupID: g.ID, Domain: g.Domain, MsgID: 77, MsgArgs: args(g.Name),
			Msg: "Device group deleted: " + g.Name,
		}, detail{"mtype", g.GroupType}, detail{"name", g.Name})
		if err != nil {
			return err
		}
		for _, who := range slices.Sorted(maps.Keys(g.Links)) {
			if err := tx.Unlink(who, g.ID); err != nil {
				return err
			}
			if err := tx.membershipChanged(by, who); err != nil {
				return err
			}
		}
		if g.RelayID != "" {
			if err := tx.relayChanged(by, g.RelayID, g.Name, false); err != nil {
				return err
			}
		}
		for _, r := range list { // the group's event stands for theirs
			id := controlproto.ID(r.ID)
			if _, err := tx.dropDevice(by, id); err != nil {
				return err
			}
			devices = append(devices, id)
		}
		return tx.EditGroup(g.ID, func(g *controlproto.DeviceGroup) error {
			g.Invite = nil
			var err error
			g.Deleted, err = json.Marshal(s.cfg.Now().UTC().Truncate(time.Millisecond))
			return err
		})
	})
	if err != nil {
		return gone(err, "Unknown device group")
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
		return t.userGroupChanged(by, who, 79, "User group changed: "+g.Value.Name, args(g.Value.Name))
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
	if g.GroupType != controlproto.GroupAgent || !validInvite(req.Invite) {
		req.Invite = nil
	}
	if code := s.takenCode(g, req.Invite); code != "" {
		n := &controlproto.Notification{
			Title: "Invite Codes", Value: `Error, invite code "` + code + `" already in use.`, TitleID: controlproto.TitleInviteCodes,
			MsgID: 22, Args: args(code), UserID: c.Session.UserID(), Username: c.Session.User().Name, ID: s.randomFloat(),
		}
		return c.Session.Send(ctx, n)
	}
	if req.RelayID != nil && (*req.RelayID == g.RelayID || !s.mayRelay(ctx, c.Session, *req.RelayID)) {
		req.RelayID = nil
	}
	for name, drop := range map[string]func(){
		"flags": func() { req.Flags = nil }, "consent": func() { req.Consent = nil }, "expireDevs": func() { req.Expire = nil },
	} {
		if !isNumber(c, name) {
			drop()
		}
	}
	err = s.Update(ctx, func(tx *Tx) error {
		if r, _ := s.rights(c.Session.UserID(), g.ID, ""); !r.Has(controlproto.EditGroup) {
			return errLostRight // meanwhile
		}
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
	if errors.Is(err, errLostRight) {
		return nil
	}
	if err != nil {
		return gone(err, "Invalid group identifier ")
	}
	if req.RelayID != nil && g.RelayID != "" && g.GroupType == controlproto.GroupLocal {
		name := g.Name
		if now := s.group(g.ID); now != nil {
			name = now.Name
		}
		err := s.Update(ctx, func(tx *Tx) error {
			by := c.Session.User()
			return errors.Join(tx.relayChanged(by, g.RelayID, name, false), tx.relayChanged(by, *req.RelayID, name, true))
		})
		if err != nil {
			return err
		}
	}
	return c.Result(ctx, "ok")
}

// Bounds of the invite codes of a group.
const (
	maxInviteCodes = 100
	maxInviteCode  = 128
)

// validInvite tells whether a change of invite codes can be made.
func validInvite(change *controlproto.InviteChange) bool {
	if change == nil {
		return false
	}
	if change.Codes == nil {
		return true
	}
	return change.Codes.Codes != nil && len(change.Codes.Codes) <= maxInviteCodes &&
		!slices.ContainsFunc(change.Codes.Codes, func(code string) bool { return badLength(code, 1, maxInviteCode) })
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
		first := ch.text == ""
		if ch.add(changedRelay, "device relay"); first {
			ch.text = "Device relay changed"
		}
	}
	if req.Invite != nil && g.GroupType == controlproto.GroupAgent {
		if g.Invite = req.Invite.Codes; g.Invite != nil {
			g.Invite = &controlproto.InviteCodes{Codes: g.Invite.Codes, Flags: g.Invite.Flags, Agent: g.Invite.Agent}
		}
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
	if g == nil || !rights.Has(controlproto.EditGroup) || !validPolicy(p) {
		return nil
	}
	err := s.Update(ctx, func(tx *Tx) error {
		var after controlproto.DeviceGroup
		err := tx.EditGroup(g.ID, func(g *controlproto.DeviceGroup) error {
			policy := &controlproto.AMTPolicy{Type: p.Type}
			if p.Type == 2 || p.Type == 3 {
				if len(p.Password.Reveal()) >= 8 {
					policy.Password = p.Password
				} else if g.AMT != nil {
					policy.Password = g.AMT.Password // none, or one that is too short: it stays
				}
				policy.CIRASetup = *p.CIRASetup
				if p.BadPass != nil {
					policy.BadPass = *p.BadPass
				}
				if p.CCM != nil && p.Type == 3 {
					policy.CCM = *p.CCM
				}
			}
			g.AMT = policy
			after = *g
			return nil
		})
		if err != nil {
			return err
		}
		shown := publicGroup(&after)
		return tx.tell(groupTargets(g, string(c.Session.UserID()), "server-editmesh"), c.Session.User(), controlproto.Event{
			Type: "mesh", Action: "meshchange", GroupID: g.ID, Domain: g.Domain, MsgID: 141,
			Msg: "Intel(r) AMT policy change",
		}, detail{"amt", shown.AMT}, detail{"links", after.Links})
	})
	return ignoreMissing(err)
}

// validPolicy tells whether a policy has what its type needs.
func validPolicy(p controlproto.AMTPolicyChange) bool {
	between := func(v *int, most int) bool { return v == nil || *v >= 0 && *v <= most }
	switch p.Type {
	case 0, 1, 4:
		return true
	case 2, 3:
		return !badLength(p.Password.Reveal(), 0, 32) && between(p.BadPass, 1) && p.CIRASetup != nil && between(p.CIRASetup, 2) &&
			(p.Type == 2 || between(p.CCM, 2))
	}
	return false
}

// namedAccounts turns names into ids of accounts; unknown names are passed over.
func (s *Server) namedAccounts(domain string, names []string) (ids []controlproto.ID) {
	for _, n := range names {
		if a := s.accountNamed(domain, n); a != nil {
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
	g, rights, err := s.anyGroup(c.Session, req.GroupID, req.GroupName, "Invalid groupid", "Unknown group")
	known := err == nil
	if refusal := (*controlproto.ActionError)(nil); !known && (!errors.As(err, &refusal) || refusal.Result != "Unknown group") {
		return err
	}
	switch {
	case !isNumber(c, "meshadmin"), req.Extra["meshadmin"] != nil: // no number, or none that are rights
		return refused("Invalid group rights")
	case who == nil && !validNames(req.Usernames, 128), len(who) > 0 && !validIDs(who, 128):
		return refused("Invalid usernames")
	case !known:
		return err
	}
	if !rights.Has(controlproto.ManageUsers) {
		return refused("Permission denied")
	}
	if who == nil {
		who = s.namedAccounts(c.Session.Domain(), req.Usernames)
	}
	var texts, unknown []string
	done, failed := 0, 0
	for _, w := range who {
		text, result, err := s.addOneMeshUser(ctx, c, g, w, req)
		if err != nil {
			return err
		}
		texts = append(texts, text)
		switch result {
		case linkDone:
			done++
		case linkUnknown:
			failed++
			unknown = append(unknown, w.Name())
		default: // its text says why
		}
	}
	if done == 0 && failed == 0 {
		texts = append(texts, "Nothing done")
	}
	if err := s.noticeUnknown(ctx, c.Session, unknown); err != nil || !c.Asked() {
		return err
	}
	return c.Reply(ctx, &controlproto.AddMeshUserReply{Result: strings.Join(texts, ", "), Success: &done, Failed: &failed})
}

type linkResult int

const (
	linkRefused linkResult = iota
	linkDone
	linkUnknown
)

// validNames tells whether there is a list of names and none is empty or longer than the stock server takes.
func validNames(names []string, longest int) bool {
	return names != nil && !slices.ContainsFunc(names, func(n string) bool { return badLength(n, 1, longest) })
}

func (s *Server) addOneMeshUser(ctx context.Context, c *controlproto.Call, g *controlproto.DeviceGroup, who controlproto.ID, req *controlproto.AddMeshUser) (text string, result linkResult, err error) {
	if !who.Valid() || who.Domain() != g.Domain {
		return "Mismatch domains", linkRefused, nil
	}
	err = s.Update(ctx, func(tx *Tx) error {
		var err error
		text, result, err = tx.addMeshUser(c.Session, g.ID, who, req)
		return err
	})
	if errors.Is(err, ErrNotFound) { // the group is gone
		return "Unknown group", linkRefused, nil
	}
	return text, result, err
}

// addMeshUser changes one link. Rights are looked at here, where nobody else changes them.
func (t *Tx) addMeshUser(c *controlproto.Session, group, who controlproto.ID, req *controlproto.AddMeshUser) (text string, result linkResult, err error) {
	e, err := read[controlproto.DeviceGroup](t, KindDeviceGroup, group)
	if err != nil {
		return "", 0, err
	}
	g := e.Value
	if len(g.Deleted) > 0 {
		return "", 0, ErrNotFound
	}
	mine, _ := t.s.rights(c.UserID(), group, "")
	name, links, err := t.linked(who)
	switch theirs := links[group].Rights; {
	case errors.Is(err, ErrNotFound):
		return "Unknown user " + who.Name(), linkUnknown, nil
	case err != nil:
		return "", 0, err
	case !mine.Has(controlproto.ManageUsers):
		return "Permission denied", linkRefused, nil
	case who == c.UserID():
		return "Can't change self", linkRefused, nil
	case theirs.Full() && !mine.Full():
		return "Can't change rights of device group administrator", linkRefused, nil
	case !req.Remove && !mine.Full() && req.Rights.Full():
		return "Can't set device group administrator, if not administrator", linkRefused, nil
	}
	text, said := "Added user "+name+" to device group "+g.Name, "Added user "
	if req.Remove {
		text, said = "Removed user "+name+" from device group "+g.Name, "Removed user "
		err = t.Unlink(who, group)
	} else {
		err = t.Link(who, name, group, req.Rights)
	}
	by := c.User()
	if err == nil {
		err = t.membershipChanged(by, who)
	}
	if err != nil {
		return "", 0, err
	}
	after, err := read[controlproto.DeviceGroup](t, KindDeviceGroup, group)
	if err != nil {
		return "", 0, err
	}
	// The stock server names the account that changed it by its id, and the changed one by its name.
	err = t.groupChanged(&controlproto.User{ID: by.ID, Name: name}, after.Value, 0, nil, text, string(by.ID), string(who))
	return said + who.Name(), linkDone, err
}

// linked reads an account or a user group for what it is linked to.
func (t *Tx) linked(who controlproto.ID) (name string, links controlproto.Links, err error) {
	switch who.Kind() {
	case controlproto.KindUser:
		e, err := read[Account](t, KindAccount, who)
		if err != nil {
			return "", nil, err
		}
		return e.Value.Name, e.Value.Links, nil
	case controlproto.KindUserGroup:
		e, err := read[controlproto.UserGroup](t, KindUserGroup, who)
		if err != nil {
			return "", nil, err
		}
		return e.Value.Name, e.Value.Links, nil
	}
	return "", nil, ErrNotFound
}

// removeMeshUser ends the link of an account or a user group to a device group.
func (s *Server) removeMeshUser(ctx context.Context, c *controlproto.Call, req *controlproto.RemoveMeshUser) error {
	who := req.UserID.In(controlproto.KindUser, c.Session.Domain())
	switch {
	case badLength(string(req.UserID), 1, 1024), !who.Valid(), who.Domain() != c.Session.Domain():
		return refused("Invalid userid")
	}
	g, rights, err := s.anyGroup(c.Session, req.GroupID, req.GroupName, "Invalid groupid", "Unknown device group")
	if err != nil {
		return err
	}
	if !rights.Has(controlproto.ManageUsers) {
		return refused("Permission denied")
	}
	if who == c.Session.UserID() {
		return refused("Can't remove self")
	}
	by := c.Session.User()
	silent := false
	err = s.Update(ctx, func(tx *Tx) error {
		before, err := read[controlproto.DeviceGroup](tx, KindDeviceGroup, g.ID)
		if err != nil {
			return err
		}
		link, linked := before.Value.Links[who]
		if !linked {
			return refused("User not in group")
		}
		mine, _ := s.rights(by.ID, g.ID, "")
		if silent = link.Rights.Full() && !mine.Full(); silent {
			return nil // who is no administrator of the group cannot remove one
		}
		name, _, err := tx.linked(who)
		if err != nil {
			name = who.Name() // it is removed in any case
		}
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
	if err != nil || silent {
		return gone(err, "Unknown device group")
	}
	return c.Result(ctx, "ok")
}

// maxInviteHours bounds how long an invitation is good.
const maxInviteHours = 99999 * time.Hour

// createInviteLink makes the address of a page on which somebody finds the agent for a group.
func (s *Server) createInviteLink(ctx context.Context, c *controlproto.Call, req *controlproto.CreateInviteLink) error {
	g, _, err := s.anyGroup(c.Session, req.GroupID, req.GroupName, "Invalid group id", "Invalid group id")
	switch {
	case err != nil && badLength(string(req.GroupID), 8, 134):
		return err
	case !isNumber(c, "expire"), req.Expire < 0, req.Expire > maxInviteHours:
		return refused("Invalid expire time")
	case !isNumber(c, "flags"), req.Extra["flags"] != nil: // too large, or none
		return refused("Invalid flags")
	case err != nil:
		return err
	}
	if _, visible := s.rights(c.Session.UserID(), g.ID, ""); !visible {
		return refused("Invalid group id")
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
