package mps

import (
	"container/list"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
	"github.com/meshcentral-go/sdk/nodeid"
)

// origin is what a connection counts for until it has logged in.
type origin struct {
	addr netip.Prefix
	// hidden says that addr is that of a trusted proxy which did not tell for whom it speaks: a whole fleet may be behind it.
	hidden bool
}

// String names it in a reason.
func (o origin) String() string {
	if o.hidden {
		return fmt.Sprintf("behind the proxy %v", o.addr)
	}
	return fmt.Sprintf("from %v", o.addr)
}

// claimant is whose failed logins are counted: an origin, and of those behind a proxy the device that they claim to be.
type claimant struct {
	origin
	uuid nodeid.UUID
}

// String names it in a reason.
func (c claimant) String() string {
	if c.hidden {
		return fmt.Sprintf("of %v %v", c.uuid, c.origin)
	}
	return c.origin.String()
}

// admission bounds what comes from where, before it has logged in.
type admission struct {
	limits Limits
	rate   ratelimit.Limiter[netip.Prefix]
	failed ratelimit.Limiter[claimant]
	logged ratelimit.Limiter[netip.Prefix] // lines of the log

	replaced ratelimit.Limiter[linkKey]

	patience time.Duration // how long a place behind a proxy is one's own

	mu      sync.Mutex
	pending int
	from    map[origin]*list.List // of *place: who is pending, in the order in which they came
}

// place is that of a connection that has not logged in.
type place struct {
	at     *list.Element
	since  time.Time
	giveUp func(error) // ends the connection
	left   bool
}

// loggedRefusals is how many refusals of a source are more than debugging: scanners are at it all day.
var loggedRefusals = Rate{Events: 10, Window: time.Minute}

func (a *admission) init(l Limits) {
	a.limits, a.from = l, make(map[origin]*list.List)
	a.rate.Rate, a.failed.Rate, a.logged.Rate = l.Connections, l.FailedLogins, loggedRefusals
	a.replaced.Rate = l.Replaced
	a.patience = l.LoginTime / 3
}

// source is what counts as one.
func source(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// enter admits a connection. The caller calls leave when it has logged in, or not. giveUp is called if the connection has to
// make room, after which leave does nothing.
func (a *admission) enter(o origin, giveUp func(error)) (leave func(), err error) {
	if o.addr.IsValid() && !o.hidden && !a.rate.Allow(o.addr, time.Now()) {
		return nil, fmt.Errorf("%w: over %d in %v %v", ErrBusy, a.limits.Connections.Events, a.limits.Connections.Window, o)
	}
	a.mu.Lock()
	all := a.from[o]
	if all == nil {
		all = list.New()
	}
	var oldest *place
	switch n := all.Len(); {
	case o.hidden && n >= (a.limits.Pending+1)/2 && time.Since(all.Front().Value.(*place).since) >= a.patience:
		// Somebody behind the proxy connects, and does not log in. To refuse the next would be to refuse the others. While
		// all are on their way, as after a restart, it is the next that is refused: else many who come at once would end
		// each other's logins, and nobody's be completed.
		oldest = all.Front().Value.(*place)
		a.takeOut(o, oldest)
	case a.pending >= a.limits.Pending, o.addr.IsValid() && n >= (a.limits.Pending+1)/2:
		defer a.mu.Unlock()
		return nil, fmt.Errorf("%w: %d wait for their login, %d of them %v", ErrBusy, a.pending, n, o)
	}
	p := &place{giveUp: giveUp, since: time.Now()}
	p.at = all.PushBack(p)
	a.from[o] = all
	a.pending++
	waiting := all.Len()
	a.mu.Unlock()
	if oldest != nil {
		oldest.giveUp(fmt.Errorf("%w: %d wait for their login %v, and this one has done so for longest", ErrBusy, waiting, o))
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.takeOut(o, p)
	}, nil
}

// takeOut gives a place back, once. The lock is held.
func (a *admission) takeOut(o origin, p *place) {
	if p.left {
		return
	}
	p.left = true
	a.pending--
	all := a.from[o]
	if all.Remove(p.at); all.Len() == 0 {
		delete(a.from, o)
	}
}

// linkKey is a device's connection of one kind.
type linkKey struct {
	device nodeid.NodeKey
	kind   Kind
}

// mayReplace says whether a connection may take the place of another one.
func (a *admission) mayReplace(old, c *Connection) error {
	select {
	case <-old.Done(): // it comes again, in the moment in which that is noticed
		return nil
	default:
	}
	if a.replaced.Allow(linkKey{c.Device(), c.kind}, time.Now()) {
		return nil
	}
	return &DuplicateError{Device: c.Device(), UUID: c.UUID(), Kind: c.kind, Online: old.Peer().Addr, Refused: c.Peer().Addr, Limit: a.limits.Replaced}
}

// try says whether somebody has not failed too often to be asked about again. The caller tells done whether it failed.
func (a *admission) try(o origin, uuid nodeid.UUID) (done func(failed bool), err error) {
	now := time.Now()
	who := claimant{origin: o}
	switch {
	case !o.addr.IsValid():
		return func(bool) {}, nil
	case o.hidden:
		// One device does not log in many times at once, so what is under way counts as if it had failed.
		who.uuid = uuid
		if a.failed.Allow(who, now) {
			return func(failed bool) {
				if !failed {
					a.failed.Return(who, time.Now())
				}
			}, nil
		}
	case a.failed.Ready(who, now):
		return func(failed bool) {
			if failed {
				a.failed.Allow(who, time.Now())
			}
		}, nil
	}
	return nil, fmt.Errorf("%w: over %d logins failed in %v %v", ErrBusy, a.limits.FailedLogins.Events, a.limits.FailedLogins.Window, who)
}
