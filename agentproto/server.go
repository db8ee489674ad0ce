package agentproto

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
)

// ServerConfig is how a [Server] works. Identities and WebHashes are required, all else has a default.
type ServerConfig struct {
	// Identities are the server's own, the first by default. More than one serves agents that were set up for a
	// server that this one took over from.
	Identities []*ServerIdentity
	// WebHashes returns the certificate and key hashes under which agents see this server when they connect to a name:
	// those of its own TLS certificates, or of a proxy's in front. See certs.WebHashes and certs.ProxyCertificate.
	// It must be quick and may be called at any time.
	WebHashes func(serverName string) []Hash

	// Handler is called for every agent that logs in, in a goroutine of its own. It receives from the session until
	// that ends; when it returns, the session is closed. Nil receives and drops everything.
	Handler func(ctx context.Context, s *Session)

	// Admission bounds logins.
	Admission Admission
	// Admit is asked when an agent has proved its key, before the server makes its signature. The agent's info is
	// there only if it has come already (hasInfo). With SignEagerly it is asked first of all and the node id may be
	// zero. An error refuses the login; [Refuse] makes one whose reason the agent is told. Nil admits all.
	Admit func(ctx context.Context, peer Peer, info AgentInfo, hasInfo bool) error
	// Login is asked last, when all is known: this is where a device is looked up, or enrolled in the group it names.
	// An error refuses the login, as in Admit. Nil logs all in.
	Login func(ctx context.Context, peer Peer, info AgentInfo) error

	// Core returns the core that an agent shall run. Nil, or a nil core, leaves agents the one they have.
	Core func(info AgentInfo) (*Core, error)
	// Binary returns the executable that an agent shall have. Nil, or a nil binary, updates none.
	Binary func(info AgentInfo) (*AgentBinary, error)
	// CompressCores sends cores deflated to agents that can inflate them.
	CompressCores bool
	// CorePushes is how many cores are on their way to agents at once. Default 16.
	CorePushes int

	// Signatures is how many server signatures are made at once. Default is the number of processors; a key that is
	// elsewhere may allow more.
	Signatures int
	// SignEagerly and Lenient are as in [ServerHandshakeConfig].
	SignEagerly, Lenient bool

	// KeepAlive says how idle agents are kept.
	KeepAlive KeepAlive
	// Limits bound messages and times.
	Limits Limits

	// TrustedProxies are the addresses of proxies whose headers tell an agent's address.
	TrustedProxies []netip.Prefix
	// Domain returns the server's domain that a request is for. Nil is the default domain for all.
	Domain func(*http.Request) (string, error)
	// CheckOrigin decides on requests with an Origin header, which only browsers send. Nil takes those from the
	// server's own host and port.
	CheckOrigin func(*http.Request) bool

	// Logger gets what an operator may want to read. Nil drops it.
	Logger *slog.Logger
	// Trace gets everything else.
	Trace *Trace
}

// Server is the server's side of the agent protocol: an http.Handler for /agent.ashx, and a registry of the agents
// that are online. It keeps no file and no database.
type Server struct {
	cfg       ServerConfig
	log       *slog.Logger
	trace     *Trace
	admission *admission
	signing   chan struct{}
	pushes    chan struct{}

	// ctx is the life of the server, for sessions that outlive the request that brought them.
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // logins and handlers

	mu         sync.Mutex
	closed     bool
	generation uint64
	devices    map[nodeid.NodeKey]*Session // the current session of each device
	recovery   map[nodeid.NodeKey]*Session // recovery agents, which are no devices
	live       map[*Session]struct{}       // all sessions, for keep-alive and shutdown
	ticking    bool                        // whether keepAlive runs
}

