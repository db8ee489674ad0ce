package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/mps"
)

// online is who of the agents is there, as agentproto's registry knows it. Nothing is kept beside that but who has tunnels:
// an idle agent takes no memory here. It is the operators' way to the agents, too. Until there is a registry nobody is
// online.
type online struct {
	agents *agentproto.Server
	amt    *mps.Registry

	mu   sync.Mutex
	busy map[controlproto.ID]busy
}

// busy is what an agent has said of the sessions on its device, by their kind.
type busy struct {
	session *agentproto.Session
	kinds   map[string]json.RawMessage
}

var (
	_ controlserver.Presence = (*online)(nil)
	_ controlserver.Router   = (*online)(nil)
)

func (o *online) session(id controlproto.ID) (*agentproto.Session, bool) {
	key, err := id.DeviceKey()
	if err != nil || o.agents == nil {
		return nil, false
	}
	return o.agents.Session(key)
}

// connected is the state of a device whose agent is there since a time.
func connected(s *agentproto.Session) controlserver.State {
	return controlserver.State{Conn: controlproto.ConnAgent, Power: controlproto.PowerOn, AgentSince: s.Since()}
}

// State implements [controlserver.Presence].
func (o *online) State(id controlproto.ID) controlserver.State {
	st := o.amtState(id)
	s, ok := o.session(id)
	if !ok {
		return st
	}
	st = together(connected(s), st)
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.busy[id]; b.session == s {
		st.Sessions = b.document()
	}
	return st
}

// amtState is how a device is connected by its AMT.
func (o *online) amtState(id controlproto.ID) controlserver.State {
	key, err := id.DeviceKey()
	if err != nil || o.amt == nil {
		return controlserver.State{}
	}
	return amtState(o.amt, key)
}

// sessionKinds are the kinds of sessions that there are (meshagent.js, processAgentData, case 'sessions').
var sessionKinds = map[string]bool{
	"kvm": true, "terminal": true, "files": true, "help": true, "tcp": true, "udp": true, "msg": true, "app": true,
}

// maxKind bounds what is kept of one kind of sessions.
const maxKind = 8 << 10

// setSessions takes what an agent says of one kind of sessions, and returns what is known of all of them: nil is none. What a
// connection said that another has taken the place of counts no more, also if it is read late.
func (o *online) setSessions(id controlproto.ID, s *agentproto.Session, kind string, sessions json.RawMessage) json.RawMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.busy[id]
	if b.session != s {
		if b.session != nil && b.session.Generation() > s.Generation() {
			return b.document()
		}
		b = busy{session: s}
	}
	kinds := maps.Clone(b.kinds)
	if kinds == nil {
		kinds = map[string]json.RawMessage{}
	}
	if sessions == nil {
		delete(kinds, kind)
	} else {
		kinds[kind] = sessions
	}
	b.kinds = kinds
	if len(kinds) == 0 {
		delete(o.busy, id)
		return nil
	}
	if o.busy == nil {
		o.busy = map[controlproto.ID]busy{}
	}
	o.busy[id] = b
	return b.document()
}

// forget forgets the sessions of an agent that has gone.
func (o *online) forget(id controlproto.ID, s *agentproto.Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.busy[id].session == s {
		delete(o.busy, id)
	}
}

func (b busy) document() json.RawMessage {
	text, err := json.Marshal(b.kinds)
	if err != nil { // each of them was read as JSON
		return nil
	}
	return text
}

// SetState implements [controlserver.Presence]. There is nothing to set: the registries know.
func (o *online) SetState(controlproto.ID, controlserver.State) {}

// Connected implements [controlserver.Presence].
func (o *online) Connected() int {
	n := o.agents.Len()
	if o.amt == nil {
		return n
	}
	for d := range o.amt.Devices() {
		if _, ok := o.agents.Session(d.Key()); !ok && amtState(o.amt, d.Key()).Conn != 0 {
			n++
		}
	}
	return n
}

// Send implements [controlserver.Router].
func (o *online) Send(ctx context.Context, id controlproto.ID, message []byte) error {
	s, ok := o.session(id)
	if !ok {
		return controlserver.ErrNotConnected
	}
	err := s.SendRaw(ctx, message)
	if err != nil && s.Err() != nil {
		return errors.Join(controlserver.ErrNotConnected, err)
	}
	return err
}

// Disconnect implements [controlserver.Router]. Soft or hard, the agent comes back by itself, and so does AMT.
func (o *online) Disconnect(ctx context.Context, id controlproto.ID, _ bool) error {
	reset := false
	if key, err := id.DeviceKey(); err == nil && o.amt != nil {
		reset = o.amt.Reset(ctx, key) == nil
	}
	s, ok := o.session(id)
	if !ok && reset {
		return nil
	}
	if !ok {
		return controlserver.ErrNotConnected
	}
	s.Close("an operator wants it")
	return nil
}
