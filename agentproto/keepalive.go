package agentproto

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// KeepAliveForm is how a peer is asked for a sign of life.
type KeepAliveForm uint8

const (
	// DefaultKeepAlive is PingFrame on a server and JSONPing on an agent.
	DefaultKeepAlive KeepAliveForm = iota
	// PingFrame is a WebSocket ping, which every agent answers, also one without a core. On connections that have none
	// it is JSONPing. An agent should not rely on it: a stock server whose agent has logged in elsewhere forgets the
	// older connection without closing it, and its library goes on answering pings.
	PingFrame
	// JSONPing is {"action":"ping"} (the stock server's agentPing). Only a running core answers.
	JSONPing
	// JSONPong is {"action":"pong"} (agentPong), which nobody answers. It keeps proxies from closing the connection.
	JSONPong
)

// KeepAlive says how idle connections are kept open and dead ones noticed. Anything that arrives is a sign of life. While
// nobody receives from a session its silence does not count, and while something is being written to it, which has a time
// limit of its own, it is not asked.
type KeepAlive struct {
	// Interval is the silence after which the peer is asked. Default 50 s, below the 60 s after which many proxies
	// close an idle connection. Negative never asks.
	Interval time.Duration
	// Timeout is the silence after which the connection is closed. Default 150 s, as of the stock server. Negative
	// never closes.
	Timeout time.Duration
	// Form is what is sent.
	Form KeepAliveForm
}

func (k KeepAlive) withDefaults() KeepAlive {
	def(&k.Interval, 50*time.Second)
	def(&k.Timeout, 150*time.Second)
	return k
}

// tick is how often connections are looked at: often enough that both times are met within a tenth.
func (k KeepAlive) tick() time.Duration {
	t := time.Minute
	for _, d := range []time.Duration{k.Interval, k.Timeout} {
		if d > 0 {
			t = min(t, d/10)
		}
	}
	return max(t, time.Millisecond)
}

// pulse is when a connection was heard from, and last asked. Times are counted from epoch, so that setting the machine's
// clock neither ends sessions nor keeps dead ones.
type pulse struct {
	epoch     time.Time
	lastHeard atomic.Int64
	lastAsked atomic.Int64
	// reading is since when somebody waits for the peer, or zero. While nobody does, silence means nothing.
	reading atomic.Int64
}

func (p *pulse) begin()       { p.epoch = time.Now().Add(-1); p.heard() }
func (p *pulse) since() int64 { return int64(time.Since(p.epoch)) }
func (p *pulse) heard()       { p.lastHeard.Store(p.since()) }
func (p *pulse) asked()       { p.lastAsked.Store(p.since()) }
func (p *pulse) read(waiting bool) {
	if waiting {
		p.reading.Store(p.since())
		return
	}
	p.reading.Store(0)
	p.heard()
}

// LastHeard returns when the peer last sent anything, pongs included.
func (p *pulse) LastHeard() time.Time { return p.epoch.Add(time.Duration(p.lastHeard.Load())) }

// dead reports whether the peer has been silent for too long.
func (k KeepAlive) dead(p *pulse) bool {
	waiting := p.reading.Load()
	return k.Timeout > 0 && waiting > 0 && p.since()-max(p.lastHeard.Load(), waiting) >= int64(k.Timeout)
}

// silent reports whether it is time to ask the peer.
func (k KeepAlive) silent(p *pulse) bool {
	return k.Interval > 0 && p.since()-max(p.lastHeard.Load(), p.lastAsked.Load()) >= int64(k.Interval)
}

// askTimeout bounds how long a sign of life may take to be asked for.
const askTimeout = 10 * time.Second

// ask asks the peer for a sign of life. It may wait for the network.
func (k KeepAlive) ask(l *link) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	ctl, ok := l.conn.(msgconn.Controller)
	switch {
	case k.Form == JSONPong:
		return l.Send(ctx, &Pong{})
	case k.Form == JSONPing || !ok:
		return l.Send(ctx, &Ping{})
	}
	return ctl.Ping(ctx)
}

// keepAlive looks after all sessions from one goroutine, which exists while there are any.
func (s *Server) keepAlive() {
	ticker := time.NewTicker(s.cfg.KeepAlive.tick())
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		if len(s.live) == 0 {
			s.ticking = false
			s.mu.Unlock()
			return
		}
		for sess := range s.live {
			switch k := s.cfg.KeepAlive; {
			case k.dead(&sess.pulse):
				go sess.end(0, "", &Error{Phase: PhaseSession, Err: ErrIdle})
			case k.silent(&sess.pulse) && !sess.busy():
				sess.asked()
				go func() {
					if err := k.ask(&sess.link); err != nil && !errors.Is(err, context.DeadlineExceeded) {
						sess.writeFailed(err)
					}
				}()
			}
		}
		s.mu.Unlock()
	}
}
