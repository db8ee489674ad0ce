package mps

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/meshcentral-go/sdk/nodeid"
)

// Registry is who is online. A device has one connection of each kind, the newest; see [Limits] for when there are too many
// newer ones. Its zero value is ready, and may serve several Servers.
type Registry struct {
	mu         sync.Mutex
	generation uint64
	devices    map[nodeid.NodeKey]*links
	subs       map[*Subscription]struct{}
}

// links are the connections of one device, by their kind.
type links [kinds]*Connection

// Device returns a device that is online.
func (r *Registry) Device(key nodeid.NodeKey) (*Device, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.devices[key] == nil {
		return nil, false
	}
	return &Device{registry: r, key: key}, true
}

// Devices returns the devices that were online at the time of the call, in no order.
func (r *Registry) Devices() iter.Seq[*Device] {
	r.mu.Lock()
	keys := make([]nodeid.NodeKey, 0, len(r.devices))
	for key := range r.devices {
		keys = append(keys, key)
	}
	r.mu.Unlock()
	return func(yield func(*Device) bool) {
		for _, key := range keys {
			if !yield(&Device{registry: r, key: key}) {
				return
			}
		}
	}
}

// Len returns how many devices are online.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.devices)
}

// nextGeneration numbers a connection that logs in.
func (r *Registry) nextGeneration() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
	return r.generation
}

// add puts a connection in the place of an older one, which it returns, unless may says why not. One that is newer stays,
// also if it logged in later but had its ports sooner.
func (r *Registry) add(c *Connection, may func(old, c *Connection) error) (old *Connection, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.devices == nil {
		r.devices = make(map[nodeid.NodeKey]*links)
	}
	d := r.devices[c.Device()]
	if d == nil {
		d = &links{}
		r.devices[c.Device()] = d
	}
	old = d[c.kind]
	if old != nil {
		if old.generation > c.generation {
			return nil, replacedBy(old)
		}
		if err := may(old, c); err != nil {
			return nil, err
		}
	}
	d[c.kind] = c
	return old, nil
}

// remove takes a connection out, unless another has its place.
func (r *Registry) remove(c *Connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.devices[c.Device()]
	if d == nil || d[c.kind] != c {
		return
	}
	d[c.kind] = nil
	if *d == (links{}) {
		delete(r.devices, c.Device())
	}
}

// of returns the connections of a device.
func (r *Registry) of(key nodeid.NodeKey) links {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.devices[key]; d != nil {
		return *d
	}
	return links{}
}

// Reset ends all connections of a device, which comes back by itself. It returns ErrNotConnected if there is none.
func (r *Registry) Reset(ctx context.Context, key nodeid.NodeKey) error {
	found := false
	for _, c := range r.of(key) {
		if c != nil {
			found = true
			c.Close(ErrReset)
		}
	}
	if !found {
		return ErrNotConnected
	}
	return ctx.Err()
}

// Subscription is a bounded queue of events.
type Subscription struct {
	registry *Registry
	all      bool
	events   chan Event
	lost     atomic.Uint64
}

// SubscribeOptions say which events a Subscription has.
type SubscribeOptions struct {
	// Buffer is how many events wait to be received. Default 256.
	Buffer int
	// All is to have events of all phases. Otherwise there are those of PhaseOnline alone: who is online.
	All bool
}

// Subscribe returns a queue of the events from now on. Close ends it.
func (r *Registry) Subscribe(o SubscribeOptions) *Subscription {
	if o.Buffer <= 0 {
		o.Buffer = 256
	}
	s := &Subscription{registry: r, all: o.All, events: make(chan Event, o.Buffer)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.subs == nil {
		r.subs = make(map[*Subscription]struct{})
	}
	r.subs[s] = struct{}{}
	return s
}

// Events are received from here. The channel is closed by Close.
func (s *Subscription) Events() <-chan Event { return s.events }

// Lost returns how many events found the queue full, and are lost. Whoever keeps a picture of who is online reads
// Registry.Devices again when it has grown.
func (s *Subscription) Lost() uint64 { return s.lost.Load() }

// Close ends the subscription.
func (s *Subscription) Close() {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	if _, ok := s.registry.subs[s]; ok {
		delete(s.registry.subs, s)
		close(s.events)
	}
}

// publish puts an event into the queues of those who want it.
func (r *Registry) publish(e *Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.subs {
		if !s.all && e.Phase != PhaseOnline {
			continue
		}
		select {
		case s.events <- *e:
		default:
			s.lost.Add(1)
		}
	}
}
