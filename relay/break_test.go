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

// Tunnels are opened and broken at random points by either side, or by the server: both ends learn of it, without one of the
// relay's time limits running out, and nothing is left behind.
func TestTunnelsBreak(t *testing.T) {
	const tunnels = 200
	const never = time.Hour
	s := newTestServer(t, Config{Limits: Limits{Wait: never, RequestAge: never}, FlushTime: never}, true)
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
	if err := s.Announce(TunnelRequest{ID: id, User: testUser, Node: testNode}); err != nil {
		t.Error(err)
		return
	}
	dial := func(query string) *msgconn.WebSocket {
		c, err := msgconn.Dial(t.Context(), s.url+query, msgconn.DialOptions{ReadLimit: 1 << 20, TLSConfig: insecureTLS()})
		if err != nil {
			t.Error(err)
		}
		return c
	}
	operator := dial(fmt.Sprintf("browser=1&p=2&nodeid=%s&id=%s&auth=%s", testNode, id, testUser))
	if operator == nil {
		return
	}
	defer operator.Close(0, "")
	alone := rng.IntN(10) == 0
	if alone { // before the device came
		operator.Close(0, "")
	}
	agent := dial(fmt.Sprintf("nodeid=%s&id=%s&rauth=%s", testNode, id, testUser))
	if agent == nil {
		return
	}
	defer agent.Close(0, "")
	ends := []*msgconn.WebSocket{agent}
	if !alone {
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
			var err error
			for err == nil {
				_, _, err = c.ReadMessage(t.Context())
			}
			select {
			case <-broken:
			default:
				if !alone { // nothing ends an end but what is done below
					t.Errorf("an end has ended before anything broke: %v", err)
				}
			}
			c.Close(0, "")
		})
	}
	pause := time.NewTimer(time.Duration(rng.IntN(30)) * time.Millisecond)
	<-pause.C
	close(broken)
	hangs := time.AfterFunc(patience, func() {
		t.Error("an end does not learn of it")
		s.Close()
	})
	defer hangs.Stop()
	switch c := ends[rng.IntN(len(ends))]; rng.IntN(3) {
	case 0:
		c.Close(0, "") // cut
	case 1:
		c.Close(msgconn.CloseNormal, "bye")
	case 2:
		s.End(ErrExpired, func(p *Pair) bool { return p.ID == id })
		if alone {
			c.Close(0, "")
		}
	}
	wg.Wait()
}

// BenchmarkStalledViewers is the memory that a viewer costs who does not read, however much waits for it, the buffers of
// the peers' TLS included. What a relay holds of the messages is counted in TestStalledViewerMinute.
func BenchmarkStalledViewers(b *testing.B) {
	const viewers = 20
	memory := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	for b.Loop() {
		s := newTestServer(b, Config{}, true)
		agents := make([]*msgconn.WebSocket, viewers)
		for i := range agents {
			_, agents[i] = s.pair(b, ProtocolDesktop)
		}
		before := memory()
		p := make([]byte, 200_000) // and in several frames each
		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
		var wg sync.WaitGroup
		for _, agent := range agents {
			wg.Go(func() {
				for agent.WriteMessage(ctx, Binary, p) == nil {
				}
			})
		}
		wg.Wait()
		cancel()
		b.ReportMetric((float64(memory())-float64(before))/viewers/1024, "KiB/viewer")
	}
}