// NewServer returns a server. It fails if the configuration lacks what is required.
func NewServer(cfg ServerConfig) (*Server, error) {
	if len(cfg.Identities) == 0 {
		return nil, errors.New("agentproto: server without an identity")
	}
	if cfg.WebHashes == nil {
		return nil, errors.New("agentproto: server without web certificate hashes; agents could not be protected from someone in between")
	}
	for _, id := range cfg.Identities {
		if id == nil {
			return nil, errors.New("agentproto: server with a nil identity")
		}
	}
	if cfg.CorePushes < 0 || cfg.Signatures < 0 {
		return nil, errors.New("agentproto: server with a negative number of core pushes or signatures")
	}
	if err := cfg.Limits.check(); err != nil {
		return nil, err
	}
	def(&cfg.CorePushes, 16)
	def(&cfg.Signatures, runtime.GOMAXPROCS(0))
	cfg.KeepAlive = cfg.KeepAlive.withDefaults()
	cfg.Limits = cfg.Limits.withDefaults()
	s := &Server{
		cfg: cfg, log: cfg.Logger, trace: cfg.Trace.orEmpty(),
		admission: newAdmission(cfg.Admission),
		signing:   make(chan struct{}, cfg.Signatures),
		pushes:    make(chan struct{}, cfg.CorePushes),
		devices:   make(map[nodeid.NodeKey]*Session),
		recovery:  make(map[nodeid.NodeKey]*Session),
		live:      make(map[*Session]struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

// Session returns the session of a device that is online.
func (s *Server) Session(key nodeid.NodeKey) (*Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess, ok := s.devices[key]
	return sess, ok
}

// Sessions returns the sessions of all devices that were online at the time of the call, in no order.
func (s *Server) Sessions() iter.Seq[*Session] { return s.snapshot(s.devices) }

// RecoverySessions returns the sessions of recovery agents. They are no devices of their own.
func (s *Server) RecoverySessions() iter.Seq[*Session] { return s.snapshot(s.recovery) }

func (s *Server) snapshot(m map[nodeid.NodeKey]*Session) iter.Seq[*Session] {
	s.mu.Lock()
	list := make([]*Session, 0, len(m))
	for _, sess := range m {
		list = append(list, sess)
	}
	s.mu.Unlock()
	return func(yield func(*Session) bool) {
		for _, sess := range list {
			if !yield(sess) {
				return
			}
		}
	}
}

// Len returns how many devices are online.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.devices)
}

// Accept logs an agent in over any connection and returns its session, which the caller receives from and closes; the
// Handler is not called. The connection is closed if the login fails. ctx bounds the login alone.
func (s *Server) Accept(ctx context.Context, conn Conn, peer Peer) (*Session, error) {
	if !s.begin() {
		conn.Close(msgconn.CloseGoingAway, "server is shutting down")
		return nil, &Error{Phase: PhaseAdmission, Err: ErrShutdown}
	}
	defer s.wg.Done()
	leave, err := s.admission.enter(peer.Addr, time.Now())
	if err != nil {
		return nil, s.refuse(conn, peer, &Error{Phase: PhaseAdmission, Err: err})
	}
	defer leave()
	return s.login(ctx, conn, peer)
}

// Serve is Accept with the Handler, as [Server.ServeHTTP] has it: it returns when the session is over, with the reason.
// ctx bounds the login alone.
func (s *Server) Serve(ctx context.Context, conn Conn, peer Peer) error {
	sess, err := s.Accept(ctx, conn, peer)
	if err != nil {
		return err
	}
	if s.begin() {
		s.handle(sess)
	}
	<-sess.Done() // where begin failed, by Shutdown
	return sess.Err()
}

// begin counts something that Shutdown waits for, unless that has begun.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

// login runs the handshake on an admitted connection.
func (s *Server) login(ctx context.Context, conn Conn, peer Peer) (*Session, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Limits.HandshakeTime, errHandshakeTime)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel) // Shutdown ends logins
	defer stop()

	if l, ok := conn.(msgconn.Limiter); ok {
		l.SetReadLimit(s.cfg.Limits.HandshakeMessage)
	}
	hs, err := NewServerHandshake(ServerHandshakeConfig{
		Identities: s.cfg.Identities, WebHashes: s.cfg.WebHashes(peer.ServerName),
		SignEagerly: s.cfg.SignEagerly, Lenient: s.cfg.Lenient,
	})
	if err != nil {
		return nil, s.refuse(conn, peer, &Error{Phase: PhaseHandshake, Err: err})
	}
	run := loginRun{server: s, hs: hs, conn: conn, peer: peer, generation: s.nextGeneration()}
	sess, err := run.run(ctx)
	if err != nil {
		if s.ctx.Err() != nil {
			err = ErrShutdown
		} else if errors.Is(err, errHandshakeTime) {
			err = fmt.Errorf("%w after %v: %s", err, s.cfg.Limits.HandshakeTime, hs.Waiting())
		}
		return nil, s.refuse(conn, peer, &Error{Phase: PhaseHandshake, Command: run.command, Err: err})
	}
	announced := false
	defer func() {
		if !announced { // the hook panicked
			sess.end(0, "", &Error{Phase: PhaseHandshake, Err: errors.New("hook panicked")})
		}
	}()
	s.announce(sess, time.Since(begun), run.signing)
	announced = true
	s.log.Info("agent online", "session", sess, "name", sess.info.Name, "agent", sess.info.AgentID,
		"short", sess.info.ShortForm, "online", s.Len())
	return sess, nil
}

