package mps

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
)

// admission bounds what comes from where, before it has logged in.
type admission struct {
	limits Limits
	rate   ratelimit.Limiter[netip.Prefix]
	failed ratelimit.Limiter[netip.Prefix]
	logged ratelimit.Limiter[netip.Prefix] // lines of the log

	mu      sync.Mutex
	pending int
	from    map[netip.Prefix]int // pending by source
}

// loggedRefusals is how many refusals of a source are more than debugging: scanners are at it all day.
var loggedRefusals = Rate{Events: 10, Window: time.Minute}

func (a *admission) init(l Limits) {
	a.limits, a.from = l, make(map[netip.Prefix]int)
	a.rate.Rate, a.failed.Rate, a.logged.Rate = l.Connections, l.FailedLogins, loggedRefusals
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

// enter admits a connection from a source; the zero one, of a proxy, is as many as there are behind it. The caller calls
// leave when it has logged in, or not.
func (a *admission) enter(from netip.Prefix) (leave func(), err error) {
	if from.IsValid() && !a.rate.Allow(from, time.Now()) {
		return nil, fmt.Errorf("%w: over %d in %v from %v", ErrBusy, a.limits.Connections.Events, a.limits.Connections.Window, from)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending >= a.limits.Pending || from.IsValid() && a.from[from] >= (a.limits.Pending+1)/2 {
		return nil, fmt.Errorf("%w: %d wait for their login, %d of them from %v", ErrBusy, a.pending, a.from[from], from)
	}
	a.pending++
	a.from[from]++
	return sync.OnceFunc(func() { a.leave(from) }), nil
}

func (a *admission) leave(from netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending--
	if a.from[from]--; a.from[from] == 0 {
		delete(a.from, from)
	}
}

// mayTry says whether a source has not failed too often to be asked again.
func (a *admission) mayTry(from netip.Prefix) error {
	if from.IsValid() && !a.failed.Ready(from, time.Now()) {
		return fmt.Errorf("%w: over %d logins failed in %v from %v", ErrBusy, a.limits.FailedLogins.Events, a.limits.FailedLogins.Window, from)
	}
	return nil
}

// loginFailed counts a login that failed.
func (a *admission) loginFailed(from netip.Prefix) {
	if from.IsValid() {
		a.failed.Allow(from, time.Now())
	}
}
