package controlproto

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/secret"
)

// Server is the server's side of the control channel: an http.Handler for /control.ashx, and a registry of the operators that
// are online. It keeps no file and no database.
type Server struct {
	cfg   ServerConfig
	auth  *authenticator
	log   *slog.Logger
	trace *ServerTrace

	// ctx is the life of the server, for sessions that outlive the request that brought them.
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // logins and sessions

	mu       sync.Mutex
	closed   bool
	logins   map[netip.Addr]int // by network
	pending  int                // their sum
	sessions map[*Session]struct{}
	users    map[ID]int // sessions of each account
}

// NewServer returns a server. It fails if the configuration lacks what is required, or what it has is no good.
func NewServer(cfg ServerConfig) (*Server, error) {
	s := &Server{
		cfg: cfg, log: cfg.Logger, trace: cfg.Trace.orEmpty(), logins: make(map[netip.Addr]int),
		sessions: make(map[*Session]struct{}), users: make(map[ID]int),
	}
	if err := s.cfg.check(); err != nil {
		return nil, err
	}
	var err error
	if s.auth, err = newAuthenticator(&s.cfg); err != nil {
		return nil, err
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

// Origins returns the server's policy, for whatever else of the server a browser can reach.
func (s *Server) Origins() *OriginPolicy { return s.auth.origins }

// Attempt counts an attempt to log in elsewhere, such as in the form of a page, together with those on the control channel. If it
// is not allowed, nothing should be checked. Otherwise done is called with whether the credentials were right.
func (s *Server) Attempt(addr netip.Addr, account ID) (done func(ok bool), allowed bool) {
	now := s.cfg.Now()
	if !s.auth.limiter.attempt(addr, account, now) {
		return func(bool) {}, false
	}
	return func(ok bool) {
		if ok {
			s.auth.limiter.succeeded(addr, account, now)
		}
	}, true
}

// Sessions returns the sessions that were there at the time of the call, in no order.
func (s *Server) Sessions() iter.Seq[*Session] {
	s.mu.Lock()
	list := slices.Collect(maps.Keys(s.sessions))
	s.mu.Unlock()
	return slices.Values(list)
}

// Len returns how many sessions there are.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// UserSessions returns how many sessions each account has that has any.
func (s *Server) UserSessions() map[ID]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.users)
}

// CloseWhere closes the sessions that f picks, and returns how many: those of an account that was locked or removed, or of a
// login token that was revoked. Clients are told cause and msg. It is called after the change, which a login that is under way
// may have missed: [ServerConfig].Opened can look again.
func (s *Server) CloseWhere(f func(*Session) bool, cause, msg string) int {
	n := 0
	for sess := range s.Sessions() {
		if f(sess) {
			sess.Close(cause, msg)
			n++
		}
	}
	return n
}

// Accept logs an operator in over any connection, and returns when the session is over: nil if one side closed it, a
// *[RefusedError] if the login was refused, or what went wrong. ctx bounds the session.
func (s *Server) Accept(ctx context.Context, conn Conn, r *LoginRequest) error {
	leave, err := s.enter(r.RemoteAddr)
	if err != nil {
		conn.Close(msgconn.CloseTryAgain, "try again later")
		return err
	}
	sess, err := func() (*Session, error) {
		defer leave() // also after a panic in a hook
		stop := context.AfterFunc(s.ctx, func() { conn.Close(msgconn.CloseGoingAway, "server is shutting down") })
		defer stop()
		return s.login(ctx, conn, r)
	}()
	if err != nil {
		return err
	}
	defer s.wg.Done()
	defer context.AfterFunc(ctx, func() {
		sess.end(nil, false, msgconn.CloseGoingAway, "", context.Cause(ctx))
	})()
	return s.serve(sess)
}

// enter counts a login.
func (s *Server) enter(addr netip.Addr) (leave func(), err error) {
	from := network(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrServerShutdown
	case s.pending >= s.cfg.Limits.Logins, s.logins[from] >= s.cfg.Limits.AddressLogins:
		return nil, fmt.Errorf("%w: too many at once", ErrLoginLimit)
	}
	s.pending++
	s.logins[from]++
	s.wg.Add(1)
	return func() {
		s.mu.Lock()
		s.pending--
		if s.logins[from]--; s.logins[from] == 0 {
			delete(s.logins, from)
		}
		s.mu.Unlock()
		s.wg.Done()
	}, nil
}

// login runs the login on a connection, which it closes if that fails. If it succeeds, the session is counted in wg.
func (s *Server) login(ctx context.Context, conn Conn, r *LoginRequest) (*Session, error) {
	begun := time.Now()
	limit := fmt.Errorf("%w: %v", ErrLoginLimit, s.cfg.Limits.LoginTime)
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Limits.LoginTime, limit)
	defer cancel()
	if l, ok := conn.(msgconn.Limiter); ok {
		l.SetReadLimit(s.cfg.Limits.LoginMessage)
	}
	step, err := s.authenticate(ctx, conn, r)
	if err == nil && step.refused == nil {
		var sess *Session
		if sess, step.refused = s.open(conn, step); sess != nil {
			s.trace.LoggedIn(sess, time.Since(begun))
			s.log.Info("operator online", "session", sess, "online", s.Len())
			return sess, nil
		}
	}
	if err != nil {
		switch {
		case s.ctx.Err() != nil:
			err = ErrServerShutdown
		case errors.Is(err, ErrLoginLimit):
			conn.Close(msgconn.ClosePolicy, "login over its limits")
		case errors.Is(err, msgconn.ErrTooLarge):
			conn.Close(msgconn.CloseTooLarge, "message too large")
		}
		conn.Close(0, "")
	} else {
		err = s.refuse(ctx, conn, step.refused)
	}
	s.trace.Refused(r, err)
	s.log.Warn("operator refused", "from", r, "reason", err)
	return nil, err
}

