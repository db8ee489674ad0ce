package agenttest

import (
	"context"
	"slices"
	"sync"

	"github.com/meshcentral-go/sdk/agentproto"
)

// maxEvents is how many events wait for a test to take them. Beyond that the oldest are dropped: most tests look at a few
// and leave the rest.
const maxEvents = 1000

// inbox keeps events until a test asks for them.
type inbox struct {
	mu      sync.Mutex
	events  []agentproto.Event
	err     error         // why there will be no more
	changed chan struct{} // closed at the next change; nil when nobody waits
}

func (b *inbox) add(ev agentproto.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.events) == maxEvents {
		b.events = slices.Delete(b.events, 0, 1)
	}
	b.events = append(b.events, ev)
	b.wake()
}

func (b *inbox) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.wake()
}

func (b *inbox) wake() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// Wait takes the oldest event that matches, waiting for it as long as ctx allows, and leaves the others.
func (b *inbox) Wait(ctx context.Context, match func(agentproto.Event) bool) (agentproto.Event, error) {
	for {
		b.mu.Lock()
		if i := slices.IndexFunc(b.events, match); i >= 0 {
			ev := b.events[i]
			b.events = slices.Delete(b.events, i, i+1)
			b.mu.Unlock()
			return ev, nil
		}
		if b.err != nil {
			b.mu.Unlock()
			return nil, b.err
		}
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// A Waiter is a [Session] or an [Agent].
type Waiter interface {
	// Wait takes the oldest event that matches, waiting for it as long as ctx allows, and leaves the others.
	Wait(ctx context.Context, match func(agentproto.Event) bool) (agentproto.Event, error)
}

// WaitMessage takes the oldest message of a type, such as *agentproto.CoreInfo, that the other side sent.
func WaitMessage[M agentproto.JSONMessage](ctx context.Context, w Waiter) (M, error) {
	ev, err := w.Wait(ctx, func(ev agentproto.Event) bool {
		_, ok := messageOf[M](ev)
		return ok
	})
	m, _ := messageOf[M](ev)
	return m, err
}

func messageOf[M agentproto.JSONMessage](ev agentproto.Event) (m M, ok bool) {
	if ev, isMessage := ev.(agentproto.MessageEvent); isMessage {
		m, ok = ev.Message.(M)
	}
	return m, ok
}
