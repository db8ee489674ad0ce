package mpstest

import (
	"context"
	"encoding/json"
	"net"
	"sync"

	"github.com/meshcentral-go/sdk/apf"
)

// opens counts the channels that a device was asked for, of all its sessions.
type opens struct {
	mu sync.Mutex
	n  int
}

// next says what becomes of the next channel.
func (o *opens) next(q *Quirks) (refuse, silent bool) {
	every := func(n int) bool { return n > 0 && o.n%n == 0 }
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
	return every(q.RefuseEvery), every(q.SilentEvery)
}

// accept decides on a channel that the server opens, and returns what serves it.
func (d *Device) accept(ctx context.Context, req *apf.OpenRequest) (func(net.Conn), error) {
	refuse, silent := d.opens.next(&d.cfg.Quirks)
	switch {
	case silent:
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case refuse:
		return nil, &apf.OpenError{Port: req.Port, Reason: apf.OpenConnectFailed}
	}
	if h := d.ports.handler(req.Port); h != nil {
		return h, nil
	}
	return nil, &apf.OpenError{Port: req.Port, Reason: apf.OpenProhibited}
}

// control does what MeshCentral's agents do with JSON control messages.
func (d *Device) control(c *apf.Conn, j apf.JSONControl) {
	switch j.Action() {
	case apf.ActionMEState:
		state := d.cfg.MEIState.Reveal()
		if state == "" {
			return
		}
		m, err := apf.ControlValue(apf.ActionMEIState, json.RawMessage(state))
		if err == nil {
			// From a goroutine of its own: the connection reads nothing until this function returns.
			d.background(func() { _ = c.SendControl(d.ctx, m) })
		}
	case apf.ActionClose:
		d.mu.Lock()
		d.dismissed = true
		d.mu.Unlock()
		d.background(func() { c.Close() })
	}
}
