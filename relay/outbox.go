package relay

import (
	"sync"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

const (
	// chunkSize is how many bytes leave in one write. One chunk per direction is filled while another one is written, and
	// that is all that a tunnel holds back: its memory does not depend on how slow a reader is.
	chunkSize = 64 << 10
	// maxInject bounds the frames that wait for the end of a message.
	maxInject = 512
)

// chunk is a piece of the stream to an end: frames, of which the first and the last may be cut.
type chunk struct {
	n   int
	buf [chunkSize]byte
}

// pools are the buffers of one relay. An idle tunnel holds none of them.
type pools struct{ chunks, reads sync.Pool }

func (p *pools) chunk() *chunk {
	if c, ok := p.chunks.Get().(*chunk); ok {
		return c
	}
	return new(chunk)
}

func (p *pools) putChunk(c *chunk) {
	c.n = 0
	p.chunks.Put(c)
}

// outbox is what goes to one end. The reader of the other end fills it, one writer empties it. Several frames that are
// ready leave in one write, each message still as one frame.
type outbox struct {
	pools *pools

	mu      sync.Mutex
	data    sync.Cond // the writer waits for something to write
	room    sync.Cond // the reader waits for the writer
	waiting bool      // the writer does
	slot    *chunk    // being filled; nil is empty
	mid     bool      // what was put in ends within a frame
	inject  []byte    // frames for between the messages: pongs, pings
	closing bool      // nothing more is put in
	last    []byte    // the close frame
	stopped bool      // nothing more is written
}

func (o *outbox) init(p *pools) {
	o.pools = p
	o.data.L, o.room.L = &o.mu, &o.mu
}

// begin puts a frame's header in. It reports whether anybody wants the frame.
func (o *outbox) begin(h msgconn.FrameHeader) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	need := msgconn.MaxFrameHeader + len(o.inject)
	if !o.wait(need) {
		return false
	}
	c := o.slot
	if len(o.inject) > 0 {
		c.n += copy(c.buf[c.n:], o.inject)
		o.inject = o.inject[:0]
	}
	c.n = len(msgconn.AppendFrameHeader(c.buf[:c.n], h))
	o.mid = true
	return true
}

// payload puts a part of the frame's payload in, unmasked with m if that is not nil. last says that the frame ends with it.
func (o *outbox) payload(p []byte, m *msgconn.Masker, last bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(p) > 0 {
		if !o.wait(1) {
			return false
		}
		c := o.slot
		n := min(len(p), chunkSize-c.n)
		if m != nil {
			m.XOR(c.buf[c.n:c.n+n], p[:n])
		} else {
			copy(c.buf[c.n:], p[:n])
		}
		c.n += n
		p = p[n:]
	}
	if last {
		o.mid = false
	}
	return true
}

// wait waits until the slot has room for n bytes: the back-pressure of the slow end on the fast one.
func (o *outbox) wait(n int) bool {
	for {
		switch {
		case o.closing || o.stopped:
			return false
		case o.slot == nil:
			o.slot = o.pools.chunk()
			return true
		case chunkSize-o.slot.n >= n:
			return true
		}
		o.wake()
		o.room.Wait()
	}
}

// flush has the writer take what was put in.
func (o *outbox) flush() {
	o.mu.Lock()
	o.wake()
	o.mu.Unlock()
}

func (o *outbox) wake() {
	if o.waiting {
		o.waiting = false
		o.data.Signal()
	}
}

// between puts a frame in after the message that is on its way. It is dropped if too many wait.
func (o *outbox) between(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || len(o.inject)+len(frame) > maxInject {
		return
	}
	o.inject = append(o.inject, frame...)
	o.wake()
}

// close ends the stream with a frame. With drop what was not written yet is not written any more.
func (o *outbox) close(last []byte, drop bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return
	}
	o.closing, o.last = true, last
	if drop && o.slot != nil {
		o.pools.putChunk(o.slot)
		o.slot = nil
		if o.mid {
			o.last = nil // cut off
		}
	}
	o.wake()
	o.room.Broadcast()
}

// stop ends the stream at once: the writer has failed.
func (o *outbox) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = true
	if o.slot != nil {
		o.pools.putChunk(o.slot)
		o.slot = nil
	}
	o.inject = nil
	o.room.Broadcast()
	o.wake()
}

// next returns what is to be written: a chunk, or some frames that wait between messages, or the last frame. Neither is the
// end.
func (o *outbox) next() (c *chunk, frames []byte, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		switch {
		case o.stopped:
			return nil, nil, false
		case o.slot != nil && o.slot.n > 0:
			c, o.slot = o.slot, nil
			o.room.Signal()
			return c, nil, true
		case len(o.inject) > 0 && !o.mid:
			frames, o.inject = o.inject, nil
			return nil, frames, true
		case o.closing:
			o.stopped = true
			if !o.mid {
				frames = o.last
			}
			return nil, frames, false
		}
		o.waiting = true
		o.data.Wait()
	}
}
