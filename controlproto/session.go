package controlproto

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/secret"
)

// Session is one logged-in operator. Its methods may be called from several goroutines. Printing it shows who it is.
type Session struct {
	id     string
	server *Server
	conn   Conn
	login  Login
	userID ID
	user   atomic.Pointer[User]

	ctx    context.Context // ends with the session
	cancel context.CancelCauseFunc

	out   sendQueue
	work  workQueue
	slots chan struct{}  // a place for each handler that runs beside the others
	wg    sync.WaitGroup // handlers

	closing atomic.Bool
	gone    chan struct{} // closed when the connection is

	mu     sync.Mutex
	values map[any]any
}

func newSession(s *Server, conn Conn, u *User, l Login) *Session {
	var random [20]byte
	rand.Read(random[:]) // never fails
	sess := &Session{
		id: string(u.ID) + "/" + hex.EncodeToString(random[:]), server: s, conn: conn, login: l, userID: u.ID,
		slots: make(chan struct{}, s.cfg.Limits.Concurrent), gone: make(chan struct{}),
	}
	sess.user.Store(u)
	sess.ctx, sess.cancel = context.WithCancelCause(context.Background())
	sess.out = sendQueue{conn: conn, limits: &s.cfg.Limits, failed: sess.writeFailed}
	sess.work = workQueue{limits: &s.cfg.Limits, wg: &sess.wg, run: sess.dispatch}
	return sess
}

// ID returns the session's id, the user's and 40 hexadecimal digits. Other sessions of the user and agents are told.
func (s *Session) ID() string { return s.id }

// Domain returns the domain of the user.
func (s *Session) Domain() string { return s.userID.Domain() }

// UserID returns the id of the user, which stays the same.
func (s *Session) UserID() ID { return s.userID }

// User returns the account as it was when it was last set. It is not to be changed.
func (s *Session) User() *User { return s.user.Load() }

// SetUser replaces the account, which must be the same one: a change of its rights counts from the next request on. A
// session whose account was locked is closed.
func (s *Session) SetUser(u *User) {
	s.user.Store(u)
	if u.SiteRights.Restricted(SiteLocked) {
		s.Close(CloseNoAuth, CloseMsgNoAuth)
	}
}

// Login tells how the session came to be.
func (s *Session) Login() Login { return s.login }

// Context returns a context that ends with the session. Its cause tells why.
func (s *Session) Context() context.Context { return s.ctx }

// Send sends a message. It waits for room in the session's queue, as long as ctx allows. A peer that takes nothing is
// disconnected after the time that ServerLimits gives it.
func (s *Session) Send(ctx context.Context, m Message) error {
	b, err := AppendMessage(nil, m, Correlation{})
	if err != nil {
		return err
	}
	return s.out.send(ctx, b)
}

// SendRaw sends a message that is already encoded, as [Session.Send] does. It must not be changed afterwards.
func (s *Session) SendRaw(ctx context.Context, b []byte) error { return s.out.send(ctx, b) }

// Flush waits until all that was sent before is written.
func (s *Session) Flush(ctx context.Context) error { return s.out.flush(ctx) }

// Push sends an event that is already encoded, and never waits. The bytes may be shared by many sessions and must not be
// changed. A session that has left more unread than ServerLimits allows, in messages or bytes, is closed as "slow": its
// client connects anew and asks for what it missed. It returns whether the event was queued.
func (s *Session) Push(b []byte) bool {
	ok, full := s.out.push(b)
	if full {
		go s.end(closeMessageBytes(&closing{name: "close", Cause: CloseSlow, Msg: CloseMsgSlow}), true, msgconn.CloseTryAgain,
			"session does not keep up", ErrSlowSession)
	}
	return ok
}

// Close tells the client why, and ends the session. What was sent before is still written, for a short time. It does not
// wait for that.
func (s *Session) Close(cause, msg string) {
	last := closeMessageBytes(&closing{name: "close", Cause: cause, Msg: msg})
	go s.end(last, false, msgconn.CloseNormal, "", fmt.Errorf("%w: %.32q, %.64q", ErrSessionClosed, cause, msg))
}

// Set keeps a value with the session, for handlers. Keys are of unexported types, as with contexts. A nil value removes it.
func (s *Session) Set(key, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.values, key)
		return
	}
	if s.values == nil {
		s.values = make(map[any]any)
	}
	s.values[key] = value
}

