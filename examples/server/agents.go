package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/nodeid"
)

// agents decides what agentproto.Server asks: who may log in, what core an agent runs, and what happens with what it
// says.
type agents struct {
	store *sqlstore.Store
	rec   *recorder
	cores *agentproto.CoreSet // nil: agents keep the core that they have
	log   *slog.Logger
}

// login lets an agent in if its device group exists. A device that is known stays in the group that it is in, whatever
// group its .msh file names. It is enrolled by recorder.connected.
func (a *agents) login(ctx context.Context, peer agentproto.Peer, info agentproto.AgentInfo) error {
	return a.store.View(ctx, func(tx *sqlstore.Tx) error {
		key := nodeid.MeshKey{Domain: peer.Domain, ID: info.Group}
		device, err := tx.Device(nodeid.NodeKey{Domain: peer.Domain, ID: info.NodeID})
		switch {
		case err == nil:
			key = device.Group
		case !errors.Is(err, sqlstore.ErrNotFound):
			return err
		}
		group, err := tx.Group(key)
		if errors.Is(err, sqlstore.ErrNotFound) {
			return agentproto.Refuse("there is no such device group")
		}
		if err == nil && group.Type != sqlstore.AgentGroup {
			return agentproto.Refuse("the device group takes no agents")
		}
		return err
	})
}

// domain returns the domain that an agent connects to. Only a MeshCentral that was taken over has more than the default
// one; its agents connect to /DOMAIN/agent.ashx.
func (a *agents) domain(r *http.Request) (string, error) {
	domain := strings.ToLower(r.PathValue("domain"))
	if domain == "" {
		return "", nil
	}
	err := a.store.View(r.Context(), func(tx *sqlstore.Tx) error {
		groups, err := tx.Groups()
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Key.Domain == domain {
				return nil
			}
		}
		return fmt.Errorf("%w: domain %.64q", sqlstore.ErrNotFound, domain)
	})
	return domain, err
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
		defer aside(func() { a.rec.disconnected(s) })
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
			a.rec.changed(s.NodeKey(), func(d *sqlstore.Device) { d.Tag = event.Tag.Tag.String() })
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
	var hash string
	err := a.store.View(ctx, func(tx *sqlstore.Tx) (err error) {
		hash, err = tx.ReportHash(s.NodeKey(), sqlstore.SystemReport)
		return err
	})
	if err != nil {
		return err
	}
	return s.Send(ctx, &agentproto.GetSysInfo{Hash: hash})
}

// message takes what an agent says of itself. What belongs to parts that this server does not have is passed over.
func (a *agents) message(ctx context.Context, s *agentproto.Session, m agentproto.JSONMessage) {
	var err error
	switch m := m.(type) {
	case *agentproto.CoreInfo:
		err = a.coreInfo(s.NodeKey(), m)
	case *agentproto.NetInfo:
		err = a.netInfo(s.NodeKey(), m)
	case *agentproto.SysInfo:
		err = a.sysInfo(s.NodeKey(), m)
	case *agentproto.SysInfoCheck:
		err = a.askSystem(ctx, s)
	default:
		a.log.Debug("agent's message passed over", "session", s, "action", m.Action())
	}
	if err != nil && s.Err() == nil {
		a.log.Warn("agent's message not taken", "session", s, "action", m.Action(), "reason", err)
	}
}

// fixedCaps are the capabilities that only command 3 sets.
const fixedCaps = agentproto.CapConsole | agentproto.CapCore

func (a *agents) coreInfo(key nodeid.NodeKey, m *agentproto.CoreInfo) error {
	m.PushToken = agentproto.Secret{} // a permission, and nothing here uses it
	doc, err := agentproto.AppendJSON(nil, m)
	if err != nil {
		return err
	}
	a.rec.report(key, sqlstore.CoreReport, "", doc, func(d *sqlstore.Device) {
		if m.Caps != nil {
			d.Core = m.Value.String()
			d.Capabilities = uint32(*m.Caps&^fixedCaps | agentproto.Capabilities(d.Capabilities)&fixedCaps)
		}
		if m.OSDesc != "" {
			d.OS = m.OSDesc.String()
		}
		if m.Name != "" {
			d.Name = m.Name.String()
		}
	})
	return nil
}

func (a *agents) netInfo(key nodeid.NodeKey, m *agentproto.NetInfo) error {
	doc, err := agentproto.AppendJSON(nil, m)
	if err != nil {
		return err
	}
	a.rec.report(key, sqlstore.NetworkReport, "", doc, nil)
	return nil
}

func (a *agents) sysInfo(key nodeid.NodeKey, m *agentproto.SysInfo) error {
	if err := m.Validate(); err != nil {
		return fmt.Errorf("sysinfo: %w", err)
	}
	a.rec.report(key, sqlstore.SystemReport, m.Hash().String(), m.Data.Raw(), nil)
	return nil
}
