package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/deviceinfo"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/nodeid"
)

// agents decides what agentproto.Server asks: who may log in, what core an agent runs, and what happens with what it
// says.
type agents struct {
	store   controlserver.Store
	records *controlserver.Server
	rec     *recorder
	online  *online
	cores   *agentproto.CoreSet // nil: agents keep the core that they have
	amt     *amt
	log     *slog.Logger
}

// login lets an agent in if its device group exists. A device that is known stays in the group that it is in, whatever
// group its .msh file names. It is enrolled by recorder.connected.
func (a *agents) login(ctx context.Context, peer agentproto.Peer, info agentproto.AgentInfo) error {
	return a.store.View(ctx, func(tx controlserver.StoreTx) error {
		id := controlproto.DeviceGroupID(nodeid.MeshKey{Domain: peer.Domain, ID: info.Group})
		device, err := tx.Get(controlserver.KindDevice, string(controlproto.DeviceID(nodeid.NodeKey{Domain: peer.Domain, ID: info.NodeID})))
		switch {
		case err == nil:
			id = controlproto.ID(device.Owner)
		case !errors.Is(err, controlserver.ErrNotFound):
			return err
		}
		group, err := groupRecord(tx, id)
		if errors.Is(err, controlserver.ErrNotFound) {
			return agentproto.Refuse("there is no such device group")
		}
		if err == nil && group.GroupType != controlproto.GroupAgent {
			return agentproto.Refuse("the device group takes no agents")
		}
		return err
	})
}

// groupRecord reads a device group that was not removed, or returns controlserver.ErrNotFound.
func groupRecord(tx controlserver.StoreTx, id controlproto.ID) (*controlproto.DeviceGroup, error) {
	r, err := tx.Get(controlserver.KindDeviceGroup, string(id))
	if err != nil {
		return nil, err
	}
	g := &controlproto.DeviceGroup{}
	if err := jsonrec.Unmarshal(r.Doc, g); err != nil {
		return nil, fmt.Errorf("device group %s: %w", id, err)
	}
	if len(g.Deleted) > 0 {
		return nil, controlserver.ErrNotFound
	}
	return g, nil
}

// domain returns the domain that an agent connects to.
func (a *agents) domain(r *http.Request) (string, error) {
	if at, ok := tenantOf(r); ok {
		return at.ID, nil
	}
	return "", errNoDomain
}

// core returns the core of an agent, or nil to leave the agent the one that it has.
func (a *agents) core(info agentproto.AgentInfo) (*agentproto.Core, error) {
	if a.cores == nil {
		return nil, nil
	}
	kind := agentproto.CoreDefault
	if info.Capabilities.Has(agentproto.CapRecovery) {
		kind = agentproto.CoreAgentRecovery
	}
	core, err := a.cores.Core(info.AgentID, kind)
	if err != nil && !errors.Is(err, agentproto.ErrNoCore) {
		// Better an agent with an old core than none at all.
		a.log.Error("no core for agents of a type", "agent", info.AgentID, "reason", err)
	}
	return core, nil
}

// serve follows a session from login to end.
func (a *agents) serve(ctx context.Context, s *agentproto.Session) {
	if !s.Recovery() { // a recovery agent is no device of its own
		aside(func() { a.rec.connected(s) })
		defer aside(func() {
			a.online.forget(controlproto.DeviceID(s.NodeKey()), s)
			a.rec.disconnected(s)
		})
	}
	for event, err := range s.Events(ctx) {
		if err != nil {
			return
		}
		aside(func() { a.handle(ctx, s, event) })
	}
}

// aside runs f on the stack of another goroutine, and waits for it. A goroutine for every agent waits in serve, and a
// stack that has once grown stays large: with this, half the memory of an idle agent's stack is saved.
func aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// handle takes what an agent did.
func (a *agents) handle(ctx context.Context, s *agentproto.Session, event agentproto.Event) {
	switch event := event.(type) {
	case agentproto.CoreEvent:
		a.coreEvent(ctx, s, event)
	case agentproto.TagEvent:
		if !s.Recovery() {
			a.rec.changed(s.NodeKey(), func(d *controlproto.Device) { deviceinfo.Tag(d, event.Tag.Tag.String()) })
		}
	case agentproto.MessageEvent:
		if !s.Recovery() {
			a.message(ctx, s, event.Message)
		}
	case agentproto.BadMessageEvent:
		a.log.Warn("agent sent a bad message", "session", s, "reason", event.Err)
	}
}

func (a *agents) coreEvent(ctx context.Context, s *agentproto.Session, event agentproto.CoreEvent) {
	log := a.log.With("session", s)
	if event.HasCore {
		log = log.With("core", event.Hash.String()[:16])
	}
	switch event.Phase {
	case agentproto.CorePushing:
		log.Info("core pushed")
	case agentproto.CoreRefused:
		log.Warn("core refused: the agent does not keep it")
	case agentproto.CoreStable:
		log.Info("core stable")
		if s.Info().Capabilities.Has(agentproto.CapCore) && !s.Recovery() {
			a.coreStable(ctx, s)
		}
	default:
		log.Debug("core", "phase", event.Phase)
	}
}

// coreStable sends what the stock server sends once the agent's core runs (meshagent.js, agentCoreIsStable).
func (a *agents) coreStable(ctx context.Context, s *agentproto.Session) {
	err := a.askSystem(ctx, s)
	if err == nil {
		err = s.Send(ctx, &agentproto.ServerInfo{})
	}
	if err != nil && s.Err() == nil {
		a.log.Warn("agent not told that its core is the right one", "session", s, "reason", err)
	}
}

