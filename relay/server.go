//go:build !js

package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

const (
	// lingerTime is how long a connection is still read after the close frame, so that the frame is not lost to a reset.
	lingerTime = time.Second
	// lingerBytes bounds what is read in that time.
	lingerBytes = 1 << 20
)

// Relay is the http.Handler of /meshrelay.ashx: a [Rendezvous] with connections. Idle, a tunnel holds two goroutines per
// end and no buffers; an end that waits holds one goroutine and half a KiB.
type Relay struct {
	cfg   Config
	trace *Trace
	log   *slog.Logger
	pools pools

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	rv      *Rendezvous
	waiting map[Key]*waiter
	tunnels map[Key]*tunnel // by the end that came second
	timer   *time.Timer
	armed   time.Time
	pinger  *time.Timer
	closed  bool
}

// New returns a relay. It is to be closed.
func New(cfg Config) (*Relay, error) {
	if cfg.Authenticate == nil {
		return nil, errors.New("relay: Config.Authenticate is missing")
	}
	if cfg.MaxFragmented == 0 {
		cfg.MaxFragmented = 256 << 10
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = 100 << 20
	}
	if cfg.FlushTime == 0 {
		cfg.FlushTime = 5 * time.Second
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &Relay{
		cfg: cfg, trace: cfg.Trace.orEmpty(), log: log, rv: NewRendezvous(cfg.Limits),
		waiting: make(map[Key]*waiter), tunnels: make(map[Key]*tunnel),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if cfg.PingInterval > 0 {
		r.mu.Lock() // the first may be due before its timer is assigned
		defer r.mu.Unlock()
		r.pinger = time.AfterFunc(cfg.PingInterval, r.pingAll)
	}
	return r, nil
}

// Announce notes a tunnel request that goes to a device. See [Rendezvous.Announce].
func (r *Relay) Announce(req TunnelRequest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.rv.Announce(time.Now(), req)
	r.arm()
	return err
}

// Withdraw takes a request back.
func (r *Relay) Withdraw(id ID, user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rv.Withdraw(id, user)
}

// ServeHTTP takes one end of a tunnel. It returns when the end waits or has met the other one: the tunnel lives on without
// the request. An end that is not let in is upgraded too and closed at once, as clients read why only there.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !r.enter() {
		http.Error(w, "server is shutting down", http.StatusServiceUnavailable)
		return
	}
	defer r.wg.Done()
	q, err := ParseQuery(req.URL.RawQuery)
	var e End
	if err == nil {
		e, err = r.cfg.Authenticate(req, q)
	}
	if e.Addr == "" {
		e.Addr, _, _ = net.SplitHostPort(req.RemoteAddr)
	}
	if q != nil {
		if e.ID == "" {
			e.ID = q.ID
		}
		e.NoPing = e.NoPing || q.NoPing
	}
	nc, upgradeErr := msgconn.Hijack(w, req, msgconn.UpgradeOptions{CheckOrigin: r.cfg.CheckOrigin})
	if upgradeErr != nil {
		r.refused(e, upgradeErr)
		return
	}
	if err != nil {
		r.refused(e, err)
		r.dismiss(nc, err)
		return
	}
	r.arrive(nc, e)
}

// enter counts what Close waits for.
func (r *Relay) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.wg.Add(1)
	return true
}

// arrive is an end that has proved who it is.
func (r *Relay) arrive(nc net.Conn, e End) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		r.dismiss(nc, ErrShutdown)
		return
	}
	a, err := r.rv.Arrive(time.Now(), e)
	if err != nil {
		r.mu.Unlock()
		r.refused(e, err)
		r.dismiss(nc, err)
		return
	}
	if a.Pair == nil {
		w := &waiter{nc: nc, end: e, done: make(chan struct{})}
		r.waiting[a.Key] = w
		r.arm()
		r.wg.Go(func() {
			if w.watch() {
				r.left(a.Key, w)
			}
		})
		r.mu.Unlock()
		r.trace.Waiting(e)
		return
	}
	first := r.waiting[a.Pair.First]
	delete(r.waiting, a.Pair.First)
	t := newTunnel(r, *a.Pair, first.nc, nc)
	t.ends[0].early = first.stop()
	r.tunnels[a.Key] = t
	r.arm()
	r.mu.Unlock()
	t.start()
}

func (r *Relay) refused(e End, err error) {
	r.trace.Refused(e, err)
	r.log.Warn("tunnel end refused", "addr", e.Addr, "role", e.Role, "user", e.User, "node", e.Node, "reason", err)
}

