package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Router reaches the agents of devices.
type Router interface {
	// Send hands a JSON message to the agent of a device. It returns ErrNotConnected if there is none on any server.
	Send(ctx context.Context, device controlproto.ID, message []byte) error
	// Disconnect ends the agent's session. With hard, its connection is dropped without a word.
	Disconnect(ctx context.Context, device controlproto.ID, hard bool) error
}

// ErrNotConnected is returned by a [Router] for a device without agent.
var ErrNotConnected = errors.New("controlserver: the device's agent is not connected")

// State is how a device is connected now. The zero value is a device that is off.
type State struct {
	Conn       controlproto.Connectivity
	Power      controlproto.PowerState
	AgentSince time.Time
	CIRASince  time.Time
	// Sessions are the tunnels that are open: by kind ("kvm", "terminal", "files", ...), by account, how many.
	Sessions json.RawMessage
}

// Presence knows how devices are connected now. Nothing of it is stored.
type Presence interface {
	// State returns the state of a device.
	State(device controlproto.ID) State
	// SetState changes it. [Server.SetState] calls it, and tells everyone.
	SetState(device controlproto.ID, s State)
	// Connected counts devices that have any connection.
	Connected() int
}

// MemoryPresence is a [Presence] of one server. The zero value is ready.
type MemoryPresence struct {
	mu     sync.RWMutex
	states map[controlproto.ID]State
}

// State implements [Presence].
func (p *MemoryPresence) State(device controlproto.ID) State {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.states[device]
}

// SetState implements [Presence].
func (p *MemoryPresence) SetState(device controlproto.ID, s State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Conn == 0 {
		delete(p.states, device)
		return
	}
	if p.states == nil {
		p.states = map[controlproto.ID]State{}
	}
	p.states[device] = s
}

// Connected implements [Presence].
func (p *MemoryPresence) Connected() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.states)
}

// Notice is what a [Bus] carries: an event and whom it is for, or a message for sessions.
type Notice struct {
	Domain  string
	Targets []string            // ids of accounts, device groups, devices, user groups; "*", "server-users", "server-allusers"
	Message json.RawMessage     // the whole message for the sessions: {"action":"event",...} or another
	Event   *controlproto.Event // the event in it, if it is one; not sent to other servers
	Records []RecordKey         // what was changed, for servers that keep copies

	from *Server // who published it, in this process
}

// RecordKey names a record.
type RecordKey struct {
	Kind Kind
	ID   string
}

// Bus carries notices between the parts of a server, and between servers. Each is delivered at most once to each
// subscriber, in the order of one publisher. Publish does not wait for subscribers.
type Bus interface {
	Publish(n Notice)
	Subscribe(f func(Notice)) (cancel func())
}

// MemoryBus is a [Bus] within one process: Publish calls the subscribers. The zero value is ready.
type MemoryBus struct {
	mu   sync.RWMutex
	next int
	subs map[int]func(Notice)
}

// Publish implements [Bus].
func (b *MemoryBus) Publish(n Notice) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, f := range b.subs {
		f(n)
	}
}

// Subscribe implements [Bus]. f must not block, publish or subscribe.
func (b *MemoryBus) Subscribe(f func(Notice)) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[int]func(Notice){}
	}
	id := b.next
	b.next++
	b.subs[id] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, id)
	}
}
