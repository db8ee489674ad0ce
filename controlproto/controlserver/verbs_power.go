package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// powerVerbs switch devices and their agents.
func (s *Server) powerVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.wakeDevices)
	controlproto.On(m, s.powerAction)
	controlproto.On(m, s.uninstallAgents)
	controlproto.On(m, s.agentDisconnect)
	controlproto.On(m, s.updateAgents)
}

// agentWake has an agent send wake-up packets.
type agentWake struct {
	Action string   `json:"action"`
	MACs   []string `json:"macs"`
}

// wakeDevices has agents in the groups of devices send wake-up packets. Answers come also to who did not ask.
func (s *Server) wakeDevices(ctx context.Context, c *controlproto.Call, req *controlproto.WakeDevices) error {
	if len(req.DeviceIDs) == 0 {
		return nil
	}
	e, err := event(c.Session.User(), controlproto.Event{Action: "wakedevices", Domain: c.Session.Domain(), NoLog: 1}, detail{"nodeids", req.DeviceIDs})
	if err == nil {
		err = s.Dispatch(ctx, e, toAdmins) // for who switches Intel AMT on
	}
	if err != nil {
		return err
	}
	for _, id := range req.DeviceIDs {
		result, valid, err := s.wake(ctx, c, id)
		if err != nil {
			return err
		}
		if len(req.DeviceIDs) > 1 {
			if !valid {
				continue
			}
			result = "ok"
		}
		if result == "" {
			continue
		}
		if err := c.ReplyEcho(ctx, &controlproto.Result{Result: result}, controlproto.EchoResponseID); err != nil {
			return err
		}
	}
	return nil
}

// wake wakes one device, and tells what came of it, and whether the id has the form of one.
func (s *Server) wake(ctx context.Context, c *controlproto.Call, id controlproto.ID) (result string, valid bool, err error) {
	if badLength(string(id), 8, 128) {
		return "Invalid nodeid", false, nil
	}
	if id = id.In(controlproto.KindDevice, c.Session.Domain()); !id.Valid() || id.Domain() != c.Session.Domain() {
		return invalidDomain, false, nil
	}
	d, rights, err := s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) || err == nil && !rights.Has(controlproto.WakeDevice) {
		return "Invalid nodeid", true, nil
	}
	if err != nil {
		return "", true, err
	}
	if d.MeshType == controlproto.GroupIPKVM {
		return "", true, s.switchPort(ctx, c, d, "turnon", 132, "Turn on.")
	}
	doc, err := s.report(ctx, KindNetwork, id)
	if err != nil {
		return "", true, err
	}
	if doc == nil {
		return "No network information for this device", true, nil
	}
	macs := macsOf(doc)
	if len(macs) == 0 {
		return "No known MAC addresses for this device", true, nil
	}
	if s.cfg.Wake != nil {
		s.cfg.Wake(ctx, macs, d.Host)
	}
	n, err := s.wakeThrough(ctx, c.Session.UserID(), d.Group, macs)
	return fmt.Sprintf("Used %d device(s) to send wake packets", n), true, err
}

// wakeThrough has the agents of a group on whose devices the account has the right to wake send wake-up packets.
func (s *Server) wakeThrough(ctx context.Context, user, group controlproto.ID, macs []string) (n int, err error) {
	devices, err := s.devicesOf(ctx, group)
	if err != nil {
		return 0, err
	}
	for _, d := range devices {
		if s.cfg.Presence.State(d.id).Conn&controlproto.ConnAgent == 0 {
			continue
		}
		if r, _ := s.rights(user, group, d.id); !r.Has(controlproto.WakeDevice) {
			continue
		}
		sent, err := s.sendTo(ctx, d.id, &agentWake{"wakeonlan", macs})
		if err != nil {
			return n, err
		}
		if sent {
			n++
		}
	}
	return n, nil
}

// maxMACs is how many addresses of a device are woken.
const maxMACs = 64

// macsOf finds the MAC addresses in a report of a device's network.
func macsOf(doc map[string]json.RawMessage) (macs []string) {
	add := func(v json.RawMessage) {
		mac := text(look(v, "mac"))
		if hw, err := net.ParseMAC(mac); err != nil || len(hw) != 6 || hw.String() == "00:00:00:00:00:00" {
			return
		}
		if len(macs) < maxMACs && !slices.Contains(macs, mac) {
			macs = append(macs, mac)
		}
	}
	each := func(list json.RawMessage) {
		var all []json.RawMessage
		if len(list) > 0 && list[0] == '[' && json.Unmarshal(list, &all) == nil {
			for _, v := range all {
				add(v)
			}
		}
	}
	if old := doc["netif"]; len(old) > 0 && old[0] == '[' { // from old agents
		each(old)
		return macs
	}
	if v := doc["netif2"]; len(v) > 0 && v[0] == '{' {
		// What cannot be read has no addresses.
		_ = jsonrec.Members(v, func(_ string, list json.RawMessage) error { each(list); return nil })
	}
	return macs
}

// switchPort tells who drives an IP-KVM to switch a port.
func (s *Server) switchPort(ctx context.Context, c *controlproto.Call, d *controlproto.Device, action string, msgID int, msg string) error {
	e, err := event(c.Session.User(), controlproto.Event{
		Type: "node", Action: action, DeviceID: d.ID, GroupID: d.Group, Domain: d.Domain, MsgID: msgID, Msg: msg,
	}, detail{"portid", d.PortID}, detail{"porttype", d.PortType}, detail{"portnum", d.PortNumber}, detail{"mtype", d.MeshType})
	if err != nil {
		return err
	}
	return s.Dispatch(ctx, e, append(deviceTargets(d), "devport-operation", toManagers, string(c.Session.UserID()))...)
}

