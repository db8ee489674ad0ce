package controlproto

import (
	"context"
	"sync"
)

// workQueue holds the requests of a session that wait for their handler. Like the sendQueue it has a goroutine only while
// there is something to do. Reading stops while it is full.
type workQueue struct {
	limits *ServerLimits
	run    func(Envelope)
	wg     *sync.WaitGroup

	mu      sync.Mutex
	queue   []Envelope
	bytes   int
	working bool
	room    chan struct{}
}

// put queues a request, waiting for room.
func (w *workQueue) put(ctx context.Context, e Envelope) error {
	for {
		w.mu.Lock()
		if ctx.Err() != nil {
			w.mu.Unlock()
			return context.Cause(ctx)
		}
		if len(w.queue) == 0 || len(w.queue) < w.limits.WorkMessages && w.bytes+len(e.Raw) <= w.limits.WorkBytes {
			w.queue = append(w.queue, e)
			w.bytes += len(e.Raw)
			if !w.working {
				w.working = true
				w.wg.Go(func() { w.work(ctx) })
			}
			w.mu.Unlock()
			return nil
		}
		if w.room == nil {
			w.room = make(chan struct{})
		}
		room := w.room
		w.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// work runs what is queued, one after the other, and ends when there is no more or the session is over.
func (w *workQueue) work(ctx context.Context) {
	for {
		w.mu.Lock()
		if len(w.queue) == 0 || ctx.Err() != nil {
			w.working, w.queue, w.bytes = false, nil, 0
			w.wake()
			w.mu.Unlock()
			return
		}
		e := w.queue[0]
		w.mu.Unlock()

		w.run(e)

		w.mu.Lock()
		w.queue[0] = Envelope{}
		w.queue = w.queue[1:]
		w.bytes -= len(e.Raw)
		w.wake()
		w.mu.Unlock()
	}
}

// wake lets those go on that wait. It is called with the lock.
func (w *workQueue) wake() {
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
}

// idle tells whether all that was queued is done.
func (w *workQueue) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.working
}

// drain waits until all that was queued is done, as long as ctx allows.
func (w *workQueue) drain(ctx context.Context) {
	for {
		w.mu.Lock()
		if !w.working {
			w.mu.Unlock()
			return
		}
		if w.room == nil {
			w.room = make(chan struct{})
		}
		room := w.room
		w.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return
		}
	}
}
