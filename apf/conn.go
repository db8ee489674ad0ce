package apf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Conn is one APF connection, either side of it. While nothing happens on it, it costs the goroutine that has called Run, a
// timer and some 3 KiB: buffers are held while there is something in them, and another goroutine runs only while there is
// something to write.
type Conn struct {
	s      Stream
	server *ServerConfig // of the server's end
	device *DeviceConfig // of the device's end
	quirks Quirks
	limits Limits
	trace  *Trace
	log    *slog.Logger
	done   chan struct{}
	wg     sync.WaitGroup // everything but Run

	mu       sync.Mutex
	ctx      context.Context // of hooks; ends with the connection
	cancel   context.CancelCauseFunc
	err      error            // why the connection has ended
	reason   DisconnectReason // what the peer is told of it
	started  bool
	over     bool       // Run is about to return
	writing  bool       // the writer runs
	noWrite  bool       // nothing can be written any more
	closed   bool       // the stream
	later    []func()   // hooks that are due
	hooking  bool       // somebody calls them
	room     *sync.Cond // for SendControl, SendUDP; made when somebody waits
	srv      *ServerSession
	dev      *DeviceSession
	mux      Mux
	out      outbox
	stats    Stats
	violated bool
	refused  int // opens, see Firmware.RefuseOpens

	clock connClock

	parser Parser
	small  [128]byte // what is read into while nothing comes
}

// NewServerConn makes the MPS's end of a connection. A nil configuration is the zero one.
func NewServerConn(s Stream, cfg *ServerConfig) *Conn {
	if cfg == nil {
		cfg = new(ServerConfig)
	}
	c := &Conn{s: s, server: cfg, limits: cfg.Limits.withDefaults(), trace: cfg.Trace, log: cfg.Logger}
	if cfg.Quirks != nil {
		c.quirks = *cfg.Quirks
	} else if _, ok := s.(*webSocketStream); ok {
		c.quirks = StockClientQuirks()
	}
	c.parser.init(SideServer, c.limits)
	if l, ok := s.(limiter); ok {
		l.limit(c.limits.loginMessage())
	}
	c.srv = NewServerSession(ServerSessionConfig{
		Limits: c.limits, AllowSkippedAuth: cfg.AllowSkippedAuth, AllowPort: cfg.AllowPort, NoFailure: c.quirks.NoFailure,
	})
	c.init(MuxConfig{
		Side: SideServer, Window: cfg.Window, MaxFrame: cfg.MaxFrame, SendBuffer: cfg.SendBuffer,
		MaxChannels: cfg.MaxChannels, MaxOpens: cfg.MaxOpens, OpenTimeout: cfg.OpenTimeout,
	})
	c.clock.loginTime, c.clock.idleTime, c.clock.forwardTime = cfg.LoginTime, cfg.IdleTime, cfg.ForwardTime
	def(&c.clock.loginTime, 30*time.Second)
	def(&c.clock.idleTime, 90*time.Second)
	def(&c.clock.forwardTime, 500*time.Millisecond)
	return c
}

// NewDeviceConn makes the device's end of a connection. A nil configuration is the zero one.
func NewDeviceConn(s Stream, cfg *DeviceConfig) *Conn {
	if cfg == nil {
		cfg = new(DeviceConfig)
	}
	c := &Conn{s: s, device: cfg, limits: cfg.Limits.withDefaults(), trace: cfg.Trace, log: cfg.Logger}
	if cfg.Quirks != nil {
		c.quirks = *cfg.Quirks
	} else {
		c.quirks = StockServerQuirks()
	}
	if cfg.Firmware.Coalesce {
		c.quirks.OneMessage = false
	}
	c.parser.init(SideDevice, c.limits)
	c.dev = NewDeviceSession(DeviceSessionConfig{
		UUID: cfg.UUID, User: cfg.User, Password: cfg.Password, Method: cfg.Method, SkipAuth: cfg.SkipAuth,
		Ports: cfg.Ports, Host: cfg.Host, ConnType: cfg.ConnType, MEIState: cfg.MEIState, Trigger: cfg.Trigger,
		Coalesce: cfg.Firmware.Coalesce, IgnoreOptions: cfg.Firmware.IgnoreOptions,
	}, &c.parser)
	window := cfg.Window
	def(&window, 32<<10)
	c.init(MuxConfig{
		Side: SideDevice, Window: window, MaxFrame: cfg.MaxFrame, SendBuffer: cfg.SendBuffer, MaxChannels: cfg.Slots,
		AdjustStep: cfg.Firmware.AdjustStep, ReuseSlots: cfg.Firmware.ReuseSlots,
	})
	c.clock.loginTime, c.clock.idleTime, c.clock.interval = cfg.LoginTime, cfg.IdleTime, cfg.KeepAlive
	def(&c.clock.loginTime, 30*time.Second)
	def(&c.clock.idleTime, 120*time.Second)
	if c.clock.interval == 0 {
		c.clock.interval = 30 * time.Second
	}
	return c
}

