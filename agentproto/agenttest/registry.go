package agenttest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/nodeid"
)

// registry is what a [Server] knows of its agents. A session is in it from the moment its handler begins, which is after
// its agent was told that it is logged in.
type registry struct {
	mu      sync.Mutex
	online  map[device]*Session
	fresh   []*Session           // not yet taken by WaitAgent
	newest  map[identity]arrival // of every agent there was
	changed chan struct{}        // closed at the next arrival; nil when nobody waits
}

// device is what has one session at a time.
type device struct {
	key      nodeid.NodeKey
	recovery bool
}

// identity is as much of a device as its agent knows: not the server's domain.
type identity struct {
	node     nodeid.NodeID
	recovery bool
}

// arrival is a session that there is, or was. The zero value is none.
type arrival struct {
	generation uint64
	since      time.Time
}

// handle keeps what an agent sends until its session ends.
func (s *Server) handle(ctx context.Context, sess *agentproto.Session) {
	wrapped := &Session{Session: sess}
	s.registry.add(wrapped)
	defer s.registry.remove(wrapped)
	for ev, err := range sess.Events(ctx) {
		if err != nil {
			wrapped.inbox.end(err)
			return
		}
		wrapped.inbox.add(ev)
	}
}

// add takes a session. Handlers begin in any order, so there may be a newer one of its device.
func (r *registry) add(sess *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.online == nil {
		r.online = make(map[device]*Session)
		r.newest = make(map[identity]arrival)
	}
	dev := device{sess.NodeKey(), sess.Recovery()}
	old := r.online[dev]
	if old == nil || old.Generation() < sess.Generation() {
		r.online[dev] = sess
		r.fresh = append(r.fresh, sess)
		r.forgetLocked(old)
	}
	id := identity{dev.key.ID, dev.recovery}
	if r.newest[id].generation < sess.Generation() {
		r.newest[id] = arrival{sess.Generation(), sess.Since()}
	}
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *registry) remove(sess *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if dev := (device{sess.NodeKey(), sess.Recovery()}); r.online[dev] == sess {
		delete(r.online, dev)
	}
	r.forgetLocked(sess)
}

func (r *registry) forgetLocked(sess *Session) {
	r.fresh = slices.DeleteFunc(r.fresh, func(f *Session) bool { return f == sess })
}

// waitUnlock unlocks, and waits for the next arrival or until one of the others is closed.
func (r *registry) waitUnlock(ctx context.Context, ended <-chan struct{}) error {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	changed := r.changed
	r.mu.Unlock()
	select {
	case <-changed:
	case <-ended:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// WaitAgent waits until an agent is logged in and returns its session. Each session is returned once, in their order;
// those that have ended meanwhile are not.
func (s *Server) WaitAgent(ctx context.Context) (*Session, error) {
	r := &s.registry
	for {
		r.mu.Lock()
		for len(r.fresh) > 0 {
			sess := r.fresh[0]
			r.fresh = r.fresh[1:]
			if sess.Err() == nil {
				r.mu.Unlock()
				return sess, nil
			}
		}
		if err := r.waitUnlock(ctx, nil); err != nil {
			return nil, err
		}
	}
}

// Sessions returns the sessions of all agents that are logged in, in no order.
func (s *Server) Sessions() []*Session {
	r := &s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Session, 0, len(r.online))
	for _, sess := range r.online {
		if sess.Err() == nil { // else its handler has yet to hear of it
			list = append(list, sess)
		}
	}
	return list
}

// Session returns the session of the agent with an id.
func (s *Server) Session(id nodeid.NodeID) (*Session, bool) {
	r := &s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	sess, ok := r.online[device{key: nodeid.NodeKey{ID: id}}]
	if !ok || sess.Err() != nil {
		return nil, false
	}
	return sess, true
}

// mark is a moment before a login, to tell the session of that login from those before it. The newest that the server knows
// does not tell enough: an older one may still be on its way to it. Neither does the time, where the clock stands still.
type mark struct {
	generation uint64 // of the newest
	at         time.Time
}

func (r *registry) mark(id identity) mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return mark{r.newest[id].generation, time.Now()}
}

// wait waits until the server has, or has had, a session that is newer than the mark, or the agent's end of it is closed.
func (r *registry) wait(ctx context.Context, id identity, m mark, ended <-chan struct{}) error {
	for {
		r.mu.Lock()
		if newest := r.newest[id]; newest.generation > m.generation && !newest.since.Before(m.at) {
			r.mu.Unlock()
			return nil
		}
		if err := r.waitUnlock(ctx, ended); err != nil {
			return err
		}
		select {
		case <-ended:
			return nil
		default:
		}
	}
}
