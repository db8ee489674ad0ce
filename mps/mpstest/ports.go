package mpstest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/meshcentral-go/sdk/apf"
)

// ports are those of a device, and what its server knows of them.
type ports struct {
	mu       sync.Mutex
	handlers map[uint16]Handler
	order    []uint16  // in which they are forwarded
	conn     *apf.Conn // online, or nil
	told     []uint16  // that the server was asked to forward, and not to forget
}

// begin returns the ports to log in with.
func (p *ports) begin() []uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn, p.told = nil, p.order
	return p.order
}

// ready says that the login is done. The ports may have changed meanwhile.
func (p *ports) ready(ctx context.Context, c *apf.Conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = c
	return p.tell(ctx)
}

// end says that the connection is no more.
func (p *ports) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = nil
}

func (p *ports) handler(port uint16) Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handlers[port]
}

// tell tells the server what has changed. The lock is held.
func (p *ports) tell(ctx context.Context) error {
	change := func(these, less []uint16, cancel bool) error {
		for _, port := range these {
			if slices.Contains(less, port) {
				continue
			}
			if err := p.conn.Forward(ctx, port, cancel); err != nil {
				return fmt.Errorf("mpstest: port %d: %w", port, err)
			}
		}
		return nil
	}
	if err := change(p.told, p.order, true); err != nil {
		return err
	}
	if err := change(p.order, p.told, false); err != nil {
		return err
	}
	p.told = p.order
	return nil
}

// SetPorts replaces the ports and what is behind them. A server to which the device is connected is told, as firmware does
// when its TLS settings change; connections that are open stay.
func (d *Device) SetPorts(ctx context.Context, handlers map[uint16]Handler) error {
	changed := Config{ConnType: d.cfg.ConnType, Ports: maps.Clone(handlers)}
	if err := changed.checkPorts(); err != nil {
		return err
	}
	d.ports.mu.Lock()
	defer d.ports.mu.Unlock()
	d.ports.handlers, d.ports.order = changed.Ports, changed.ports()
	if d.ports.conn == nil {
		return nil
	}
	return d.ports.tell(ctx)
}