// errHandshakeTime ends a login that took too long.
var errHandshakeTime = fmt.Errorf("login took too long: %w", context.DeadlineExceeded)

// loginRun is one login being driven.
type loginRun struct {
	server  *Server
	hs      *ServerHandshake
	conn    Conn
	peer    Peer
	command Command // being handled, for the error
	signing time.Duration
	counted bool
	// generation is drawn when the connection comes, not when its login is over: of two connections of an agent the one
	// that it made later is its own choice, however long the first one's login took.
	generation uint64
}

// connError is an error of the connection, told from those of hooks.
type connError struct{ error }

func (e connError) Unwrap() error { return e.error }

func (r *loginRun) run(ctx context.Context) (*Session, error) {
	for {
		var reply []byte
		var err error
		switch r.hs.Need() {
		case NeedMessage:
			r.command = 0
			var msg []byte
			if _, msg, err = r.conn.ReadMessage(ctx); err != nil {
				return nil, connError{err}
			}
			r.command, _ = PeekCommand(msg)
			reply, err = r.hs.Handle(msg)
		case NeedAdmission:
			err = r.admit(ctx)
		case NeedSignature:
			reply, err = r.sign(ctx)
		case NeedLogin:
			return r.complete(ctx)
		case Complete, Failed:
			return nil, r.hs.Err() // not reached: both are returned where they arise
		}
		if err != nil {
			return nil, err
		}
		if reply != nil {
			if err := r.conn.WriteMessage(ctx, msgconn.Binary, reply); err != nil {
				return nil, connError{err}
			}
		}
	}
}

func (r *loginRun) key() nodeid.NodeKey {
	info, _ := r.hs.Info()
	return nodeid.NodeKey{Domain: r.peer.Domain, ID: info.NodeID}
}

// count counts the login of an agent that has proved its key, once.
func (r *loginRun) count() error {
	if r.counted {
		return nil
	}
	r.counted = true
	return r.server.admission.checkAgent(r.key(), time.Now())
}

// admit asks whether an agent is worth a signature.
func (r *loginRun) admit(ctx context.Context) error {
	s := r.server
	info, hasInfo := r.hs.Info()
	if !info.NodeID.IsZero() {
		if err := r.count(); err != nil {
			return r.hs.Reject(err)
		}
	}
	if s.cfg.Admit != nil {
		if err := s.cfg.Admit(ctx, r.peer, info, hasInfo); err != nil {
			return r.hs.Reject(err)
		}
	}
	return r.hs.Admit()
}

