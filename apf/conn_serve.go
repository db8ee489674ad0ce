package apf

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// accepter returns what serves channels that the peer opens, or nil.
func (c *Conn) accepter() func(context.Context, *OpenRequest) (func(net.Conn), error) {
	switch {
	case c.server != nil:
		return c.server.Accept
	case c.device.Accept != nil:
		return c.device.Accept
	case c.device.Dial != nil:
		return c.dialOut
	}
	return nil
}

// dialOut serves a channel with what DeviceConfig.Dial connects to.
func (c *Conn) dialOut(ctx context.Context, r *OpenRequest) (func(net.Conn), error) {
	out, err := c.device.Dial(ctx, r)
	if err != nil {
		return nil, err
	}
	return func(ch net.Conn) {
		// Or a service that does not take what it is sent would outlive the connection.
		stop := context.AfterFunc(ctx, func() { out.Close() })
		defer stop()
		splice(ch, out)
	}, nil
}

// splice copies both ways until one end is closed, and closes the other.
func splice(a net.Conn, b io.ReadWriteCloser) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(a, b) // whichever end fails, both are closed
		a.Close()
	}()
	_, _ = io.Copy(b, a)
	b.Close()
	<-done
}

// onOpen handles a channel that the peer opens.
func (c *Conn) onOpen(o *ChannelOpen, _ time.Time) {
	kind := ChannelDirect
	if c.device != nil {
		kind = ChannelForwarded
	}
	accept := c.accepter()
	switch {
	case string(o.ChannelType) != kind, accept == nil:
		c.mux.RefuseOpen(o.Sender, OpenUnknownType)
		return
	case c.device == nil:
	case c.device.Firmware.MuteOpens:
		return
	case c.refused < c.device.Firmware.RefuseOpens:
		c.refused++
		c.mux.RefuseOpen(o.Sender, c.device.Firmware.RefuseReason)
		return
	case o.Port > 0xFFFF || !contains(c.dev.ports, uint16(o.Port)):
		c.mux.RefuseOpen(o.Sender, OpenProhibited)
		return
	}
	ch := newChannel(c)
	if !c.mux.Incoming(&ch.mc, o) {
		return
	}
	c.wg.Add(1)
	go c.serve(ch, accept)
}

// serve serves a channel that the peer opens.
func (c *Conn) serve(ch *Channel, accept func(context.Context, *OpenRequest) (func(net.Conn), error)) {
	defer c.wg.Done()
	req := ch.Request()
	f, err := accept(c.ctx, &req)
	c.mu.Lock()
	if err != nil || f == nil {
		reason := OpenConnectFailed
		var o *OpenError
		if errors.As(err, &o) && o.Reason != 0 {
			reason = o.Reason
		}
		c.mux.Refuse(&ch.mc, reason, time.Now())
		c.unlock()
		return
	}
	if c.mux.Accept(&ch.mc) {
		ch.opened()
	} else { // too late: f finds out when it reads, and frees what it has
		ch.mc.state, ch.mc.err = chanEnded, c.err
		c.mux.places(&ch.mc, false, false)
	}
	c.unlock()
	f(ch)
	ch.Close()
}
