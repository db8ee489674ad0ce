package apf

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// SendControl sends a JSON message. It waits while too much waits to be sent, and fails on connections with firmware, which
// does not bear it.
func (c *Conn) SendControl(ctx context.Context, j JSONControl) error {
	return c.sendMessage(ctx, j, len(j.text), func() error {
		l := c.dev != nil && c.dev.cfg.ConnType == ConnCIRA || c.srv != nil && c.srv.login.ConnType == ConnCIRA
		switch {
		case l:
			return errors.New("firmware does not know it")
		case len(j.text) == 0:
			return errors.New("no action") // stock ends would read nothing more
		}
		return nil
	})
}

// SendUDP sends a datagram, from the device's end.
func (c *Conn) SendUDP(ctx context.Context, m *UDPSendTo) error {
	d := *m
	d.WantReply = false // or the answers could not be told apart
	return c.sendMessage(ctx, d, len(d.Data), func() error {
		switch {
		case c.dev == nil:
			return errors.New("only devices send it")
		case len(d.Data) > c.limits.UDP || len(d.Address) > maxAddress || len(d.Originator) > maxAddress:
			return ErrLimit
		}
		return nil
	})
}

// Forward offers another port, from the device's end, once Ready was called, or with cancel takes one back. It does not wait
// for the answer: see Ports.
func (c *Conn) Forward(ctx context.Context, port uint16, cancel bool) error {
	return c.sendWith(ctx, 32, func() error {
		if c.dev == nil {
			return errors.New("apf: forward: only devices do")
		}
		return c.dev.Forward(port, cancel, c.out.add)
	})
}

// sendMessage sends a message that may be sent after the login.
func (c *Conn) sendMessage(ctx context.Context, m Message, size int, check func() error) error {
	return c.sendWith(ctx, size, func() error {
		err := check()
		if err == nil && !(c.srv != nil && c.srv.step == stepOpen || c.dev != nil && c.dev.accepted.forward) {
			err = errors.New("not logged in")
		}
		if err != nil {
			return fmt.Errorf("apf: %v: %w", m.Type(), err)
		}
		c.out.add(m)
		return nil
	})
}

// sendWith waits for room and calls f with the lock held.
func (c *Conn) sendWith(ctx context.Context, size int, f func() error) error {
	c.mu.Lock()
	defer c.unlock()
	for c.err == nil && ctx.Err() == nil && len(c.out.buf) > 0 && len(c.out.buf)+size > c.limits.QueueBytes/2 {
		if c.room == nil {
			c.room = sync.NewCond(&c.mu)
		}
		stop := context.AfterFunc(ctx, func() {
			c.mu.Lock()
			c.room.Broadcast()
			c.mu.Unlock()
		})
		c.settle()
		c.room.Wait()
		stop()
	}
	if c.err != nil {
		return c.err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return f()
}
