package controlserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// deviceVerbs change devices.
func (s *Server) deviceVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.changeDevice)
	controlproto.On(m, s.addLocalDevice)
	controlproto.On(m, s.addAMTDevice)
	controlproto.On(m, s.changeDeviceMesh)
	controlproto.On(m, s.removeDevices)
	controlproto.On(m, s.addDeviceUser)
	controlproto.On(m, s.setDeviceEvent)
}

// refused is the result of a request that cannot be done.
func refused(result string) error { return &controlproto.ActionError{Result: result} }

// refusedAs is one that comes under another action, as the stock server has it.
func refusedAs(action, result string) error {
	return &controlproto.ActionError{As: action, Result: result}
}

// wholeID completes the id of a device in a request, and tells whether it is one of the session's domain.
func wholeID(c *controlproto.Session, id controlproto.ID) (controlproto.ID, bool) {
	id = id.In(controlproto.KindDevice, c.Domain())
	return id, id.Valid() && id.Kind() == controlproto.KindDevice && id.Domain() == c.Domain()
}

// changeDevice changes what operators may say of a device.
func (s *Server) changeDevice(ctx context.Context, c *controlproto.Call, req *controlproto.ChangeDevice) error {
	id, ok := wholeID(c.Session, req.DeviceID)
	if !ok || len(req.DeviceID) > 1024 {
		return refused("Invalid nodeid")
	}
	if n := len(req.UserLocation); n != 0 && n != 2 {
		return refused("Invalid user location")
	}
	d, rights, err := s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) || err == nil && !rights.Has(controlproto.ManageDevices) {
		return refused("Access Denied")
	}
	if err != nil {
		return err
	}
	group := s.group(d.Group)
	if group == nil {
		return refused("Access Denied")
	}
	if s.cfg.WANOnly && d.MeshType != controlproto.GroupLocal {
		req.Host = nil // not used to reach it
	}
	err = s.Update(ctx, func(tx *Tx) error {
		var changed []string
		var after controlproto.Device
		other := false
		err := tx.EditDevice(id, func(d *controlproto.Device) error {
			if r, _ := s.rights(c.Session.UserID(), d.Group, d.ID); !r.Has(controlproto.ManageDevices) {
				return refused("Access Denied") // it was moved, or the right was taken
			}
			changed, other = changeFields(d, req, s.cfg.Now().Unix())
			for _, forget := range []struct {
				name string
				ask  *int
			}{{"ssh", req.SSH}, {"rdp", req.RDP}} {
				if forget.ask != nil && *forget.ask == 0 && forgetLogin(d, forget.name, c.Session.UserID()) {
					changed = append(changed, forget.name)
				}
			}
			after = *d
			return nil
		})
		if err != nil || len(changed) == 0 && !other {
			return err
		}
		list := strings.Join(changed, ", ")
		return tx.changedNode(c.Session.User(), &after, controlproto.Event{
			MsgID: 140, MsgArgs: args(after.Name, group.Name, list),
			Msg: fmt.Sprintf("Changed device %s from group %s: %s", after.Name, group.Name, list),
		}, string(c.Session.UserID()))
	})
	if err != nil {
		return gone(err, "Access Denied")
	}
	return c.Result(ctx, "ok")
}

// Bounds of what operators say of a device; the stock server has none.
const (
	maxDeviceName = 1024
	maxDeviceDesc = 16 << 10
	maxDeviceTags = 256
)

