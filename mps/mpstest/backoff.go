package mpstest

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long a device waits before it calls again. Firmware that MeshCentral has set up calls every ten seconds,
// but after two calls in vain it waits for many minutes, which is what makes a short outage of a server a long one. All
// waits are up to a quarter shorter or longer than said here, so that devices do not stay in step. The zero value is that
// of firmware.
type Backoff struct {
	// Interval is the wait before the next call. Default 10 s.
	Interval time.Duration
	// Retries is how many calls in a row may fail, after the first that does, before Pause. A session that never came
	// online is one that failed. Default 2; less than zero is for ever.
	Retries int
	// Pause is the wait after that. Default 10 min.
	Pause time.Duration

	failed int
}

// next returns how long to wait after a session, or after a call that came to none.
func (b *Backoff) next(online bool) time.Duration {
	def(&b.Interval, 10*time.Second)
	def(&b.Retries, 2)
	def(&b.Pause, 10*time.Minute)
	if online {
		b.failed = 0
		return spread(b.Interval)
	}
	b.failed++
	if b.Retries >= 0 && b.failed > b.Retries {
		b.failed = 0
		return spread(b.Pause)
	}
	return spread(b.Interval)
}

// spread returns a time within a quarter of d.
func spread(d time.Duration) time.Duration {
	if d < 4 {
		return d
	}
	return d - d/4 + rand.N(d/2) //nolint:gosec // spreads load, keeps no secret
}

// def sets a field that was left out to its default.
func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