func (c *Conn) init(cfg MuxConfig) {
	def(&cfg.MaxFrame, 16<<10-dataHeader)
	if q := c.quirks.MaxFrame; q > 0 {
		cfg.MaxFrame = min(cfg.MaxFrame, q)
	}
	cfg.MaxQueue, cfg.FlushTime = c.limits.QueuedDials, c.limits.FlushTime
	cfg.NoFailure, cfg.NoWindow = c.quirks.NoFailure, c.quirks.NoWindow
	cfg.OnEvent, cfg.OnOpen, cfg.OnViolation = c.onEvent, c.onOpen, c.onViolation
	c.out.one = c.quirks.OneMessage
	c.mux.init(cfg, &c.out)
	c.done = make(chan struct{})
	if c.trace == nil {
		c.trace = new(Trace)
	}
}

// Side returns which end this is.
func (c *Conn) Side() Side {
	if c.server != nil {
		return SideServer
	}
	return SideDevice
}

// phase tells how far the connection is.
func (c *Conn) phase() Phase {
	if c.srv != nil {
		return c.srv.Phase()
	}
	return c.dev.Phase()
}

// errTwice is a second call of Run.
var errTwice = errors.New("apf: Run was called before")

// Run logs in and serves the connection until it ends, and returns the reason, an [*Error]. It is called once, also for a
// connection that was closed before. When it returns all that the connection has started is over.
func (c *Conn) Run(ctx context.Context) error {
	now := time.Now()
	c.mu.Lock()
	if c.started {
		c.mu.Unlock()
		return errTwice
	}
	c.started = true
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	defer c.cancel(nil)
	c.clock.start(c, now)
	c.stats.Connected, c.stats.LastRead = now, now
	if c.err != nil {
		c.kick()
	} else if c.dev != nil {
		if err := c.dev.Start(c.out.add); err != nil {
			c.fail(err)
		}
	}
	c.unlock()
	stop := context.AfterFunc(ctx, func() { c.end(context.Cause(ctx), DisconnectByApplication) })
	err := c.read()
	stop()
	c.mu.Lock()
	c.fail(err)
	c.over = true
	c.clock.stop()
	c.unlock()
	c.wg.Wait()
	told := make(chan struct{})
	c.mu.Lock()
	c.hook(func() {
		defer close(told)
		if c.log != nil {
			c.log.Debug("APF connection ended", "side", c.Side().String(), "err", c.err)
		}
		if c.trace.Closed != nil {
			c.trace.Closed(c, c.err)
		}
	})
	c.unlock()
	<-told
	return c.err
}

// fail ends the connection because of an error, unless it has ended already. The lock is held.
func (c *Conn) fail(err error) {
	var gone *DisconnectError
	var m *messageError
	reason := DisconnectProtocolError
	switch {
	case errors.As(err, &gone), errors.Is(err, ErrRefused):
		reason = 0 // they know
	case errors.As(err, &m):
		if m.reason != 0 {
			reason = m.reason
		}
	case errors.Is(err, ErrIdle), errors.Is(err, ErrLoginTime), errors.Is(err, ErrSlow):
		reason = DisconnectTimedOut
	default:
		reason = 0 // the stream has failed
	}
	c.failWith(err, reason)
}

// failWith ends the connection and tells the peer a reason, if it is not zero. The lock is held.
func (c *Conn) failWith(err error, reason DisconnectReason) {
	if c.err != nil {
		return
	}
	c.err, c.reason = inPhase(c.phase(), err), reason
	if reason != 0 && !c.quirks.NoDisconnect && c.started {
		c.out.add(Disconnect{reason})
	}
	c.mux.Fail(c.err)
	close(c.done)
	if c.cancel != nil {
		c.cancel(c.err)
	}
	if c.room != nil {
		c.room.Broadcast()
	}
	// A writer that waits shall not wait any longer than the last words may take.
	_ = c.s.SetWriteDeadline(time.Now().Add(c.limits.FlushTime))
	c.kick()
}