// Value returns what was kept with Set, or nil.
func (s *Session) Value(key any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// end ends the session: the last message is written, with what waits before it or without, then the connection is
// closed. The first reason stays. It returns when the connection is closed.
func (s *Session) end(last []byte, dropRest bool, code int, reason string, cause error) {
	if !s.closing.CompareAndSwap(false, true) {
		<-s.gone
		return
	}
	s.cancel(cause)
	s.server.remove(s)
	timer := time.NewTimer(s.server.cfg.Limits.CloseTime)
	defer timer.Stop()
	select {
	case <-s.out.finish(last, dropRest):
	case <-timer.C:
		code = 0 // it does not read: no farewell
	}
	s.conn.Close(code, reason)
	close(s.gone)
}

// writerGrace is how long the reader has to tell why a connection on which a write failed has ended.
const writerGrace = time.Second

// writeFailed ends the session. A write on a connection that the peer has closed fails without telling why; the reader is
// about to read the reason.
func (s *Session) writeFailed(err error) {
	if !errors.Is(err, ErrSlowSession) {
		timer := time.NewTimer(writerGrace)
		defer timer.Stop()
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
	}
	s.end(nil, true, 0, "", fmt.Errorf("controlproto: write: %w", err))
}

// read takes requests until the connection ends.
func (s *Session) read() {
	for {
		_, msg, err := s.conn.ReadMessage(s.ctx)
		if err != nil {
			s.linger()
			s.readFailed(err)
			return
		}
		e, err := ParseRequest(bytes.Clone(msg))
		if err != nil {
			s.server.trace.Malformed(s, err) // and else silence, as on stock servers
			continue
		}
		switch e.Action {
		case "ping":
			if s.work.idle() {
				s.pong()
				continue
			}
			// It waits its turn: a client may ask so whether the requests before it were handled.
		case "pong":
			continue
		case "close":
			s.linger()
			s.end(nil, false, msgconn.CloseNormal, "", fmt.Errorf("%w by the client", ErrSessionClosed))
			return
		}
		if s.work.put(s.ctx, e) != nil {
			s.end(nil, false, msgconn.CloseNormal, "", net.ErrClosed)
			return
		}
	}
}

// linger lets the requests that were read before the peer left be handled, for a short time: a client may say what it wants
// and go.
func (s *Session) linger() {
	ctx, cancel := context.WithTimeout(s.ctx, s.server.cfg.Limits.CloseTime)
	defer cancel()
	s.work.drain(ctx)
}

func (s *Session) readFailed(err error) {
	code, reason := 0, ""
	var closed *msgconn.CloseError
	switch {
	case errors.As(err, &closed):
		code = msgconn.CloseNormal
	case errors.Is(err, msgconn.ErrTooLarge):
		code, reason = msgconn.CloseTooLarge, "message too large"
	}
	s.end(nil, code == 0 || closed != nil, code, reason, fmt.Errorf("controlproto: read: %w", err))
}

func (s *Session) pong() { s.Push([]byte(`{"action":"pong"}`)) }

// dispatch runs a request's handler, beside the others if the mux says so.
func (s *Session) dispatch(e Envelope) {
	if e.Action == "ping" {
		s.pong()
		return
	}
	c := newCall(s, e)
	if !s.server.cfg.Mux.concurrent(e.Action) {
		s.server.cfg.Mux.serve(s.ctx, c)
		return
	}
	select {
	case s.slots <- struct{}{}:
	case <-s.ctx.Done():
		return
	}
	s.wg.Go(func() {
		defer func() { <-s.slots }()
		s.server.cfg.Mux.serve(s.ctx, c)
	})
}

// String names the user and the address.
func (s *Session) String() string {
	return fmt.Sprintf("session of %.128q from %v", string(s.userID), s.login.RemoteAddr)
}

// Format makes every verb print String.
func (s *Session) Format(f fmt.State, verb rune) { secret.Format(f, verb, s.String(), s.String()) }

// LogValue is what log/slog prints.
func (s *Session) LogValue() slog.Value {
	return slog.GroupValue(slog.String("user", string(s.userID)), slog.Any("addr", s.login.RemoteAddr),
		slog.String("login", s.login.Kind.String()))
}

// MarshalText is what encoding/json prints.
func (s *Session) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
