package controlserver

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// tokenVerbs manage the login tokens of one's own account.
func (s *Server) tokenVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.loginTokens)
	controlproto.On(m, s.createLoginToken)
}

// Bounds of login tokens.
const (
	maxTokens        = 100
	maxTokenLifetime = 100 * 365 * 24 * time.Hour
)

// loginTokens removes the login tokens that the request names and those that are over, and lists the rest. Sessions that
// were opened with one that is removed end at once.
func (s *Server) loginTokens(ctx context.Context, c *controlproto.Call, req *controlproto.GetLoginTokens) error {
	if s.domains[c.Session.Domain()].NoLoginTokens {
		return nil
	}
	user := c.Session.User()
	kept := []controlproto.LoginTokenRecord{}
	err := s.Update(ctx, func(tx *Tx) error {
		kept = kept[:0]
		records, err := tx.store.List(KindLoginToken, Query{Owner: string(user.ID)})
		if err != nil {
			return err
		}
		var names []string
		for _, r := range records {
			t, err := decode[LoginToken](r)
			if err != nil {
				return err
			}
			if !t.Expired(s.cfg.Now()) && !slices.Contains(req.Remove, t.TokenUser) {
				kept = append(kept, t.LoginTokenRecord)
				continue
			}
			if err := tx.Remove(KindLoginToken, controlproto.ID(r.ID)); err != nil {
				return err
			}
			names = append(names, t.TokenUser)
		}
		slices.SortStableFunc(kept, func(a, b controlproto.LoginTokenRecord) int { return a.Created.Compare(b.Created) })
		if len(names) == 0 {
			return nil
		}
		a, err := read[Account](tx, KindAccount, user.ID)
		if err != nil {
			return err
		}
		return tx.tell(managerTargets(a.Value, string(user.ID)), user, controlproto.Event{
			Type: "user", Action: "loginTokenChanged", Domain: user.ID.Domain(), NoLog: 1,
		}, detail{"loginTokens", kept}, detail{"removed", names})
	})
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.GetLoginTokensReply{Tokens: kept})
}

// createLoginToken makes a login name and a password that stand for the account, without second factor. The password is
// told this once.
func (s *Server) createLoginToken(ctx context.Context, c *controlproto.Call, req *controlproto.CreateLoginToken) error {
	switch {
	case s.domains[c.Session.Domain()].NoLoginTokens:
		return refused("Not supported")
	case badLength(req.Name, 1, 100):
		return refused("Invalid name")
	case !isNumber(c, "expire") || req.Extra["expire"] != nil || req.Expire < 0 || req.Expire > maxTokenLifetime:
		return refused("Invalid expire value")
	}
	name, err := s.tokenText(12)
	if err != nil {
		return err
	}
	pass, err := s.tokenText(15)
	if err != nil {
		return err
	}
	user := c.Session.User()
	now := s.cfg.Now().Truncate(time.Millisecond)
	t := &LoginToken{
		LoginTokenRecord: controlproto.LoginTokenRecord{Name: req.Name, TokenUser: "~t:" + name, Created: now},
		UserID:           user.ID, Hash: tokenHash(controlproto.NewSecret(pass)),
	}
	if req.Expire > 0 {
		t.Expires = now.Add(req.Expire)
	}
	err = s.Update(ctx, func(tx *Tx) error {
		a, err := read[Account](tx, KindAccount, user.ID) // no token for who was just removed
		if err != nil {
			return err
		}
		have, err := tx.store.List(KindLoginToken, Query{Owner: string(user.ID), Limit: maxTokens})
		if err != nil {
			return err
		}
		if len(have) == maxTokens {
			return refused(fmt.Sprintf("More than %d login tokens", maxTokens))
		}
		if err := tx.PutDocument(KindLoginToken, t.TokenUser, string(user.ID), 0, t); err != nil {
			return err
		}
		return tx.tell(managerTargets(a.Value, string(user.ID)), user, controlproto.Event{
			Type: "user", Action: "loginTokenAdded", Domain: user.ID.Domain(), MsgID: 115, Msg: "Added login token",
		}, detail{"newToken", &t.LoginTokenRecord})
	})
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.CreateLoginTokenReply{
		Name: t.Name, TokenUser: t.TokenUser, TokenPass: controlproto.NewSecret(pass), Created: t.Created, Expires: t.Expires,
	})
}

// tokenText is n random bytes as text, without the characters of base64 that need escaping in a URL.
func (s *Server) tokenText(n int) (string, error) {
	b := make([]byte, n)
	for {
		if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
			return "", err
		}
		if text := base64.StdEncoding.EncodeToString(b); !strings.ContainsAny(text, "+/") {
			return text, nil
		}
	}
}
