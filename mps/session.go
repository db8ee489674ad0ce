package mps

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/nodeid"
)

// session is a connection from its being accepted to its end. What only the login needs is gone after it.
type session struct {
	server *Server
	peer   *Peer
	drop   interface{ Close() error } // what it came by

	mu         sync.Mutex
	phase      Phase
	conn       *apf.Conn   // from PhaseLogin on
	connection *Connection // from PhaseForwards on
	reason     error       // why this side ends it

	*arrival
}

// arrival is what is known of a session until it has logged in.
type arrival struct {
	deadline    time.Time
	from        origin // what it counts for
	leave       func() // leaves the admission
	certificate *x509.Certificate
	uuid        nodeid.UUID
	refusal     error // of Authenticate
	timer       *time.Timer
}

// enter says that the session comes to a phase.
func (l *session) enter(p Phase) {
	l.mu.Lock()
	l.phase = p
	l.mu.Unlock()
	l.event(nil)
}

// event tells of the session as it is.
func (l *session) event(err error) { l.tell(Event{Err: err}) }

func (l *session) tell(e Event) {
	l.mu.Lock()
	e.Phase, e.Peer, e.Connection = l.phase, *l.peer, l.connection
	switch {
	case l.connection != nil:
		e.UUID = l.connection.UUID()
	case l.arrival != nil:
		e.UUID = l.uuid
	}
	l.mu.Unlock()
	l.server.event(e)
}

// close ends the session from this side. The first reason counts.
func (l *session) close(reason error) {
	l.mu.Lock()
	if l.reason == nil {
		l.reason = reason
	}
	conn, drop := l.conn, l.drop
	l.mu.Unlock()
	if conn == nil {
		drop.Close()
		return
	}
	why := apf.DisconnectByApplication
	switch {
	case errors.Is(reason, ErrReplaced), errors.Is(reason, ErrBusy):
		why = apf.DisconnectTooManyConnections
	case errors.Is(reason, ErrLoginTime):
		why = apf.DisconnectTimedOut
	}
	if reason == nil {
		conn.CloseWith(why)
		return
	}
	conn.CloseFor(why, reason)
}

// cut closes what the session came by.
func (l *session) cut() {
	l.mu.Lock()
	drop := l.drop
	l.mu.Unlock()
	drop.Close()
}

// run is the session from the first byte to its end.
func (l *session) run(stream apf.Stream) {
	s := l.server
	cfg := &s.apf
	if l.certificate != nil {
		cfg = &s.apfCertificate
	}
	conn := apf.NewServerConn(stream, cfg)
	s.mu.Lock()
	s.conns[conn] = l
	s.mu.Unlock()
	l.mu.Lock()
	l.conn = conn
	reason := l.reason
	l.mu.Unlock()
	if reason != nil { // Shutdown, a moment ago
		conn.Close()
	}
	l.timer = time.AfterFunc(time.Until(l.deadline), func() { l.close(ErrLoginTime) })
	// Not s.ctx, at which each of them would leave something: Shutdown closes them one by one.
	err := conn.Run(context.WithValue(context.Background(), sessionKey{}, l))
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	l.ended(err)
}

// sessionKey is under which authenticate finds its session.
type sessionKey struct{}

// hooks are what all connections share: a configuration for each would be a part of what an idle one costs.
func (s *Server) hooks() {
	s.conns = make(map[*apf.Conn]*session)
	of := func(c *apf.Conn) *session {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.conns[c]
	}
	s.apf.LoginTime = s.cfg.Limits.LoginTime
	s.apf.Authenticate = func(ctx context.Context, a *apf.Login) error {
		l, ok := ctx.Value(sessionKey{}).(*session)
		if !ok {
			return errors.New("mps: a connection of no session")
		}
		return l.authenticate(ctx, a)
	}
	s.apf.Ready = func(c *apf.Conn) { of(c).ready() }
	s.apf.PortsChanged = func(c *apf.Conn) { of(c).portsChanged() }
	s.apf.Control, s.apf.UDP = nil, nil
	if t := s.cfg.Trace; t != nil && t.Control != nil {
		s.apf.Control = func(c *apf.Conn, m apf.JSONControl) { t.Control(of(c).connected(), m) }
	}
	if t := s.cfg.Trace; t != nil && t.UDP != nil {
		s.apf.UDP = func(c *apf.Conn, m *apf.UDPSendTo) { t.UDP(of(c).connected(), m) }
	}
	s.apf.AllowSkippedAuth = false
	s.apfCertificate = s.apf
	s.apfCertificate.AllowSkippedAuth = true
}

