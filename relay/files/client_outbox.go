package files

import (
	"context"
	"sync"
)

// maxQueued is how many messages of calls wait to be written.
const maxQueued = 8

// outgoing is an encoded message.
type outgoing struct {
	t       Type
	b       []byte
	back    *[]byte // goes back to the pool
	counted bool    // has taken room
}

// outbox is what waits to be written, in order. Who says something takes room first, which may have to be waited for. Last words
// on behalf of a call need none: only a call that has said something has any, and no call more than one.
type outbox struct {
	room  chan struct{}
	ready chan struct{} // there is something

	mu   sync.Mutex
	list []outgoing
	head int // those before are taken
}

func newOutbox() *outbox {
	return &outbox{room: make(chan struct{}, maxQueued), ready: make(chan struct{}, 1)}
}

// put appends a message. It does not wait.
func (o *outbox) put(m outgoing) {
	o.mu.Lock()
	o.list = append(o.list, m)
	o.mu.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take waits for the next message.
func (o *outbox) take(ctx context.Context) (outgoing, error) {
	for {
		if err := ctx.Err(); err != nil {
			return outgoing{}, err
		}
		if m, ok := o.first(); ok {
			if m.counted {
				<-o.room
			}
			return m, nil
		}
		select {
		case <-o.ready:
		case <-ctx.Done():
		}
	}
}

// first takes the first message out, if there is one.
func (o *outbox) first() (m outgoing, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.head == len(o.list) {
		return m, false
	}
	m = o.list[o.head]
	o.list[o.head] = outgoing{}
	if o.head++; o.head == len(o.list) || o.head > 4*maxQueued {
		n := copy(o.list, o.list[o.head:])
		clear(o.list[n:])
		o.list, o.head = o.list[:n], 0
	}
	return m, true
}
