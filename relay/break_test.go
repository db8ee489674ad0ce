//go:build !js

package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Tunnels are opened and broken at random points by either side, or by the server: both ends learn of it within five
// seconds, and nothing is left behind.
func TestTunnelsBreak(t *testing.T) {
	const tunnels = 200
	s := newTestServer(t, Config{Limits: Limits{Wait: 2 * time.Second}}, true)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 20)
	for i := range tunnels {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			breakTunnel(t, s, rand.New(rand.NewPCG(7, uint64(i))))
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx))
	require.Empty(t, s.tunnels)
	require.Empty(t, s.waiting)
	require.Empty(t, s.rv.ends)
	require.Empty(t, s.rv.tunnels)
}

// breakTunnel opens a tunnel, lets both ends send, and breaks it somewhere.
func breakTunnel(t *testing.T, s *testServer, rng *rand.Rand) {
	id := NewID()
	fail := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	fail(s.Announce(TunnelRequest{ID: id, User: testUser, Node: testNode}))
	dial := func(query string) *msgconn.WebSocket {
		c, err := msgconn.Dial(t.Context(), s.url+query, msgconn.DialOptions{ReadLimit: 1 << 20, TLSConfig: insecureTLS()})
		fail(err)
		return c
	}
	operator := dial(fmt.Sprintf("browser=1&p=2&nodeid=%s&id=%s&auth=%s", testNode, id, testUser))
	if rng.IntN(10) == 0 { // before the device came
		operator.Close(0, "")
		operator = nil
	}
	agent := dial(fmt.Sprintf("nodeid=%s&id=%s&rauth=%s", testNode, id, testUser))
	ends := []*msgconn.WebSocket{agent}
	if operator != nil {
		ends = append(ends, operator)
	}
	var wg sync.WaitGroup
	broken := make(chan struct{})
	size := []int{1, 100, 5000, 70000}[rng.IntN(4)]
	for _, c := range ends {
		wg.Go(func() { // sends until it cannot
			p := make([]byte, size)
			for c.WriteMessage(t.Context(), Binary, p) == nil {
				runtime.Gosched()
			}
		})
		wg.Go(func() { // and must learn of the end
			for {
				if _, _, err := c.ReadMessage(t.Context()); err != nil {
					break
				}
			}
			select {
			case <-broken:
			case <-time.After(5 * time.Second):
				t.Error("an end has ended before anything broke")
			}
			c.Close(0, "")
		})
	}
	pause := time.NewTimer(time.Duration(rng.IntN(30)) * time.Millisecond)
	<-pause.C
	start := time.Now()
	close(broken)
	switch c := ends[rng.IntN(len(ends))]; rng.IntN(3) {
	case 0:
		c.Close(0, "") // cut
	case 1:
		c.Close(msgconn.CloseNormal, "bye")
	case 2:
		s.End(ErrExpired, func(p *Pair) bool { return p.ID == id })
		if operator == nil {
			c.Close(0, "")
		}
	}
	wg.Wait()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("an end learned of it after %v", took)
	}
}

// A viewer that stops reading costs the relay little memory, however much waits for it.
func TestStalledViewerMemory(t *testing.T) {
	const viewers = 20
	s := newTestServer(t, Config{}, true)
	memory := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	type ends struct{ operator, agent *msgconn.WebSocket }
	var all []ends
	for range viewers {
		operator, agent := s.pair(t, ProtocolDesktop)
		all = append(all, ends{operator, agent})
	}
	before := memory()
	p := make([]byte, 200_000) // and in several frames each
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, e := range all {
		wg.Go(func() {
			for e.agent.WriteMessage(ctx, Binary, p) == nil {
			}
		})
	}
	wg.Wait()
	after := memory()
	each := (int64(after) - int64(before)) / viewers
	t.Logf("%d KiB each, with the buffers of the peers' TLS", each>>10)
	require.Less(t, each, int64(1<<20))
}