// changeFields changes a device and names what has changed; other says that something without a name has.
func changeFields(d *controlproto.Device, req *controlproto.ChangeDevice, now int64) (changed []string, other bool) {
	set := func(name string, different bool, f func()) {
		if different {
			f()
			changed = append(changed, name)
		}
	}
	set("icon", req.Icon != 0 && req.Icon != d.Icon, func() { d.Icon = req.Icon })
	name := cut(req.Name, maxDeviceName)
	set("name", name != "" && name != d.Name, func() { d.Name = name })
	set("host", req.Host != nil && *req.Host != d.Host && !badLength(*req.Host, 0, maxDeviceName), func() { d.Host = *req.Host })
	set("consent", req.Consent != nil && *req.Consent != d.Consent, func() { d.Consent = *req.Consent })
	for _, p := range []struct {
		name         string
		usual, given uint16
		port         *uint16
	}{
		{"rdpport", 3389, req.RDPPort, &d.RDPPort}, {"rfbport", 5900, req.VNCPort, &d.VNCPort},
		{"sshport", 22, req.SSHPort, &d.SSHPort}, {"httpport", 80, req.HTTPPort, &d.HTTPPort},
		{"httpsport", 443, req.HTTPSPort, &d.HTTPSPort},
	} {
		want := p.given
		if want == p.usual {
			want = 0
		}
		set(p.name, p.given != 0 && want != *p.port, func() { *p.port = want })
	}
	if len(req.UserLocation) == 2 {
		d.UserLocation = fmt.Sprintf("%v,%v,%d", req.UserLocation[0], req.UserLocation[1], now)
		changed = append(changed, "location")
	} else if req.UserLocation != nil && d.UserLocation != "" {
		d.UserLocation = ""
		changed = append(changed, "location removed")
	}
	set("description", req.Desc != nil && *req.Desc != d.Desc && !badLength(*req.Desc, 0, maxDeviceDesc), func() { d.Desc = *req.Desc })
	if a := req.AMT; a != nil && d.AMT != nil {
		password := a.Password.Reveal()
		fits := !badLength(a.User, 0, 16) && !badLength(password, 0, 32)
		set("Intel AMT credentials", fits && a.User != "" && password != "" && (a.User != d.AMT.User || password != d.AMT.Password.Reveal()),
			func() { d.AMT.User, d.AMT.Password, d.AMT.Warnings = a.User, a.Password, d.AMT.Warnings|8 })
		set("Intel AMT TLS", a.TLS != nil && (d.AMT.TLS == nil || *a.TLS != *d.AMT.TLS), func() { d.AMT.TLS = a.TLS })
	}
	if req.Tags != nil {
		tags := cleanTags(req.Tags)
		if !slices.Equal(tags, d.Tags) {
			d.Tags, other = tags, true
		}
	}
	return changed, other
}

// forgetLogin removes what an account has stored on a device to log in there with SSH or RDP (in records of the stock server).
func forgetLogin(d *controlproto.Device, name string, user controlproto.ID) bool {
	stored := raw{}
	if jsonrec.Unmarshal(d.Extra[name], &stored) != nil || stored.Extra[string(user)] == nil {
		return false
	}
	delete(stored.Extra, string(user))
	if len(stored.Extra) == 0 {
		delete(d.Extra, name)
		return true
	}
	b, err := encode(&stored)
	if err != nil {
		return false
	}
	d.Extra[name] = b
	return true
}

// cleanTags sorts tags and drops what is none; nothing left is nil.
func cleanTags(list []string) (tags []string) {
	for _, t := range list {
		if len(tags) == maxDeviceTags {
			break
		}
		if t = strings.TrimSpace(t); t != "" && utf16Len(t) < 64 && !strings.Contains(t, ",") && !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	slices.Sort(tags)
	return tags
}

// newID makes the id of a record that has no key of its own.
func (s *Server) newID(kind, domain string) (controlproto.ID, error) {
	b := make([]byte, 48)
	if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
		return "", err
	}
	name := strings.NewReplacer("+", "@", "/", "$").Replace(base64.StdEncoding.EncodeToString(b))
	return controlproto.MakeID(kind, domain, name), nil
}

// groupForDevices finds a group that the account may add devices of a type to; the texts are the stock server's.
func (s *Server) groupForDevices(c *controlproto.Session, id controlproto.ID, typ controlproto.GroupType, only string) (*controlproto.DeviceGroup, error) {
	const as = "changeDeviceMesh" // errors of both actions come under this one
	id = id.In(controlproto.KindDeviceGroup, c.Domain())
	g := s.group(id)
	switch {
	case g == nil || id.Domain() != c.Domain():
		return nil, refusedAs(as, "Unknown device group")
	case g.GroupType != typ:
		return nil, refusedAs(as, only)
	}
	if r, _ := s.rights(c.UserID(), id, ""); !r.Has(controlproto.ManageDevices) || c.User().SiteRights.Restricted(controlproto.SiteNoNewDevices) {
		return nil, refusedAs(as, "Permission denied")
	}
	return g, nil
}

