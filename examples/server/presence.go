package main

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// online is who of the agents is there, as agentproto's registry knows it. Nothing is kept beside that: an idle agent takes no
// memory here. It is the operators' way to the agents, too. Until there is a registry nobody is online.
type online struct{ agents *agentproto.Server }

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
	if s, ok := o.session(id); ok {
		return connected(s)
	}
	return controlserver.State{}
}

// SetState implements [controlserver.Presence]. There is nothing to set: agents are the only connection that devices have
// to this server.
func (o *online) SetState(controlproto.ID, controlserver.State) {}

// Connected implements [controlserver.Presence].
func (o *online) Connected() int { return o.agents.Len() }

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

// Disconnect implements [controlserver.Router]. Soft or hard, the agent comes back by itself.
func (o *online) Disconnect(_ context.Context, id controlproto.ID, _ bool) error {
	s, ok := o.session(id)
	if !ok {
		return controlserver.ErrNotConnected
	}
	s.Close("an operator wants it")
	return nil
}
