package relay

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var epoch = time.Unix(1_700_000_000, 0)

func operatorEnd(id ID) End {
	return End{ID: id, Role: RoleOperator, User: testUser, Node: testNode, Protocol: ProtocolFiles}
}

func agentEnd(id ID) End {
	return End{ID: id, Role: RoleAgent, User: testUser, Node: testNode}
}

const (
	testUser = "user//ann"
	testNode = "node//machine"
)

// Who may meet whom. The first end waits, the second is judged.
func TestRendezvousPairs(t *testing.T) {
	operator, agent := operatorEnd("x"), agentEnd("x")
	with := func(e End, f func(*End)) End { f(&e); return e }
	bob := func(e *End) { e.User = "user//bob" }
	other := func(e *End) { e.Node = "node//other" }
	bound := func(e *End) { e.Bound = true }
	nobody := func(e *End) { e.User = "" }
	asked := &TunnelRequest{"x", testUser, testNode}
	chat := ID("meshmessenger/user//ann/user//bob")
	device := ID("meshmessenger/node//machine/user//ann")
	for _, c := range []struct {
		name          string
		request       *TunnelRequest
		first, second End
		err           error // of the first, if there is no second, else of the second
	}{
		{"as asked", asked, operator, agent, nil},
		{"the device first", asked, agent, operator, nil},
		{"bound, not asked", nil, with(agent, bound), operator, nil},
		{"the device names no node", asked, operator, with(agent, func(e *End) { e.Node = "" }), nil},
		{"two windows of one account", asked, operator, operator, nil},
		{"a guest's, both bound", nil, with(with(agent, nobody), bound), with(with(operator, nobody), bound), nil},
		{"a guest's, as asked", &TunnelRequest{"x", "", testNode}, with(operator, nobody), with(agent, nobody), nil},
		{"two devices", asked, agent, with(agent, bound), ErrMismatch},
		{"not asked", nil, agent, End{}, ErrNoRequest},
		{"not asked, with an operator", nil, operator, agent, ErrNoRequest},
		{"asked for another account", &TunnelRequest{"x", "user//bob", testNode}, agent, End{}, ErrNoRequest},
		{"asked for another id", &TunnelRequest{"y", testUser, testNode}, agent, End{}, ErrNoRequest},
		{"asked for another device", asked, with(agent, other), End{}, ErrMismatch},
		{"an operator with another device", asked, with(operator, other), End{}, ErrMismatch},
		{"another account", asked, operator, with(agent, bob), ErrNoRequest},
		{"another account, bound", asked, operator, with(with(agent, bob), bound), ErrMismatch},
		{"another device, bound", asked, operator, with(with(agent, other), bound), ErrMismatch},
		{"another operator", asked, operator, with(operator, bob), ErrMismatch},
		{"bound to nothing", nil, with(agent, func(e *End) { e.Bound, e.Node = true, "" }), End{}, ErrUnauthorized},
		{"a nobody", nil, with(operator, nobody), End{}, ErrNoRequest},
		{"a bad id", nil, operatorEnd("a b"), End{}, ErrID},
		{"no role", nil, with(operator, func(e *End) { e.Role = 0 }), End{}, ErrUnauthorized},
		{"expired", nil, with(operator, func(e *End) { e.Expires = epoch }), End{}, ErrExpired},
		{"a chat", nil, operatorEnd(chat), with(operatorEnd(chat), bob), nil},
		{"a chat with oneself", nil, operatorEnd(chat), operatorEnd(chat), ErrMismatch},
		{"a chat of others", nil, with(operatorEnd(chat), func(e *End) { e.User = "user//eve" }), End{}, ErrUnauthorized},
		{"a chat with a device", nil, operatorEnd(device), with(agentEnd(device), bound), nil},
		{"a chat with whoever", nil, operatorEnd(device), agentEnd(device), ErrUnauthorized},
		{"a chat with another device", nil, operatorEnd(device), with(with(agentEnd(device), bound), other), ErrUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewRendezvous(Limits{})
			if c.request != nil {
				require.NoError(t, r.Announce(epoch, *c.request))
			}
			a, err := r.Arrive(epoch, c.first)
			if c.second.Role == 0 {
				require.ErrorIs(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Nil(t, a.Pair)
			b, err := r.Arrive(epoch, c.second)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				waiting, pairs, _ := r.Len()
				require.Equal(t, []int{1, 0}, []int{waiting, pairs}, "the first goes on waiting")
				return
			}
			require.NoError(t, err)
			require.Equal(t, a.Key, b.Pair.First)
			require.Equal(t, b.Key, b.Pair.Second)
			require.Equal(t, [2]Hello{{b.Key, "c"}, {a.Key, "c"}}, b.Pair.Hellos(false))
			require.Equal(t, [2]Hello{{b.Key, "cr"}, {a.Key, "cr"}}, b.Pair.Hellos(true))
			_, err = r.Arrive(epoch, c.second)
			require.Error(t, err, "a third end")
			require.NotNil(t, r.Leave(a.Key))
			require.Nil(t, r.Leave(b.Key))
			waiting, pairs, requests := r.Len()
			require.Equal(t, []int{0, 0}, []int{waiting, pairs})
			if c.request != nil {
				require.Zero(t, requests, "a request is good for one tunnel")
			}
		})
	}
}

