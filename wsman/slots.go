package wsman

import (
	"container/list"
	"context"
	"sync"
)

// slot is the room for one request at the device: a connection that is kept, and a nonce whose count is used by one request
// at a time, as a count that comes late looks like a replay.
type slot struct {
	conn  *conn
	epoch int64 // of the client, when the connection was made
	auth  slotAuth

	body, wire, resp []byte // used again
}

// slots are handed out in the order they are asked for. The one used last goes first, so that few nonces are asked for.
type slots struct {
	mu      sync.Mutex
	free    []*slot
	all     []*slot
	waiting list.List // of chan *slot, each with room for one
	closed  bool
}

func newSlots(n int) *slots {
	s := &slots{}
	for range n {
		sl := new(slot)
		s.free = append(s.free, sl)
		s.all = append(s.all, sl)
	}
	return s
}

// acquire waits for a turn.
func (s *slots) acquire(ctx context.Context) (*slot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	if n := len(s.free); n > 0 {
		sl := s.free[n-1]
		s.free = s.free[:n-1]
		s.mu.Unlock()
		return sl, nil
	}
	turn := make(chan *slot, 1)
	at := s.waiting.PushBack(turn)
	s.mu.Unlock()
	select {
	case sl := <-turn:
		if sl == nil {
			return nil, ErrClosed
		}
		return sl, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	select {
	case sl := <-turn: // it came at the same time
		s.mu.Unlock()
		if sl != nil {
			s.release(sl)
		}
	default:
		s.waiting.Remove(at)
		s.mu.Unlock()
	}
	return nil, ctx.Err()
}

// release gives the turn to who waits longest. It says whether the client was closed.
func (s *slots) release(sl *slot) (closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.waiting.Front(); first != nil && !s.closed {
		s.waiting.Remove(first).(chan *slot) <- sl
		return false
	}
	s.free = append(s.free, sl)
	return s.closed
}

// close fails who waits, and returns the slots that nobody uses.
func (s *slots) close() []*slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for e := s.waiting.Front(); e != nil; e = s.waiting.Front() {
		s.waiting.Remove(e).(chan *slot) <- nil
	}
	return s.free
}
