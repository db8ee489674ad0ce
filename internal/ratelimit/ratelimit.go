// Package ratelimit counts what happens per key in token buckets, in bounded memory.
package ratelimit

import (
	"sync"
	"time"
)

// Rate is how often something may happen: Events at once, and again as many spread over each Window. The zero value
// sets no limit.
type Rate struct {
	Events int
	Window time.Duration
}

// Unlimited reports whether the rate sets no limit.
func (r Rate) Unlimited() bool { return r.Events <= 0 || r.Window <= 0 }

// maxKeys bounds the table. At that size buckets that are full again are dropped, and if those are few, all are: a limiter
// that is flooded with keys forgets rather than grows.
const maxKeys = 1 << 16

// Limiter has a bucket for each key. Its zero value needs a Rate to limit anything.
type Limiter[K comparable] struct {
	Rate Rate

	mu      sync.Mutex
	buckets map[K]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// Allow takes a token of the key's bucket, or reports that there is none.
func (l *Limiter[K]) Allow(key K, now time.Time) bool {
	if l.Rate.Unlimited() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		if l.buckets == nil {
			l.buckets = make(map[K]bucket)
		}
		if len(l.buckets) >= maxKeys {
			l.sweep(now)
		}
		b.tokens = float64(l.Rate.Events)
	} else {
		b.tokens = l.refilled(b, now)
	}
	b.at = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	l.buckets[key] = b
	return allowed
}

// Ready reports whether Allow would take a token, without taking it.
func (l *Limiter[K]) Ready(key K, now time.Time) bool {
	if l.Rate.Unlimited() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	return !ok || l.refilled(b, now) >= 1
}

// Return puts a token back that Allow took for something that then did not count.
func (l *Limiter[K]) Return(key K, now time.Time) {
	if l.Rate.Unlimited() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.buckets[key]; ok { // or it was forgotten, and is full
		b.tokens = min(l.refilled(b, now)+1, float64(l.Rate.Events))
		b.at = now
		l.buckets[key] = b
	}
}

// refilled returns what is in a bucket by now.
func (l *Limiter[K]) refilled(b bucket, now time.Time) float64 {
	full := float64(l.Rate.Events)
	gained := full * float64(now.Sub(b.at)) / float64(l.Rate.Window)
	return min(full, b.tokens+max(gained, 0))
}

// sweep makes room.
func (l *Limiter[K]) sweep(now time.Time) {
	for k, b := range l.buckets {
		if l.refilled(b, now) >= float64(l.Rate.Events) {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) > maxKeys/2 { // or the next keys would each sweep again
		clear(l.buckets)
	}
}