func TestRendezvousPair(t *testing.T) {
	r := NewRendezvous(Limits{})
	require.NoError(t, r.Announce(epoch, TunnelRequest{"x", testUser, testNode}))
	operator := operatorEnd("x")
	operator.Node = ""
	a, err := r.Arrive(epoch, agentEnd("x"))
	require.NoError(t, err)
	b, err := r.Arrive(epoch.Add(time.Second), operator)
	require.NoError(t, err)
	require.Equal(t, testUser, b.Pair.User)
	require.Equal(t, testNode, b.Pair.Node, "the operator's, from the request")
	require.Equal(t, ProtocolFiles, b.Pair.Protocol)
	require.Equal(t, epoch.Add(time.Second), b.Pair.Met)
	require.Equal(t, RoleAgent, b.Pair.End(a.Key).Role)
	require.Equal(t, RoleOperator, b.Pair.End(b.Key).Role)
	require.Equal(t, b.Key, b.Pair.Other(a.Key))
	require.ErrorIs(t, r.Announce(epoch, TunnelRequest{"x", testUser, testNode}), ErrTaken)
}

// Time: an end waits 15 seconds, a request is good for 20, a tunnel may be idle and may end with its permission.
func TestRendezvousTime(t *testing.T) {
	r := NewRendezvous(Limits{Idle: time.Minute})
	at := func(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }
	never := func(Key) bool { return false }
	a, err := r.Arrive(at(0), operatorEnd("x"))
	require.NoError(t, err)
	require.NoError(t, r.Announce(at(1), TunnelRequest{"y", testUser, testNode}))
	require.NoError(t, r.Announce(at(2), TunnelRequest{"y", testUser, testNode})) // again
	next, ok := r.Next()
	require.True(t, ok)
	require.Equal(t, at(15), next)
	require.Empty(t, r.Expire(at(14), never))
	require.Equal(t, []Ended{{Key: a.Key, Err: ErrNobodyCame}}, r.Expire(at(15), never))
	_, err = r.Arrive(at(21), agentEnd("y"))
	require.NoError(t, err)
	_, err = r.Arrive(at(22), agentEnd("y"))
	require.ErrorIs(t, err, ErrNoRequest)
	second := operatorEnd("y")
	second.Expires = at(210)
	b, err := r.Arrive(at(23), second)
	require.NoError(t, err)
	require.Empty(t, r.Expire(at(23+60), func(k Key) bool { return k == b.Key }))
	require.Empty(t, r.Expire(at(23+119), never), "it moved")
	require.Empty(t, r.Expire(at(23+120), func(Key) bool { return true }))
	ended := r.Expire(at(23+180), never)
	require.Len(t, ended, 1)
	require.ErrorIs(t, ended[0].Err, ErrIdle)

	r = NewRendezvous(Limits{})
	_, err = r.Arrive(at(23), second)
	require.NoError(t, err)
	_, err = r.Arrive(at(23), second)
	require.NoError(t, err)
	require.Empty(t, r.Expire(at(209), never))
	ended = r.Expire(at(210), never)
	require.Len(t, ended, 1)
	require.ErrorIs(t, ended[0].Err, ErrExpired)
	require.Equal(t, ID("y"), ended[0].Pair.ID)
	_, ok = r.Next()
	require.False(t, ok)
}

