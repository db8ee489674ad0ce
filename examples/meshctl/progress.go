package main

import (
	"fmt"
	"strings"
	"time"
)

// progress shows on a terminal how far a transfer is, in a line that is written over.
type progress struct {
	a     *app
	total int64 // zero: not known
	begun time.Time
	last  time.Time
	done  int64
	from  int64 // what was there before
	shown bool
}

const (
	// progressTime is how often the line changes.
	progressTime = 200 * time.Millisecond
	// progressWidth is that of the bar.
	progressWidth = 30
)

func (a *app) progress(total int64) *progress {
	return &progress{a: a, total: total, begun: a.now(), from: -1}
}

// at tells that so many bytes are through.
func (p *progress) at(done int64) {
	if p.from < 0 {
		p.from = done
	}
	p.done = done
	now := p.a.now()
	if !p.a.errTerminal || now.Sub(p.last) < progressTime {
		return
	}
	p.last = now
	p.show(now)
}

func (p *progress) show(now time.Time) {
	p.shown = true
	rate := float64(p.done-p.from) / max(now.Sub(p.begun).Seconds(), 0.001)
	if p.total <= 0 {
		fmt.Fprintf(p.a.err, "\r%d bytes, %.0f KB/s ", p.done, rate/1000)
		return
	}
	part := min(float64(p.done)/float64(p.total), 1)
	bar := int(part * progressWidth)
	fmt.Fprintf(p.a.err, "\r[%s%s] %3.0f%%  %d of %d bytes, %.0f KB/s ",
		strings.Repeat("=", bar), strings.Repeat(" ", progressWidth-bar), 100*part, p.done, p.total, rate/1000)
}

// end leaves the line, which says how it ended.
func (p *progress) end() {
	if p.shown {
		p.show(p.a.now())
		fmt.Fprintln(p.a.err)
		p.shown = false
	}
}