// addDevice makes a device without agent.
func (s *Server) addDevice(ctx context.Context, c *controlproto.Call, g *controlproto.DeviceGroup, d *controlproto.Device) error {
	id, err := s.newID(controlproto.KindDevice, c.Session.Domain())
	if err != nil {
		return err
	}
	d.Type, d.ID, d.Group, d.Icon, d.Domain = controlproto.KindDevice, id, g.ID, controlproto.IconDesktop, id.Domain()
	err = s.Update(ctx, func(tx *Tx) error {
		if e, err := read[controlproto.DeviceGroup](tx, KindDeviceGroup, g.ID); err != nil {
			return err
		} else if len(e.Value.Deleted) > 0 {
			return ErrNotFound
		}
		if err := tx.AddDevice(d); err != nil {
			return err
		}
		shown := *d
		hideSecrets(&shown)
		return tx.tell(groupTargets(g, string(id)), c.Session.User(), controlproto.Event{
			Type: "node", Action: "addnode", Domain: d.Domain, MsgID: 84, MsgArgs: args(d.Name, g.Name),
			Msg: fmt.Sprintf("Added device %s to device group %s", d.Name, g.Name),
		}, detail{"node", &shown})
	})
	if errors.Is(err, ErrNotFound) {
		return refusedAs("changeDeviceMesh", "Unknown device group")
	}
	if err != nil {
		return err
	}
	return c.Result(ctx, "ok")
}

// addLocalDevice adds a device that has no agent.
func (s *Server) addLocalDevice(ctx context.Context, c *controlproto.Call, req *controlproto.AddLocalDevice) error {
	const as = "changeDeviceMesh"
	if !isNumber(c, "type") || req.Type != controlproto.LocalWindows && req.Type != controlproto.LocalLinux && req.Type != controlproto.LocalMacOS {
		return refusedAs(as, "Invalid type")
	}
	g, err := s.groupForDevices(c.Session, req.GroupID, controlproto.GroupLocal, "Local device agentless mesh only allowed")
	switch {
	case err != nil:
		return err
	case badLength(req.Host, 1, 256):
		return refusedAs(as, "Invalid hostname")
	case badLength(req.Name, 1, 256):
		return refusedAs(as, "Invalid devicename")
	}
	return s.addDevice(ctx, c, g, &controlproto.Device{
		MeshType: controlproto.GroupLocal, Name: req.Name, Host: req.Host, Agent: &controlproto.DeviceAgent{ID: int(req.Type)},
	})
}

// addAMTDevice adds a device with Intel AMT that has no agent.
func (s *Server) addAMTDevice(ctx context.Context, c *controlproto.Call, req *controlproto.AddAMTDevice) error {
	if s.cfg.WANOnly {
		return nil
	}
	const as = "changeDeviceMesh"
	if shapeOf(c, "amttls") == 0 || req.Extra["amttls"] != nil || req.TLS != 0 && req.TLS != 1 {
		return refusedAs(as, "Invalid amttls")
	}
	g, err := s.groupForDevices(c.Session, req.GroupID, controlproto.GroupAMT, "Intel AMT agentless mesh only allowed")
	switch {
	case err != nil:
		return err
	case badLength(req.Password.Reveal(), 0, 16):
		return refusedAs(as, "Invalid amtpassword")
	case badLength(req.User, 0, 16):
		return refusedAs(as, "Invalid amtusername")
	case badLength(req.Host, 1, 256):
		return refusedAs(as, "Invalid hostname")
	case badLength(req.Name, 1, 256):
		return refusedAs(as, "Invalid devicename")
	}
	fits := func(text string, most int) string {
		if badLength(text, 0, most) {
			return ""
		}
		return text
	}
	amt := &controlproto.DeviceAMT{
		User: req.User, Password: req.Password, TLS: &req.TLS, Version: fits(req.Version, 16), Hash: fits(req.Hash, 256),
		Realm: fits(req.Realm, 256),
	}
	if req.State != nil && *req.State >= 0 && *req.State <= 3 {
		amt.State = req.State
	}
	return s.addDevice(ctx, c, g, &controlproto.Device{MeshType: controlproto.GroupAMT, Name: req.Name, Host: req.Host, AMT: amt})
}

// badLength tells whether a text is shorter or longer than the stock server takes.
func badLength(text string, least, most int) bool {
	n := utf16Len(text)
	return n < least || n > most
}