// agentPower has an agent switch its device.
type agentPower struct {
	Action     string                   `json:"action"`
	Type       controlproto.PowerAction `json:"actiontype"`
	UserID     controlproto.ID          `json:"userid"`
	Username   string                   `json:"username"`
	RemoteAddr string                   `json:"remoteaddr"`
}

// powerAction switches devices. Whether it was allowed is not told.
func (s *Server) powerAction(ctx context.Context, c *controlproto.Call, req *controlproto.PowerActionRequest) error {
	if req.Type < controlproto.AgentOff || req.Type > controlproto.PhoneVibrate {
		return nil
	}
	for _, id := range req.DeviceIDs {
		if badLength(string(id), 8, 128) {
			continue
		}
		if id = id.In(controlproto.KindDevice, c.Session.Domain()); !id.Valid() || id.Domain() != c.Session.Domain() {
			continue
		}
		d, rights, err := s.deviceFor(ctx, c.Session, id)
		if err == nil && rights.Has(req.Type.Needs()) {
			err = s.power(ctx, c, d, rights, req)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		done := &controlproto.Result{}
		if c.Asked() {
			done.Result = "ok"
		}
		if err := c.ReplyEcho(ctx, done, controlproto.EchoResponseID); err != nil {
			return err
		}
	}
	return nil
}

// power switches one device; the account has the right to.
func (s *Server) power(ctx context.Context, c *controlproto.Call, d *controlproto.Device, rights controlproto.Rights, req *controlproto.PowerActionRequest) error {
	u := c.Session.User()
	switch t := req.Type; {
	case t == controlproto.PhoneFlash, t == controlproto.PhoneVibrate:
		if req.Time < 1 || req.Time > 30000 {
			return nil
		}
		word := "flash "
		if t == controlproto.PhoneVibrate {
			word = "vibrate "
		}
		_, err := s.sendTo(ctx, d.ID, &agentConsole{"msg", "console", word + strconv.Itoa(req.Time), rights, c.Session.ID()})
		return err
	case d.MeshType == controlproto.GroupIPKVM:
		return s.switchPort(ctx, c, d, "turnoff", 133, "Turn off.")
	case t == controlproto.AMTOn, t == controlproto.AMTOff, t >= controlproto.AMTReset && t <= controlproto.AMTResetToPXE:
		e, err := event(u, controlproto.Event{Action: "amtpoweraction", Domain: d.Domain, NoLog: 1},
			detail{"nodeids", []controlproto.ID{d.ID}}, detail{"actiontype", t - 300})
		if err != nil {
			return err
		}
		return s.Dispatch(ctx, e, toAdmins)
	case t <= controlproto.AgentSleep:
		_, err := s.sendTo(ctx, d.ID, &agentPower{"poweraction", t, u.ID, u.Name, c.Session.Login().RemoteAddr.String()})
		return err
	}
	return nil
}

// allowedOn calls f for each device that the account sees; ids must be whole.
func (s *Server) allowedOn(ctx context.Context, c *controlproto.Call, ids []controlproto.ID, f func(*controlproto.Device, controlproto.Rights) error) error {
	for _, id := range ids {
		if !id.Valid() {
			continue
		}
		d, rights, err := s.deviceFor(ctx, c.Session, id)
		if err == nil {
			err = f(d, rights)
		}
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotConnected) {
			return err
		}
	}
	return nil
}

// mayManageAgent tells whether the account may meddle with agents as such.
func mayManageAgent(c *controlproto.Call, rights controlproto.Rights) bool {
	return rights.Has(controlproto.AgentConsole) || c.Session.User().SiteRights.Full()
}

// agentOrder is a word to an agent.
type agentOrder struct {
	Action string `json:"action"`
}

// uninstallAgents has agents remove themselves.
func (s *Server) uninstallAgents(ctx context.Context, c *controlproto.Call, req *controlproto.UninstallAgents) error {
	return s.allowedOn(ctx, c, req.DeviceIDs, func(d *controlproto.Device, rights controlproto.Rights) error {
		if !rights.Has(controlproto.UninstallAgent) {
			return nil
		}
		_, err := s.sendTo(ctx, d.ID, &agentOrder{"uninstallagent"})
		return err
	})
}

// agentDisconnect ends the connection of an agent, which comes back.
func (s *Server) agentDisconnect(ctx context.Context, c *controlproto.Call, req *controlproto.AgentDisconnect) error {
	if req.Mode != 1 && req.Mode != 2 {
		return nil
	}
	return s.allowedOn(ctx, c, []controlproto.ID{req.DeviceID}, func(d *controlproto.Device, rights controlproto.Rights) error {
		if !mayManageAgent(c, rights) {
			return nil
		}
		return s.cfg.Router.Disconnect(ctx, d.ID, req.Mode == 2)
	})
}

// updateAgents has agents update themselves.
func (s *Server) updateAgents(ctx context.Context, c *controlproto.Call, req *controlproto.UpdateAgents) error {
	return s.allowedOn(ctx, c, req.DeviceIDs, func(d *controlproto.Device, rights controlproto.Rights) error {
		if !rights.Full() {
			return nil
		}
		_, err := s.sendTo(ctx, d.ID, &agentConsole{"msg", "console", "agentupdate", rights, c.Session.ID()})
		return err
	})
}
