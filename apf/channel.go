package apf

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Channel is an open channel, a [net.Conn]. Writes are taken as far as there is room and then wait for the peer. There is no
// half-close: when the peer closes, what it sent before can be read, and nothing be written; Close sends what was written,
// for a limited time, and does not wait for it.
type Channel struct {
	c     *Conn
	mc    MuxChannel
	began time.Time
	used  bool // was open

	readable, writable sync.Cond // on Conn.mu
	reading, writing   deadline
	writeMu            sync.Mutex // the bytes of a write stay together
}

var (
	_ net.Conn    = (*Channel)(nil)
	_ io.WriterTo = (*Channel)(nil)
)

func newChannel(c *Conn) *Channel {
	ch := &Channel{c: c, began: time.Now()}
	ch.mc.Owner = ch
	ch.readable.L, ch.writable.L = &c.mu, &c.mu
	return ch
}

// Conn returns the connection of the channel.
func (ch *Channel) Conn() *Conn { return ch.c }

// Request returns what the channel was opened for.
func (ch *Channel) Request() OpenRequest {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	return ch.mc.req
}

// onEvent is told by the Mux what happens to a channel.
func (c *Conn) onEvent(mc *MuxChannel, ev MuxEvent) {
	ch, ok := mc.Owner.(*Channel)
	if !ok {
		return
	}
	switch ev {
	case MuxOpened:
		ch.opened()
		ch.readable.Broadcast()
	case MuxReadable:
		ch.readable.Broadcast()
	case MuxWritable:
		ch.writable.Broadcast()
	case MuxEnded:
		ch.readable.Broadcast()
		ch.writable.Broadcast()
		c.ended(ch)
	}
}

// opened counts a channel that is open.
func (ch *Channel) opened() {
	c := ch.c
	ch.used = true
	c.stats.Opened++
	if f := c.trace.ChannelOpened; f != nil {
		took := time.Since(ch.began)
		c.hook(func() { f(ch, took) })
	}
}

// ended counts a channel that is no more.
func (c *Conn) ended(ch *Channel) {
	err := ch.mc.err
	if ch.used {
		if f := c.trace.ChannelClosed; f != nil {
			c.hook(func() { f(ch, err) })
		}
		return
	}
	c.stats.OpenFailed++
	var o *OpenError
	if f := c.trace.OpenFailed; f != nil {
		if !errors.As(err, &o) {
			o = c.mux.openError(&ch.mc, 0, err)
		}
		c.hook(func() { f(c, o) })
	}
}

// Dial opens a channel: from the server's end to a forwarded port of the device, where host is mostly empty; from the
// device's end to any host and port. It waits for a free place and for the answer; an answer that tells of a passing trouble
// is asked for a second time. The error is an [*OpenError], which the end of ctx is in too.
func (c *Conn) Dial(ctx context.Context, host string, port uint16) (*Channel, error) {
	ch := newChannel(c)
	ch.mc.req = OpenRequest{Host: host, Port: port}
	c.mu.Lock()
	if err := c.mayDial(ctx, ch); err != nil {
		c.stats.OpenFailed++
		if f := c.trace.OpenFailed; f != nil {
			c.hook(func() { f(c, err) })
		}
		c.unlock()
		return nil, err
	}
	var over bool
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() {
			c.mu.Lock()
			over = true
			ch.readable.Broadcast()
			c.mu.Unlock()
		})
		defer stop()
	}
	c.settle()
	for !ch.used && ch.mc.err == nil && !over {
		ch.readable.Wait()
	}
	err := ch.mc.err
	switch {
	case over && !ch.used && err == nil:
		err = c.mux.openError(&ch.mc, 0, context.Cause(ctx))
		ch.mc.err = err // and not that it was closed
		c.mux.Close(&ch.mc, time.Now())
		c.ended(ch)
	case ch.used:
		err = nil // what ended it since is told by its first use
	}
	c.unlock()
	if err != nil {
		var o *OpenError
		if !errors.As(err, &o) {
			o = c.mux.openError(&ch.mc, 0, err)
		}
		return nil, o
	}
	return ch, nil
}

// mayDial opens a channel, or says why not.
func (c *Conn) mayDial(ctx context.Context, ch *Channel) *OpenError {
	fail := func(reason OpenReason, err error) *OpenError { return c.mux.openError(&ch.mc, reason, err) }
	req := ch.mc.req
	switch {
	case c.err != nil:
		return fail(0, c.err)
	case ctx.Err() != nil:
		return fail(0, context.Cause(ctx))
	case req.Port == 0 || len(req.Host) > maxAddress:
		return fail(0, errors.New("no such address"))
	case c.srv != nil && (c.srv.step != stepOpen || !contains(c.srv.ports, req.Port)):
		return fail(OpenProhibited, ErrNotForwarded)
	case c.dev != nil && !c.dev.accepted.forward:
		return fail(0, errors.New("not logged in"))
	}
	err := c.mux.Open(&ch.mc, req, time.Now())
	var o *OpenError
	if errors.As(err, &o) {
		return o
	}
	return nil
}

func contains(ports []uint16, port uint16) bool {
	for _, p := range ports {
		if p == port {
			return true
		}
	}
	return false
}

// wait waits until something has happened to the channel.
func (ch *Channel) wait(cond *sync.Cond) {
	ch.c.settle()
	cond.Wait()
}

