package apf

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// burstSize is what is read into while much comes.
	burstSize = 32 << 10
	// burstTime is how long that memory is held after the last of it.
	burstTime = time.Second
	// maxLater is how many hooks may be due until they are called, within what was read at once.
	maxLater = 64
)

var burstBuffers = sync.Pool{New: func() any { return new([burstSize]byte) }}

// read reads until the connection ends, and returns why it does.
func (c *Conn) read() error {
	if l, ok := c.s.(lender); ok {
		for {
			b, err := l.lend()
			if err == nil {
				err = c.feed(b)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) { // of writing: there is none of reading
				return ErrSlow
			}
			if err != nil {
				return c.readError(err)
			}
		}
	}
	for {
		n, err := c.s.Read(c.small[:])
		if fed := c.feed(c.small[:n]); fed != nil {
			return fed
		}
		if err == nil && n == len(c.small) {
			err = c.burst()
		}
		if err != nil {
			return c.readError(err)
		}
	}
}

// burst reads with a large buffer until nothing comes any more.
func (c *Conn) burst() error {
	buf := burstBuffers.Get().(*[burstSize]byte)
	defer burstBuffers.Put(buf)
	limited := c.s.SetReadDeadline(time.Now().Add(burstTime)) == nil
	for came := false; ; {
		n, err := c.s.Read(buf[:])
		if fed := c.feed(buf[:n]); fed != nil {
			return fed
		}
		came = came || n > 0
		switch {
		case err == nil && limited:
		case err == nil:
			return nil // a second read might wait for ever, and hold the buffer
		case limited && errors.Is(err, os.ErrDeadlineExceeded):
			var until time.Time
			if came {
				until = time.Now().Add(burstTime)
			}
			if err := c.s.SetReadDeadline(until); err != nil || !came {
				return err
			}
			came = false
		default:
			return err
		}
	}
}

// readError says why the connection has ended when nothing can be read any more.
func (c *Conn) readError(err error) error {
	c.mu.Lock()
	defer c.unlock()
	if c.err != nil {
		return c.err
	}
	if m, end := c.parser.EOF(); m != nil {
		if err := c.handle(m, time.Now()); err != nil {
			return err
		}
	} else if end != nil && errors.Is(err, io.EOF) {
		err = end
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) { // this side would have told that it closed
		return ErrGone
	}
	return fmt.Errorf("read: %w", err)
}

// feed handles what was read.
func (c *Conn) feed(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.unlock()
	c.stats.LastRead = now
	c.stats.BytesIn += uint64(len(b))
	for c.err == nil && len(b) > 0 {
		m, n, err := c.parser.Next(b)
		if b = b[n:]; err == nil && m != nil {
			c.stats.MessagesIn++
			err = c.handle(m, now)
		}
		if err != nil {
			c.fail(err)
		}
		if len(c.later) > maxLater {
			c.unlocked(func() {})
		}
	}
	c.parser.Forget()
	if len(c.out.buf) > c.limits.QueueBytes && c.writing {
		c.fail(ErrSlow)
	}
	return c.err
}

// handle handles a message. The lock is held, and given up while hooks run.
func (c *Conn) handle(m Message, now time.Time) error {
	if c.srv != nil {
		return c.handleServer(m, now)
	}
	return c.handleDevice(m, now)
}

func (c *Conn) handleServer(m Message, now time.Time) (err error) {
	if d, ok := m.(*ChannelData); ok && c.srv.step == stepOpen { // the most frequent one
		c.mux.handleData(d, now)
		return nil
	}
	var ev Event
	before := len(c.out.buf)
	c.out.buf, ev, err = c.srv.Handle(c.out.buf, m, now)
	if len(c.out.buf) > before {
		c.out.end()
	}
	if err != nil {
		return err
	}
	switch ev {
	case EventChannel:
		c.mux.Handle(m, now)
	case EventLogin:
		return c.authenticate()
	case EventForwarding:
		c.forwarding(now)
	case EventPorts:
		c.portsChanged(now)
	case EventOptions:
		if o, ok := m.(*KeepAliveOptionsReply); ok && c.clock.asked {
			c.clock.asked = false
			c.agreed(o.Interval)
		}
	case EventReply:
		if r, ok := m.(*KeepAliveReply); ok {
			c.probeAnswered(r, now)
		}
	case EventControl:
		if j, ok := m.(*JSONControl); ok && c.server.Control != nil {
			control := j.clone()
			c.unlocked(func() { c.server.Control(c, control) })
		}
	case EventUDP:
		if u, ok := m.(*UDPSendTo); ok && c.server.UDP != nil {
			c.unlocked(func() { c.server.UDP(c, u) })
		}
	case EventNone, EventLoggedIn, EventReady:
	}
	return nil
}

