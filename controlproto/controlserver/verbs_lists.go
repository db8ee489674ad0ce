package controlserver

import (
	"bytes"
	"context"
	"strconv"

	"github.com/meshcentral-go/sdk/controlproto"
)

// listVerbs are the lists that every session begins with.
func (s *Server) listVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.meshes)
	controlproto.On(m, s.nodes)
}

// meshes lists the device groups that the account sees.
func (s *Server) meshes(ctx context.Context, c *controlproto.Call, _ *controlproto.Meshes) error {
	groups := s.visibleGroups(c.Session.UserID())
	list := make([]controlproto.DeviceGroup, len(groups))
	for i, g := range groups {
		list[i] = publicGroup(g)
	}
	return c.Reply(ctx, &controlproto.MeshesReply{Groups: list})
}

// publicGroup is a device group as it is shown: secrets are only told to be there.
func publicGroup(g *controlproto.DeviceGroup) controlproto.DeviceGroup {
	shown := *g
	if shown.AMT != nil && shown.AMT.Password.Reveal() != "" {
		amt := *shown.AMT
		amt.Password = controlproto.NewSecret("1")
		shown.AMT = &amt
	}
	if shown.KVM != nil && shown.KVM.Password.Reveal() != "" {
		kvm := *shown.KVM
		kvm.Password = controlproto.NewSecret("1")
		shown.KVM = &kvm
	}
	return shown
}

// nodes lists the devices that the account sees.
func (s *Server) nodes(ctx context.Context, c *controlproto.Call, req *controlproto.Nodes) error {
	group, err := s.groupOrName(c.Session, req.GroupID, req.GroupName)
	if err != nil {
		return err
	}
	list, err := s.visibleDevices(ctx, c.Session.UserID(), group)
	if err != nil {
		return err
	}
	if req.DeviceID != "" {
		list = list.only(req.DeviceID)
	}
	var more []byte
	if page := s.domains[c.Session.Domain()].MaxDeviceView; page > 0 {
		list, more = list.page(req.Skip, req.Limit, page)
		c.Session.Set(pageKey{}, pageOf(list))
	}
	if c.ResponseID != nil {
		more = append(append(more, `,"responseid":`...), c.ResponseID...)
	}
	if c.Tag != nil {
		more = append(append(more, `,"tag":`...), c.Tag...)
	}
	// What is sent the most often, and the largest: it is not encoded anew, nor copied.
	return c.Session.SendRaw(ctx, s.appendNodes(nil, list, more))
}

// groupOrName finds the group that a request names by its id or by its name, if it names one that the account sees.
func (s *Server) groupOrName(c *controlproto.Session, id controlproto.ID, name string) (controlproto.ID, error) {
	var g *controlproto.DeviceGroup
	switch {
	case id != "":
		g, _ = s.groupFor(c, id)
	case name != "":
		var err error
		if g, err = s.groupNamed(c, name); err != nil {
			return "", &controlproto.ActionError{Result: err.Error()}
		}
	default:
		return "", nil
	}
	if g == nil {
		return "", &controlproto.ActionError{Result: "Invalid group id"}
	}
	return g.ID, nil
}

// only is the list with one device.
func (l deviceList) only(id controlproto.ID) (one deviceList) {
	for _, group := range l.groups {
		for _, d := range l.devices[group] {
			if d.id == id {
				one.add(group, d)
			}
		}
	}
	return one
}

// page cuts a page out of the list, and tells where it is.
func (l deviceList) page(skip, limit, most int) (page deviceList, more []byte) {
	skip = max(skip, 0)
	if limit <= 0 || limit > most {
		limit = most
	}
	total := 0
	for _, group := range l.groups {
		for _, d := range l.devices[group] {
			if total >= skip && total < skip+limit {
				page.add(group, d)
			}
			total++
		}
	}
	var b bytes.Buffer
	b.WriteString(`,"skip":` + strconv.Itoa(skip) + `,"limit":` + strconv.Itoa(limit))
	if total > limit {
		b.WriteString(`,"totalcount":` + strconv.Itoa(total))
	}
	return page, b.Bytes()
}
