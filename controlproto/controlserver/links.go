package controlserver

import (
	"errors"
	"maps"
	"slices"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Links stand on both sides: on the account or user group, and on the group or device that it is linked to. These
// functions keep both alike.

// withLink returns links with one more or changed, leaving alone what was given.
func withLink(links controlproto.Links, id controlproto.ID, l controlproto.Link) controlproto.Links {
	links = maps.Clone(links)
	if links == nil {
		links = controlproto.Links{}
	}
	l.Notify = links[id].Notify
	links[id] = l
	return links
}

// withoutLink returns links without one; none left is nil, as the protocol has it.
func withoutLink(links controlproto.Links, id controlproto.ID) controlproto.Links {
	if _, ok := links[id]; !ok {
		return links
	}
	if len(links) == 1 {
		return nil
	}
	links = maps.Clone(links)
	delete(links, id)
	return links
}

// editLinks changes the links of any kind of record. One that there is not is left alone.
func (t *Tx) editLinks(id controlproto.ID, f func(controlproto.Links) controlproto.Links) error {
	var err error
	switch id.Kind() {
	case controlproto.KindUser:
		err = t.EditAccount(id, func(a *Account) error { a.Links = f(a.Links); return nil })
	case controlproto.KindUserGroup:
		err = t.EditUserGroup(id, func(g *controlproto.UserGroup) error { g.Links = f(g.Links); return nil })
	case controlproto.KindDeviceGroup:
		err = t.EditGroup(id, func(g *controlproto.DeviceGroup) error { g.Links = f(g.Links); return nil })
	case controlproto.KindDevice:
		err = t.EditDevice(id, func(d *controlproto.Device) error { d.Links = f(d.Links); return nil })
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// exists returns ErrNotFound if there is no such record.
func (t *Tx) exists(id controlproto.ID) error {
	kind := Kind(id.Kind()) // of what has links, both are named alike
	_, err := t.store.Get(kind, string(id))
	if errors.Is(err, ErrNotFound) {
		t.missing = append(t.missing, RecordKey{kind, string(id)})
	}
	return err
}

// Link links an account or a user group (named name) to a device group or a device. Without one of both it is ErrNotFound, and
// nothing has changed.
func (t *Tx) Link(who controlproto.ID, name string, to controlproto.ID, rights controlproto.Rights) error {
	for _, id := range []controlproto.ID{who, to} {
		if err := t.exists(id); err != nil {
			return err
		}
	}
	err := t.editLinks(who, func(l controlproto.Links) controlproto.Links {
		return withLink(l, to, controlproto.Link{Rights: rights})
	})
	if err != nil {
		return err
	}
	return t.editLinks(to, func(l controlproto.Links) controlproto.Links {
		back := controlproto.Link{Rights: rights, Name: name}
		if to.Kind() == controlproto.KindDevice && who.Kind() == controlproto.KindUserGroup {
			back.Name = "" // as the stock server has it
		}
		return withLink(l, who, back)
	})
}

// Unlink ends a link on both sides.
func (t *Tx) Unlink(who, to controlproto.ID) error {
	if err := t.editLinks(who, func(l controlproto.Links) controlproto.Links { return withoutLink(l, to) }); err != nil {
		return err
	}
	return t.editLinks(to, func(l controlproto.Links) controlproto.Links { return withoutLink(l, who) })
}

// linkedTo are the accounts and user groups of links, to be told that those have ended.
func linkedTo(links controlproto.Links) (targets []string) {
	for _, id := range slices.Sorted(maps.Keys(links)) {
		targets = append(targets, string(id))
	}
	return targets
}

// groupTargets are who hears of a device group: everyone linked to it, and others.
func groupTargets(g *controlproto.DeviceGroup, more ...string) []string {
	return append([]string{toAdmins, string(g.ID)}, more...)
}
