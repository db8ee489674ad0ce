package controlproto

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// Handler does what a request asks for. The handlers of a session run one after the other, in the order of the requests,
// except those of [Mux.Concurrent] actions; while one runs, pings wait, too. The context ends with the session. An *[ActionError] is told to a client that
// asked for a confirmation; other errors are logged, and the client is told nothing.
type Handler func(ctx context.Context, c *Call) error

// Mux finds the handler of a request, and checks first whether the account may ask for that at all: what [Spec] says of site
// rights, login tokens and locked settings. Rights on devices and groups are the handler's to check. Actions without a handler
// are passed over in silence, as stock servers do. It is filled before a [Server] uses it, and not changed afterwards.
type Mux struct {
	handlers map[string]Handler
	beside   map[string]bool
	fallback Handler
}

// NewMux returns a mux without handlers.
func NewMux() *Mux { return &Mux{handlers: make(map[string]Handler), beside: make(map[string]bool)} }

// Handle registers the handler of an action, in place of one that it had. With nil it has none.
func (m *Mux) Handle(action string, h Handler) {
	if h == nil {
		delete(m.handlers, action)
		return
	}
	m.handlers[action] = h
}

// Handler returns the handler of an action, or nil: for one that does something before or after it.
func (m *Mux) Handler(action string) Handler { return m.handlers[action] }

// Fallback registers the handler of all actions that have none.
func (m *Mux) Fallback(h Handler) { m.fallback = h }

// Concurrent lets the handlers of actions run beside the others of their session, as many as ServerLimits allows: those that
// wait for something. Their replies may come after those of later requests.
func (m *Mux) Concurrent(actions ...string) {
	for _, a := range actions {
		m.beside[a] = true
	}
}

func (m *Mux) concurrent(action string) bool { return m.beside[action] }

// On registers the handler of the action that PT is the request of. The request is decoded for it.
func On[T any, PT interface {
	*T
	Message
}](m *Mux, f func(ctx context.Context, c *Call, req PT) error) {
	m.Handle(PT(new(T)).Action(), func(ctx context.Context, c *Call) error {
		req := PT(new(T))
		if err := c.Decode(req); err != nil {
			return err
		}
		return f(ctx, c, req)
	})
}

// errDenied is a request that the account may not make.
var errDenied = errors.New("controlproto: denied")

// allowed tells whether the session may make a request of this kind. It is the one place where that is decided.
func (s *Spec) allowed(sess *Session) bool {
	u := sess.User()
	rights := u.SiteRights
	switch {
	case rights.Restricted(SiteLocked):
		return false
	case s.Full && !rights.Full():
		return false
	case s.Site != 0 && rights&s.Site == 0:
		return false
	case s.NoToken && sess.login.Kind == LoginToken, s.NoToken && sess.login.TokenName != "":
		return false
	case s.Settings && rights.Restricted(SiteLockSettings):
		return false
	}
	return true
}

// serve runs a request.
func (m *Mux) serve(ctx context.Context, c *Call) {
	srv := c.Session.server
	begun := time.Now()
	err := m.handle(ctx, c)
	srv.trace.Request(c, time.Since(begun), err)
	var told *ActionError
	switch {
	case err == nil:
		return
	case errors.Is(err, errDenied):
		err = c.refuse(ctx, c.Action, c.Spec.Denied)
	case errors.As(err, &told):
		err = c.refuse(ctx, cmp.Or(told.As, c.Action), told.Result)
	}
	if err != nil && ctx.Err() == nil {
		srv.log.Error("control request failed", "call", c, "error", err)
	}
}

// refuse tells a client that asked. Who did not hears nothing, also of actions whose success is always told.
func (c *Call) refuse(ctx context.Context, action, text string) error {
	if text == "" || c.Spec.Replies == RepliesNever {
		return nil
	}
	return c.ResultAs(ctx, action, text)
}

// handle checks the request and calls its handler.
func (m *Mux) handle(ctx context.Context, c *Call) (err error) {
	h := m.handlers[c.Action]
	if h == nil {
		if h = m.fallback; h == nil {
			return nil
		}
	}
	if !c.Spec.allowed(c.Session) {
		return errDenied
	}
	defer func() {
		if r := recover(); r != nil {
			// As net/http does: one request must not take the whole server with it. What state the handler has left
			// its session in is not known.
			err = fmt.Errorf("controlproto: handler panicked: %v\n%s", r, debug.Stack())
			c.Session.Close(CloseInternal, CloseMsgInternal)
		}
	}()
	return h(ctx, c)
}