// askSystem asks for a system report, unless the agent has none newer than the one that is here.
func (a *agents) askSystem(ctx context.Context, s *agentproto.Session) error {
	var old report
	err := a.store.View(ctx, func(tx controlserver.StoreTx) error {
		r, err := tx.Get(controlserver.KindSystem, string(controlproto.DeviceID(s.NodeKey())))
		if errors.Is(err, controlserver.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return jsonrec.Unmarshal(r.Doc, &old)
	})
	if err != nil {
		return err
	}
	var hash string
	if raw := old.Extra["hash"]; raw != nil {
		if err := json.Unmarshal(raw, &hash); err != nil {
			return err
		}
	}
	return s.Send(ctx, &agentproto.GetSysInfo{Hash: hash})
}

// message takes what an agent says of itself, and passes on what it says to operators. What belongs to parts that this
// server does not have is passed over.
func (a *agents) message(ctx context.Context, s *agentproto.Session, m agentproto.JSONMessage) {
	var err error
	switch m := m.(type) {
	case *agentproto.CoreInfo:
		a.rec.changed(s.NodeKey(), func(d *controlproto.Device) { deviceinfo.Core(d, m) })
	case *agentproto.NetInfo:
		err = a.netInfo(s.NodeKey(), m)
	case *agentproto.SysInfo:
		err = a.sysInfo(s.NodeKey(), m)
	case *agentproto.SysInfoCheck:
		err = a.askSystem(ctx, s)
	case *agentproto.LogEvent:
		a.logEvent(s, m)
	case *agentproto.AgentSessions:
		err = a.sessions(ctx, s, m)
	case *agentproto.AMTConfigRequest:
		err = a.amt.answerAMTConfig(ctx, s)
	default:
		if m.Action() == "msg" {
			err = a.toOperators(ctx, s, m)
		} else {
			a.log.Debug("agent's message passed over", "session", s, "action", m.Action())
		}
	}
	if err != nil && s.Err() == nil {
		a.log.Warn("agent's message not taken", "session", s, "action", m.Action(), "reason", err)
	}
}

// sessions takes who is connected to a device, as its agent counts them, and tells the operators.
func (a *agents) sessions(ctx context.Context, s *agentproto.Session, m *agentproto.AgentSessions) error {
	kind := m.Type.String()
	if !sessionKinds[kind] {
		return nil
	}
	var value json.RawMessage
	if len(m.Value) > 0 {
		text, err := json.Marshal(m.Value)
		if err != nil {
			return err
		}
		if len(text) > maxKind {
			return fmt.Errorf("sessions: %d bytes", len(text))
		}
		value = text
	}
	id := controlproto.DeviceID(s.NodeKey())
	before := a.online.State(id).Sessions
	now := a.online.setSessions(id, s, kind, value)
	if string(before) == string(now) {
		return nil
	}
	err := a.records.TellSessions(ctx, id, now)
	if errors.Is(err, controlserver.ErrNotFound) { // not enrolled yet
		return nil
	}
	return err
}

// toOperators passes a message on to the sessions that it is for.
func (a *agents) toOperators(ctx context.Context, s *agentproto.Session, m agentproto.JSONMessage) error {
	text, err := agentproto.AppendJSON(nil, m)
	if err != nil {
		return err
	}
	return a.records.AgentMessage(ctx, controlproto.DeviceID(s.NodeKey()), text)
}

func (a *agents) netInfo(key nodeid.NodeKey, m *agentproto.NetInfo) error {
	text, err := agentproto.AppendJSON(nil, m)
	if err != nil {
		return err
	}
	doc := &report{}
	if err := jsonrec.Unmarshal(text, doc); err != nil {
		return err
	}
	delete(doc.Extra, "action")
	if len(doc.Extra) == 0 {
		return nil
	}
	doc.Updated = time.Now()
	a.rec.report(key, controlserver.KindNetwork, doc)
	return nil
}

func (a *agents) sysInfo(key nodeid.NodeKey, m *agentproto.SysInfo) error {
	if err := m.Validate(); err != nil {
		return fmt.Errorf("sysinfo: %w", err)
	}
	doc := &report{}
	if err := jsonrec.Unmarshal(m.Data.Raw(), doc); err != nil {
		return err
	}
	doc.Time = time.Now()
	a.rec.report(key, controlserver.KindSystem, doc)
	return nil
}

// logEvent logs what an agent did for somebody (meshagent.js, processAgentData, case 'log').
func (a *agents) logEvent(s *agentproto.Session, m *agentproto.LogEvent) {
	id := controlproto.DeviceID(s.NodeKey())
	a.rec.queue <- change{key: s.NodeKey(), apply: func(tx *controlserver.Tx) error {
		d, err := tx.Device(id)
		if err != nil {
			return err
		}
		e := &controlproto.Event{
			Type: "node", Action: "agentlog", DeviceID: id, Domain: d.Domain, Msg: m.Msg.String(), MsgArgs: m.MsgArgs,
			Extra: map[string]json.RawMessage{},
		}
		if m.MsgID != nil {
			e.MsgID = int(*m.MsgID)
		}
		targets := []string{"*", string(d.Group), string(id)}
		for i, name := range []agentproto.AgentString{m.UserID, m.XUserID} {
			u, err := a.records.User(context.Background(), controlproto.ID(name))
			if err != nil || u.ID.Domain() != d.Domain {
				continue // it is a claim
			}
			targets = append(targets, string(u.ID))
			if i == 0 {
				e.UserID, e.Username = u.ID, u.Name
			}
		}
		for name, text := range map[string]agentproto.AgentString{"sessionid": m.SessionID, "remoteaddr": m.RemoteAddr, "guestname": m.GuestName} {
			if text != "" {
				e.Extra[name] = jsonrec.AppendString(nil, text.String())
			}
		}
		return tx.Event(e, targets...)
	}}
}
