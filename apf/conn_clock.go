package apf

import "time"

// connClock is what a connection does at certain times, with one timer for all. It is guarded by Conn.mu.
type connClock struct {
	loginTime, idleTime, forwardTime time.Duration
	interval                         time.Duration // of the device's keep-alives; negative is none

	timer   *time.Timer
	armed   time.Time // when the timer runs; zero if it does not
	changed bool

	login   time.Time // when the login must be over; zero once it is
	ready   time.Time // when the ports are taken for complete
	isReady bool
	alive   time.Time // when the device sends its next keep-alive

	asked   bool // for another interval, and not answered
	bears   bool // the device answers probes
	cookie  uint32
	probing bool
	probed  time.Time // the last probe
}

func (t *connClock) start(c *Conn, now time.Time) {
	t.login = now.Add(t.loginTime)
	t.timer = time.AfterFunc(t.loginTime, c.tick)
	t.armed = t.login
	t.changed = true
}

func (t *connClock) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// next returns when something is to be done.
func (t *connClock) next(c *Conn) time.Time {
	at := earlier(t.login, c.mux.Next())
	if !t.isReady {
		at = earlier(at, t.ready)
	}
	at = earlier(at, t.alive)
	at = earlier(at, c.stats.LastRead.Add(t.idleTime))
	return earlier(at, t.nextProbe(c))
}

// nextProbe returns when the server asks whether the device is there, or zero.
func (t *connClock) nextProbe(c *Conn) time.Time {
	if c.server == nil || !t.bears || c.server.KeepAlive.Probe < 0 {
		return time.Time{}
	}
	silence := c.server.KeepAlive.Probe
	def(&silence, 45*time.Second)
	last := c.stats.LastRead
	if t.probed.After(last) {
		last = t.probed
	}
	return last.Add(silence)
}

// arm sets the timer, if it would run too late. If it would run too early it does, and is set again: reading moves most
// times, and that shall cost nothing.
func (t *connClock) arm(c *Conn) {
	if t.changed = false; t.timer == nil || c.err != nil {
		return
	}
	at := t.next(c)
	if at.IsZero() || !t.armed.IsZero() && !at.Before(t.armed) {
		return
	}
	t.armed = at
	t.timer.Reset(time.Until(at))
}

// tick is run by the timer.
func (c *Conn) tick() {
	c.mu.Lock()
	if c.over || c.err != nil {
		c.mu.Unlock()
		return
	}
	c.wg.Add(1)
	defer c.wg.Done()
	now := time.Now()
	t := &c.clock
	t.armed, t.changed = time.Time{}, true
	ready := func(*Conn) {}
	switch {
	case !t.login.IsZero() && !t.login.After(now):
		c.fail(ErrLoginTime)
	case !c.stats.LastRead.Add(t.idleTime).After(now):
		c.fail(ErrIdle)
	default:
		c.mux.Tick(now)
		c.keepAlive(now)
		if !t.isReady && !t.ready.IsZero() && !t.ready.After(now) {
			if f := c.becomeReady(); f != nil {
				ready = f
			}
		}
	}
	c.unlock()
	ready(c)
}

// keepAlive sends the keep-alives that are due.
func (c *Conn) keepAlive(now time.Time) {
	t := &c.clock
	if at := t.nextProbe(c); !at.IsZero() && !at.After(now) {
		c.probe(now)
	}
	if !t.alive.IsZero() && !t.alive.After(now) {
		t.alive = now.Add(t.interval)
		c.probe(now)
	}
}

func (c *Conn) probe(now time.Time) {
	t := &c.clock
	t.cookie++
	t.probing, t.probed = true, now
	c.out.buf = KeepAliveRequest{t.cookie}.Append(c.out.buf)
	c.out.end()
}

// probeAnswered handles the answer to a probe.
func (c *Conn) probeAnswered(m *KeepAliveReply, now time.Time) {
	t := &c.clock
	if !t.probing || m.Cookie != t.cookie {
		return
	}
	t.probing = false
	c.stats.RoundTrip = now.Sub(t.probed)
	if f := c.trace.Probed; f != nil {
		took := c.stats.RoundTrip
		c.hook(func() { f(c, took) })
	}
}

// agreed takes over an interval of keep-alives, in seconds, that both sides have agreed on.
func (c *Conn) agreed(seconds uint32) {
	t := &c.clock
	interval := time.Duration(min(seconds, 3600)) * time.Second
	t.idleTime = max(t.idleTime, 3*interval)
	t.changed = true
	if c.server != nil {
		t.bears = true
	} else if interval > 0 && t.interval > 0 {
		if t.interval = interval; !t.alive.IsZero() { // else becomeReady starts it
			t.alive = time.Now().Add(interval)
		}
	}
}

// becomeReady is called when the ports are complete. It returns the user's function to call then.
func (c *Conn) becomeReady() (ready func(*Conn)) {
	t := &c.clock
	t.isReady, t.changed = true, true
	if c.server != nil {
		ready = c.server.Ready
		c.askOptions()
	} else {
		ready = c.device.Ready
		if t.interval > 0 {
			t.alive = time.Now().Add(t.interval)
			t.idleTime = max(t.idleTime, 3*t.interval)
		}
	}
	if f := c.trace.Ready; f != nil {
		c.hook(func() { f(c) })
	}
	return ready
}

// askOptions asks firmware for another interval of keep-alives. What bears to be asked for that bears probes too, and so
// does the stock agent's client.
func (c *Conn) askOptions() {
	k := &c.server.KeepAlive
	if c.quirks.NoOptions || c.srv.Login().ConnType != ConnCIRA {
		c.clock.bears = true
		return
	}
	if k.Interval < 0 {
		return
	}
	interval := k.Interval
	def(&interval, 30*time.Second)
	c.clock.asked = true
	c.out.add(KeepAliveOptionsRequest{seconds(interval), seconds(k.Timeout)})
}

// seconds rounds up, so that a part of a second is not none.
func seconds(d time.Duration) uint32 {
	return uint32(min(max(d+time.Second-1, 0)/time.Second, 1<<31))
}