// unlocked runs a hook without the lock, and before anything else of the connection is looked at.
func (c *Conn) unlocked(f func()) {
	defer c.mu.Lock()
	c.unlock()
	f()
}

// forwarding waits for the first port.
func (c *Conn) forwarding(now time.Time) {
	c.clock.ready, c.clock.changed = now.Add(10*c.clock.forwardTime), true
}

// portsChanged waits for the next port, or does not if there is none.
func (c *Conn) portsChanged(now time.Time) {
	t := &c.clock
	if t.isReady {
		if f := c.server.PortsChanged; f != nil {
			c.unlocked(func() { f(c) })
		}
		return
	}
	if t.ready, t.changed = now.Add(t.forwardTime), true; c.srv.complete() {
		t.ready = now
	}
}

// authenticate has the login decided.
func (c *Conn) authenticate() error {
	login, took := c.srv.Login(), time.Time{}
	err := errors.New("nobody may log in")
	if check := c.server.Authenticate; check != nil {
		c.unlocked(func() { err = check(c.ctx, &login) })
	}
	if c.err != nil {
		return c.err
	}
	before := len(c.out.buf)
	if err != nil {
		if c.out.buf = c.srv.Refuse(c.out.buf); len(c.out.buf) > before {
			c.out.end()
		}
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	took = time.Now()
	var ev Event
	if c.out.buf, ev = c.srv.Accept(c.out.buf); len(c.out.buf) > before {
		c.out.end()
	}
	c.parser.LoggedIn()
	if l, ok := c.s.(limiter); ok {
		l.limit(c.limits.message())
	}
	c.clock.login, c.clock.changed = time.Time{}, true
	if ev == EventForwarding {
		c.forwarding(took)
	}
	held := c.srv.Held()
	c.loggedIn(took)
	if c.server.Control != nil {
		for _, j := range held {
			c.unlocked(func() { c.server.Control(c, j) })
		}
	}
	return nil
}

func (c *Conn) loggedIn(now time.Time) {
	if f := c.trace.LoggedIn; f != nil {
		took := now.Sub(c.stats.Connected)
		c.hook(func() { f(c, took) })
	}
}

func (c *Conn) handleDevice(m Message, now time.Time) error {
	if d, ok := m.(*ChannelData); ok && c.dev.accepted.forward {
		c.mux.handleData(d, now)
		return nil
	}
	ev, err := c.dev.Handle(m, now, c.out.add)
	if err != nil {
		return err
	}
	if c.dev.accepted.login && !c.clock.login.IsZero() {
		c.parser.LoggedIn()
		c.clock.login, c.clock.changed = time.Time{}, true
		c.loggedIn(now)
	}
	switch ev {
	case EventChannel:
		c.mux.Handle(m, now)
	case EventReady:
		c.clock.ready, c.clock.changed = now, true // by the timer, whose goroutine hooks may hold up
	case EventOptions:
		if o, ok := m.(*KeepAliveOptionsRequest); ok {
			c.agreed(o.Interval)
		}
	case EventReply:
		if r, ok := m.(*KeepAliveReply); ok {
			c.probeAnswered(r, now)
		}
	case EventControl:
		if j, ok := m.(*JSONControl); ok && c.device.Control != nil {
			control := j.clone()
			c.unlocked(func() { c.device.Control(c, control) })
		}
	case EventNone, EventLogin, EventLoggedIn, EventForwarding, EventPorts, EventUDP:
	}
	return nil
}
