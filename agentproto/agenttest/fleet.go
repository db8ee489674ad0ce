package agenttest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/meshcentral-go/sdk/agentproto"
)

// Fleet is many agents, each a device of its own.
type Fleet []*Agent

// NewFleet makes n agents for a server, numbered from [Number] on.
func NewFleet(n int, server agentproto.ServerAddress, opts ...AgentOption) Fleet {
	var o agentOptions
	for _, opt := range opts {
		opt.applyAgent(&o)
	}
	end := o.end
	o.end = nil // not one by one
	f := make(Fleet, n)
	_ = each(n, runtime.GOMAXPROCS(0), func(i int) error {
		own := o
		own.number += i
		f[i] = newAgent(server, own)
		return nil
	})
	if end != nil {
		end(f.Close)
	}
	return f
}

// Login logs all agents in, so many at once, and returns the first error, after which no more are begun. Like [Agent.Login]
// it waits for the [Server] of a fleet that has one.
func (f Fleet) Login(ctx context.Context, atOnce int) error {
	return each(len(f), atOnce, func(i int) error {
		if _, err := f[i].Login(ctx); err != nil {
			return fmt.Errorf("agenttest: agent %d of %d: %w", i, len(f), err)
		}
		return nil
	})
}

// Start lets all agents log in, all at once, and stay logged in until they are closed.
func (f Fleet) Start() {
	for _, a := range f {
		a.Start()
	}
}

// WaitOnline waits until every agent has been seen logged in, by the [Server] of a fleet that has one too.
func (f Fleet) WaitOnline(ctx context.Context) error {
	for i, a := range f {
		if _, err := a.WaitOnline(ctx); err != nil {
			return fmt.Errorf("agenttest: agent %d of %d: %w", i, len(f), err)
		}
	}
	return nil
}

// Close closes all agents.
func (f Fleet) Close() {
	_ = each(len(f), len(f), func(i int) error {
		f[i].Close()
		return nil
	})
}

// each calls do for 0 to n-1 in so many goroutines, until one fails.
func each(n, atOnce int, do func(i int) error) error {
	var next atomic.Int64
	var once sync.Once
	var first error
	var wg sync.WaitGroup
	for range min(max(atOnce, 1), n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}
