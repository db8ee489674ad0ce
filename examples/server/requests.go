package main

import (
	"context"
	"net/http"
	"sync"
)

// requests counts the requests that are being answered. http.Server does not wait for those that it cuts off, nor for those
// that have become WebSockets, and what they use must not be closed under them. The zero value is ready.
type requests struct {
	mu      sync.Mutex
	running int
	ended   chan struct{} // not nil: no request is taken any more; closed when the last one has ended
}

// counted is a handler whose requests wait waits for.
func (q *requests) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !q.begin() {
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
		defer q.end()
		next.ServeHTTP(w, r)
	})
}

// begin counts a request, unless wait has begun.
func (q *requests) begin() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended != nil {
		return false
	}
	q.running++
	return true
}

func (q *requests) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	if q.running == 0 && q.ended != nil {
		close(q.ended)
	}
}

// wait takes no requests any more and waits for those under way. It returns how many are left when ctx ends first. It is
// called once.
func (q *requests) wait(ctx context.Context) (left int) {
	q.mu.Lock()
	q.ended = make(chan struct{})
	if q.running == 0 {
		close(q.ended)
	}
	q.mu.Unlock()
	select {
	case <-q.ended:
		return 0
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running
}
