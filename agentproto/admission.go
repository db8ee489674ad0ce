package agentproto

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Rate is how often something may happen: Events at once, and again as many spread over each Window. The zero value
// sets no limit.
type Rate = ratelimit.Rate

// Admission bounds what agents can ask of a server before they have logged in. What it refuses is refused with a
// reason, never held in silence.
type Admission struct {
	// Pending is how many logins may be under way at once, half of them from one address (one /64 for IPv6). Default
	// 1024; negative sets no limit.
	Pending int
	// Total bounds logins of all agents, Address those of one address (of one /64 for IPv6). Mind that a whole
	// office may share an address. They are counted before a message is read.
	Total, Address Rate
	// Agent bounds logins of one agent, counted once it has proved its key: an agent that keeps losing its connection,
	// or two that share a key, close each other's sessions for ever otherwise. Default none.
	Agent Rate
	// Allow, if not empty, are the only addresses that may log in. Block are addresses that may not.
	Allow, Block []netip.Prefix
}

// admission is an Admission at work.
type admission struct {
	cfg     Admission
	total   ratelimit.Limiter[struct{}]
	address ratelimit.Limiter[netip.Prefix]
	agent   ratelimit.Limiter[nodeid.NodeKey]

	mu      sync.Mutex
	pending int
	from    map[netip.Prefix]int // pending by address
}

func newAdmission(cfg Admission) *admission {
	def(&cfg.Pending, 1024)
	a := &admission{cfg: cfg, from: make(map[netip.Prefix]int)}
	a.total.Rate, a.address.Rate, a.agent.Rate = cfg.Total, cfg.Address, cfg.Agent
	return a
}

// enter admits a connection. The caller calls leave when the login is over, if there was no error.
func (a *admission) enter(addr netip.Addr, now time.Time) (leave func(), err error) {
	if err := a.checkAddress(addr); err != nil {
		return nil, err
	}
	// The address first: what it alone is refused for must not be taken from all.
	key := addressKey(addr)
	if !a.address.Allow(key, now) {
		return nil, fmt.Errorf("%w: over the rate of an address", ErrBusy)
	}
	if !a.total.Allow(struct{}{}, now) {
		return nil, fmt.Errorf("%w: over the server's rate", ErrBusy)
	}
	if a.cfg.Pending < 0 {
		return func() {}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending >= a.cfg.Pending || a.from[key] >= (a.cfg.Pending+1)/2 {
		return nil, fmt.Errorf("%w: %d are under way, %d of them from this address", ErrBusy, a.pending, a.from[key])
	}
	a.pending++
	a.from[key]++
	return func() { a.leave(key) }, nil
}

func (a *admission) leave(key netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending--
	if a.from[key]--; a.from[key] == 0 {
		delete(a.from, key)
	}
}

func (a *admission) checkAddress(addr netip.Addr) error {
	addr = addr.Unmap()
	for _, p := range a.cfg.Block {
		if p.Contains(addr) {
			return Refuse("address is blocked")
		}
	}
	for _, p := range a.cfg.Allow {
		if p.Contains(addr) {
			return nil
		}
	}
	if len(a.cfg.Allow) > 0 {
		return Refuse("address is not allowed")
	}
	return nil
}

// checkAgent counts a login of an agent that has proved its key.
func (a *admission) checkAgent(key nodeid.NodeKey, now time.Time) error {
	if !a.agent.Allow(key, now) {
		return fmt.Errorf("%w: agent logs in more than %d times in %v", ErrBusy, a.cfg.Agent.Events, a.cfg.Agent.Window)
	}
	return nil
}

// addressKey is the prefix that shares a rate.
func addressKey(a netip.Addr) netip.Prefix {
	a = a.Unmap()
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

// RefusedError is a refusal with a reason that the agent may be told. It matches [ErrRefused].
type RefusedError struct {
	Reason string
}

// Refuse returns a [RefusedError]. Hooks return it to refuse a login; the reason reaches the agent in the close frame,
// that of any other error does not.
func Refuse(reason string) error { return &RefusedError{Reason: reason} }

// Error returns the reason.
func (e *RefusedError) Error() string { return fmt.Sprintf("%v: %s", ErrRefused, e.Reason) }

// Is makes errors.Is(err, ErrRefused) true.
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }
