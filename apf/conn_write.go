package apf

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// writeSize is how much is written at once: two full records of TLS.
const writeSize = 32 << 10

var writeBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, writeSize+4<<10)
	return &b
}}

// kick starts the writer if there is something to write. The lock is held.
func (c *Conn) kick() {
	if c.writing || c.closed || !c.started || c.err == nil && !c.mux.Pending() {
		return
	}
	c.writing = true
	c.wg.Add(1)
	go c.write()
}

// write writes until there is nothing to write, and closes the stream if the connection has ended.
func (c *Conn) write() {
	defer c.wg.Done()
	p := writeBuffers.Get().(*[]byte)
	defer func() {
		if cap(*p) <= writeSize+8<<10 {
			writeBuffers.Put(p)
		}
	}()
	c.mu.Lock()
	for {
		var b []byte
		switch {
		case c.noWrite:
		case c.err != nil:
			b = c.out.moveTo((*p)[:0])
		default:
			b = c.mux.Append((*p)[:0], writeSize, time.Now())
		}
		if len(b) == 0 {
			break
		}
		if *p = b[:0]; c.err == nil {
			// A deadline that fail has set is the last one.
			_ = c.s.SetWriteDeadline(time.Now().Add(c.limits.WriteTimeout))
		}
		if c.room != nil && len(c.out.buf) == 0 {
			c.room.Broadcast()
		}
		c.unlock()
		n, err := c.send(b)
		c.mu.Lock()
		if c.stats.BytesOut += uint64(n); err != nil {
			c.noWrite = true
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = ErrSlow
			}
			c.fail(fmt.Errorf("write: %w", err))
		}
	}
	c.writing = false
	if c.err == nil {
		_ = c.s.SetWriteDeadline(time.Time{})
		c.unlock()
		return
	}
	c.closed = true
	reason := c.reason
	c.unlock()
	// Why the connection ends is known already.
	if r, ok := c.s.(reasoner); ok && reason != 0 {
		_ = r.closeWith(reason)
	} else {
		_ = c.s.Close()
	}
}

// send writes to the stream, in pieces if firmware would.
func (c *Conn) send(b []byte) (n int, err error) {
	size := len(b)
	if c.device != nil && c.device.Firmware.SplitWrites > 0 {
		size = c.device.Firmware.SplitWrites
	}
	for n < len(b) && err == nil {
		var k int
		k, err = c.s.Write(b[n:min(n+size, len(b))])
		n += k
	}
	return n, err
}
