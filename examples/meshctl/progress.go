package main

import (
	"fmt"
	"time"
)

// progress shows on a terminal how far a transfer is, in a line that is written over.
type progress struct {
	a     *app
	total int64 // zero: not known
	begun time.Time
	last  time.Time
	shown bool
}

// progressTime is how often the line changes.
const progressTime = 200 * time.Millisecond

func (a *app) progress(total int64) *progress { return &progress{a: a, total: total, begun: a.now()} }

// at tells that so many bytes are through.
func (p *progress) at(done int64) {
	now := p.a.now()
	if !p.a.errTerminal || now.Sub(p.last) < progressTime {
		return
	}
	p.last, p.shown = now, true
	rate := float64(done) / max(now.Sub(p.begun).Seconds(), 0.001)
	if p.total > 0 {
		fmt.Fprintf(p.a.err, "\r%3d%%  %d of %d bytes, %.0f KB/s ", 100*done/p.total, done, p.total, rate/1000)
	} else {
		fmt.Fprintf(p.a.err, "\r%d bytes, %.0f KB/s ", done, rate/1000)
	}
}

// end leaves the line.
func (p *progress) end() {
	if p.shown {
		fmt.Fprintln(p.a.err)
	}
}
