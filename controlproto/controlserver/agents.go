package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Enrol adds a device, with an event, unless there is one with its id: that one stays as it is.
func (s *Server) Enrol(ctx context.Context, d *controlproto.Device) (added bool, err error) {
	err = s.Update(ctx, func(tx *Tx) (err error) {
		added, err = tx.Enrol(d)
		return err
	})
	return added, err
}

// Enrol is [Server.Enrol] as a part of a change.
func (t *Tx) Enrol(d *controlproto.Device) (added bool, err error) {
	_, err = t.store.Get(KindDevice, string(d.ID))
	if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	// A group that was removed takes no devices.
	switch e, err := read[controlproto.DeviceGroup](t, KindDeviceGroup, d.Group); {
	case err != nil:
		return false, fmt.Errorf("controlserver: device group %.100q: %w", d.Group, err)
	case len(e.Value.Deleted) > 0:
		return false, fmt.Errorf("controlserver: device group %.100q is deleted: %w", d.Group, ErrNotFound)
	}
	d.Type = controlproto.KindDevice
	if err := t.AddDevice(d); err != nil {
		return false, err
	}
	group := t.s.group(d.Group)
	name := ""
	if group != nil {
		name = group.Name
	}
	shown := *d
	hideSecrets(&shown)
	return true, t.tell(deviceTargets(d), nil, controlproto.Event{
		Type: "node", Action: "addnode", DeviceID: "", GroupID: "", Domain: d.Domain, MsgID: 84, MsgArgs: args(d.Name, name),
		Msg: fmt.Sprintf("Added device %s to device group %s", d.Name, name),
	}, detail{"node", &shown})
}

// ChangeDevice changes a device as its agent reports, with an event if something changed.
func (s *Server) ChangeDevice(ctx context.Context, id controlproto.ID, f func(*controlproto.Device) error) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.ChangeDevice(id, f) })
}

// ChangeDevice is [Server.ChangeDevice] as a part of a change. The event is not logged.
func (t *Tx) ChangeDevice(id controlproto.ID, f func(*controlproto.Device) error) error {
	e, err := read[controlproto.Device](t, KindDevice, id)
	if err != nil {
		return err
	}
	if err := f(e.Value); err != nil {
		return err
	}
	doc, err := encode(e.Value)
	if err != nil || string(doc) == string(e.rec.Doc) {
		return err
	}
	e.rec.Owner = string(e.Value.Group)
	if err := put(t, e); err != nil {
		return err
	}
	return t.changedNode(nil, e.Value, controlproto.Event{NoLog: 1})
}

// changedNode tells of a device that has changed, those who hear of it and more.
func (t *Tx) changedNode(by *controlproto.User, d *controlproto.Device, e controlproto.Event, more ...string) error {
	shown := *d
	hideSecrets(&shown)
	t.s.addState(&shown)
	e.Type, e.Action, e.DeviceID, e.Domain = "node", "changenode", d.ID, d.Domain
	return t.tell(append(deviceTargets(d), more...), by, e, detail{"node", &shown})
}

// SetState says how a device is connected now, and tells everyone if that changed. The device must be enrolled.
func (s *Server) SetState(ctx context.Context, id controlproto.ID, st State) error {
	before := s.cfg.Presence.State(id)
	s.cfg.Presence.SetState(id, st)
	return s.TellState(ctx, id, before, st)
}

// TellState is [Server.SetState] for an embedder whose Presence knows the new state by itself.
func (s *Server) TellState(ctx context.Context, id controlproto.ID, before, now State) error {
	if before.Conn == now.Conn && before.Power == now.Power {
		return nil
	}
	group, err := s.groupOf(ctx, id)
	if err != nil {
		return err
	}
	e := controlproto.Event{Action: "nodeconnect", GroupID: group, DeviceID: id, Domain: id.Domain(), NoLog: 1, NoPeers: 1}
	details := []detail{{"conn", now.Conn}, {"pwr", now.Power}}
	if now.Conn&^before.Conn != 0 {
		details = append(details, detail{"ct", s.cfg.Now().UnixMilli()})
	}
	made, err := event(nil, e, details...)
	if err != nil {
		return err
	}
	return s.Dispatch(ctx, made, toAdmins, string(group), string(id))
}

// most power changes that are kept of a device.
const maxPowerLog = 500

// LogPower notes a power state in the device's time line. It is a part of a change.
func (t *Tx) LogPower(id controlproto.ID, at time.Time, p controlproto.PowerState) error {
	var log PowerLog
	rev, err := t.Document(KindPower, string(id), &log)
	if err != nil {
		return err
	}
	if n := len(log.Changes); n > 0 && log.Changes[n-1].Power == p {
		return nil
	}
	log.Changes = append(log.Changes, PowerChange{at, p})
	log.Changes = log.Changes[max(0, len(log.Changes)-maxPowerLog):]
	return t.PutDocument(KindPower, string(id), string(id), rev, &log)
}

