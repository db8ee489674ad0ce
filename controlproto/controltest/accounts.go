//go:build !js

package controltest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

type account struct {
	user     controlproto.User
	password controlproto.Secret
	code     controlproto.Secret
	factors  controlproto.Factors
	sent     []controlproto.FactorKind
}

type loginToken struct {
	user   controlproto.ID
	secret controlproto.Secret
	label  string
}

// AddUser makes up an account of the default domain, or replaces it, and returns its id.
func (s *Server) AddUser(name, password string, rights controlproto.SiteRights) controlproto.ID {
	id := controlproto.UserID("", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[id] = &account{
		user:     controlproto.User{ID: id, Name: name, SiteRights: rights, Created: time.Now()},
		password: controlproto.NewSecret(password),
	}
	return id
}

// RemoveUser removes an account and closes its sessions.
func (s *Server) RemoveUser(id controlproto.ID) {
	s.mu.Lock()
	delete(s.accounts, id)
	s.mu.Unlock()
	s.control.CloseWhere(func(sess *controlproto.Session) bool { return sess.UserID() == id }, controlproto.CloseNoAuth,
		controlproto.CloseMsgNoAuth)
}

// RequireCode gives an account a second factor: the code is good for any number of logins. Who asks for it by a way that the
// factors offer is told that it was sent.
func (s *Server) RequireCode(id controlproto.ID, code string, f controlproto.Factors) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil {
		f.Required = true
		a.code, a.factors = controlproto.NewSecret(code), f
	}
}

// SentCodes returns the ways by which codes were sent to an account, oldest first.
func (s *Server) SentCodes(id controlproto.ID) []controlproto.FactorKind {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil {
		return slices.Clone(a.sent)
	}
	return nil
}

// AddToken makes up a login token of an account. Its name is "~t:" and some more.
func (s *Server) AddToken(name, secret string, user controlproto.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[name] = loginToken{user, controlproto.NewSecret(secret), "token of " + user.Name()}
}

// RevokeToken removes a login token and closes the sessions that it opened.
func (s *Server) RevokeToken(name string) {
	s.mu.Lock()
	delete(s.tokens, name)
	s.mu.Unlock()
	s.control.CloseWhere(func(sess *controlproto.Session) bool { return sess.Login().TokenUser == name },
		controlproto.CloseNoAuth, controlproto.CloseMsgNoAuth)
}

// backend is what the server asks about accounts.
type backend Server

func (b *backend) account(id controlproto.ID) (account, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.accounts[id]
	if !ok {
		return account{}, false
	}
	return *a, true
}

func (b *backend) all() []controlproto.User {
	b.mu.Lock()
	defer b.mu.Unlock()
	users := make([]controlproto.User, 0, len(b.accounts))
	for _, id := range slices.Sorted(maps.Keys(b.accounts)) {
		users = append(users, b.accounts[id].user)
	}
	return users
}

func (b *backend) User(_ context.Context, id controlproto.ID) (*controlproto.User, error) {
	a, ok := b.account(id)
	if !ok {
		return nil, controlproto.ErrNoUser
	}
	return &a.user, nil
}

func (b *backend) CheckPassword(_ context.Context, id controlproto.ID, password controlproto.Secret) (bool, error) {
	a, ok := b.account(id)
	return ok && a.password.Equal(password), nil
}

func (b *backend) CheckLoginToken(_ context.Context, domain, name string, secret controlproto.Secret) (controlproto.ID, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.tokens[name]
	if !ok || t.user.Domain() != domain || !t.secret.Equal(secret) {
		return "", "", controlproto.ErrBadCredentials
	}
	return t.user, t.label, nil
}

func (b *backend) Factors(_ context.Context, u *controlproto.User, _ *controlproto.LoginRequest) (controlproto.Factors, error) {
	a, _ := b.account(u.ID)
	return a.factors, nil
}

func (b *backend) CheckToken(_ context.Context, u *controlproto.User, token controlproto.Secret) (bool, error) {
	a, ok := b.account(u.ID)
	return ok && a.code.Equal(token), nil
}

func (b *backend) SendCode(_ context.Context, u *controlproto.User, by controlproto.FactorKind) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.accounts[u.ID]; a != nil {
		a.sent = append(a.sent, by)
	}
	return nil
}