// changeDeviceMesh moves devices to another group of the same type; there is a reply for each.
func (s *Server) changeDeviceMesh(ctx context.Context, c *controlproto.Call, req *controlproto.ChangeDeviceMesh) error {
	target := req.GroupID
	if target == "" && req.GroupName != "" {
		g, err := s.groupNamed(c.Session, req.GroupName)
		if err != nil {
			return refused(err.Error())
		}
		if g != nil {
			target = g.ID
		}
	}
	if badLength(string(target), 8, 134) {
		return refused("Invalid groupid")
	}
	target = target.In(controlproto.KindDeviceGroup, c.Session.Domain())
	g := s.group(target)
	if g == nil || target.Domain() != c.Session.Domain() {
		return refused("Unknown device group")
	}
	rights, _ := s.rights(c.Session.UserID(), target, "")
	if !rights.Has(controlproto.ManageDevices) {
		return refused("Permission denied")
	}
	if !validIDs(req.DeviceIDs, 256) {
		return refused("Invalid nodeids")
	}
	for _, id := range req.DeviceIDs {
		result, err := s.moveDevice(ctx, c, id, g)
		if err != nil {
			return err
		}
		if result != "" {
			if err := c.Result(ctx, result); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Server) moveDevice(ctx context.Context, c *controlproto.Call, id controlproto.ID, to *controlproto.DeviceGroup) (string, error) {
	toRights, _ := s.rights(c.Session.UserID(), to.ID, "")
	d, rights, err := s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) {
		return "Device not found", nil
	}
	if err != nil {
		return "", err
	}
	from := s.group(d.Group)
	switch {
	case d.Group == to.ID:
		return "Device already in correct group", nil
	case from == nil:
		return "Device groups are of different types", nil
	case from.GroupType != to.GroupType:
		return "", nil // silent on the stock server
	case !rights.Has(controlproto.EditGroup), !toRights.Has(controlproto.EditGroup):
		return "Permission denied", nil
	}
	err = s.Update(ctx, func(tx *Tx) error {
		var after controlproto.Device
		if e, err := read[controlproto.DeviceGroup](tx, KindDeviceGroup, to.ID); err != nil {
			return err
		} else if len(e.Value.Deleted) > 0 {
			return ErrNotFound
		}
		err := tx.EditDevice(d.ID, func(d *controlproto.Device) error {
			for _, group := range []controlproto.ID{d.Group, to.ID} {
				device := d.ID
				if group == to.ID {
					device = ""
				}
				if r, _ := s.rights(c.Session.UserID(), group, device); !r.Has(controlproto.EditGroup) {
					return errLostRight
				}
			}
			d.Group = to.ID
			after = *d
			return nil
		})
		if err != nil {
			return err
		}
		hideSecrets(&after)
		s.addState(&after)
		return tx.tell(groupTargets(to, string(from.ID), string(d.ID)), c.Session.User(), controlproto.Event{
			Type: "node", Action: "nodemeshchange", DeviceID: d.ID, Domain: d.Domain, MsgID: 85, MsgArgs: args(d.Name, to.Name),
			Msg: fmt.Sprintf("Moved device %s to group %s", d.Name, to.Name),
		}, detail{"node", &after}, detail{"oldMeshId", from.ID}, detail{"newMeshId", to.ID})
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return "Device not found", nil
	case errors.Is(err, errLostRight):
		return "Permission denied", nil
	}
	return "ok", err
}

// removeDevices removes devices with all that is known of them; there is a reply for each.
func (s *Server) removeDevices(ctx context.Context, c *controlproto.Call, req *controlproto.RemoveDevices) error {
	for _, id := range req.DeviceIDs {
		result, err := s.removeDevice(ctx, c, id)
		if err != nil {
			return err
		}
		if err := c.Result(ctx, result); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) removeDevice(ctx context.Context, c *controlproto.Call, id controlproto.ID) (string, error) {
	if badLength(string(id), 1, 1024) {
		return "Invalid nodeid", nil
	}
	id, ok := wholeID(c.Session, id)
	if !ok {
		return "Invalid domain", nil
	}
	d, rights, err := s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) || err == nil && !rights.Has(controlproto.UninstallAgent) {
		return "Denied", nil
	}
	if err == nil {
		err = s.Update(ctx, func(tx *Tx) error { return tx.RemoveDevice(c.Session.User(), d.ID) })
		if errors.Is(err, ErrNotFound) {
			return "Denied", nil // another request was faster
		}
	}
	if err != nil {
		return "", err
	}
	// It may come back: an agent that is still installed enrols anew.
	if err := s.cfg.Router.Disconnect(ctx, d.ID, false); err != nil && !errors.Is(err, ErrNotConnected) {
		s.log.Warn("the agent of a removed device is still connected", "node", d.ID, "reason", err)
	}
	return "ok", nil
}

// RemoveDevice removes a device, what it reported, and the links to it. by is who does it, nil for the server itself.
func (t *Tx) RemoveDevice(by *controlproto.User, id controlproto.ID) error {
	d, err := t.dropDevice(by, id)
	if err != nil {
		return err
	}
	name := ""
	if g := t.s.group(d.Group); g != nil {
		name = g.Name
	}
	return t.tell(append(deviceTargets(d), linkedTo(d.Links)...), by, controlproto.Event{
		Type: "node", Action: "removenode", DeviceID: id, Domain: d.Domain, MsgID: 87, MsgArgs: args(d.Name, name),
		Msg: fmt.Sprintf("Removed device %s from device group %s", d.Name, name),
	})
}

// dropDevice removes a device and the links to it, and tells of the links alone.
func (t *Tx) dropDevice(by *controlproto.User, id controlproto.ID) (*controlproto.Device, error) {
	d, err := t.Device(id)
	if err != nil {
		return nil, err
	}
	for _, who := range slices.Sorted(maps.Keys(d.Links)) {
		if err := t.editLinks(who, func(l controlproto.Links) controlproto.Links { return withoutLink(l, id) }); err != nil {
			return nil, err
		}
		if err := t.deviceLeft(by, who, d); err != nil {
			return nil, err
		}
	}
	shares, err := t.store.List(KindShare, Query{Owner: string(id)})
	if err != nil {
		return nil, err
	}
	for _, r := range shares {
		if err := t.Remove(KindShare, controlproto.ID(r.ID)); err != nil {
			return nil, err
		}
	}
	for _, kind := range []Kind{KindDevice, KindSystem, KindNetwork, KindLastConnect, KindPower, KindNotes} {
		if err := t.Remove(kind, id); err != nil {
			return nil, err
		}
	}
	return d, nil // what it did stays in the log
}

// deviceLeft tells that an account or user group has lost its link to a device.
func (t *Tx) deviceLeft(by *controlproto.User, who controlproto.ID, d *controlproto.Device) error {
	switch who.Kind() {
	case controlproto.KindUser:
		a, err := read[Account](t, KindAccount, who)
		if err != nil {
			return ignoreMissing(err)
		}
		// The stock server names the account itself as who changed it.
		return t.accountChanged(&controlproto.User{ID: who, Name: a.Value.Name}, who, 86, "Removed user device rights for ")
	case controlproto.KindUserGroup:
		g, err := read[controlproto.UserGroup](t, KindUserGroup, who)
		if err != nil {
			return ignoreMissing(err)
		}
		return t.userGroupChanged(by, who, 163, "Removed device "+d.Name+" from user group "+g.Value.Name, args(d.Name, g.Value.Name))
	}
	return nil
}

// accountChanged tells of an account that has changed: text and the account's name is what the log says.
func (t *Tx) accountChanged(by *controlproto.User, id controlproto.ID, msgID int, text string, more ...detail) error {
	e, err := read[Account](t, KindAccount, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	a := e.Value
	targets := []string{toAdmins, toManagers, string(id)}
	// Who made the change hears of it too, unless he may not know of accounts.
	if by != nil && by.SiteRights.Has(controlproto.SiteManageUsers) {
		targets = append(targets, string(by.ID))
	}
	return t.tell(targets, by, controlproto.Event{
		Type: "user", Action: "accountchange", Domain: a.Domain, MsgID: msgID, MsgArgs: args(a.Name), Msg: text + a.Name,
	}, append([]detail{{"account", a.Public()}}, more...)...)
}

// userGroupChanged tells of a user group that has changed.
func (t *Tx) userGroupChanged(by *controlproto.User, id controlproto.ID, msgID int, text string, msgArgs []json.RawMessage, targets ...string) error {
	e, err := read[controlproto.UserGroup](t, KindUserGroup, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	g := e.Value
	if by != nil {
		targets = append(targets, string(by.ID))
	}
	return t.tell(append([]string{toAdmins, "server-ugroups", string(id)}, targets...), by, controlproto.Event{
		Type: "ugrp", Action: "usergroupchange", Domain: g.Domain, MsgID: msgID, MsgArgs: msgArgs, Msg: text,
	}, detail{"ugrpid", id}, detail{"name", g.Name}, detail{"desc", g.Desc}, detail{"links", g.Links})
}

// addDeviceUser links accounts and user groups to one device, or ends such links.
func (s *Server) addDeviceUser(ctx context.Context, c *controlproto.Call, req *controlproto.AddDeviceUser) error {
	who := req.UserIDs
	if req.UserID != "" {
		who = []controlproto.ID{req.UserID}
	}
	switch {
	case badLength(string(req.DeviceID), 1, 1024):
		return refused("Invalid nodeid")
	case !isNumber(c, "rights"), req.Extra["rights"] != nil, !req.Rights.DeviceLink():
		return refused("Invalid rights")
	case who == nil && !validNames(req.Usernames, 128), len(who) > 0 && !validIDs(who, 128):
		return refused("Invalid usernames")
	}
	id, ok := wholeID(c.Session, req.DeviceID)
	if !ok {
		return refused("Invalid domain")
	}
	if who == nil {
		who = s.namedAccounts(c.Session.Domain(), req.Usernames)
	}
	d, rights, err := s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) || err == nil && !rights.Has(controlproto.ManageUsers) {
		return nil // silent on the stock server
	}
	if err != nil {
		return err
	}
	remove := req.Remove
	err = s.Update(ctx, func(tx *Tx) error {
		changed := false
		targets := deviceTargets(d)
		d, err := tx.Device(d.ID)
		if err != nil {
			return err
		}
		// Again, now that nobody else changes anything.
		if r, _ := s.rights(c.Session.UserID(), d.Group, d.ID); !r.Has(controlproto.ManageUsers) {
			return ErrNotFound
		}
		for _, w := range who {
			known, err := tx.linkDevice(c.Session.User(), w, d, req.Rights, remove)
			if err != nil {
				return err
			}
			if known {
				changed = true
				targets = append(targets, string(w))
			}
		}
		if !changed {
			return nil
		}
		after, err := tx.Device(d.ID)
		if err != nil {
			return err
		}
		hideSecrets(after)
		s.addState(after)
		msgID, text := 82, "Changed user device rights for "
		if req.Rights == 0 {
			msgID, text = 81, "Removed user device rights for "
		}
		return tx.tell(targets, c.Session.User(), controlproto.Event{
			Type: "node", Action: "changenode", DeviceID: d.ID, Domain: d.Domain, MsgID: msgID, MsgArgs: args(d.Name), Msg: text + d.Name,
		}, detail{"node", after})
	})
	if errors.Is(err, ErrNotFound) {
		return nil // silent as for any other device that there is not
	}
	if err != nil {
		return err
	}
	return c.Result(ctx, "ok")
}

// linkDevice links one account or user group to a device, or ends the link, and tells whether the device has changed by it.
func (t *Tx) linkDevice(by *controlproto.User, who controlproto.ID, d *controlproto.Device, rights controlproto.Rights, remove bool) (changed bool, err error) {
	if who.Domain() != d.Domain {
		return false, nil
	}
	msgID, text := 82, "Changed user device rights for "
	if rights == 0 {
		msgID, text = 81, "Removed user device rights for "
	}
	name, _, err := t.linked(who)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, linked := d.Links[who]
	changed = linked || !remove
	if remove {
		err = t.Unlink(who, d.ID)
	} else {
		err = t.Link(who, name, d.ID, rights)
	}
	if err != nil {
		return changed, err
	}
	if who.Kind() == controlproto.KindUser {
		return changed, t.accountChanged(by, who, msgID, text, detail{"nodeListChange", who})
	}
	return changed, t.userGroupChanged(by, who, 79, "User group changed: "+name, args(name))
}

// setDeviceEvent adds a line of an operator to a device's log.
func (s *Server) setDeviceEvent(ctx context.Context, c *controlproto.Call, req *controlproto.SetDeviceEvent) error {
	if badLength(req.Msg, 1, 4096) {
		return nil
	}
	d, rights, err := s.deviceFor(ctx, c.Session, req.DeviceID)
	if errors.Is(err, ErrNotFound) || err == nil && rights == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	e, err := event(c.Session.User(), controlproto.Event{
		Type: "node", Action: "manual", DeviceID: d.ID, Domain: d.Domain, Msg: unescape(req.Msg),
	})
	if err != nil {
		return err
	}
	return s.Dispatch(ctx, e, append(deviceTargets(d), toManagers, string(c.Session.UserID()))...)
}
