package controlproto

import (
	"container/heap"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// OnceGuard remembers which cookies for one use were used, until they would be refused because of their age. One guard
// serves all codecs of a server. The zero value works; a guard must not be copied.
type OnceGuard struct {
	// Max is how many cookies are remembered at once; zero means 65,536, which take less than 10 MB. When as many are
	// remembered, further ones are refused: forgetting one would let it be used again.
	Max int

	mu   sync.Mutex
	used map[onceHash]struct{}
	ends onceHeap // when each can be forgotten; those without an end are only in used
}

// defaultOnceMax bounds the memory of a guard.
const defaultOnceMax = 1 << 16

// onceHash stands for a name of any length.
type onceHash [sha256.Size]byte

// Len returns how many cookies are remembered.
func (g *OnceGuard) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.used)
}

// use says whether a name may be used, and remembers it until the given time; zero means for ever.
func (g *OnceGuard) use(once string, now, until time.Time) error {
	hash := sha256.Sum256([]byte(once))
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.ends) > 0 && g.ends[0].until.Before(now) {
		delete(g.used, heap.Pop(&g.ends).(onceEnd).hash)
	}
	if _, ok := g.used[hash]; ok {
		return ErrCookieReplayed
	}
	most := g.Max
	if most <= 0 {
		most = defaultOnceMax
	}
	if len(g.used) >= most {
		return fmt.Errorf("%w, or not: no room for more than %d cookies for one use", ErrCookieReplayed, most)
	}
	if g.used == nil {
		g.used = make(map[onceHash]struct{})
	}
	g.used[hash] = struct{}{}
	if !until.IsZero() {
		heap.Push(&g.ends, onceEnd{until, hash})
	}
	return nil
}

type onceEnd struct {
	until time.Time
	hash  onceHash
}

// onceHeap is a container/heap with the earliest end first.
type onceHeap []onceEnd

// Len is for container/heap.
func (h onceHeap) Len() int { return len(h) }

// Less is for container/heap.
func (h onceHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }

// Swap is for container/heap.
func (h onceHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *onceHeap) Push(x any) { *h = append(*h, x.(onceEnd)) }

// Pop is for container/heap.
func (h *onceHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
