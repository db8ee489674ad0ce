package mpstest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/apf"
)

// ErrClosed is what a device was stopped with by Close.
var ErrClosed = fmt.Errorf("mpstest: the device was closed: %w", net.ErrClosed)

// ErrDismissed is what a device ends with when the server has told it, in a JSON control message, that there is nothing
// more to do. Servers tell that to connections of the LMS type.
var ErrDismissed = errors.New("mpstest: the server has nothing more to do with the device")

// Device is a simulated Intel AMT device.
type Device struct {
	cfg   Config
	ports ports
	opens opens

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // Run, and what Start and Login have started

	mu        sync.Mutex
	running   bool // Run
	state     State
	since     time.Time
	conn      *apf.Conn     // the newest that was online
	online    uint64        // how often it was
	changed   chan struct{} // closed at the next change; nil when nobody waits
	dismissed bool

	events sync.Mutex // held while Changed is called
}

// NewDevice makes a device. It does not call before Start, Run or Login.
func NewDevice(cfg Config) (*Device, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	d := &Device{cfg: cfg, since: time.Now()}
	d.ports.handlers, d.ports.order = cfg.Ports, cfg.ports()
	d.cfg.Logger = cfg.Logger.With("uuid", cfg.UUID)
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
	return d, nil
}

// UUID returns the device's identifier.
func (d *Device) UUID() apf.UUID { return d.cfg.UUID }

// State returns what the device does.
func (d *Device) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Conn returns the newest connection that was online, which may have ended, or nil if there was none.
func (d *Device) Conn() *apf.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}

// Sessions returns how often the device came online.
func (d *Device) Sessions() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.online
}

// Start lets the device call, and call again, until it is closed.
func (d *Device) Start() {
	d.background(func() { _ = d.Run(d.ctx) })
}

// background runs f in a goroutine that Close waits for, unless the device was closed.
func (d *Device) background(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return false
	}
	d.wg.Go(f)
	return true
}

// Close ends the device: its connection, its handlers, whose connections fail, and Run. It returns when all that has ended.
func (d *Device) Close() {
	d.mu.Lock()
	d.cancel(ErrClosed)
	d.mu.Unlock()
	d.wg.Wait()
}

// Run calls the server, and calls again when a session has ended or none came about, until ctx ends or the device is
// closed, and returns why. Handlers have returned by then.
func (d *Device) Run(ctx context.Context) error {
	d.mu.Lock()
	if d.running {
		d.mu.Unlock()
		return errors.New("mpstest: the device runs already")
	}
	if d.ctx.Err() != nil {
		d.mu.Unlock()
		return ErrClosed
	}
	d.running = true
	d.wg.Add(1)
	defer d.wg.Done()
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.running = false
		d.mu.Unlock()
	}()
	ctx, stop := d.bounded(ctx)
	defer stop()

	backoff := d.cfg.Backoff
	for {
		before := d.Sessions()
		err := d.session(ctx)
		wait := backoff.next(d.Sessions() != before)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if ctx.Err() != nil || errors.Is(err, ErrDismissed) {
			d.change(Event{State: StateStopped, Err: err})
			return err
		}
		d.change(Event{State: StateOffline, Err: err, Wait: wait})
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			d.change(Event{State: StateStopped, Err: context.Cause(ctx)})
			return context.Cause(ctx)
		}
	}
}

// bounded returns a context that also ends when the device is closed.
func (d *Device) bounded(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(d.ctx, func() { cancel(context.Cause(d.ctx)) })
	return ctx, func() { stop(); cancel(nil) }
}

// Login makes one call and returns when the device is online, or could not be. The session is served until it ends or the
// device is closed, and not replaced then. ctx bounds the call alone.
func (d *Device) Login(ctx context.Context) (*apf.Conn, error) {
	before := d.Sessions()
	result := make(chan error, 1)
	sessionCtx, stop := d.bounded(context.WithoutCancel(ctx))
	if !d.background(func() {
		defer stop()
		err := d.session(sessionCtx)
		d.change(Event{State: StateStopped, Err: err})
		result <- err
	}) {
		stop()
		return nil, ErrClosed
	}
	conn, err := d.wait(ctx, func() bool { return d.online != before }, result)
	if err != nil && ctx.Err() != nil {
		stop()
	}
	return conn, err
}

// WaitOnline waits until the device is online and returns its connection.
func (d *Device) WaitOnline(ctx context.Context) (*apf.Conn, error) {
	return d.wait(ctx, func() bool { return d.state == StateOnline }, nil)
}

// WaitState waits until the device is in a state.
func (d *Device) WaitState(ctx context.Context, state State) error {
	_, err := d.wait(ctx, func() bool { return d.state == state }, nil)
	return err
}

