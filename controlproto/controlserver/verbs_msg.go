package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/meshcentral-go/sdk/controlproto"
)

// messageVerbs are messages to devices.
func (s *Server) messageVerbs(m *controlproto.Mux) {
	m.Handle("msg", s.msg)
	controlproto.On(m, s.toast)
}

// unableToRoute is what a "msg" is answered with when its device is not connected, or not the sender's to speak with.
const unableToRoute = "Unable to route"

// msg passes a message on to the agent of a device, with what the agent needs to know of the sender. The types that this
// package knows are checked; others pass to whoever has the right to control the device.
func (s *Server) msg(ctx context.Context, c *controlproto.Call) error {
	m := new(controlproto.Msg)
	if err := c.Decode(m); err != nil {
		return err
	}
	if !s.msgAnswered(c, m) {
		return nil
	}
	sent, err := s.routeMsg(ctx, c, m)
	if err != nil || !c.Asked() {
		return err
	}
	result := "OK"
	if !sent {
		result = unableToRoute
	}
	return c.ReplyEcho(ctx, &controlproto.Result{Name: "msg", Result: result}, controlproto.EchoBoth)
}

// msgAnswered tells whether a message is one that gets an answer at all: what the domain has switched off and tunnels that are
// to another device get none.
func (s *Server) msgAnswered(c *controlproto.Call, m *controlproto.Msg) bool {
	domain := s.domains[c.Session.Domain()]
	switch m.Type {
	case "getclip":
		return !domain.NoClipboardGet
	case "setclip":
		return !domain.NoClipboardSet
	case "tunnel":
		q, ok := tunnelQuery(m)
		id := m.DeviceID.In(controlproto.KindDevice, c.Session.Domain())
		return ok && (!q.Has("nodeid") || q.Get("nodeid") == string(id))
	}
	return true
}

// tunnelQuery reads the address of a tunnel.
func tunnelQuery(m *controlproto.Msg) (url.Values, bool) {
	var address string
	if json.Unmarshal(m.Extra["value"], &address) != nil {
		return nil, false
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, false
	}
	return u.Query(), true
}

