package controlserver

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/controlproto"
)

// CoreSender is a [Router] that can also give agents another core.
type CoreSender interface {
	// SendCore has an agent run another core: one of the server's own, none, or the one given.
	SendCore(ctx context.Context, device controlproto.ID, kind controlproto.CoreKind, core []byte) error
}

// DesktopEnder is a [Router] that also knows who looks at the desktop of a device.
type DesktopEnder interface {
	// EndDesktop ends the desktop sessions of an account, or of a guest of that account, and tells whether there were any.
	EndDesktop(ctx context.Context, device, user controlproto.ID, guest string) (ended bool, err error)
}

// agentVerbs are what else reaches agents, and what a server answers that has no MQTT. Push messages, plugins and requests to Intel
// AMT have no handlers here: on servers without them they are silent.
func (s *Server) agentVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.getClip)
	controlproto.On(m, s.setClip)
	controlproto.On(m, s.uploadAgentCore)
	controlproto.On(m, ifAsked(s.endDesktopMultiplex))
	controlproto.On(m, ifAsked(s.sendMQTTMsg))
	controlproto.On(m, ifAsked(s.getMQTTLogin))
}

// agentClip is about the clipboard of a device.
type agentClip struct {
	Action string `json:"action"`
	Data   string `json:"data"`
}

// getClip asks an agent for the clipboard.
func (s *Server) getClip(ctx context.Context, c *controlproto.Call, req *controlproto.GetClip) error {
	if s.domains[c.Session.Domain()].NoClipboardGet {
		return nil
	}
	return s.clip(ctx, c, req.DeviceID, &agentClip{Action: "getClip"})
}

// setClip gives an agent something for the clipboard.
func (s *Server) setClip(ctx context.Context, c *controlproto.Call, req *controlproto.SetClip) error {
	if s.domains[c.Session.Domain()].NoClipboardSet || badLength(req.Data, 1, 65535) {
		return nil
	}
	return s.clip(ctx, c, req.DeviceID, &agentClip{"setClip", req.Data})
}

func (s *Server) clip(ctx context.Context, c *controlproto.Call, id controlproto.ID, message *agentClip) error {
	return s.allowedOn(ctx, c, []controlproto.ID{id}, func(d *controlproto.Device, rights controlproto.Rights) error {
		if !rights.Has(controlproto.RemoteControl) {
			return nil
		}
		_, err := s.sendTo(ctx, d.ID, message)
		return err
	})
}

// maxCore bounds a core that is a file on the server.
const maxCore = 8 << 20

// uploadAgentCore gives agents another core, if the Router is a [CoreSender].
func (s *Server) uploadAgentCore(ctx context.Context, c *controlproto.Call, req *controlproto.UploadAgentCore) error {
	sender, ok := s.cfg.Router.(CoreSender)
	if !ok {
		return nil
	}
	var core []byte
	switch req.Type {
	case controlproto.CoreDefault, controlproto.CoreClear, controlproto.CoreRecovery, controlproto.CoreTiny:
	case controlproto.CoreCustom:
		var err error
		if core, err = s.serverFile(c.Session, req.Path, maxCore); err != nil {
			return nil //nolint:nilerr // silent, as on the stock server
		}
	default:
		return nil
	}
	return s.allowedOn(ctx, c, req.DeviceIDs, func(d *controlproto.Device, rights controlproto.Rights) error {
		if !mayManageAgent(c, rights) {
			return nil
		}
		return sender.SendCore(ctx, d.ID, req.Type, core)
	})
}

// endDesktopMultiplex ends the desktop sessions of an account: of one's own, or with full rights on the device of others.
func (s *Server) endDesktopMultiplex(ctx context.Context, c *controlproto.Call, req *controlproto.EndDesktopMultiplex) error {
	const as = "changeusernotify"
	if badLength(string(req.DeviceID), 1, 1024) {
		return refusedAs(as, "Invalid device identifier")
	}
	user := req.UserID.In(controlproto.KindUser, c.Session.Domain())
	switch {
	case user.Domain() != c.Session.Domain():
		return refusedAs(as, invalidDomain)
	case s.account(user) == nil:
		return refusedAs(as, "User does not exists")
	}
	d, rights, err := s.deviceFor(ctx, c.Session, req.DeviceID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	ender, ok := s.cfg.Router.(DesktopEnder)
	if !ok || !rights.Full() && user != c.Session.UserID() {
		return nil
	}
	if ended, err := ender.EndDesktop(ctx, d.ID, user, req.GuestName); err != nil || !ended {
		return err
	}
	name := user.Name()
	details := []detail{{"xuserid", user}}
	if req.GuestName != "" {
		name += "/" + req.GuestName
		details = append(details, detail{"guestname", req.GuestName})
	}
	e, err := event(c.Session.User(), controlproto.Event{
		Type: "user", Action: "endsession", DeviceID: d.ID, Domain: d.Domain, MsgID: 134, MsgArgs: args(name),
		Msg: "Forcibly disconnected desktop session of user " + name,
	}, details...)
	if err != nil {
		return err
	}
	return s.Dispatch(ctx, e, toAdmins, string(c.Session.UserID()), string(user))
}

// noMQTT is what a server without MQTT says.
const noMQTT = "MQTT not supported on this server"

// sendMQTTMsg publishes nothing here: there is no MQTT.
func (s *Server) sendMQTTMsg(_ context.Context, _ *controlproto.Call, req *controlproto.SendMQTTMsg) error {
	result := noMQTT
	if len(req.DeviceIDs) == 0 {
		result = "Invalid nodeids"
	}
	if badLength(req.Topic, 1, 64) {
		result = "Invalid topic"
	}
	if badLength(req.Msg, 1, 4096) {
		result = "Invalid msg"
	}
	return refused(result)
}

// getMQTTLogin makes no login here: there is no MQTT.
func (s *Server) getMQTTLogin(_ context.Context, _ *controlproto.Call, req *controlproto.GetMQTTLogin) error {
	if badLength(string(req.DeviceID), 1, 1024) {
		return refused("Invalid nodeid")
	}
	return refused(noMQTT)
}
