package web

import (
	"context"
	"sync"

	"github.com/meshcentral-go/sdk/nodeid"
)

// Feed tells pages which devices changed. It holds no content: a page that falls behind gets the latest state once, not
// every step on the way, so that nothing queues up without bound. The zero value is ready.
type Feed struct {
	mu   sync.Mutex
	subs map[*subscription]struct{}
}

// subscription is the devices that changed since it was last asked.
type subscription struct {
	feed    *Feed
	changed map[nodeid.NodeKey]struct{} // guarded by feed.mu
	wake    chan struct{}               // has one element when changed is not empty
}

// Changed announces that a device has come, gone or changed.
func (f *Feed) Changed(keys ...nodeid.NodeKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		for _, key := range keys {
			s.changed[key] = struct{}{}
		}
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (f *Feed) subscribe() *subscription {
	s := &subscription{feed: f, changed: make(map[nodeid.NodeKey]struct{}), wake: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.subs == nil {
		f.subs = make(map[*subscription]struct{})
	}
	f.subs[s] = struct{}{}
	return s
}

func (s *subscription) close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.feed.subs, s)
}

// take returns what has changed and forgets it.
func (s *subscription) take() []nodeid.NodeKey {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	keys := make([]nodeid.NodeKey, 0, len(s.changed))
	for key := range s.changed {
		keys = append(keys, key)
	}
	clear(s.changed)
	select {
	case <-s.wake: // for one of these
	default:
	}
	return keys
}

// wait returns when something has changed, or with the error of ctx.
func (s *subscription) wait(ctx context.Context) error {
	select {
	case <-s.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