// Read implements [net.Conn].
func (ch *Channel) Read(p []byte) (int, error) {
	c := ch.c
	c.mu.Lock()
	defer c.unlock()
	for {
		switch {
		case ch.mc.closed:
			return 0, net.ErrClosed
		case ch.reading.over:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case ch.mc.rx.n > 0:
			return c.mux.Read(&ch.mc, p), nil
		case ch.mc.err != nil:
			return 0, ch.mc.err
		}
		ch.wait(&ch.readable)
	}
}

// WriteTo implements [io.WriterTo]: it copies what comes without a buffer of its own.
func (ch *Channel) WriteTo(w io.Writer) (total int64, err error) {
	c := ch.c
	c.mu.Lock()
	defer c.unlock()
	for {
		switch {
		case ch.mc.closed:
			return total, net.ErrClosed
		case ch.reading.over:
			return total, os.ErrDeadlineExceeded
		case ch.mc.rx.n > 0:
			piece := ch.mc.rx.take()
			size := int(piece.w - piece.r)
			var n int
			var err error
			c.unlocked(func() { n, err = w.Write(piece.b[piece.r:piece.w]) })
			chunks.Put(piece)
			total += int64(n)
			c.mux.consume(&ch.mc, size)
			if err == nil && n < size {
				err = io.ErrShortWrite
			}
			if err != nil {
				return total, err
			}
			continue
		case ch.mc.err != nil:
			if err := ch.mc.err; !errors.Is(err, io.EOF) {
				return total, err
			}
			return total, nil
		}
		ch.wait(&ch.readable)
	}
}

// Write implements [net.Conn].
func (ch *Channel) Write(p []byte) (sent int, err error) {
	ch.writeMu.Lock()
	defer ch.writeMu.Unlock()
	c := ch.c
	c.mu.Lock()
	defer c.unlock()
	for {
		switch {
		case ch.mc.closed:
			return sent, net.ErrClosed
		case errors.Is(ch.mc.err, io.EOF):
			return sent, ErrChannelClosed
		case ch.mc.err != nil:
			return sent, ch.mc.err
		case ch.writing.over:
			return sent, os.ErrDeadlineExceeded
		}
		n := c.mux.Write(&ch.mc, p)
		if sent, p = sent+n, p[n:]; len(p) == 0 {
			return sent, nil
		}
		ch.wait(&ch.writable)
	}
}

// Close ends the channel. What was written is still sent, as long as Limits.FlushTime allows; what comes is dropped.
func (ch *Channel) Close() error {
	c := ch.c
	c.mu.Lock()
	defer c.unlock()
	if ch.mc.closed {
		return net.ErrClosed
	}
	ch.reading.set(ch, &ch.readable, time.Time{})
	ch.writing.set(ch, &ch.writable, time.Time{})
	c.mux.Close(&ch.mc, time.Now())
	ch.readable.Broadcast()
	ch.writable.Broadcast()
	return nil
}

// LocalAddr returns the address that the channel was opened from, as far as the peer was told.
func (ch *Channel) LocalAddr() net.Addr {
	r := ch.Request()
	local := Addr{r.Originator, uint16(r.OriginatorPort)}
	if ch.accepted() {
		local = Addr{r.Host, r.Port}
	}
	return local
}

// RemoteAddr returns the address that the channel was opened to; that of the originator, if the peer opened it.
func (ch *Channel) RemoteAddr() net.Addr {
	r := ch.Request()
	remote := Addr{r.Host, r.Port}
	if ch.accepted() {
		remote = Addr{r.Originator, uint16(r.OriginatorPort)}
	}
	return remote
}

// accepted reports whether the peer has opened the channel.
func (ch *Channel) accepted() bool {
	return (ch.Request().Type == ChannelForwarded) == (ch.c.Side() == SideDevice)
}

// SetDeadline sets both deadlines.
func (ch *Channel) SetDeadline(t time.Time) error {
	if err := ch.SetReadDeadline(t); err != nil {
		return err
	}
	return ch.SetWriteDeadline(t)
}

// SetReadDeadline ends reads, also one that waits, at a time. Reads after a later deadline go on where they were.
func (ch *Channel) SetReadDeadline(t time.Time) error {
	return ch.setDeadline(&ch.reading, &ch.readable, t)
}

// SetWriteDeadline ends writes, also one that waits, at a time. What such a write has returned as written will be sent.
func (ch *Channel) SetWriteDeadline(t time.Time) error {
	return ch.setDeadline(&ch.writing, &ch.writable, t)
}

func (ch *Channel) setDeadline(d *deadline, cond *sync.Cond, t time.Time) error {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	if ch.mc.closed {
		return net.ErrClosed
	}
	d.set(ch, cond, t)
	return nil
}

// deadline is a time after which reads or writes fail. It is guarded by Conn.mu.
type deadline struct {
	timer *time.Timer
	round uint32 // tells a timer that was stopped too late that it was
	over  bool
}

func (d *deadline) set(ch *Channel, cond *sync.Cond, t time.Time) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.round++
	if d.over = false; t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.over = true
		cond.Broadcast()
		return
	}
	round := d.round
	d.timer = time.AfterFunc(wait, func() {
		ch.c.mu.Lock()
		defer ch.c.mu.Unlock()
		if d.round == round {
			d.over, d.timer = true, nil
			cond.Broadcast()
		}
	})
}