// authenticate runs the sequence to its end.
func (s *Server) authenticate(ctx context.Context, conn Conn, r *LoginRequest) (authStep, error) {
	asked := time.Now()
	seq, step := s.auth.begin(ctx, r)
	for n := 0; !step.done(); n++ {
		if step.reply != nil {
			if err := conn.WriteMessage(ctx, msgconn.Text, step.reply); err != nil {
				return step, fmt.Errorf("controlproto: login: %w", err)
			}
		}
		if n == s.cfg.Limits.LoginMessages {
			return step, fmt.Errorf("%w: %d messages", ErrLoginLimit, n)
		}
		_, msg, err := conn.ReadMessage(ctx)
		if err != nil {
			return step, fmt.Errorf("controlproto: login: %w", err)
		}
		asked = time.Now()
		step = seq.message(ctx, msg)
	}
	if step.refused != nil && step.refused.delayed {
		timer := time.NewTimer(time.Until(asked.Add(s.cfg.FailedLogins.Delay)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return step, nil
}

// refuse tells the client, and closes at once.
func (s *Server) refuse(ctx context.Context, conn Conn, r *refusal) error {
	err := r.err()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.CloseTime)
	defer cancel()
	code := msgconn.CloseNormal
	if conn.WriteMessage(ctx, msgconn.Text, r.message()) != nil {
		code = 0
	}
	conn.Close(code, "")
	return err
}

// open registers a session, if there is room for it.
func (s *Server) open(conn Conn, step authStep) (*Session, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.cfg.Limits
	switch {
	case s.closed:
		return nil, &refusal{cause: CloseShutdown, msg: CloseMsgShutdown, reason: ErrServerShutdown}
	case l.Sessions > 0 && len(s.sessions) >= l.Sessions, l.UserSessions > 0 && s.users[step.user.ID] >= l.UserSessions:
		return nil, &refusal{stopped: true, msg: "Session count exceed", reason: ErrTooManySessions}
	}
	sess := newSession(s, conn, step.user, step.login)
	s.sessions[sess] = struct{}{}
	s.users[sess.userID]++
	s.wg.Add(1)
	return sess, nil
}

// remove takes a session out of the registry.
func (s *Server) remove(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sess)
	if s.users[sess.userID]--; s.users[sess.userID] == 0 {
		delete(s.users, sess.userID)
	}
}

// serve runs a session until it is over and none of its handlers runs any more.
func (s *Server) serve(sess *Session) error {
	if l, ok := sess.conn.(msgconn.Limiter); ok {
		l.SetReadLimit(s.cfg.Limits.Message)
	}
	opened := false
	defer func() {
		if !opened { // the hook panicked
			sess.end(nil, true, 0, "", errors.New("controlproto: hook panicked"))
			s.over(sess)
		}
	}()
	var err error
	if s.cfg.Opened != nil {
		err = s.cfg.Opened(sess.ctx, sess)
	}
	opened = true
	if err == nil {
		sess.read()
	} else {
		last := closeMessageBytes(&closing{name: "close", Cause: CloseInternal, Msg: CloseMsgInternal})
		sess.end(last, false, msgconn.CloseNormal, "", fmt.Errorf("controlproto: opening the session: %w", err))
	}
	<-sess.gone
	return s.over(sess)
}

// over reports the end of a session.
func (s *Server) over(sess *Session) error {
	sess.wg.Wait()
	if s.cfg.Closed != nil {
		s.cfg.Closed(sess)
	}
	err := context.Cause(sess.ctx)
	s.trace.Closed(sess, err)
	level := slog.LevelInfo
	if errors.Is(err, ErrSlowSession) {
		level = slog.LevelWarn
	}
	s.log.Log(s.ctx, level, "operator offline", "session", sess, "after", time.Since(sess.login.Time).Round(time.Millisecond),
		"reason", err)
	var closed *msgconn.CloseError
	if errors.Is(err, ErrSessionClosed) || errors.As(err, &closed) {
		return nil
	}
	return err
}

// Shutdown closes all sessions, refuses new ones and waits until everything of them has ended, or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	list := slices.Collect(maps.Keys(s.sessions))
	s.mu.Unlock()
	s.cancel(ErrServerShutdown) // ends logins
	done := make(chan struct{})
	go func() {
		defer close(done)
		var closing sync.WaitGroup
		for _, sess := range list {
			closing.Go(func() {
				sess.end(nil, false, msgconn.CloseGoingAway, "server is shutting down", ErrServerShutdown)
			})
		}
		closing.Wait()
		s.wg.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// String tells how many sessions there are.
func (s *Server) String() string { return fmt.Sprintf("controlproto.Server(%d sessions)", s.Len()) }

// Format makes every verb print String.
func (s *Server) Format(f fmt.State, verb rune) { secret.Format(f, verb, s.String(), s.String()) }

// LogValue is what log/slog prints.
func (s *Server) LogValue() slog.Value { return slog.StringValue(s.String()) }
