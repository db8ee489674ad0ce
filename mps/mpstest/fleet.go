package mpstest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// defaultCalls is how many devices of a fleet call at once.
const defaultCalls = 64

// Fleet is many devices, each one of its own.
type Fleet []*Device

// FleetConfig is what a fleet is made with.
type FleetConfig struct {
	// Config is that of each device; the identifiers count up from its UUID.
	Config
	// N is how many devices there are.
	N int
	// Calls is how many of them connect and log in at once; the others wait for their turn. Default 64; below zero is all.
	Calls int
	// Each changes the configuration of device i, counted from zero: its password, its certificate. Nil changes nothing.
	Each func(i int, c *Config) error
}

// NewFleet makes devices. They do not call before Start or Login.
func NewFleet(cfg FleetConfig) (Fleet, error) {
	def(&cfg.Calls, defaultCalls)
	if cfg.Calls > 0 {
		cfg.Config.calls = make(chan struct{}, cfg.Calls)
	}
	f := make(Fleet, cfg.N)
	first := cfg.UUID
	for i := range f {
		own := cfg.Config
		own.UUID = Add(first, uint64(i))
		if cfg.Each != nil {
			if err := cfg.Each(i, &own); err != nil {
				return nil, fmt.Errorf("mpstest: device %d of %d: %w", i, cfg.N, err)
			}
		}
		var err error
		if f[i], err = NewDevice(own); err != nil {
			return nil, fmt.Errorf("%w (device %d of %d)", err, i, cfg.N)
		}
	}
	return f, nil
}

// Login logs all devices in, so many at once, and returns the first error, after which no more are begun.
func (f Fleet) Login(ctx context.Context, atOnce int) error {
	return each(len(f), atOnce, func(i int) error {
		if _, err := f[i].Login(ctx); err != nil {
			return fmt.Errorf("device %d of %d: %w", i, len(f), err)
		}
		return nil
	})
}

// Start lets all devices call, and call again, until they are closed.
func (f Fleet) Start() {
	for _, d := range f {
		d.Start()
	}
}

// WaitOnline waits until every device has been seen online.
func (f Fleet) WaitOnline(ctx context.Context) error {
	for i, d := range f {
		if _, err := d.WaitOnline(ctx); err != nil {
			return fmt.Errorf("device %d of %d: %w", i, len(f), err)
		}
	}
	return nil
}

// Online returns how many devices are online.
func (f Fleet) Online() int {
	n := 0
	for _, d := range f {
		if d.State() == StateOnline {
			n++
		}
	}
	return n
}

// Close closes all devices.
func (f Fleet) Close() {
	for _, d := range f { // all are told before one is waited for
		d.cancel(ErrClosed)
	}
	for _, d := range f {
		d.Close()
	}
}

// Wait waits until the devices that were started have ended: they were closed, or a server has dismissed them.
func (f Fleet) Wait() {
	for _, d := range f {
		d.wg.Wait()
	}
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
