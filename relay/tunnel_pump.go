//go:build !js

package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

const (
	// smallRead is what an idle end keeps for reading, largeRead what it gets while much is coming: a TLS record and a bit.
	smallRead = 512
	largeRead = 16<<10 + 256
)

// tunnel is two ends that have met.
type tunnel struct {
	relay *Relay
	pair  Pair
	ends  [2]*endConn // first, second
	met   time.Time

	recordMu sync.Mutex
	recorder Recorder

	moved    atomic.Bool // something did since the last look
	recorded atomic.Bool
	over     atomic.Bool // end was called
	once     sync.Once
	cause    error
	ended    time.Time
}

// endConn is the connection of one end: what is read from it, and what is written to it.
type endConn struct {
	t    *tunnel
	key  Key
	nc   net.Conn
	peer *endConn
	out  outbox
	in   stream

	// The message that is coming, for the recorder.
	typ          msgconn.Type
	size, offset uint64

	early           []byte // came before the other end did
	bytes, messages atomic.Int64
	closedByPeer    atomic.Bool // a close frame came
	discard         bool        // the tunnel has ended, what still comes is for nobody; the reader's
	cut             atomic.Bool
	written         chan struct{} // closed when nothing is written any more
}

func newTunnel(r *Relay, p Pair, first, second net.Conn) *tunnel {
	t := &tunnel{relay: r, pair: p, met: time.Now()}
	for i, nc := range []net.Conn{first, second} {
		c := &endConn{t: t, nc: nc, key: []Key{p.First, p.Second}[i], written: make(chan struct{})}
		c.out.init(&r.pools)
		c.in.to, c.in.max = c, r.cfg.MaxFragmented
		t.ends[i] = c
	}
	t.ends[0].peer, t.ends[1].peer = t.ends[1], t.ends[0]
	return t
}

// start opens the recording, tells both ends that they have met, and lets messages pass.
func (t *tunnel) start() {
	r := t.relay
	failed := t.open()
	if failed == nil {
		failed = t.hello(t.recorded.Load())
	}
	var both sync.WaitGroup
	for _, c := range []*endConn{t.ends[1], t.ends[0]} {
		both.Add(2)
		go func() { defer both.Done(); c.write() }()
		go func() { defer both.Done(); c.read() }()
	}
	r.wg.Add(1)
	stop := context.AfterFunc(r.ctx, func() {
		for _, c := range t.ends {
			c.drop()
		}
	})
	if failed != nil {
		t.end(nil, failed)
	}
	go func() {
		defer r.wg.Done()
		both.Wait()
		stop()
		t.finish()
	}()
}

// open asks the embedder whether the tunnel is recorded, and tells him of it. A panic of his ends the tunnel: this goroutine
// is that of a request, and net/http would survive it, with two connections that nobody closes.
func (t *tunnel) open() (err error) {
	r := t.relay
	defer r.guard(&err)
	if r.cfg.Record != nil {
		rec, recErr := r.cfg.Record(r.ctx, &t.pair)
		if recErr != nil {
			err = fmt.Errorf("%w: %w", ErrRecording, recErr)
		}
		t.recorder = rec
	}
	recorded := t.recorder != nil
	t.recorded.Store(recorded)
	r.trace.Started(&t.pair, recorded)
	r.log.Info("tunnel open", "user", t.pair.User, "node", t.pair.Node, "protocol", t.pair.Protocol, "recorded", recorded)
	return err
}

// guard turns a panic of the embedder's into an error.
func (r *Relay) guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrHook, p)
		r.log.Error("a hook of the relay panicked", "panic", p, "stack", string(debug.Stack()))
	}
}

// record gives a piece to the recorder.
func (t *tunnel) record(p Piece) (err error) {
	t.recordMu.Lock()
	defer t.recordMu.Unlock()
	defer t.relay.guard(&err)
	if err := t.recorder.Record(p); err != nil {
		return fmt.Errorf("%w: %w", ErrRecording, err)
	}
	return nil
}

// closeRecorder ends the recording.
func (t *tunnel) closeRecorder() (err error) {
	defer t.relay.guard(&err)
	return t.recorder.Close(t.cause)
}

// hello tells both ends that they have met, in order.
func (t *tunnel) hello(recorded bool) error {
	for _, h := range t.pair.Hellos(recorded) {
		c := t.ends[0]
		if h.To == t.pair.Second {
			c = t.ends[1]
		}
		c.nc.SetWriteDeadline(time.Now().Add(t.relay.cfg.FlushTime))
		if _, err := c.nc.Write(msgconn.AppendFrame(nil, uint8(msgconn.Text), nil, []byte(h.Text))); err != nil {
			return fmt.Errorf("%w: write to the %s: %w", ErrPeerGone, c.role(), err)
		}
		c.nc.SetWriteDeadline(time.Time{})
		if t.over.Load() { // then there is another deadline
			c.nc.SetWriteDeadline(time.Now().Add(t.relay.cfg.FlushTime))
		}
	}
	return nil
}

// end ends the tunnel: because of what end by did, or by the relay's will if by is nil. It does not wait.
func (t *tunnel) end(by *endConn, cause error) {
	t.once.Do(func() {
		t.cause, t.ended = cause, time.Now()
		t.over.Store(true)
		r := t.relay
		r.mu.Lock()
		r.rv.Leave(t.pair.Second)
		delete(r.tunnels, t.pair.Second)
		r.mu.Unlock()
		deadline := time.Now().Add(r.cfg.FlushTime)
		for _, c := range t.ends {
			c.nc.SetWriteDeadline(deadline)
			// Whoever does not answer is read no longer than he is written to.
			c.nc.SetReadDeadline(deadline.Add(lingerTime))
			if c != by {
				code, reason := msgconn.CloseNormal, "" // the other end left, and why is not this one's business
				if by == nil {
					code, reason = publicReason(cause)
				}
				c.out.close(msgconn.AppendCloseFrame(nil, code, reason), false)
				continue
			}
			var frame []byte
			switch {
			case c.closedByPeer.Load():
				frame = msgconn.AppendCloseFrame(nil, msgconn.CloseNormal, "")
			case errors.Is(cause, ErrPeerGone): // it is gone
				c.drop()
			default:
				code, reason := publicReason(cause)
				frame = msgconn.AppendCloseFrame(nil, code, reason)
			}
			c.out.close(frame, true)
		}
	})
}

// finish is called when nothing reads and nothing writes any more.
func (t *tunnel) finish() {
	r := t.relay
	if t.recorder != nil {
		if err := t.closeRecorder(); err != nil {
			r.log.Error("recording of a tunnel failed at its end", "user", t.pair.User, "node", t.pair.Node, "error", err)
		}
	}
	s := t.stats()
	s.Duration = t.ended.Sub(t.met)
	r.trace.Ended(s, t.cause)
	r.log.Info("tunnel closed", "user", t.pair.User, "node", t.pair.Node, "protocol", t.pair.Protocol,
		"first", s.FirstBytes, "second", s.SecondBytes, "duration", s.Duration, "reason", t.cause)
}

func (t *tunnel) stats() Stats {
	return Stats{
		Pair: t.pair, Recorded: t.recorded.Load(), Duration: time.Since(t.met),
		FirstBytes: t.ends[0].bytes.Load(), SecondBytes: t.ends[1].bytes.Load(),
		FirstMessages: t.ends[0].messages.Load(), SecondMessages: t.ends[1].messages.Load(),
	}
}

// drop cuts the connection: closing TLS would send a farewell of its own, and wait behind a writer that is stuck.
func (c *endConn) drop() {
	if !c.cut.CompareAndSwap(false, true) {
		return
	}
	if t, ok := c.nc.(*tls.Conn); ok {
		t.NetConn().Close()
		return
	}
	c.nc.Close()
}

