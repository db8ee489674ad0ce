package agentproto

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long an agent waits before it connects again. Waits are random, so that the agents of a server that
// restarts do not all come back at the same moment. The zero value works.
type Backoff struct {
	// First bounds the wait after a session that lasted half a minute: somewhere between zero and First. Default 2 s. One
	// that did not last counts as an attempt that failed.
	First time.Duration
	// Min bounds the first wait after an attempt that failed, from below; every further one is up to twice the last.
	// Default 500 ms.
	Min time.Duration
	// Max bounds waits from above; at that point they spread between half of it and all of it. Default 5 min.
	Max time.Duration

	last time.Duration
}

// Next returns how long to wait after an attempt that failed. A hint, such as a Retry-After of the server's, is the
// least it returns.
func (b *Backoff) Next(hint time.Duration) time.Duration {
	def(&b.Min, 500*time.Millisecond)
	def(&b.Max, 5*time.Minute)
	if b.last == 0 {
		b.last = between(b.Min, 4*b.Min)
	} else {
		b.last = between(b.last, 2*b.last)
	}
	if b.last > b.Max {
		b.last = b.Max
		return max(between(b.Max/2, b.Max), hint)
	}
	if hint > b.last {
		return between(hint, hint+hint/2) // all who were given the same hint
	}
	return b.last
}

// Reset returns how long to wait after a session that was logged in, and begins anew.
func (b *Backoff) Reset() time.Duration {
	def(&b.First, 2*time.Second)
	b.last = 0
	return between(0, b.First)
}

// between returns a random time in [low, high).
func between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + rand.N(high-low) //nolint:gosec // spreads load, keeps no secret
}
