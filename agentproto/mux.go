package agentproto

import (
	"context"
	"reflect"
)

// Mux calls a function for each kind of JSON message that a server sends. Functions are registered with [Handle] before
// the mux is used; they run one after the other, in the order of the messages. While one runs nothing is read: work that
// takes long belongs in a goroutine of its own.
type Mux struct {
	handlers map[reflect.Type]func(context.Context, *ClientSession, JSONMessage)
	// LoggedIn, if not nil, is called first in every session: an agent tells about itself there.
	LoggedIn func(ctx context.Context, s *ClientSession)
	// Other, if not nil, is called for every event that no function is registered for.
	Other func(ctx context.Context, s *ClientSession, ev Event)
}

// Handle registers the function for messages of type M, such as *RunCommands. The last one registered counts.
func Handle[M JSONMessage](m *Mux, f func(ctx context.Context, s *ClientSession, msg M)) {
	if m.handlers == nil {
		m.handlers = make(map[reflect.Type]func(context.Context, *ClientSession, JSONMessage))
	}
	m.handlers[reflect.TypeFor[M]()] = func(ctx context.Context, s *ClientSession, msg JSONMessage) {
		f(ctx, s, msg.(M))
	}
}

// Serve receives from the session until it ends. It is a [ClientConfig.Handler].
func (m *Mux) Serve(ctx context.Context, s *ClientSession) {
	if m.LoggedIn != nil {
		m.LoggedIn(ctx, s)
	}
	for ev, err := range s.Events(ctx) {
		if err != nil {
			return
		}
		if msg, ok := ev.(MessageEvent); ok {
			if f := m.handlers[reflect.TypeOf(msg.Message)]; f != nil {
				f(ctx, s, msg.Message)
				continue
			}
		}
		if m.Other != nil {
			m.Other(ctx, s, ev)
		}
	}
}