// sign makes the server's signature, when one of the places for that is free.
func (r *loginRun) sign(ctx context.Context) ([]byte, error) {
	s := r.server
	select {
	case s.signing <- struct{}{}:
		defer func() { <-s.signing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	begun := time.Now()
	digest := r.hs.Digest()
	sig, err := r.hs.Identity().signer.Sign(rand.Reader, digest[:], crypto.SHA384)
	r.signing = time.Since(begun)
	if err != nil {
		return nil, fmt.Errorf("server signature: %w", err)
	}
	return r.hs.SetSignature(sig)
}

// complete asks for the last decision, registers the session, confirms the login and begins the core exchange.
func (r *loginRun) complete(ctx context.Context) (*Session, error) {
	s := r.server
	info, _ := r.hs.Info()
	if err := r.count(); err != nil { // with SignEagerly the agent had not proved its key when it was admitted
		return nil, r.hs.Reject(err)
	}
	if s.cfg.Login != nil {
		if err := s.cfg.Login(ctx, r.peer, info); err != nil {
			return nil, r.hs.Reject(err)
		}
	}
	core, err := s.coreConfig(info)
	if err != nil {
		return nil, err
	}
	confirm, err := r.hs.Accept()
	if err != nil {
		return nil, err
	}
	sess := &Session{server: s, key: r.key(), info: info, peer: r.peer, since: time.Now()}
	sess.generation = r.generation
	sess.init(r.conn, msgconn.Binary, s.cfg.Limits)
	sess.onFail = sess.end
	sess.pulse.begin()
	if ctl, ok := r.conn.(msgconn.Controller); ok {
		ctl.OnControl(sess.heard)
	}
	if l, ok := r.conn.(msgconn.Limiter); ok {
		l.SetReadLimit(s.cfg.Limits.Message)
	}
	sess.core = NewCoreExchange(core)
	if err := s.open(ctx, sess, confirm); err != nil {
		return nil, err // the session was not registered
	}
	return sess, nil
}

// open sends the confirmation and the first question of the core exchange, and registers the session. Both are written
// here and now: nobody else can know of the session yet, and the queue would take a goroutine.
func (s *Server) open(ctx context.Context, sess *Session, confirm []byte) error {
	for _, m := range append([][]byte{confirm}, sess.core.Start()...) {
		if err := sess.conn.WriteMessage(ctx, msgconn.Binary, m); err != nil {
			return connError{err}
		}
	}
	sess.coreEvent = sess.coreEventLocked()
	return s.add(sess)
}

// coreConfig asks the embedder what an agent shall run.
func (s *Server) coreConfig(info AgentInfo) (CoreExchangeConfig, error) {
	cfg := CoreExchangeConfig{Capabilities: info.Capabilities, Compress: s.cfg.CompressCores}
	var err error
	if s.cfg.Core != nil {
		if cfg.Core, err = s.cfg.Core(info); err != nil {
			return cfg, fmt.Errorf("core for agent type %v: %w", info.AgentID, err)
		}
	}
	if s.cfg.Binary != nil {
		if cfg.Binary, err = s.cfg.Binary(info); err != nil {
			return cfg, fmt.Errorf("binary for agent type %v: %w", info.AgentID, err)
		}
	}
	return cfg, nil
}

// add registers a session. An older one of the same device is closed: the newest wins.
func (s *Server) add(sess *Session) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrShutdown
	}
	m := s.registry(sess)
	old := m[sess.key]
	if old != nil && old.generation > sess.generation {
		s.mu.Unlock()
		return ErrReplaced
	}
	m[sess.key] = sess
	s.live[sess] = struct{}{}
	if !s.ticking {
		s.ticking = true
		go s.keepAlive()
	}
	s.mu.Unlock()
	if old != nil {
		go old.end(msgconn.ClosePolicy, "replaced by a newer connection", &Error{Phase: PhaseSession, Err: ErrReplaced})
	}
	return nil
}

// nextGeneration numbers a connection.
func (s *Server) nextGeneration() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	return s.generation
}

// takePush waits for a place to push a core, and returns the function that frees it, or nil if the session closed first.
func (s *Server) takePush(closed <-chan struct{}) (free func()) {
	select {
	case s.pushes <- struct{}{}:
		return func() { <-s.pushes }
	case <-closed:
		return nil
	}
}

func (s *Server) registry(sess *Session) map[nodeid.NodeKey]*Session {
	if sess.Recovery() {
		return s.recovery
	}
	return s.devices
}

// remove takes a session out of the registry, where a newer one may have its place, and reports whether it was alive.
func (s *Server) remove(sess *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, alive := s.live[sess]
	delete(s.live, sess)
	if m := s.registry(sess); m[sess.key] == sess {
		delete(m, sess.key)
	}
	return alive
}

// announce reports a login. Its end may have come first, and is reported after it then.
func (s *Server) announce(sess *Session, took, signing time.Duration) {
	s.trace.LoggedIn(sess, took, signing)
	if !sess.reported.CompareAndSwap(reportNone, reportLogin) {
		s.reportEnd(sess)
	}
}