// write sends what the other end sent, until the end.
func (c *endConn) write() {
	defer close(c.written)
	for {
		chunk, frames, more := c.out.next()
		var err error
		if chunk != nil {
			_, err = c.nc.Write(chunk.buf[:chunk.n])
			c.out.pools.putChunk(chunk)
			c.t.moved.Store(true)
		} else if len(frames) > 0 {
			_, err = c.nc.Write(frames)
		}
		if err != nil {
			c.out.stop()
			c.t.end(c, fmt.Errorf("%w: write to the %s: %w", ErrPeerGone, c.role(), err))
			c.drop()
			return
		}
		if !more {
			if len(frames) == 0 {
				c.drop()
			} else {
				c.nc.SetReadDeadline(time.Now().Add(lingerTime))
			}
			return
		}
	}
}

func (c *endConn) role() Role { return c.t.pair.End(c.key).Role }

// read passes on what the end sends, until the end. Then it still reads for a moment, so that the close frame is not lost
// to a reset.
func (c *endConn) read() {
	err := c.readAll()
	c.t.end(c, err)
	if !c.closedByPeer.Load() && !errors.Is(err, ErrPeerGone) {
		b := make([]byte, smallRead)
		for n := 0; n < lingerBytes; {
			m, err := c.nc.Read(b)
			if err != nil {
				break
			}
			n += m
		}
	}
	<-c.written
	c.drop()
}

func (c *endConn) readAll() error {
	if err := c.took(c.early); err != nil {
		return err
	}
	c.early = nil
	small := make([]byte, smallRead)
	var large *[largeRead]byte
	defer func() {
		if large != nil {
			c.out.pools.reads.Put(large)
		}
	}()
	for {
		b := small
		if large != nil {
			b = large[:]
		}
		n, err := c.nc.Read(b)
		if err := c.took(b[:n]); err != nil {
			return err
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("%w: the %s's connection ended", ErrPeerGone, c.role())
			}
			return fmt.Errorf("%w: read from the %s: %w", ErrPeerGone, c.role(), err)
		}
		switch {
		case large == nil && n == len(small):
			var ok bool
			if large, ok = c.out.pools.reads.Get().(*[largeRead]byte); !ok {
				large = new([largeRead]byte)
			}
		case large != nil && n < len(small)/2: // little is coming
			c.out.pools.reads.Put(large)
			large = nil
		}
	}
}

// took passes on what was read.
func (c *endConn) took(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := c.in.feed(b); err != nil {
		return err
	}
	c.bytes.Store(c.in.bytes)
	c.messages.Store(c.in.messages)
	c.t.moved.Store(true)
	c.peer.out.flush()
	if c.in.ended {
		c.closedByPeer.Store(true)
		return ErrPeerGone
	}
	return nil
}

// begin implements sink.
func (c *endConn) begin(t msgconn.Type, size uint64) error {
	if size > c.t.relay.cfg.MaxMessage {
		return ErrTooLarge
	}
	c.typ, c.size, c.offset = t, size, 0
	if !c.discard && !c.peer.out.begin(msgconn.FrameHeader{Final: true, Opcode: uint8(t), Length: size}) {
		c.discard = true
	}
	return nil
}

// payload implements sink.
func (c *endConn) payload(p []byte, m *msgconn.Masker, last bool) error {
	if c.discard {
		return nil
	}
	if c.t.recorder != nil {
		if m != nil {
			m.XOR(p, p)
			m = nil
		}
		if err := c.t.record(Piece{From: c.key, Type: c.typ, Size: c.size, Offset: c.offset, Data: p}); err != nil {
			return err
		}
		c.offset += uint64(len(p))
	}
	c.discard = !c.peer.out.payload(p, m, last)
	return nil
}

// ping implements sink: the answer to one of WebSocket's own pings.
func (c *endConn) ping(p []byte) {
	c.out.between(msgconn.AppendFrame(nil, msgconn.OpPong, nil, p))
}
