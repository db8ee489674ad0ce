package controlproto

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// slowestLine is the rate, in bytes a second, below which a peer counts as stuck: it is added to the time of a write, so
// that a reply of some megabytes is not cut off on a slow line.
const slowestLine = 8 << 10

// sendQueue is the sending half of a session: a bounded queue that is drained by a goroutine which exists only while there
// is something to send, so that an idle session costs none. Replies wait for room; pushed events do not, and have a bound of
// their own, so that one large reply in front of them is no reason to close a session that reads.
type sendQueue struct {
	conn   Conn
	limits *ServerLimits
	failed func(error) // called once, from the goroutine that writes, when that did not work

	mu      sync.Mutex
	queue   []queued
	replies load
	pushes  load
	writing bool
	room    chan struct{} // closed when the queue shrinks; nil when nobody waits
	err     error         // why nothing more is taken
	idle    chan struct{} // closed when the queue has run empty; nil when nobody waits
}

type queued struct {
	data   []byte
	pushed bool
}

// load is what of one kind waits.
type load struct{ messages, bytes int }

func (l *load) add(n int)    { l.messages++; l.bytes += n }
func (l *load) remove(n int) { l.messages--; l.bytes -= n }

// send queues a reply, waiting for room.
func (q *sendQueue) send(ctx context.Context, data []byte) error {
	for {
		q.mu.Lock()
		if q.err != nil {
			defer q.mu.Unlock()
			return q.err
		}
		if q.replies.messages == 0 ||
			q.replies.messages < q.limits.QueueMessages && q.replies.bytes+len(data) <= q.limits.QueueBytes {
			q.append(queued{data: data})
			q.mu.Unlock()
			return nil
		}
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// push queues an event, or returns false if there is no room for it: full tells whether that is the reason.
func (q *sendQueue) push(data []byte) (ok, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return false, false
	}
	if q.pushes.messages >= q.limits.PushMessages ||
		q.pushes.messages > 0 && q.pushes.bytes+len(data) > q.limits.PushBytes {
		return false, true
	}
	q.append(queued{data: data, pushed: true})
	return true, false
}

// append is called with the lock.
func (q *sendQueue) append(m queued) {
	q.queue = append(q.queue, m)
	q.load(m).add(len(m.data))
	if !q.writing {
		q.writing = true
		go q.drain()
	}
}

func (q *sendQueue) load(m queued) *load {
	if m.pushed {
		return &q.pushes
	}
	return &q.replies
}

// drain writes the queue and ends when it is empty.
func (q *sendQueue) drain() {
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.writing, q.queue = false, nil
			if q.idle != nil {
				close(q.idle)
				q.idle = nil
			}
			q.mu.Unlock()
			return
		}
		m := q.queue[0]
		q.mu.Unlock()

		limit := q.limits.WriteTime + time.Duration(len(m.data)/slowestLine)*time.Second
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := q.conn.WriteMessage(ctx, msgconn.Text, m.data)
		cancel()

		q.mu.Lock()
		q.queue[0] = queued{}
		q.queue = q.queue[1:]
		q.load(m).remove(len(m.data))
		q.wake()
		first := err != nil && q.err == nil
		if err != nil {
			q.drop(0)
			if q.err == nil {
				q.err = ErrSessionClosed
			}
		}
		q.mu.Unlock()
		if first {
			if errors.Is(err, context.DeadlineExceeded) {
				err = ErrSlowSession
			}
			q.failed(err)
		}
	}
}

// wake lets those go on that wait for room. It is called with the lock.
func (q *sendQueue) wake() {
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// drop forgets what waits, but for the first messages. It is called with the lock.
func (q *sendQueue) drop(keep int) {
	keep = min(keep, len(q.queue))
	for _, m := range q.queue[keep:] {
		q.load(m).remove(len(m.data))
	}
	q.queue = q.queue[:keep]
}

// finish takes nothing more but a last message, and returns a channel that is closed when that, and what waits before it
// unless it is dropped, is written or failed.
func (q *sendQueue) finish(last []byte, dropRest bool) <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	idle := make(chan struct{})
	if q.err != nil { // a write has failed
		close(idle)
		return idle
	}
	q.err = ErrSessionClosed
	if dropRest {
		q.drop(1) // the first is being written
	}
	if last != nil {
		q.append(queued{data: last})
	}
	q.wake()
	if !q.writing {
		close(idle)
		return idle
	}
	q.idle = idle
	return idle
}

// flush waits until everything that was queued has been written.
func (q *sendQueue) flush(ctx context.Context) error {
	for {
		q.mu.Lock()
		if q.err != nil || len(q.queue) == 0 {
			defer q.mu.Unlock()
			return q.err
		}
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
