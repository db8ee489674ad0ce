package controlserver

import (
	"context"
	"errors"
	"slices"

	"github.com/meshcentral-go/sdk/controlproto"
)

// managesAll tells whether an account sees all device groups of its domain.
func (s *Server) managesAll(a *Account) bool {
	if len(s.cfg.ManageAll) == 0 || !a.SiteRights.Full() {
		return false
	}
	return slices.ContainsFunc(s.cfg.ManageAll, func(id controlproto.ID) bool {
		_, member := a.Links[id]
		return id == a.ID || member
	})
}

// rights computes what an account may do with a device of a group; with an empty device, with the group. visible tells
// whether it is linked at all. This is the one place where rights on devices and groups come from.
func (s *Server) rights(user controlproto.ID, group, device controlproto.ID) (r controlproto.Rights, visible bool) {
	a := s.account(user)
	if a == nil || a.SiteRights.Restricted(controlproto.SiteLocked) {
		return 0, false
	}
	if s.managesAll(a) {
		return a.RemoveRights.Apply(controlproto.FullRights), true
	}
	return controlproto.EffectiveRights(&a.User, s.userGroup, group, device)
}

// GroupRights computes what an account may do with a device group.
func (s *Server) GroupRights(user, group controlproto.ID) (r controlproto.Rights, visible bool) {
	return s.rights(user, group, "")
}

// DeviceRights computes what an account may do with a device. It finds the device's group by itself; a device that there
// is not is not visible.
func (s *Server) DeviceRights(ctx context.Context, user, device controlproto.ID) (controlproto.Rights, bool, error) {
	group, err := s.groupOf(ctx, device)
	if errors.Is(err, ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	r, visible := s.rights(user, group, device)
	return r, visible, nil
}

// groupOf finds the group that a device is in.
func (s *Server) groupOf(ctx context.Context, device controlproto.ID) (group controlproto.ID, err error) {
	if group, ok := s.devices.groupOf(device); ok {
		return group, nil
	}
	err = s.cfg.Store.View(ctx, func(tx StoreTx) error {
		r, err := tx.Get(KindDevice, string(device))
		group = controlproto.ID(r.Owner)
		return err
	})
	return group, err
}

// deviceFor finds a device by the id in a request, which may be bare, and what the session's account may do with it. A
// device of another domain, one that there is not, and one that is not visible are all ErrNotFound.
func (s *Server) deviceFor(ctx context.Context, c *controlproto.Session, id controlproto.ID) (*controlproto.Device, controlproto.Rights, error) {
	id = id.In(controlproto.KindDevice, c.Domain())
	if id.Domain() != c.Domain() || id.Kind() != controlproto.KindDevice {
		return nil, 0, ErrNotFound
	}
	d, err := s.Device(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	r, visible := s.rights(c.UserID(), d.Group, d.ID)
	if !visible {
		return nil, 0, ErrNotFound
	}
	return d, r, nil
}

// groupFor finds a device group by the id in a request, which may be bare, and what the session's account may do with it.
// What the account is not linked to is nil.
func (s *Server) groupFor(c *controlproto.Session, id controlproto.ID) (*controlproto.DeviceGroup, controlproto.Rights) {
	id = id.In(controlproto.KindDeviceGroup, c.Domain())
	if id.Domain() != c.Domain() {
		return nil, 0
	}
	g := s.group(id)
	if g == nil {
		return nil, 0
	}
	r, visible := s.rights(c.UserID(), g.ID, "")
	if !visible {
		return nil, 0
	}
	return g, r
}

// visibleGroups are the device groups that an account is linked to, by id.
func (s *Server) visibleGroups(user controlproto.ID) []*controlproto.DeviceGroup {
	a := s.account(user)
	if a == nil {
		return nil
	}
	list := s.groupsOf(a.Domain)
	return slices.DeleteFunc(list, func(g *controlproto.DeviceGroup) bool {
		_, visible := s.rights(user, g.ID, "")
		return !visible
	})
}

// errLostRight ends a change by an account that lost the right to it between the first look and the change, which nothing
// else comes between.
var errLostRight = errors.New("controlserver: the account has lost the right")

// errAmbiguous says that a device group is named by a name that two have.
var errAmbiguous = errors.New("Duplicate device groups found") //lint:ignore ST1005 the words of the protocol

// groupNamed finds a group of agents that the session's account sees by its exact name.
func (s *Server) groupNamed(c *controlproto.Session, name string) (*controlproto.DeviceGroup, error) {
	var found *controlproto.DeviceGroup
	for _, g := range s.visibleGroups(c.UserID()) {
		if g.GroupType == controlproto.GroupAgent && g.Name == name {
			if found != nil {
				return nil, errAmbiguous
			}
			found = g
		}
	}
	return found, nil
}

// seenBy tells whether an account may see another one: with realms, only those that share one.
func seenBy(manager *Account, other *Account) bool {
	if len(manager.Realms) == 0 {
		return true
	}
	return slices.ContainsFunc(other.Realms, func(r string) bool { return slices.Contains(manager.Realms, r) })
}