// ended reports the end of a session whose login was reported.
func (s *Server) ended(sess *Session) {
	if !sess.reported.CompareAndSwap(reportNone, reportEnd) {
		s.reportEnd(sess)
	}
}

func (s *Server) reportEnd(sess *Session) {
	err := sess.Err()
	s.trace.Closed(sess, err)
	level := slog.LevelInfo
	if errors.Is(err, ErrIdle) || errors.Is(err, ErrQueueFull) {
		level = slog.LevelWarn
	}
	s.log.Log(s.ctx, level, "agent offline", "session", sess, "after", time.Since(sess.since).Round(time.Millisecond), "reason", err)
}

// refuse closes a connection that did not log in and reports why. The agent is told what it may know.
func (s *Server) refuse(conn Conn, peer Peer, err *Error) error {
	var bad *WebHashError
	if errors.As(err, &bad) {
		s.trace.BadWebHash(peer, bad)
	}
	s.trace.Refused(peer, err)
	code, reason := refusal(err)
	var left connError
	switch {
	case errors.Is(err, errHandshakeTime), errors.Is(err, msgconn.ErrTooLarge):
		s.log.Warn("agent refused", "addr", peer.Addr, "name", peer.ServerName, "reason", err)
	case errors.As(err, &left), errors.Is(err, ErrShutdown):
		s.log.Debug("agent left during login", "addr", peer.Addr, "reason", err)
	default:
		s.log.Warn("agent refused", "addr", peer.Addr, "name", peer.ServerName, "reason", err)
	}
	conn.Close(code, reason)
	return err
}

// refusal turns an error into what the close frame says.
func refusal(err error) (code int, reason string) {
	var refused *RefusedError
	switch {
	case errors.Is(err, ErrBusy):
		return msgconn.CloseTryAgain, "too many logins, try again later"
	case errors.As(err, &refused):
		return msgconn.ClosePolicy, refused.Reason
	case errors.Is(err, ErrRefused):
		return msgconn.ClosePolicy, ErrRefused.Error()
	case errors.Is(err, ErrBadWebHash):
		return msgconn.ClosePolicy, ErrBadWebHash.Error()
	case errors.Is(err, ErrWrongServer):
		return msgconn.ClosePolicy, ErrWrongServer.Error()
	case errors.Is(err, ErrBadSignature):
		return msgconn.ClosePolicy, ErrBadSignature.Error()
	case errors.Is(err, ErrMalformed), errors.Is(err, ErrProtocol):
		return msgconn.CloseProtocolError, "protocol error"
	case errors.Is(err, msgconn.ErrTooLarge):
		return msgconn.CloseTooLarge, "message too large"
	case errors.Is(err, errHandshakeTime):
		return msgconn.ClosePolicy, "login took too long"
	case errors.Is(err, ErrReplaced):
		return msgconn.ClosePolicy, ErrReplaced.Error()
	case errors.Is(err, ErrShutdown):
		return msgconn.CloseGoingAway, "server is shutting down"
	}
	return 0, ""
}

// handle runs the embedder's handler for a session, in its own goroutine.
func (s *Server) handle(sess *Session) {
	defer s.wg.Done()
	defer sess.Close("handler returned")
	if s.cfg.Handler != nil {
		s.cfg.Handler(s.ctx, sess)
		return
	}
	for range sess.Events(s.ctx) { // drop everything, until the session ends
		continue
	}
}

// Shutdown closes all sessions, refuses new ones and waits until every login and handler has returned, or ctx ends.
// Agents are told that the server is going away and come back by themselves.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	live := make([]*Session, 0, len(s.live))
	for sess := range s.live {
		live = append(live, sess)
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		defer close(done)
		var closing sync.WaitGroup
		for _, sess := range live {
			closing.Go(func() {
				sess.end(msgconn.CloseGoingAway, "server is shutting down", &Error{Phase: PhaseSession, Err: ErrShutdown})
			})
		}
		closing.Wait()
		s.cancel(ErrShutdown) // ends logins, and tells handlers
		s.wg.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.cancel(ErrShutdown)
		return context.Cause(ctx)
	}
}
