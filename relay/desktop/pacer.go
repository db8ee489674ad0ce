package desktop

import "time"

// pacer says when to look at the screen and when to send, from the time it is told. It keeps to a number of bytes a second
// over any few seconds: what was sent is owed, and paid back with time.
type pacer struct {
	interval time.Duration
	rate     float64 // bytes a second; 0 is no limit

	frame time.Time // when to look again
	owed  float64
	since time.Time
}

// frameDue says whether it is time for a new picture, and takes it as taken.
func (p *pacer) frameDue(now time.Time) bool {
	if now.Before(p.frame) {
		return false
	}
	p.frame = now.Add(p.interval)
	return true
}

// maySend says whether a tile may be sent.
func (p *pacer) maySend(now time.Time) bool {
	if p.rate <= 0 {
		return true
	}
	p.owed = max(p.owed-now.Sub(p.since).Seconds()*p.rate, 0)
	p.since = now
	return p.owed < 1
}

// sent counts what was sent.
func (p *pacer) sent(n int) {
	if p.rate > 0 {
		p.owed += float64(n)
	}
}

// wait is how long nothing is to be done, if there are tiles to be sent or not.
func (p *pacer) wait(now time.Time, pending bool) time.Duration {
	d := p.frame.Sub(now)
	if pending && p.rate > 0 {
		d = min(d, time.Duration(p.owed/p.rate*float64(time.Second)))
	}
	return max(d, time.Millisecond)
}
