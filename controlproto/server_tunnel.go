package controlproto

import (
	"context"
	"time"
)

// TunnelLogin is who opens an operator's end of a tunnel.
type TunnelLogin struct {
	User  *User
	Login Login
	// Cookie is the cookie that did it, or nil. It may permit less than the account: one device ("nodeid"), a port of it,
	// what a guest may do. That is for the caller to enforce. See [Cookie.TunnelUser].
	Cookie *Cookie
}

// LoginTunnel decides who opens a WebSocket beside the control channel, such as the operator's end of a tunnel, with the same
// checks, limits and bans: "user" and "pass" in the query, a cookie in "auth=", the header x-meshauth, or the session of a page
// with an Origin. Unlike the control channel it takes cookies that were made for tunnels alone; it asks nothing in band; and
// a cookie that is no good is not made up for by something else. An error is a *[RefusedError].
//
// A cookie needs no URL key beside it: who has it had the key. (webserver.js, PerformWSSessionAuth)
func (s *Server) LoginTunnel(ctx context.Context, r *LoginRequest) (*TunnelLogin, error) {
	asked := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Limits.LoginTime, ErrLoginLimit)
	defer cancel()
	seq := &authSequence{authenticator: s.auth, req: *r, tunnel: true}
	step := seq.check(ctx)
	switch {
	case step.user != nil:
		return &TunnelLogin{User: step.user, Login: step.login, Cookie: seq.used}, nil
	case step.refused == nil:
		step = refuse(CloseNoAuth, CloseMsgNoAuthOther, nil)
	case step.refused.delayed:
		timer := time.NewTimer(time.Until(asked.Add(s.cfg.FailedLogins.Delay)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil, step.refused.err()
}
