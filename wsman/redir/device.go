package redir

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// DeviceConfig is what a Device is made with.
type DeviceConfig struct {
	// Realm is the digest realm of the device: "Digest:" and 32 upper-case hexadecimal digits.
	Realm string
	// Password returns the password of a user who may use redirection. Nil knows nobody.
	Password func(username string) (Secret, bool)
	// HA1 is asked in place of Password, if it is not nil: for the hash of user name, realm and password in hexadecimal
	// digits.
	HA1 func(username string) (Secret, bool)
	// Start may refuse a session, for instance one that is switched off or wants a user's consent. Nil refuses none.
	Start func(SessionType) StartStatus

	// SOL, IDER and KVM serve a session. When they return, or ctx is done because the operator left, the session is over.
	// Nil does not support the type.
	SOL  func(ctx context.Context, port *Serial) error
	IDER func(ctx context.Context, host *IDERHost) error
	KVM  func(ctx context.Context, rfb net.Conn) error

	// Disk is what IDE-R is opened with.
	Disk DiskHostConfig
	// LoginTimeout is for everything up to the open session; 30 seconds if it is 0.
	LoginTimeout time.Duration
	// WriteTimeout is for one message; 30 seconds if it is 0.
	WriteTimeout time.Duration
	Logger       *slog.Logger // nil discards
	Trace        *Trace       // nil is none
}

// Device is the redirection service of a device: what listens on ports 16994 and 16995. It has one session of each type at a
// time, and tells others that it is busy.
type Device struct {
	cfg DeviceConfig

	mu   sync.Mutex
	busy map[SessionType]bool
}

// NewDevice returns a device without sessions.
func NewDevice(cfg DeviceConfig) *Device {
	cfg.LoginTimeout = orElse(cfg.LoginTimeout, defaultLoginTimeout)
	cfg.WriteTimeout = orElse(cfg.WriteTimeout, defaultWriteTimeout)
	cfg.Logger = orDiscard(cfg.Logger)
	cfg.Trace = cfg.Trace.orEmpty()
	return &Device{cfg: cfg, busy: make(map[SessionType]bool)}
}

// Echo serves SOL: what the operator types appears on the screen.
func Echo(_ context.Context, port *Serial) error {
	_, err := io.Copy(struct{ io.Writer }{port}, struct{ io.Reader }{port})
	return err
}

// Serve serves one connection, until the session is over or ctx is done, and closes it. The error is nil if the operator ended
// the session in order, or the handler did.
func (d *Device) Serve(ctx context.Context, conn net.Conn) error {
	defer conn.Close() //nolint:errcheck // it is over
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	t := newTransport(conn, Operator, d.cfg.WriteTimeout)
	started := SessionType(0)
	login := NewServerLogin(ServerLoginConfig{Realm: d.cfg.Realm, Password: d.cfg.Password, HA1: d.cfg.HA1, Start: func(session SessionType) StartStatus {
		status := d.reserve(session)
		if status == StartOK {
			started = session
		}
		return status
	}})
	defer func() { d.release(started) }()

	err := t.within(ctx, d.cfg.LoginTimeout, func() error { return d.login(t, login) })
	if err == nil {
		d.cfg.Trace.LoggedIn(started, login.Username())
		d.cfg.Logger.Debug("redirection session", "type", started, "user", login.Username())
		err = d.session(ctx, t, started)
		d.cfg.Trace.Ended(started, err)
	}
	if err != nil {
		if started == 0 {
			return fmt.Errorf("redir: login: %w", err)
		}
		return fmt.Errorf("redir: %v session: %w", started, err)
	}
	return nil
}

func (d *Device) reserve(session SessionType) StartStatus {
	handled := session == SOL && d.cfg.SOL != nil || session == IDER && d.cfg.IDER != nil || session == KVM && d.cfg.KVM != nil
	if !handled {
		return StartUnsupported
	}
	if d.cfg.Start != nil {
		if status := d.cfg.Start(session); status != StartOK {
			return status
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[session] {
		return StartBusy
	}
	d.busy[session] = true
	return StartOK
}

func (d *Device) release(session SessionType) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, session)
}

func (d *Device) login(t *transport, login *ServerLogin) error {
	for done := false; !done; {
		m, err := t.receive(0)
		if err != nil {
			return err
		}
		var out []byte
		out, done, err = login.Receive(nil, m)
		if sendErr := t.send(out, time.Time{}); err == nil {
			err = sendErr
		}
		if err != nil {
			return err
		}
	}
	t.parser.SetSession(login.Session())
	return nil
}

// session serves a session whose login is done.
func (d *Device) session(ctx context.Context, t *transport, session SessionType) error {
	switch session {
	case SOL:
		return d.serveSOL(ctx, t)
	case IDER:
		return d.serveIDER(ctx, t)
	default:
		return d.serveKVM(ctx, t)
	}
}

func (d *Device) serveSOL(ctx context.Context, t *transport) error {
	var open SOLOpen
	err := t.within(ctx, d.cfg.LoginTimeout, func() error {
		m, err := t.receive(0)
		if err != nil {
			return err
		}
		if err := open.Parse(m); err != nil {
			return err
		}
		return t.send(SOLOpenReply{Sequence: 1}.Append(nil), time.Time{})
	})
	if err != nil {
		return err
	}
	port := newSerial(t, AMT, &Trace{SerialStatus: func(SOLStatus) {}, Ended: func(SessionType, error) {}})
	port.next, port.chunk = 2, int(orElse(open.MaxTransmit, 10_000))
	port.silence = time.Duration(open.ReceiveTimeout) * time.Millisecond
	port.start(time.Duration(open.Heartbeat) * time.Millisecond)
	return served(ctx, port.Done(), port.Err, func() { _ = port.Close() }, func(ctx context.Context) error {
		return d.cfg.SOL(ctx, port)
	})
}

func (d *Device) serveIDER(ctx context.Context, t *transport) error {
	host := newIDERHost(t, d.cfg.Disk)
	host.start()
	return served(ctx, host.Done(), host.Err, host.close, func(ctx context.Context) error { return d.cfg.IDER(ctx, host) })
}

func (d *Device) serveKVM(ctx context.Context, t *transport) error {
	err := t.within(ctx, d.cfg.LoginTimeout, func() error {
		m, err := t.receive(0)
		if err != nil {
			return err
		}
		var open KVMOpen
		if err := open.Parse(m); err != nil {
			return err
		}
		return t.send(KVMOpened{}.Append(nil), time.Time{})
	})
	if err != nil {
		return err
	}
	return d.cfg.KVM(ctx, &rawConn{Conn: t.conn, rest: t.buf})
}

// served runs a handler, whose context ends with the session, and ends the session with the handler.
func served(ctx context.Context, done <-chan struct{}, reason func() error, end func(), handler func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-done:
			cancel()
		case <-stop:
		}
	})
	err := handler(ctx)
	ended := reason()
	close(stop)
	end()
	wg.Wait()
	if ended == nil {
		return err
	}
	return inOrder(ended)
}

// inOrder is nil for what is no failure: the operator has said that it is over, or has gone, which a heartbeat into a pipe
// may be the first to find out.
func inOrder(err error) error {
	if isOneOf(err, ErrEnded, io.EOF, io.ErrClosedPipe, net.ErrClosed) {
		return nil
	}
	return err
}
