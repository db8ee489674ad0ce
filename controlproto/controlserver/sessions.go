package controlserver

import (
	"context"
	"sync"

	"github.com/meshcentral-go/sdk/controlproto"
)

// sessions are the operators' sessions on this server, and what each wants to hear of.
type sessions struct {
	mu   sync.RWMutex
	all  map[*controlproto.Session]map[string]struct{} // targets
	byID map[string]*controlproto.Session
}

// Opened is for controlproto.ServerConfig.Opened: it sends what a session is told first, and lets it hear of events.
func (s *Server) Opened(ctx context.Context, c *controlproto.Session) error {
	a := s.enter(c)
	if a == nil {
		return controlproto.ErrNoUser
	}
	if t := c.Login().TokenUser; t != "" { // it may have been removed since it was checked
		found, err := s.document(ctx, KindLoginToken, t, new(LoginToken))
		if err != nil {
			return err
		}
		if !found {
			return controlproto.ErrBadCredentials
		}
	}
	info := s.serverInfo(c)
	if err := c.Send(ctx, &controlproto.ServerInfo{ServerDetails: info}); err != nil {
		return err
	}
	if err := c.Send(ctx, &controlproto.UserInfo{User: *a.Public()}); err != nil {
		return err
	}
	if a.SiteRights.Full() {
		// No tracing is offered, which is said this way.
		if err := c.Send(ctx, &controlproto.TraceInfo{}); err != nil {
			return err
		}
	}
	s.sessionCount(ctx, a)
	return nil
}

// enter adds a session. The account is read with the lock held: a change of it is either seen here, or finds the session.
func (s *Server) enter(c *controlproto.Session) *Account {
	s.sess.mu.Lock()
	defer s.sess.mu.Unlock()
	a := s.account(c.UserID())
	if a == nil || a.SiteRights.Restricted(controlproto.SiteLocked) {
		return nil
	}
	c.SetUser(a.Public())
	if s.sess.all == nil {
		s.sess.all = map[*controlproto.Session]map[string]struct{}{}
		s.sess.byID = map[string]*controlproto.Session{}
	}
	s.sess.all[c] = s.targetsOf(a)
	s.sess.byID[c.ID()] = c
	return a
}

// Closed is for controlproto.ServerConfig.Closed.
func (s *Server) Closed(c *controlproto.Session) {
	s.sess.mu.Lock()
	_, known := s.sess.all[c]
	delete(s.sess.all, c)
	delete(s.sess.byID, c.ID())
	s.sess.mu.Unlock()
	if a := s.account(c.UserID()); known && a != nil {
		s.sessionCount(context.Background(), a)
	}
}

// sessionCount tells who manages accounts how many sessions an account has.
func (s *Server) sessionCount(ctx context.Context, a *Account) {
	n := 0
	s.sess.mu.RLock()
	for c := range s.sess.all {
		if c.UserID() == a.ID {
			n++
		}
	}
	s.sess.mu.RUnlock()
	e := &controlproto.Event{Action: "wssessioncount", UserID: a.ID, Username: a.Name, Domain: a.Domain, NoLog: 1}
	err := setDetail(e, "count", n)
	if err == nil {
		err = s.Dispatch(ctx, e, toAdmins, toManagers)
	}
	if err != nil {
		s.log.Warn("no event", "action", e.Action, "reason", err)
	}
}

// SessionByID returns an operator's session on this server.
func (s *Server) SessionByID(id string) (*controlproto.Session, bool) {
	s.sess.mu.RLock()
	defer s.sess.mu.RUnlock()
	c, ok := s.sess.byID[id]
	return c, ok
}

// sessionsOf returns the sessions of an account on this server.
func (s *Server) sessionsOf(user controlproto.ID) []*controlproto.Session {
	return s.sessionsWhere(func(c *controlproto.Session) bool { return c.UserID() == user })
}

func (s *Server) sessionsWhere(f func(*controlproto.Session) bool) (list []*controlproto.Session) {
	s.sess.mu.RLock()
	defer s.sess.mu.RUnlock()
	for c := range s.sess.all {
		if f(c) {
			list = append(list, c)
		}
	}
	return list
}

// targetsOf lists what an account hears of (meshuser.js, obj.user.subscriptions).
func (s *Server) targetsOf(a *Account) map[string]struct{} {
	t := map[string]struct{}{string(a.ID): {}, toAll: {}}
	if a.SiteRights.Full() || a.SiteRights.Has(controlproto.SiteAllEvents) {
		t[toAdmins] = struct{}{}
	}
	if a.SiteRights.Has(controlproto.SiteManageUsers) {
		if len(a.Realms) == 0 {
			t[toManagers] = struct{}{}
		}
		for _, realm := range a.Realms {
			t[toManagers+":"+realm] = struct{}{}
		}
	}
	for id := range a.Links {
		t[string(id)] = struct{}{}
		if g := s.userGroup(id); g != nil {
			for linked := range g.Links {
				if linked.Kind() != controlproto.KindUser {
					t[string(linked)] = struct{}{}
				}
			}
		}
	}
	if s.managesAll(a) {
		for _, g := range s.groupsOf(a.Domain) {
			t[string(g.ID)] = struct{}{}
		}
	}
	return t
}

// refreshSessions gives sessions the accounts and targets that they have after a change.
func (s *Server) refreshSessions(written []Record) {
	s.tellTunnels(written)
	whole := false // who hears of what may have changed for everyone
	accounts := map[controlproto.ID]bool{}
	for _, r := range written {
		switch r.Kind {
		case KindAccount:
			accounts[controlproto.ID(r.ID)] = true
		case KindUserGroup:
			whole = true
		case KindDeviceGroup:
			whole = whole || len(s.cfg.ManageAll) > 0
		case KindLoginToken:
			if r.Rev == 0 {
				s.closeTokenSessions(r.ID)
			}
		default: // says nothing of sessions
		}
	}
	if len(accounts) == 0 && !whole {
		return
	}
	for _, c := range s.sessionsWhere(func(*controlproto.Session) bool { return true }) {
		if !whole && !accounts[c.UserID()] {
			continue
		}
		s.sess.mu.Lock()
		a := s.account(c.UserID())
		gone := a == nil || a.SiteRights.Restricted(controlproto.SiteLocked)
		if _, open := s.sess.all[c]; open {
			if s.sess.all[c] = nil; !gone { // who is gone hears no more, from now on
				c.SetUser(a.Public())
				s.sess.all[c] = s.targetsOf(a)
			}
		}
		s.sess.mu.Unlock()
		if gone {
			c.Close("noauth", "noauth")
		}
	}
}

// closeTokenSessions ends the sessions that were opened with a login token.
func (s *Server) closeTokenSessions(tokenUser string) {
	for _, o := range s.sessionsWhere(func(o *controlproto.Session) bool { return o.Login().TokenUser == tokenUser }) {
		o.Close("noauth", "noauth")
	}
}

func hears(targets map[string]struct{}, of []string) bool {
	for _, t := range of {
		if _, ok := targets[t]; ok {
			return true
		}
	}
	return false
}
