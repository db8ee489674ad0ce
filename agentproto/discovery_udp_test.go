//go:build !js

package agentproto

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeUDP is a packet connection without a network.
type fakeUDP struct {
	in, out chan fakePacket
	closed  chan struct{}
	once    sync.Once
}

type fakePacket struct {
	data string
	addr netip.AddrPort
	err  error
	at   time.Time
}

func newFakeUDP() *fakeUDP {
	return &fakeUDP{in: make(chan fakePacket), out: make(chan fakePacket, 100), closed: make(chan struct{})}
}

func (c *fakeUDP) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-c.in:
		if p.err != nil {
			return 0, nil, p.err
		}
		return copy(b, p.data), net.UDPAddrFromAddrPort(p.addr), nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

func (c *fakeUDP) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	c.out <- fakePacket{data: string(b), addr: to.(*net.UDPAddr).AddrPort(), at: time.Now()}
	return len(b), nil
}

func (c *fakeUDP) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *fakeUDP) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (c *fakeUDP) SetDeadline(time.Time) error      { return nil }
func (c *fakeUDP) SetReadDeadline(time.Time) error  { return nil }
func (c *fakeUDP) SetWriteDeadline(time.Time) error { return nil }

func (c *fakeUDP) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

func TestResponderAnnouncesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestResponder(t, ResponderConfig{})
		group := netip.MustParseAddrPort("239.255.255.235:16990")
		local := netip.MustParseAddrPort("127.0.0.1:16990")
		group6 := netip.MustParseAddrPort("[ff02::fe%eth0]:16990")
		v4, v6, listener := newFakeUDP(), newFakeUDP(), newFakeUDP()
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Serve(ctx,
				DiscoverySocket{Conn: v4, Targets: []net.Addr{net.UDPAddrFromAddrPort(group), net.UDPAddrFromAddrPort(local)}},
				DiscoverySocket{Conn: v6, Targets: []net.Addr{net.UDPAddrFromAddrPort(group6)}, IPv6: true},
				DiscoverySocket{Conn: listener})
		}()
		for i := range 4 {
			require.Equal(t, fakePacket{data: string(r.agent4), addr: group, at: start.Add(time.Duration(i) * 20 * time.Minute)}, <-v4.out)
			require.Equal(t, local, (<-v4.out).addr)
			p := <-v6.out
			require.Equal(t, string(r.agent6), p.data)
			require.Equal(t, group6, p.addr)
		}

		// Errors in between do no harm, and only the right question is answered, to where it came from.
		from := netip.MustParseAddrPort("192.0.2.7:50000")
		v4.in <- fakePacket{err: errors.New("no listener there")}
		v4.in <- fakePacket{data: "what?", addr: from}
		v4.in <- fakePacket{data: strings.Repeat("x", 4000), addr: from}
		v4.in <- fakePacket{data: string(r.query), addr: from}
		p := <-v4.out
		require.Equal(t, string(r.agent4), p.data)
		require.Equal(t, from, p.addr)
		require.Empty(t, listener.out)

		// A socket that only fails is given up; the others go on.
		for range 32 {
			v6.in <- fakePacket{err: io.ErrNoProgress}
		}
		synctest.Wait()
		cancel()
		<-done
		require.True(t, v4.isClosed() && v6.isClosed() && listener.isClosed())
		require.Empty(t, v4.out)
	})
}

func TestResponderFollowsInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type opened struct {
			sockets []DiscoverySocket
			err     error
		}
		next := make(chan opened)
		r := newTestResponder(t, ResponderConfig{Interval: time.Hour, Sockets: func() ([]DiscoverySocket, error) {
			o := <-next
			return o.sockets, o.err
		}})
		open := func() *fakeUDP {
			c := newFakeUDP()
			target := &net.UDPAddr{IP: net.IPv4(239, 255, 255, 235), Port: 16990}
			next <- opened{sockets: []DiscoverySocket{{Conn: c, Targets: []net.Addr{target}}}}
			synctest.Wait()
			require.False(t, c.isClosed())
			require.Len(t, c.out, 1, "announced once")
			return c
		}
		done := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		run := func() { done <- r.Run(ctx) }

		taken := errors.New("port taken")
		go run()
		next <- opened{err: taken}
		require.ErrorIs(t, <-done, taken)

		go run()
		first := open()
		start := time.Now()
		second := open()
		require.Equal(t, time.Hour, time.Since(start))
		require.True(t, first.isClosed())
		require.Len(t, first.out, 1)

		next <- opened{err: errors.New("no network")} // after another hour
		require.True(t, second.isClosed())
		third := open()
		require.Equal(t, 2*time.Hour+time.Minute, time.Since(start))
		cancel()
		require.NoError(t, <-done)
		require.True(t, third.isClosed())
	})
}

func TestDiscoverAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := testServerID(t)
		other := id
		other[0]++
		target := netip.MustParseAddrPort("239.255.255.235:16989")
		asking, listening := newFakeUDP(), newFakeUDP()
		cfg := DiscoverConfig{ServerID: id, Sockets: func() ([]DiscoverySocket, error) {
			return []DiscoverySocket{{Conn: asking, Targets: []net.Addr{net.UDPAddrFromAddrPort(target)}}, {Conn: listening}}, nil
		}}
		type result struct {
			url string
			err error
		}
		results := make(chan result)
		go func() {
			url, err := Discover(t.Context(), cfg)
			results <- result{url, err}
		}()
		start := time.Now()
		at := time.Duration(0)
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			p := <-asking.out
			require.Equal(t, upper(id), p.data)
			require.Equal(t, target, p.addr)
			require.Equal(t, start.Add(at), p.at)
			at += pause * time.Second
		}
		// Other servers and forged announcements are passed over.
		from := netip.MustParseAddrPort("192.0.2.1:16989")
		asking.in <- fakePacket{data: string(DiscoveryAnswer{ServerID: other, URL: "wss://%s:1/agent.ashx"}.AppendTo(nil)), addr: from}
		asking.in <- fakePacket{data: string(DiscoveryAnswer{ServerID: id, URL: "http://%s:1/agent.ashx"}.AppendTo(nil)), addr: from}
		listening.in <- fakePacket{data: string(DiscoveryAnswer{ServerID: id, URL: "wss://%s:1/agent.ashx"}.AppendTo(nil)), addr: from}
		require.Equal(t, result{"wss://192.0.2.1:1/agent.ashx", nil}, <-results)
		require.True(t, asking.isClosed() && listening.isClosed())
	})
}

func TestDiscoverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeUDP()
		cfg := DiscoverConfig{ServerID: testServerID(t), Sockets: func() ([]DiscoverySocket, error) { return []DiscoverySocket{{Conn: c}}, nil }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := Discover(ctx, cfg)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, ErrDiscovery)
		require.True(t, c.isClosed())

		cfg.Sockets = func() ([]DiscoverySocket, error) { return nil, io.ErrClosedPipe }
		_, err = Discover(ctx, cfg)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		_, err = Discover(ctx, DiscoverConfig{})
		require.ErrorIs(t, err, ErrDiscovery)
	})
}

func TestDiscoveryOnLoopback(t *testing.T) {
	for name, key := range map[string]*DiscoveryKey{"plain": nil, "encrypted": NewDiscoveryKey("LAN key")} {
		t.Run(name, func(t *testing.T) {
			server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			require.NoError(t, err)
			testDiscovery(t, key, server, func() (DiscoverySocket, error) {
				c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				return DiscoverySocket{Conn: c, Targets: []net.Addr{server.LocalAddr()}}, err
			})
		})
	}
}

func TestDiscoveryByMulticastOnLoopback(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip("no interface lo: ", err)
	}
	v4, _ := DiscoveryGroups()
	group := net.IP(v4.AsSlice())
	server, err := net.ListenMulticastUDP("udp4", lo, &net.UDPAddr{IP: group})
	if err != nil {
		t.Skip("no multicast on lo: ", err)
	}
	port := server.LocalAddr().(*net.UDPAddr).Port
	testDiscovery(t, nil, server, func() (DiscoverySocket, error) {
		c, err := net.ListenMulticastUDP("udp4", lo, &net.UDPAddr{IP: group})
		return DiscoverySocket{Conn: c, Targets: []net.Addr{&net.UDPAddr{IP: group, Port: port}}}, err
	})
}

// testDiscovery lets an agent find a server that listens on a real socket.
func testDiscovery(t *testing.T, key *DiscoveryKey, server *net.UDPConn, agent func() (DiscoverySocket, error)) {
	t.Helper()
	r := newTestResponder(t, ResponderConfig{Key: key})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	served := make(chan struct{})
	go func() {
		defer close(served)
		r.Serve(ctx, DiscoverySocket{Conn: server})
	}()
	url, err := Discover(ctx, DiscoverConfig{ServerID: testServerID(t), Key: key, Retry: 50 * time.Millisecond,
		Sockets: func() ([]DiscoverySocket, error) {
			s, err := agent()
			return []DiscoverySocket{s}, err
		}})
	cancel()
	<-served
	require.NoError(t, err)
	require.Regexp(t, `^wss://[0-9.]+:4430/agent\.ashx$`, url)
}