func TestRendezvousLimits(t *testing.T) {
	r := NewRendezvous(Limits{Waiting: 3, WaitingPerUser: 2, Requests: 3, PerUser: 2})
	end := func(id ID, user string) error {
		_, err := r.Arrive(epoch, End{ID: id, Role: RoleOperator, User: user})
		return err
	}
	require.NoError(t, end("1", "ann"))
	require.NoError(t, end("2", "ann"))
	require.ErrorIs(t, end("3", "ann"), ErrBusy)
	require.NoError(t, end("4", "bob"))
	require.ErrorIs(t, end("5", "eve"), ErrBusy)
	ask := func(id ID, user string) error { return r.Announce(epoch, TunnelRequest{id, user, testNode}) }
	require.NoError(t, ask("6", "ann"))
	require.NoError(t, ask("6", "ann"), "again is no other")
	require.NoError(t, ask("7", "ann"))
	require.ErrorIs(t, ask("8", "ann"), ErrBusy)
	require.NoError(t, ask("9", "bob"))
	require.ErrorIs(t, ask("10", "eve"), ErrBusy)
	r.Withdraw("9", "bob")
	require.NoError(t, ask("10", "eve"))
	require.ErrorIs(t, ask("1", "bob"), ErrMismatch, "somebody else waits with this id")
	require.ErrorIs(t, r.Announce(epoch, TunnelRequest{"11", "ann", ""}), ErrUnauthorized)
	r.Expire(epoch.Add(time.Hour), func(Key) bool { return false })
	require.Empty(t, r.users)
	require.Empty(t, r.ends)
	require.Empty(t, r.requests)
	require.Empty(t, r.timers)
}

// Timers of what is over do not pile up.
func TestRendezvousTimers(t *testing.T) {
	r := NewRendezvous(Limits{RequestAge: time.Hour})
	for range 10000 {
		require.NoError(t, r.Announce(epoch, TunnelRequest{"x", testUser, testNode}))
	}
	for i := range 1000 {
		e := operatorEnd(ID(fmt.Sprint("i", i)))
		e.Expires = epoch.Add(time.Hour)
		for range 2 {
			_, err := r.Arrive(epoch, e)
			require.NoError(t, err)
		}
		r.Leave(r.last)
	}
	require.Less(t, len(r.timers), 100)
}

// drive runs a rendezvous by a sequence of bytes and checks what must hold after each step.
func drive(t *testing.T, events []byte) {
	r := NewRendezvous(Limits{Waiting: 4, WaitingPerUser: 3, Requests: 4, PerUser: 3, Idle: 30 * time.Second})
	now := epoch
	users := []string{"", "user//ann", "user//bob"}
	nodes := []string{"", "node//a", "node//b"}
	ids := []ID{"x", "y", "z", "meshmessenger/user//ann/user//bob", "meshmessenger/node//a/user//ann"}
	waiting := make(map[Key]End)
	pairs := make(map[Key]*Pair)
	for events = events[:min(len(events), 3000)]; len(events) >= 3; {
		op, x, y := events[0], events[1], events[2]
		events = events[3:]
		id, user, node := ids[int(x)%len(ids)], users[int(x>>4)%3], nodes[int(y)%3]
		switch op % 6 {
		case 0:
			_ = r.Announce(now, TunnelRequest{id, user, node})
		case 1, 2:
			e := End{ID: id, Role: Role(1 + op%2), User: user, Node: node, Bound: y&0x40 != 0, NoPing: y&0x20 != 0}
			if y&0x80 != 0 {
				e.Expires = now.Add(time.Duration(y) * time.Second / 4)
			}
			a, err := r.Arrive(now, e)
			if err != nil {
				break
			}
			if a.Pair == nil {
				waiting[a.Key] = e
				break
			}
			p := a.Pair
			first, ok := waiting[p.First]
			if !ok || first != p.FirstEnd && first.Node == p.FirstEnd.Node {
				t.Fatalf("%+v met an end that did not wait", p)
			}
			delete(waiting, p.First)
			pairs[p.Second] = p
			if !e.ID.Messenger() {
				if p.FirstEnd.User != p.SecondEnd.User {
					t.Fatalf("two accounts met: %+v", p)
				}
				if p.FirstEnd.Role == RoleAgent && p.SecondEnd.Role == RoleAgent {
					t.Fatalf("two devices met: %+v", p)
				}
				if a, b := p.FirstEnd.Node, p.SecondEnd.Node; a != "" && b != "" && a != b {
					t.Fatalf("two devices in one tunnel: %+v", p)
				}
			}
		case 3:
			k := Key(x) % (r.last + 2)
			p := r.Leave(k)
			if p == nil {
				delete(waiting, k)
			} else if pairs[p.Second] == nil {
				t.Fatalf("%+v left twice", p)
			} else {
				delete(pairs, p.Second)
			}
		case 4:
			now = now.Add(time.Duration(x) * time.Second / 8)
			for _, e := range r.Expire(now, func(k Key) bool { return y&1 == 0 }) {
				if e.Pair != nil {
					delete(pairs, e.Pair.Second)
				} else {
					delete(waiting, e.Key)
				}
			}
		case 5:
			r.Withdraw(id, user)
		}
		w, p, q := r.Len()
		if w != len(waiting) || p != len(pairs) || w > 4 || q > 4 {
			t.Fatalf("%d wait and %d have met, want %d and %d; %d requests", w, p, len(waiting), len(pairs), q)
		}
	}
	for range 3 {
		now = now.Add(time.Hour)
		r.Expire(now, func(Key) bool { return false })
	}
	if w, p, q := r.Len(); w+p+q+len(r.users)+len(r.ends) != 0 {
		t.Fatalf("left behind: %d, %d, %d, %d accounts", w, p, q, len(r.users))
	}
}

func TestRendezvousRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := make([]byte, 600)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		drive(t, b)
	}
}

func FuzzRendezvous(f *testing.F) {
	f.Add([]byte("\x00\x10\x01\x01\x10\x01\x02\x10\x01\x03\x02\x00"))
	f.Add([]byte("\x01\x10\x41\x02\x10\xc1\x04\xff\x01\x04\xff\x01"))
	f.Add([]byte("\x01\x13\x40\x01\x23\x40\x04\x80\x00\x05\x10\x00"))
	f.Fuzz(drive)
}

// Who comes when the other one has been here and left is told so at once, unless that one comes again.
func TestRendezvousLeft(t *testing.T) {
	for _, bound := range []bool{true, false} {
		r, now := NewRendezvous(Limits{}), time.Unix(1000, 0)
		agent := End{ID: "x", Role: RoleAgent, User: testUser, Node: testNode, Bound: bound}
		operator := End{ID: "x", Role: RoleOperator, User: testUser, Node: testNode, Bound: bound}
		for _, ends := range [][2]End{{agent, operator}, {operator, agent}} {
			require.NoError(t, r.Announce(now, TunnelRequest{ID: "x", User: testUser, Node: testNode}))
			a, err := r.Arrive(now, ends[0])
			require.NoError(t, err)
			require.Nil(t, r.Leave(a.Key))
			_, err = r.Arrive(now, ends[1])
			require.ErrorIs(t, err, ErrPeerGone)
			_, _, requests := r.Len()
			require.Zero(t, requests)

			require.NoError(t, r.Announce(now, TunnelRequest{ID: "x", User: testUser, Node: testNode}))
			a, err = r.Arrive(now, ends[0])
			require.NoError(t, err)
			require.Nil(t, r.Leave(a.Key))
			a, err = r.Arrive(now, ends[0]) // again
			require.NoError(t, err)
			b, err := r.Arrive(now, ends[1])
			require.NoError(t, err)
			require.NotNil(t, b.Pair)
			require.NotNil(t, r.Leave(a.Key))
		}
		require.NoError(t, r.Announce(now, TunnelRequest{ID: "x", User: testUser, Node: testNode}))
		a, err := r.Arrive(now, agent)
		require.NoError(t, err)
		require.Nil(t, r.Leave(a.Key))
		require.NoError(t, r.Announce(now, TunnelRequest{ID: "x", User: testUser, Node: testNode}), "asked again")
		_, err = r.Arrive(now, operator)
		require.NoError(t, err)
	}
}