// LogConnect notes when and from where a device connected or disconnected last. It is a part of a change.
func (t *Tx) LogConnect(id controlproto.ID, c controlproto.LastConnect) error {
	rev, err := t.Document(KindLastConnect, string(id), &controlproto.LastConnect{})
	if err != nil {
		return err
	}
	return t.PutDocument(KindLastConnect, string(id), string(id), rev, &c)
}

// raw is a document of any shape.
type raw struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// SaveSystem keeps what a device says of its hardware, an object with a "hash", and says that it changed.
func (t *Tx) SaveSystem(id controlproto.ID, doc []byte) error {
	return t.saveReport(KindSystem, id, doc, "sysinfohash")
}

// SaveNetwork keeps what a device says of its network, an object, and says that it changed.
func (t *Tx) SaveNetwork(id controlproto.ID, doc []byte) error {
	return t.saveReport(KindNetwork, id, doc, "ifchange")
}

// SaveSystem is [Tx.SaveSystem] alone.
func (s *Server) SaveSystem(ctx context.Context, id controlproto.ID, doc []byte) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.SaveSystem(id, doc) })
}

// SaveNetwork is [Tx.SaveNetwork] alone.
func (s *Server) SaveNetwork(ctx context.Context, id controlproto.ID, doc []byte) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.SaveNetwork(id, doc) })
}

func (t *Tx) saveReport(kind Kind, id controlproto.ID, doc []byte, action string) error {
	d, err := t.Device(id)
	if err != nil {
		return err
	}
	var v, old raw
	if err := jsonrec.Unmarshal(doc, &v); err != nil {
		return fmt.Errorf("controlserver: report of %.100q: %w", id, err)
	}
	rev, err := t.Document(kind, string(id), &old)
	if err != nil {
		return err
	}
	if err := t.PutDocument(kind, string(id), string(id), rev, &v); err != nil {
		return err
	}
	e := controlproto.Event{Action: action, DeviceID: id, Domain: d.Domain, NoLog: 1}
	if hash, ok := v.Extra["hash"]; ok {
		return t.tell(deviceTargets(d), nil, e, detail{"hash", hash})
	}
	return t.tell(deviceTargets(d), nil, e)
}

// agentMessage is what decides where a message of an agent goes.
type agentMessage struct {
	Action    string                     `json:"action"`
	Type      string                     `json:"type"`
	SessionID string                     `json:"sessionid"`
	UserID    controlproto.ID            `json:"userid"`
	DeviceID  controlproto.ID            `json:"nodeid"` // what the agent says here does not count
	Extra     map[string]json.RawMessage `json:"-"`
}

// maxAgentMessage bounds what is passed on to operators.
const maxAgentMessage = 8 << 20

// AgentMessage passes a message of a device's agent on to the operators that it is for: the session or the account that it
// names, if that may see the device, or else everyone who may (webserver.js, routeAgentCommand).
func (s *Server) AgentMessage(ctx context.Context, id controlproto.ID, message []byte) error {
	if err := jsonrec.Check(message, jsonrec.Limits{Size: maxAgentMessage, Depth: 32, Values: 1 << 16}); err != nil {
		return fmt.Errorf("controlserver: message of %.100q: %w", id, err)
	}
	var m agentMessage
	if err := jsonrec.Unmarshal(message, &m); err != nil {
		return fmt.Errorf("controlserver: message of %.100q: %w", id, err)
	}
	if m.Action != "msg" {
		return fmt.Errorf("controlserver: message of %.100q: action %.32q is not for operators", id, m.Action)
	}
	for _, name := range []string{"action", "type", "sessionid", "userid", "nodeid"} {
		delete(m.Extra, name) // of another shape than they should be
	}
	session, user := m.SessionID, m.UserID
	m.SessionID, m.UserID, m.DeviceID = "", "", id
	b, err := encode(&m)
	if err != nil {
		return err
	}
	group, err := s.groupOf(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range s.sessionsWhere(func(c *controlproto.Session) bool {
		return (session == "" || c.ID() == session) && (user == "" || session != "" || c.UserID() == user) && c.Domain() == id.Domain()
	}) {
		rights, visible := s.rights(c.UserID(), group, id)
		if visible && (session != "" || user != "" || m.heardBy(rights)) {
			c.Push(b)
		}
	}
	return nil
}