// end ends the connection from outside.
func (c *Conn) end(err error, reason DisconnectReason) {
	c.mu.Lock()
	c.failWith(err, reason)
	alone := !c.started && !c.closed
	if alone {
		c.closed, c.noWrite = true, true
	}
	c.unlock()
	if alone { // nobody else closes the stream
		_ = c.s.Close()
	}
}

// Close ends the connection, with the reason DisconnectByApplication. It does not wait for Run to return.
func (c *Conn) Close() error { return c.CloseWith(DisconnectByApplication) }

// CloseWith tells the peer the reason, if it bears that, and ends the connection. Its channels fail at once. Only the first
// call has an effect; the error is always nil.
func (c *Conn) CloseWith(reason DisconnectReason) error {
	c.end(fmt.Errorf("%w (%v)", ErrClosed, reason), reason)
	return nil
}

// CloseFor is CloseWith, and lets this side's users know the cause: it is in the error of the connection and of its channels.
func (c *Conn) CloseFor(reason DisconnectReason, cause error) error {
	c.end(fmt.Errorf("%w: %w", ErrClosed, cause), reason)
	return nil
}

// Done returns a channel that is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection has ended, or nil while it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// unlock gives the lock back, once the writer and the timer know what was done, and calls the hooks that are due: all in
// their order, so that it may be another goroutine that calls them.
func (c *Conn) unlock() {
	c.settle()
	defer c.mu.Unlock()
	if !c.hooking && len(c.later) > 0 {
		c.callHooks()
	}
}

// callHooks calls the hooks that are due. The lock is held before and after.
func (c *Conn) callHooks() {
	c.hooking = true
	defer func() {
		c.hooking = false
		if len(c.later) > 0 { // one has panicked, which its caller may recover from: the others are called all the same
			go func() {
				c.mu.Lock()
				c.unlock()
			}()
		}
	}()
	for len(c.later) > 0 {
		f := c.later[0]
		if c.later = c.later[1:]; len(c.later) == 0 {
			c.later = nil
		}
		func() {
			c.mu.Unlock()
			defer c.mu.Lock()
			f()
		}()
	}
}

// settle tells the writer and the timer what was done.
func (c *Conn) settle() {
	c.kick()
	if c.mux.timing || c.clock.changed {
		c.clock.arm(c)
	}
}

// hook has a function called without the lock, which is held.
func (c *Conn) hook(f func()) { c.later = append(c.later, f) }

// Ports returns the forwarded ports in force, in the order in which they came.
func (c *Conn) Ports() []uint16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.srv != nil {
		return c.srv.Ports()
	}
	return c.dev.Ports()
}

// Login returns what the device said of itself, without the password. It is the zero Login before the login.
func (c *Conn) Login() Login {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase() == PhaseLogin {
		return Login{}
	}
	if c.srv != nil {
		return c.srv.Login()
	}
	d := &c.dev.cfg
	l := Login{UUID: d.UUID, User: d.User, Method: d.Method, ConnType: d.ConnType, Major: 1, Trigger: d.Trigger}
	if d.SkipAuth {
		l.User, l.Method = "", ""
	}
	return l
}

// Stats counts what happened on a connection.
type Stats struct {
	BytesIn, BytesOut       uint64 // of the stream
	MessagesIn, MessagesOut uint64
	DataIn, DataOut         uint64 // of channels
	Channels                int    // that are open
	Opened, OpenFailed      uint64 // channels, by either side
	Violations              uint64 // what the peer did wrong without ending the connection
	Connected, LastRead     time.Time
	RoundTrip               time.Duration // of the last probe that was answered
}

// Stats returns the counters of the connection.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.MessagesOut = c.out.sent
	s.Channels = c.mux.slots - c.mux.opening
	s.DataIn, s.DataOut = c.mux.Traffic()
	return s
}

// onViolation is told by the Mux what the peer did wrong.
func (c *Conn) onViolation(err error) {
	c.stats.Violations++
	if f := c.trace.Violation; f != nil {
		c.hook(func() { f(c, err) })
	}
	if c.log != nil && !c.violated {
		c.hook(func() { c.log.Warn("APF peer breaks the protocol", "err", err) })
	}
	c.violated = true
}