func (l *session) connected() *Connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connection
}

// authenticate asks Config.Authenticate, on the stack of another goroutine: that of the connection stays as large as it once
// was.
func (l *session) authenticate(ctx context.Context, a *apf.Login) error {
	l.uuid = nodeid.UUID(a.UUID)
	tried, err := l.server.admission.try(l.from, l.uuid)
	if err == nil {
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = l.ask(ctx, a, tried)
		}()
		<-done
	}
	l.refusal = err
	return err
}

func (l *session) ask(ctx context.Context, a *apf.Login, tried func(failed bool)) error {
	s := l.server
	id, err := s.cfg.Authenticate(ctx, &Login{
		Peer: *l.peer, Kind: a.ConnType, UUID: l.uuid, Method: a.Method, User: a.User, Password: a.Password, Certificate: l.certificate,
	})
	if err == nil && id.Device.ID.IsZero() {
		err = errors.New("mps: Authenticate returned no device")
	}
	tried(err != nil && ctx.Err() == nil)
	if err != nil {
		if !errors.Is(err, ErrRefused) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return err
	}
	if !s.admitDevice() {
		return fmt.Errorf("%w: %d are logged in", ErrBusy, s.cfg.Limits.Devices)
	}
	l.leave()
	l.timer.Stop()
	l.mu.Lock()
	l.peer.First = nil
	l.connection = &Connection{
		conn: l.conn, identity: id, kind: a.ConnType, generation: s.registry.nextGeneration(), peer: l.peer, uuid: l.uuid, since: time.Now(),
		session: l,
	}
	l.mu.Unlock()
	l.enter(PhaseForwards)
	return nil
}

// ready puts the device online.
func (l *session) ready() {
	s, c := l.server, l.connected()
	old, err := s.registry.add(c, s.admission.mayReplace)
	if err != nil {
		l.close(err)
		return
	}
	if old != nil {
		old.Close(replacedBy(c))
	}
	l.mu.Lock()
	l.arrival = nil
	l.mu.Unlock()
	l.enter(PhaseOnline)
	s.log.Info("AMT device online", "device", c.Device(), "kind", c.Kind(), "peer", c.Peer(), "uuid", c.UUID(), "ports", c.Ports())
}

// portsChanged tells of the ports of a device that is online. If it is about to be, it comes with them.
func (l *session) portsChanged() {
	l.mu.Lock()
	online := l.phase == PhaseOnline
	l.mu.Unlock()
	if online {
		l.tell(Event{Ports: true})
	}
}

// ended takes the end of a session.
func (l *session) ended(err error) {
	s := l.server
	defer s.end(l)
	l.cut()
	c := l.connected()
	if c == nil {
		l.refused(err)
		return
	}
	s.registry.remove(c)
	s.deviceGone()
	err = l.reasonFor(err)
	l.event(err)
	level := slog.LevelInfo
	if errors.Is(err, ErrBusy) && s.admission.logged.Allow(source(c.Peer().Addr.Addr()), time.Now()) {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "AMT device gone", "device", c.Device(), "kind", c.Kind(), "peer", c.Peer(), "uuid", c.UUID(), "reason", err)
}

// reasonFor adds the phase to the reason of an end, which is this side's if that had one.
func (l *session) reasonFor(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.reason != nil:
		err = l.reason
	case l.server.ctx.Err() != nil:
		err = ErrShutdown
	case l.arrival != nil && l.refusal != nil:
		err = l.refusal
	case errors.Is(err, apf.ErrLoginTime):
		err = fmt.Errorf("%w: %w", ErrLoginTime, err)
	}
	return &Error{Phase: l.phase, Err: err}
}

// refused takes the end of a session that did not log in.
func (l *session) refused(err error) {
	if l.leave != nil {
		l.leave()
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	s := l.server
	err = l.reasonFor(err)
	l.event(err)
	args := []any{"peer", *l.peer}
	if l.uuid != (nodeid.UUID{}) {
		args = append(args, "uuid", l.uuid)
	}
	args = append(args, "reason", err)
	switch {
	case errors.Is(err, ErrShutdown):
	case errors.Is(err, ErrHTTP):
		s.log.Debug("MPS answered an HTTP request", args...)
	case !s.admission.logged.Allow(source(l.peer.Addr.Addr()), time.Now()):
		s.log.Debug("MPS connection refused", args...)
	default:
		s.log.Warn("MPS connection refused", args...)
	}
}
