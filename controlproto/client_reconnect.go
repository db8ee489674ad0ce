package controlproto

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	defaultMinBackoff = 500 * time.Millisecond
	defaultMaxBackoff = 2 * time.Minute
	// settled is how long a connection must have lasted to begin the waits anew.
	settled = 30 * time.Second
)

// run serves the connection, and if asked to those after it, until the client ends.
func (c *Client) run(l *clientLink) {
	var last time.Duration // the wait before
	for {
		begun := time.Now()
		err := l.serve()
		if c.trace.Disconnected != nil {
			c.trace.Disconnected(err)
		}
		if c.ctx.Err() != nil {
			return
		}
		c.log.Warn("connection lost", "server", c.addr.host(), "reason", err)
		if !c.cfg.Reconnect || isFinal(err) {
			c.shut(&joined{ErrDisconnected, err})
			return
		}
		c.setLink(nil)
		if time.Since(begun) >= settled {
			last = 0
		}
		if l = c.again(&last); l == nil {
			return
		}
		c.setLink(l)
		c.reconnected()
	}
}

// again makes the next connection. It returns nil if the client has ended, or ends it as the server refuses it.
func (c *Client) again(last *time.Duration) *clientLink {
	for {
		*last = nextWait(*last, c.cfg.MinBackoff, c.cfg.MaxBackoff)
		if c.trace.Waiting != nil {
			c.trace.Waiting(*last)
		}
		timer := time.NewTimer(*last)
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
			return nil
		}
		l, err := c.connect(c.ctx)
		switch {
		case err == nil && c.ctx.Err() != nil:
			l.conn.Close(0, "")
			return nil
		case err == nil:
			return l
		case c.ctx.Err() != nil:
			return nil
		case isFinal(err):
			c.log.Error("not connecting again", "server", c.addr.host(), "reason", err)
			c.shut(err)
			return nil
		}
		c.log.Warn("not connected", "server", c.addr.host(), "reason", err)
	}
}

// isFinal tells whether it makes no sense to try again: the server does not want these credentials.
func isFinal(err error) bool {
	var ce *CloseError
	return errors.Is(err, ErrTokenRequired) || errors.Is(err, ErrServerAuth) || errors.As(err, &ce) && ce.final()
}

// nextWait is a random time of up to twice the last, so that clients do not all come back at the same moment.
func nextWait(last, low, high time.Duration) time.Duration {
	if last == 0 {
		return between(low, 2*low)
	}
	if last *= 2; last > high {
		return between(high/2, high)
	}
	return between(last/2, last)
}

// between returns a random time in [low, high).
func between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + rand.N(high-low) //nolint:gosec // spreads load, keeps no secret
}
