package redir

import (
	"sync"
	"time"
)

// deadline is a time at which a channel is closed, in the manner of net.Pipe.
type deadline struct {
	mu      sync.Mutex
	timer   *time.Timer
	at      time.Time
	expired chan struct{}
}

func (d *deadline) init() { d.expired = make(chan struct{}) }

// wait returns the channel that is closed when the time has come. A deadline that is set later closes it too.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.expired
}

// time returns when that is, or zero.
func (d *deadline) time() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.timer != nil && !d.timer.Stop() {
		<-d.expired // the timer has just run, and closes
	}
	d.timer = nil
	over := isClosed(d.expired)
	wait := time.Until(t)
	if t.IsZero() || wait > 0 {
		if over {
			d.expired = make(chan struct{})
		}
		if !t.IsZero() {
			c := d.expired
			d.timer = time.AfterFunc(wait, func() { close(c) })
		}
		return
	}
	if !over {
		close(d.expired)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