// routeMsg checks and sends; what is refused and what cannot be sent look alike.
func (s *Server) routeMsg(ctx context.Context, c *controlproto.Call, m *controlproto.Msg) (sent bool, err error) {
	if len(m.DeviceID) > 1024 {
		return false, nil
	}
	d, rights, err := s.deviceFor(ctx, c.Session, m.DeviceID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	group := s.group(d.Group)
	if group == nil || rights&(controlproto.RemoteControl|controlproto.RemoteViewOnly) == 0 {
		return false, nil
	}
	if !msgAllowed(c, m, rights) {
		return false, nil
	}
	routed := s.routed(m.Type, c.Session.User(), c.Session.Login().RemoteAddr, d, group, rights)
	routed.SessionID = c.Session.ID()
	if m.Type == "tunnel" {
		return s.routeTunnel(ctx, c, d, routed)
	}
	for _, name := range []string{
		"action", "type", "nodeid", "sessionid", "rights", "consent", "username", "realname", "userid", "remoteaddr", "servertlshash",
		"soptions", "perMessageDeflate", "privacybartext", "desktopviewonly", "fromSessionid",
	} {
		delete(m.Extra, name) // what the server says, not the sender
	}
	// Answers are told apart by these two, which this type of message has no fields for.
	for name, v := range map[string]json.RawMessage{"responseid": c.ResponseID, "tag": c.Tag} {
		if v != nil {
			setExtra(&m.Extra, name, v)
		}
	}
	routed.Extra = m.Extra
	return s.sendTo(ctx, d.ID, &routed)
}

// routeTunnel passes a tunnel request on: those of its members that are known.
func (s *Server) routeTunnel(ctx context.Context, c *controlproto.Call, d *controlproto.Device, routed routedMsg) (sent bool, err error) {
	t := new(controlproto.MsgTunnel)
	if err := c.Decode(t); err != nil {
		return false, err
	}
	return s.sendTunnel(ctx, &TunnelRequest{
		User: routed.UserID, Device: d.ID, URL: t.URL,
		TCPPort: t.TCPPort, UDPPort: t.UDPPort, TCPAddr: t.TCPAddr, UDPAddr: t.UDPAddr,
	}, &tunnelMsg{routedMsg: routed, Usage: t.Usage, ResponseID: c.ResponseID, Tag: c.Tag})
}

func setExtra(m *map[string]json.RawMessage, name string, v json.RawMessage) {
	if *m == nil {
		*m = map[string]json.RawMessage{}
	}
	(*m)[name] = v
}

// routedMsg is a "msg" as an agent gets it (meshuser.js, routeCommandToNode).
type routedMsg struct {
	Action     string                     `json:"action"`
	Type       string                     `json:"type"`
	SessionID  string                     `json:"sessionid"`
	Rights     controlproto.Rights        `json:"rights,keep"`
	Consent    controlproto.Consent       `json:"consent,keep"`
	Username   string                     `json:"username"`
	RealName   string                     `json:"realname"`
	UserID     controlproto.ID            `json:"userid"`
	RemoteAddr string                     `json:"remoteaddr"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// msgAllowed checks what single types of messages need.
func msgAllowed(c *controlproto.Call, m *controlproto.Msg, rights controlproto.Rights) bool {
	switch m.Type {
	case "":
		return false
	case "tunnel":
		return tunnelAllowed(m, rights)
	case "console":
		return rights.Has(controlproto.RemoteControl | controlproto.AgentConsole)
	case "endtunnel":
		var user controlproto.ID
		_ = json.Unmarshal(m.Extra["xuserid"], &user) // what is no text is nobody
		return rights.Full() || user == c.Session.UserID()
	case "getclip", "setclip", "pskill", "serviceStop", "serviceStart", "serviceRestart", "openUrl", "messagebox", "alertbox":
		return rights.Has(controlproto.RemoteControl)
	}
	return true
}

// tunnelAllowed checks the address of a tunnel: the protocol must be one that the rights allow.
func tunnelAllowed(m *controlproto.Msg, rights controlproto.Rights) bool {
	q, ok := tunnelQuery(m)
	if !ok {
		return false
	}
	switch q.Get("p") {
	case "1", "6", "8", "9": // terminals
		return !rights.Denies(controlproto.NoTerminal)
	case "2":
		return !rights.Denies(controlproto.NoDesktop)
	case "4", "5":
		return !rights.Denies(controlproto.NoFiles)
	}
	return true
}

// consent adds up what the user of a device is told or asked when this operator connects. User groups count when it is
// they who give access.
func (s *Server) consent(u *controlproto.User, d *controlproto.Device, g *controlproto.DeviceGroup) controlproto.Consent {
	sum := s.domains[d.Domain].Consent | g.Consent | d.Consent | u.Consent
	_, linkedGroup := u.Links[g.ID]
	_, linkedDevice := u.Links[d.ID]
	if linkedGroup || linkedDevice {
		return sum
	}
	for id := range u.Links {
		ug := s.userGroup(id)
		if ug == nil {
			continue
		}
		_, viaGroup := ug.Links[g.ID]
		_, viaDevice := ug.Links[d.ID]
		if viaGroup || viaDevice {
			sum |= ug.Consent
		}
	}
	return sum
}

// agentToast is a toast as an agent gets it.
type agentToast struct {
	Action    string          `json:"action"`
	Title     string          `json:"title"`
	Msg       string          `json:"msg"`
	SessionID string          `json:"sessionid"`
	Username  string          `json:"username"`
	UserID    controlproto.ID `json:"userid"`
}

// toast shows a text on devices. It confirms at once, and then names the devices' refusals.
func (s *Server) toast(ctx context.Context, c *controlproto.Call, req *controlproto.Toast) error {
	if !validIDs(req.DeviceIDs, 256) {
		return &controlproto.ActionError{Result: "Invalid nodeids"}
	}
	if n := utf16Len(req.Msg); n < 1 || n > 4096 {
		return &controlproto.ActionError{Result: "Invalid message"}
	}
	title := req.Title
	if n := utf16Len(title); n < 1 || n > 512 {
		if title = s.domains[c.Session.Domain()].Title; title == "" {
			title = "MeshCentral"
		}
	}
	if err := c.Result(ctx, "ok"); err != nil {
		return err
	}
	for _, id := range req.DeviceIDs {
		d, rights, err := s.deviceFor(ctx, c.Session, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err != nil || !rights.Has(controlproto.ChatNotify) {
			if err := c.Result(ctx, "Access Denied"); err != nil {
				return err
			}
			continue
		}
		u := c.Session.User()
		if _, err := s.sendTo(ctx, d.ID, &agentToast{"toast", title, req.Msg, c.Session.ID(), u.Name, u.ID}); err != nil {
			return err
		}
	}
	return nil
}

// validIDs tells whether there are ids and none is empty or longer than the stock server takes.
func validIDs(ids []controlproto.ID, longest int) bool {
	for _, id := range ids {
		if id == "" || len(id) > longest {
			return false
		}
	}
	return len(ids) > 0
}

// utf16Len is the length of a text as JavaScript counts it, and so the protocol's limits.
func utf16Len(s string) (n int) {
	for _, r := range s {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}

// heardBy tells whether an operator with these rights hears what an agent says to nobody in particular.
func (m *agentMessage) heardBy(rights controlproto.Rights) bool {
	if m.Action == "msg" && (m.Type == "console" || m.Type == "runcommands") {
		return rights&(controlproto.AgentConsole|controlproto.RemoteCommand) != 0
	}
	return true
}