// wait waits until a condition, looked at under the lock, holds.
func (d *Device) wait(ctx context.Context, until func() bool, ended <-chan error) (*apf.Conn, error) {
	for {
		d.mu.Lock()
		if until() {
			conn := d.conn
			d.mu.Unlock()
			return conn, nil
		}
		if d.changed == nil {
			d.changed = make(chan struct{})
		}
		changed := d.changed
		d.mu.Unlock()
		select {
		case <-changed:
		case err := <-ended:
			d.mu.Lock()
			defer d.mu.Unlock()
			if until() { // for a moment, which is over
				return d.conn, nil
			}
			return nil, err
		case <-d.ctx.Done():
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// change moves the device to a state and tells of it.
func (d *Device) change(e Event) { d.changeTo(e, nil) }

// changeTo is change, with the connection by which the device has come online.
func (d *Device) changeTo(e Event, conn *apf.Conn) {
	d.events.Lock()
	defer d.events.Unlock()
	d.mu.Lock()
	now := time.Now()
	e.Device, e.Since = d, now.Sub(d.since)
	d.state, d.since = e.State, now
	if conn != nil { // together with the state, which whoever waits for one of them sees then
		d.conn = conn
		d.online++
	}
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
	d.mu.Unlock()
	d.cfg.Logger.Debug("state", "state", e.State, "reason", e.Err, "wait", e.Wait)
	if d.cfg.Changed != nil {
		d.cfg.Changed(e)
	}
}

// session makes a call and serves it until it ends. The error is never nil.
func (d *Device) session(ctx context.Context) error {
	release := func() {}
	if d.cfg.calls != nil {
		select {
		case d.cfg.calls <- struct{}{}:
			release = sync.OnceFunc(func() { <-d.cfg.calls })
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer release()
	d.change(Event{State: StateConnecting})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(d.cfg.LoginTime, func() {
		cancel(fmt.Errorf("mpstest: not online within %v: %w", d.cfg.LoginTime, context.DeadlineExceeded))
	})
	defer late.Stop()
	stream, err := d.connect(ctx)
	if err != nil {
		return fmt.Errorf("mpstest: connect: %w", err)
	}
	d.change(Event{State: StateLogin})

	conn := apf.NewDeviceConn(stream, d.deviceConfig(func(c *apf.Conn) {
		if !late.Stop() {
			return // too late: the call is being ended
		}
		release()
		d.changeTo(Event{State: StateOnline, Ports: c.Ports()}, c)
		if err := d.ports.ready(ctx, c); err != nil {
			d.cfg.Logger.Warn("changed ports", "reason", err)
		}
	}))
	err = conn.Run(ctx)
	d.ports.end()
	d.mu.Lock()
	dismissed := d.dismissed
	d.dismissed = false
	d.mu.Unlock()
	switch {
	case dismissed:
		return ErrDismissed
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case err == nil:
		return errors.New("mpstest: the connection was closed")
	}
	return err
}

// connect makes the connection to the server.
func (d *Device) connect(ctx context.Context) (stream apf.Stream, err error) {
	if d.cfg.Connect != nil {
		stream, err = d.cfg.Connect(ctx)
	} else {
		how, host, addr, wrong := d.cfg.target()
		if wrong != nil {
			return nil, wrong
		}
		if how == overWebSocket {
			return d.connectWebSocket(ctx, d.cfg.Trust.config(d.cfg.TLS, host, d.cfg.Certificate))
		}
		stream, err = d.connectTCP(ctx, how, host, addr)
	}
	if q := &d.cfg.Quirks; err == nil && q.SplitWrites > 0 {
		if _, ok := stream.(net.Conn); !ok { // package apf knows more of it than a wrapper shows
			stream.Close()
			return nil, fmt.Errorf("writes to a %T can not be split", stream)
		}
		stream = &splitStream{stream, split{q.SplitWrites, q.SplitPassword}}
	}
	return stream, err
}

func (d *Device) connectTCP(ctx context.Context, how transport, host, addr string) (apf.Stream, error) {
	dial := d.cfg.NetDialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	raw, err := dial(ctx, "tcp", addr)
	if err != nil || how == overTCP {
		return raw, err
	}
	conn := tls.Client(raw, d.cfg.Trust.config(d.cfg.TLS, host, d.cfg.Certificate))
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, explain(err)
	}
	return conn, nil
}

func (d *Device) connectWebSocket(ctx context.Context, config *tls.Config) (apf.Stream, error) {
	conn, err := d.dialWebSocket(ctx, config)
	if err != nil {
		return nil, explain(err)
	}
	q := &d.cfg.Quirks
	if q.TextMessages {
		conn = textConn{conn}
	}
	if q.SplitWrites > 0 {
		conn = splitConn{conn, split{q.SplitWrites, q.SplitPassword}}
	}
	return apf.NewWebSocketStream(conn), nil
}

// deviceConfig is that of one connection.
func (d *Device) deviceConfig(ready func(*apf.Conn)) *apf.DeviceConfig {
	q := &d.cfg.Quirks
	control := d.control
	if own := d.cfg.Control; own != nil {
		control = func(_ *apf.Conn, j apf.JSONControl) { own(d, j) }
	}
	return &apf.DeviceConfig{
		UUID: d.cfg.UUID, User: d.cfg.User, Password: d.cfg.Password,
		SkipAuth: d.cfg.User == "" && d.cfg.Certificate != nil,
		Ports:    d.ports.begin(), Host: d.cfg.Host,
		ConnType: d.cfg.ConnType, MEIState: d.cfg.MEIState,
		Window: q.Window, MaxFrame: q.FrameSize, Slots: q.Slots, KeepAlive: q.KeepAlive,
		LoginTime: d.cfg.LoginTime,
		Accept:    d.accept, Ready: ready, Control: control,
		Quirks: &apf.Quirks{OneMessage: !q.CoalesceWrites},
		Firmware: apf.Firmware{
			AdjustStep: q.AdjustStep, ReuseSlots: q.ReuseSlots,
			Coalesce: q.CoalesceWrites, IgnoreOptions: q.IgnoreKeepAliveOptions,
		},
		Trace: d.cfg.Trace, Logger: d.cfg.Logger,
	}
}