// dismiss closes the connection of an end that is in no tunnel. It does not wait. The time for saying why does not begin with
// that for listening on: on a busy machine the words would not get out.
func (r *Relay) dismiss(nc net.Conn, err error) {
	var b []byte
	var refusal *Refusal
	if errors.As(err, &refusal) {
		if msg, err := jsonrec.Append(nil, &refusalMessage{"close", refusal.Cause, refusal.Msg}); err == nil {
			b = msgconn.AppendFrame(b, uint8(msgconn.Text), nil, msg)
		}
	}
	code, reason := publicReason(err)
	b = msgconn.AppendCloseFrame(b, code, reason)
	r.wg.Go(func() {
		defer nc.Close()
		nc.SetWriteDeadline(time.Now().Add(r.cfg.FlushTime))
		stop := context.AfterFunc(r.ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		if _, err := nc.Write(b); err != nil {
			return
		}
		nc.SetReadDeadline(time.Now().Add(lingerTime))
		if r.ctx.Err() == nil { // or the deadline may be later again than the one that Close has set
			io.Copy(io.Discard, io.LimitReader(nc, lingerBytes))
		}
	})
}

// arm sets the timer for the next thing that ends by itself.
func (r *Relay) arm() {
	when, ok := r.rv.Next()
	if !ok || r.closed || when.Equal(r.armed) {
		return
	}
	r.armed = when
	if r.timer == nil {
		r.timer = time.AfterFunc(time.Until(when), r.expire)
		return
	}
	r.timer.Reset(time.Until(when))
}

func (r *Relay) expire() {
	if !r.enter() {
		return
	}
	defer r.wg.Done()
	r.mu.Lock()
	r.armed = time.Time{}
	ended := r.rv.Expire(time.Now(), func(k Key) bool {
		t := r.tunnels[k]
		return t != nil && t.moved.Swap(false)
	})
	var gone []*waiter
	var over []*tunnel
	var why []error
	for _, e := range ended {
		if w := r.waiting[e.Key]; w != nil {
			delete(r.waiting, e.Key)
			gone = append(gone, w)
		} else if t := r.tunnels[e.Key]; t != nil {
			over, why = append(over, t), append(why, e.Err)
		}
	}
	r.arm()
	r.mu.Unlock()
	for _, w := range gone {
		r.unmet(w, ErrNobodyCame)
	}
	for i, t := range over {
		t.end(nil, why[i])
	}
}

func (r *Relay) unmet(w *waiter, err error) {
	w.stop()
	r.trace.Unmet(w.end, err)
	r.log.Info("tunnel end waited in vain", "role", w.end.Role, "user", w.end.User, "node", w.end.Node, "reason", err)
	r.dismiss(w.nc, err)
}

// pingAll puts a ping into every tunnel that does not forbid it.
func (r *Relay) pingAll() {
	msg := `{"ctrlChannel":"102938","type":"ping"}`
	if r.cfg.Pong {
		msg = `{"ctrlChannel":"102938","type":"pong"}`
	}
	frame := msgconn.AppendFrame(nil, uint8(msgconn.Text), nil, []byte(msg))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tunnels {
		if t.pair.FirstEnd.NoPing || t.pair.SecondEnd.NoPing {
			continue
		}
		for _, c := range t.ends {
			c.out.between(frame)
		}
	}
	if !r.closed {
		r.pinger.Reset(r.cfg.PingInterval)
	}
}

// Tunnels returns the accounts of the tunnels that are open.
func (r *Relay) Tunnels() iter.Seq[Stats] {
	return func(yield func(Stats) bool) {
		r.mu.Lock()
		open := make([]*tunnel, 0, len(r.tunnels))
		for _, t := range r.tunnels {
			open = append(open, t)
		}
		r.mu.Unlock()
		for _, t := range open {
			if !yield(t.stats()) {
				return
			}
		}
	}
}

// End ends the tunnels for which which says so, such as those of a share that was removed, and the ends that wait for one. It
// returns how many. which is called under a lock, and must not call the relay.
func (r *Relay) End(reason error, which func(p *Pair) bool) int {
	if !r.enter() {
		return 0
	}
	defer r.wg.Done()
	return r.endSome(reason, which)
}

func (r *Relay) endSome(reason error, which func(p *Pair) bool) int {
	r.mu.Lock()
	var over []*tunnel
	var gone []*waiter
	for _, t := range r.tunnels {
		if which(&t.pair) {
			over = append(over, t)
		}
	}
	for k, w := range r.waiting {
		p := Pair{ID: w.end.ID, First: k, FirstEnd: w.end, User: w.end.User, Node: w.end.Node, Protocol: w.end.Protocol}
		if which(&p) {
			delete(r.waiting, k)
			r.rv.Leave(k)
			gone = append(gone, w)
		}
	}
	r.mu.Unlock()
	for _, t := range over {
		t.end(nil, reason)
	}
	for _, w := range gone {
		r.unmet(w, reason)
	}
	return len(over) + len(gone)
}

// Shutdown ends all tunnels and waits until the ends have been told. When ctx ends first, connections are dropped.
func (r *Relay) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.pinger != nil {
		r.pinger.Stop()
	}
	r.mu.Unlock()
	r.endSome(ErrShutdown, func(*Pair) bool { return true })
	done := make(chan struct{})
	go func() { r.wg.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("relay: shutdown: %w", context.Cause(ctx))
		r.cancel()
		<-done
	}
	r.cancel()
	return err
}

// Close drops all tunnels.
func (r *Relay) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Shutdown(ctx) //nolint:errcheck // that the context has ended is what was wanted
	return nil
}
