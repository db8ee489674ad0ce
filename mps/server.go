package mps

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/apf"
)

// Server is the MPS: it takes the connections of devices, logs them in and has them in its [Registry]. It keeps no file and
// no database.
type Server struct {
	cfg Config
	// apf is how connections work, apfCertificate those with a client certificate.
	apf, apfCertificate apf.ServerConfig

	tls       *tls.Config // nil: plain
	log       *slog.Logger
	registry  *Registry
	admission admission
	web       *http.Server
	browsers  *handedOver

	// ctx is the life of the server.
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // connections

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	live      map[*session]struct{}
	conns     map[*apf.Conn]*session // those that APF runs on
	loggedIn  int
}

// NewServer returns a server. It fails if the configuration lacks what is required.
func NewServer(cfg Config) (*Server, error) {
	if cfg.Authenticate == nil {
		return nil, errors.New("mps: server without Authenticate: nothing says who may log in")
	}
	var err error
	if cfg.Limits, err = cfg.Limits.withDefaults(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, registry: cfg.Registry, tls: cfg.TLSConfig,
		listeners: make(map[net.Listener]struct{}), live: make(map[*session]struct{}),
	}
	if s.tls == nil && len(cfg.Certificates) > 0 {
		s.tls = cfg.Profile.TLSConfig(cfg.Certificates...)
	}
	if s.tls != nil {
		s.tls = watchHello(s.tls)
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.registry == nil {
		s.registry = &Registry{}
	}
	if cfg.APF != nil {
		s.apf = *cfg.APF
	}
	s.apf.Logger = s.log
	s.hooks()
	s.admission.init(cfg.Limits)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

// Registry returns where the server's devices are online.
func (s *Server) Registry() *Registry { return s.registry }

// Serve takes the connections of a listener until that fails, ctx ends or Shutdown is called; it returns the reason, which
// is ErrShutdown then. Connections go on when it has returned, until Shutdown. The listener is closed.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if !s.listen(ln) {
		return ErrShutdown
	}
	defer s.forget(ln)
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	var pause time.Duration
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.accept(conn)
		case s.ctx.Err() != nil:
			return ErrShutdown
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !temporary(err):
			return err
		default: // too many files are open: in a moment there may be room
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Error("MPS connection not accepted", "reason", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			case <-s.ctx.Done():
			}
		}
	}
}

// temporary says whether an error of Accept is one that net/http goes on after.
func temporary(err error) bool {
	var ne interface{ Temporary() bool }
	return errors.As(err, &ne) && ne.Temporary()
}

func (s *Server) listen(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listeners[ln] = struct{}{}
	return true
}

func (s *Server) forget(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

// Accept takes one connection, as Serve does.
func (s *Server) Accept(conn net.Conn) { s.accept(conn) }

func (s *Server) accept(conn net.Conn) {
	sess, ok := s.begin(conn)
	if !ok {
		conn.Close()
		return
	}
	go sess.arrive(conn)
}

// begin counts a connection that Shutdown waits for, unless that has begun.
func (s *Server) begin(conn interface{ Close() error }) (*session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	sess := &session{server: s, peer: &Peer{}, phase: PhaseAccept, drop: conn, arrival: &arrival{}}
	s.live[sess] = struct{}{}
	s.wg.Add(1)
	return sess, true
}

// end is the counterpart of begin.
func (s *Server) end(sess *session) {
	s.mu.Lock()
	delete(s.live, sess)
	s.mu.Unlock()
	s.wg.Done()
}

// admitDevice counts a connection that logs in, if there may be one more.
func (s *Server) admitDevice() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if max := s.cfg.Limits.Devices; max > 0 && s.loggedIn >= max {
		return false
	}
	s.loggedIn++
	return true
}

func (s *Server) deviceGone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loggedIn--
}

// Shutdown takes no connections any more, closes those that there are, and returns when all have ended or ctx has.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.cancel(ErrShutdown)
	for ln := range s.listeners {
		ln.Close()
	}
	var live []*session
	for sess := range s.live {
		live = append(live, sess)
	}
	web := s.web
	s.mu.Unlock()
	if web != nil {
		web.Close()
	}
	for _, sess := range live {
		sess.close(ErrShutdown)
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, sess := range live {
			sess.cut()
		}
		return ctx.Err()
	}
}

// event tells of a connection.
func (s *Server) event(e Event) {
	e.Time = time.Now()
	s.registry.publish(&e)
	if t := s.cfg.Trace; t != nil && t.Event != nil {
		t.Event(e)
	}
}
