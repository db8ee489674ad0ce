package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// logins lets people log in to the pages, with what the control channel takes: name and password, or a login token, and a
// code if the account has a second factor.
type logins struct {
	store   controlserver.Store
	records *controlserver.Server
	channel *controlproto.Server
	keys    func(domain string) []controlproto.Secret
}

var _ web.Logins = (*logins)(nil)

// Password implements [web.Logins].
func (l *logins) Password(ctx context.Context, r *http.Request, name, password string) (who web.Login, ok bool, err error) {
	t, known := tenantOf(r)
	if !known {
		return who, false, nil
	}
	secret := controlproto.NewSecret(password)
	if strings.HasPrefix(name, "~t:") {
		id, token, err := l.records.CheckLoginToken(ctx, t.ID, name, secret)
		if errors.Is(err, controlproto.ErrBadCredentials) {
			return who, false, nil
		}
		if err != nil {
			return who, false, err
		}
		u, err := l.account(ctx, id)
		if u == nil || err != nil {
			return who, false, err
		}
		return web.Login{User: string(id), Name: u.Name, Token: token, TokenUser: name}, true, nil
	}
	id := controlproto.UserID(t.ID, name)
	done, allowed := l.channel.Attempt(l.request(r).RemoteAddr, id)
	if !allowed {
		return who, false, web.ErrTooMany
	}
	ok, err = l.records.CheckPassword(ctx, id, secret)
	done(ok)
	if err != nil || !ok {
		return who, false, err
	}
	u, err := l.account(ctx, id)
	if u == nil || err != nil {
		return who, false, err
	}
	f, err := l.records.Factors(ctx, u, l.request(r))
	return web.Login{User: string(id), Name: u.Name, Code: f.Required}, err == nil, err
}

func (l *logins) request(r *http.Request) *controlproto.LoginRequest {
	return l.channel.LoginRequest(r)
}

// account returns an account that may log in, or nil.
func (l *logins) account(ctx context.Context, id controlproto.ID) (*controlproto.User, error) {
	u, err := l.records.User(ctx, id)
	if errors.Is(err, controlproto.ErrNoUser) || err == nil && u.SiteRights.Restricted(controlproto.SiteLocked) {
		return nil, nil
	}
	return u, err
}

// Code implements [web.Logins].
func (l *logins) Code(ctx context.Context, r *http.Request, who web.Login, code string) (bool, error) {
	u, err := l.account(ctx, controlproto.ID(who.User))
	if u == nil || err != nil {
		return false, err
	}
	done, allowed := l.channel.Attempt(l.request(r).RemoteAddr, u.ID)
	if !allowed {
		return false, web.ErrTooMany
	}
	ok, err := l.records.CheckToken(ctx, u, controlproto.NewSecret(code))
	done(ok)
	return ok, err
}

// Valid implements [web.Logins].
func (l *logins) Valid(r *http.Request, who web.Login, since time.Time) bool {
	t, ok := tenantOf(r)
	if !ok || controlproto.ID(who.User).Domain() != t.ID {
		return false
	}
	u, err := l.account(r.Context(), controlproto.ID(who.User))
	return u != nil && err == nil && !(u.PassChange > since.Unix()) && l.hasToken(r.Context(), who)
}

// hasToken tells whether the login token that somebody came with, if it was one, was not revoked and has not expired.
func (l *logins) hasToken(ctx context.Context, who web.Login) bool {
	if who.TokenUser == "" {
		return true
	}
	var t controlserver.LoginToken
	err := l.store.View(ctx, func(tx controlserver.StoreTx) error {
		r, err := tx.Get(controlserver.KindLoginToken, who.TokenUser)
		if err != nil {
			return err
		}
		return jsonrec.Unmarshal(r.Doc, &t)
	})
	return err == nil && string(t.UserID) == who.User && !t.Expired(time.Now())
}

// Place implements [web.Logins].
func (l *logins) Place(r *http.Request) web.Place {
	t, ok := tenantOf(r)
	if !ok {
		return web.Place{Base: "/"}
	}
	at := web.Place{Base: t.base(), Title: t.Title}
	if keys := l.keys(t.ID); len(keys) > 0 {
		at.Closed = !hasKey(r, keys)
		if !at.Closed {
			at.Key = r.URL.Query().Get("key")
		}
	}
	return at
}

// hasKey tells whether one of the keys is in the URL.
func hasKey(r *http.Request, keys []controlproto.Secret) bool {
	given, found := controlproto.NewSecret(r.URL.Query().Get("key")), len(keys) == 0
	for _, k := range keys {
		found = k.Equal(given) || found
	}
	return found
}
