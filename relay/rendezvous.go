package relay

import (
	"container/heap"
	"fmt"
	"time"
)

// Role is the side of a tunnel.
type Role uint8

// The roles. Two operators' ends of one account may meet too, as they may on the stock server.
const (
	RoleOperator Role = 1 + iota
	RoleAgent
)

// String returns "operator" or "agent".
func (r Role) String() string {
	switch r {
	case RoleOperator:
		return "operator"
	case RoleAgent:
		return "agent"
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// End is one end of a tunnel, as far as it has proved itself. All of it comes from cookies, sessions and rights that were
// checked; what the URL says is in it only where a check was made.
type End struct {
	ID   ID
	Role Role
	// User is the account: the operator's own, or the one in the device's cookie. It is empty for tunnels of no account,
	// those of guests.
	User string
	// Node is the device: one that the operator has the right to reach, or the one in the device's cookie, or else in its
	// URL. Empty leaves it to the other end and to the request.
	Node string
	// Bound is an end whose cookie was made for this tunnel and this device alone. Others are joined only if a [Rendezvous]
	// was told of the request.
	Bound bool
	// Protocol is for records.
	Protocol Protocol
	// Expires ends the tunnel, whatever happens in it. Zero is never.
	Expires time.Time
	// Addr is where the end came from, for records; empty is filled in with the address of the connection.
	Addr string
	// NoPing wants no pings for the tunnel.
	NoPing bool
	// Value is the embedder's.
	Value any
}

// TunnelRequest is what a server notes when it passes an operator's tunnel request on to a device: the two ends that
// will come. A stock client picks the id itself and has the device come with a cookie that names only the account; this
// note, good for seconds, ties the id to the device.
type TunnelRequest struct {
	ID   ID
	User string
	Node string
}

// Limits of a [Rendezvous]. Zero fields have the values that are named here.
type Limits struct {
	Wait           time.Duration // how long an end waits for the other: 15 s, as the stock server has it
	RequestAge     time.Duration // how long a tunnel request is good: 20 s
	Idle           time.Duration // how long nothing may move in a tunnel: zero is for ever
	Waiting        int           // ends that wait: 4096
	WaitingPerUser int           // of one account: 64
	Requests       int           // noted requests: 16384
	PerUser        int           // noted requests of one account: 256
}

func (l Limits) orDefault() Limits {
	def := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	age := func(n *time.Duration, d time.Duration) {
		if *n == 0 {
			*n = d
		}
	}
	age(&l.Wait, 15*time.Second)
	age(&l.RequestAge, 20*time.Second)
	def(&l.Waiting, 4096)
	def(&l.WaitingPerUser, 64)
	def(&l.Requests, 16384)
	def(&l.PerUser, 256)
	return l
}

// Key names an end within a [Rendezvous]. Zero is none.
type Key uint64

// Pair is two ends that met.
type Pair struct {
	ID ID
	// First came first. Second came second.
	First, Second       Key
	FirstEnd, SecondEnd End
	// What both agree on.
	User, Node string
	Protocol   Protocol
	Met        time.Time
}

// Other returns the key of the other end.
func (p *Pair) Other(k Key) Key {
	if k == p.First {
		return p.Second
	}
	return p.First
}

// End returns the end of a key.
func (p *Pair) End(k Key) *End {
	if k == p.First {
		return &p.FirstEnd
	}
	return &p.SecondEnd
}

// The messages by which a server tells the ends that they have met. Nothing comes before them.
const (
	Connected         = "c"
	ConnectedRecorded = "cr"
)

// Hello is a text message to an end.
type Hello struct {
	To   Key
	Text string
}

// Hellos returns the first message to each end, in the order in which they are sent: the end that came second hears it
// first. Confirmed in meshrelay.js, performRelay.
func (p *Pair) Hellos(recorded bool) [2]Hello {
	text := Connected
	if recorded {
		text = ConnectedRecorded
	}
	return [2]Hello{{p.Second, text}, {p.First, text}}
}

// Arrival is what becomes of an end that came: it waits (Pair is nil) or has met another.
type Arrival struct {
	Key  Key
	Pair *Pair
}

// Ended is an end that waited in vain (Pair is nil), or a tunnel whose time is over.
type Ended struct {
	Key  Key
	Pair *Pair
	Err  error
}

// Rendezvous decides which ends of tunnels meet. It has no connections and no clock, is told of what happens and when, and
// is not safe for concurrent use. The rules are those of the stock server (meshrelay.js, performRelay):
//
//   - The first end with an id waits, for 15 seconds; the second one meets it; a third is refused.
//   - One of the two must be an operator's, and both must be of one account.
//   - An end that does not fit is refused, and the one that waits goes on waiting.
//
// And these are stricter:
//
//   - Nobody comes unasked: a device's end needs a cookie that is bound to the tunnel and the device, or a request that was
//     noted seconds ago for this id and account (Announce). A request is good for one device's end.
//   - Both ends, and the request, must be about the same device.
//   - An end whose other one has come, waited and left does not wait for it.
//   - In chats both parties have proved who they are, the device's page too.
//   - The number of ends that wait is bounded, per account too.
type Rendezvous struct {
	limits   Limits
	last     Key
	tunnels  map[ID]*meeting
	ends     map[Key]*meeting
	requests map[requestKey]*request
	waiting  int
	users    map[string]*userCount
	timers   timers
}

type requestKey struct {
	id   ID
	user string
}

type request struct {
	node    string
	expires time.Time
	left    Role // of an end that came, waited and left
}

// userCount is what one account holds.
type userCount struct{ waiting, requests int }

// meeting is a tunnel: one end that waits, or a pair.
type meeting struct {
	pair   Pair // while one waits: First and FirstEnd
	paired bool
	active time.Time
}

// NewRendezvous returns an empty rendezvous.
func NewRendezvous(l Limits) *Rendezvous {
	return &Rendezvous{
		limits: l.orDefault(), tunnels: make(map[ID]*meeting), ends: make(map[Key]*meeting),
		requests: make(map[requestKey]*request), users: make(map[string]*userCount),
	}
}

// Announce notes a tunnel request that goes to a device. A second request for the same id and account replaces the first.
func (r *Rendezvous) Announce(now time.Time, req TunnelRequest) error {
	if _, err := ParseID(string(req.ID)); err != nil {
		return err
	}
	if req.Node == "" || req.ID.Messenger() {
		return fmt.Errorf("%w: it names no device", ErrUnauthorized)
	}
	if m := r.tunnels[req.ID]; m != nil {
		if m.paired {
			return ErrTaken
		}
		if e := &m.pair.FirstEnd; e.User != req.User || e.Node != "" && e.Node != req.Node {
			return ErrMismatch
		}
	}
	k := requestKey{req.ID, req.User}
	if r.requests[k] == nil {
		if len(r.requests) >= r.limits.Requests || r.count(req.User).requests >= r.limits.PerUser {
			r.tidy(req.User)
			return ErrBusy
		}
		r.count(req.User).requests++
	}
	expires := now.Add(r.limits.RequestAge)
	note := &request{node: req.Node, expires: expires}
	r.requests[k] = note
	r.later(timer{when: expires, request: k, note: note})
	return nil
}

// Withdraw takes a request back, for instance because the device is not connected.
func (r *Rendezvous) Withdraw(id ID, user string) { r.forget(requestKey{id, user}) }

// Arrive is an end that has come. Of the error the end is told nothing but that it was refused.
func (r *Rendezvous) Arrive(now time.Time, e End) (Arrival, error) {
	if _, err := ParseID(string(e.ID)); err != nil {
		return Arrival{}, err
	}
	if e.Role != RoleOperator && e.Role != RoleAgent {
		return Arrival{}, ErrUnauthorized
	}
	if !e.Expires.IsZero() && !e.Expires.After(now) {
		return Arrival{}, ErrExpired
	}
	if err := r.permit(now, &e); err != nil {
		return Arrival{}, err
	}
	m := r.tunnels[e.ID]
	switch {
	case m == nil:
		if err := r.otherLeft(&e); err != nil {
			return Arrival{}, err
		}
		return r.wait(now, e)
	case m.paired:
		return Arrival{}, ErrTaken
	}
	if err := fit(&m.pair.FirstEnd, &e); err != nil {
		return Arrival{}, err
	}
	return r.meet(now, m, e), nil
}

// otherLeft says whether the end that would have met this one has been here and left, so that there is nothing to wait for.
func (r *Rendezvous) otherLeft(e *End) error {
	req := r.requests[requestKey{e.ID, e.User}]
	if req == nil || req.left == 0 {
		return nil
	}
	if req.left == e.Role { // it comes again
		req.left = 0
		return nil
	}
	r.forget(requestKey{e.ID, e.User})
	return ErrPeerGone
}

// permit checks an end by itself and learns the device from the request.
func (r *Rendezvous) permit(now time.Time, e *End) error {
	if e.ID.Messenger() {
		a, b, err := e.ID.Parties()
		if err != nil {
			return err
		}
		me := e.User
		if e.Role == RoleAgent {
			me = e.Node
			if !e.Bound {
				return ErrUnauthorized
			}
		}
		if me == "" || me != a && me != b {
			return ErrUnauthorized
		}
		return nil
	}
	if e.Bound {
		if e.Node == "" {
			return ErrUnauthorized // bound to what?
		}
		return nil
	}
	req := r.requests[requestKey{e.ID, e.User}]
	if req != nil && !req.expires.After(now) {
		req = nil
	}
	switch {
	case req == nil && (e.Role == RoleAgent || e.User == ""):
		return ErrNoRequest
	case req == nil:
		return nil // an operator who came before the request
	case e.Node != "" && e.Node != req.node:
		return ErrMismatch
	}
	e.Node = req.node
	return nil
}

// fit says whether two ends belong together.
func fit(a, b *End) error {
	if a.ID.Messenger() {
		if a.Role == RoleAgent && b.Role == RoleAgent || party(a) == party(b) {
			return ErrMismatch
		}
		return nil
	}
	switch {
	case a.Role == RoleAgent && b.Role == RoleAgent,
		a.User != b.User,
		a.Node != "" && b.Node != "" && a.Node != b.Node:
		return ErrMismatch
	}
	return nil
}

// party is who an end of a chat is.
func party(e *End) string {
	if e.Role == RoleAgent {
		return e.Node
	}
	return e.User
}

func (r *Rendezvous) wait(now time.Time, e End) (Arrival, error) {
	if r.waiting >= r.limits.Waiting || r.count(holder(&e)).waiting >= r.limits.WaitingPerUser {
		r.tidy(holder(&e))
		return Arrival{}, ErrBusy
	}
	r.last++
	m := &meeting{pair: Pair{ID: e.ID, First: r.last, FirstEnd: e}}
	r.tunnels[e.ID], r.ends[r.last] = m, m
	r.waiting++
	r.count(holder(&e)).waiting++
	r.later(timer{when: now.Add(r.limits.Wait), end: r.last})
	return Arrival{Key: r.last}, nil
}

func (r *Rendezvous) meet(now time.Time, m *meeting, e End) Arrival {
	r.last++
	p := &m.pair
	r.noLonger(&p.FirstEnd)
	m.paired, m.active = true, now
	p.Second, p.SecondEnd, p.Met = r.last, e, now
	operator, other := &p.FirstEnd, &p.SecondEnd
	if operator.Role != RoleOperator {
		operator, other = other, operator
	}
	p.User, p.Node, p.Protocol = operator.User, operator.Node, operator.Protocol
	if p.Node == "" {
		p.Node = other.Node
	}
	if p.Protocol == ProtocolNone {
		p.Protocol = other.Protocol
	}
	r.ends[r.last] = m
	r.forget(requestKey{p.ID, p.User})
	for _, end := range []*End{&p.FirstEnd, &p.SecondEnd} {
		if !end.Expires.IsZero() {
			r.later(timer{when: end.Expires, end: r.last})
		}
	}
	if r.limits.Idle > 0 {
		r.later(timer{when: now.Add(r.limits.Idle), end: r.last, idle: true})
	}
	pair := m.pair
	return Arrival{Key: r.last, Pair: &pair}
}

// Leave is an end that is gone. It returns the tunnel that ends thereby, if there was one.
func (r *Rendezvous) Leave(k Key) *Pair {
	m := r.ends[k]
	if m == nil {
		return nil
	}
	r.remove(m)
	if !m.paired {
		if req := r.requests[requestKey{m.pair.ID, m.pair.FirstEnd.User}]; req != nil {
			req.left = m.pair.FirstEnd.Role
		}
		return nil
	}
	return &m.pair
}

// Expire returns what has ended by now. It asks whether something moved in a tunnel since it last asked, by the key of the
// end that came second.
func (r *Rendezvous) Expire(now time.Time, moved func(Key) bool) []Ended {
	var ended []Ended
	for len(r.timers) > 0 && !r.timers[0].when.After(now) {
		t := heap.Pop(&r.timers).(timer)
		if t.end == 0 {
			if r.requests[t.request] == t.note {
				r.forget(t.request)
			}
			continue
		}
		m := r.ends[t.end]
		if m == nil {
			continue
		}
		switch {
		case !m.paired:
			ended = append(ended, Ended{Key: t.end, Err: ErrNobodyCame})
		case t.idle:
			if moved(m.pair.Second) {
				r.later(timer{when: now.Add(r.limits.Idle), end: t.end, idle: true})
				continue
			}
			ended = append(ended, Ended{Key: t.end, Pair: &m.pair, Err: ErrIdle})
		case t.end == m.pair.Second:
			ended = append(ended, Ended{Key: t.end, Pair: &m.pair, Err: ErrExpired})
		default:
			continue // the time that a first end had for waiting
		}
		r.remove(m)
	}
	return ended
}

// Next returns when Expire has something to do, if it ever has.
func (r *Rendezvous) Next() (when time.Time, ok bool) {
	if len(r.timers) == 0 {
		return time.Time{}, false
	}
	return r.timers[0].when, true
}

// Len returns how many ends wait, how many tunnels there are and how many requests are noted.
func (r *Rendezvous) Len() (waiting, tunnels, requests int) {
	return r.waiting, len(r.tunnels) - r.waiting, len(r.requests)
}

func (r *Rendezvous) remove(m *meeting) {
	delete(r.tunnels, m.pair.ID)
	delete(r.ends, m.pair.First)
	delete(r.ends, m.pair.Second)
	if !m.paired {
		r.noLonger(&m.pair.FirstEnd)
	}
}

// noLonger takes an end out of the count of those that wait.
func (r *Rendezvous) noLonger(e *End) {
	r.waiting--
	r.count(holder(e)).waiting--
	r.tidy(holder(e))
}

// holder is in whose name an end waits: its account's, or where it has none its device's.
func holder(e *End) string {
	if e.User != "" {
		return e.User
	}
	return e.Node
}

func (r *Rendezvous) forget(k requestKey) {
	if r.requests[k] != nil {
		delete(r.requests, k)
		r.count(k.user).requests--
		r.tidy(k.user)
	}
}

func (r *Rendezvous) count(user string) *userCount {
	c := r.users[user]
	if c == nil {
		c = new(userCount)
		r.users[user] = c
	}
	return c
}

func (r *Rendezvous) tidy(user string) {
	if c := r.users[user]; c != nil && *c == (userCount{}) {
		delete(r.users, user)
	}
}

// timer is something that will be over: a request, or what an end may do. Those of ends that left stay until their time.
type timer struct {
	when    time.Time
	end     Key
	idle    bool
	request requestKey
	note    *request // what was noted; another one since is another timer's
}

// timers is a heap, the next one first.
type timers []timer

// later sets a timer, and throws those out that mean nothing any more if they are the most.
func (r *Rendezvous) later(t timer) {
	heap.Push(&r.timers, t)
	if len(r.timers) < 64 || len(r.timers) < 8*(len(r.ends)+len(r.requests)) {
		return
	}
	live := r.timers[:0]
	for _, t := range r.timers {
		if t.end != 0 && r.ends[t.end] != nil {
			live = append(live, t)
		} else if t.end == 0 && r.requests[t.request] == t.note {
			live = append(live, t)
		}
	}
	clear(r.timers[len(live):])
	r.timers = live
	heap.Init(&r.timers)
}

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].when.Before(t[j].when) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push implements heap.Interface.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	old := *t
	x := old[len(old)-1]
	*t = old[:len(old)-1]
	return x
}
