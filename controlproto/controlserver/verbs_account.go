package controlserver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
)

// accountVerbs change one's own account.
func (s *Server) accountVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.changePassword)
	controlproto.On(m, s.changeEmail)
	controlproto.On(m, s.changeLang)
	controlproto.On(m, s.removePhone)
	controlproto.On(m, s.removeMessaging)
	controlproto.On(m, s.changeMeshNotify)
	controlproto.On(m, s.changeUserNotify)
	controlproto.On(m, s.twoFactorCookie)
}

// editSelf changes the session's account, with an event if something changed. In its text {} stands for the account's name.
func (s *Server) editSelf(ctx context.Context, c *controlproto.Call, msgID int, text string, f func(*Account) error) error {
	return s.changeSelf(ctx, c, f, func(a *Account) controlproto.Event {
		e := controlproto.Event{MsgID: msgID, Msg: strings.ReplaceAll(text, "{}", a.Name)}
		if e.Msg != text {
			e.MsgArgs = args(a.Name)
		}
		return e
	})
}

// changeSelf is editSelf with any event.
func (s *Server) changeSelf(ctx context.Context, c *controlproto.Call, f func(*Account) error, tell func(*Account) controlproto.Event) error {
	id := c.Session.UserID()
	return s.Update(ctx, func(tx *Tx) error {
		e, err := read[Account](tx, KindAccount, id)
		if err != nil {
			return err
		}
		if err := f(e.Value); err != nil {
			return err
		}
		doc, err := encode(e.Value)
		if err != nil || string(doc) == string(e.rec.Doc) {
			return err
		}
		if err := put(tx, e); err != nil {
			return err
		}
		a := e.Value
		made := tell(a)
		made.Type, made.Action, made.Domain = "user", "accountchange", a.Domain
		return tx.tell(managerTargets(a, string(id)), a.Public(), made, detail{"account", a.Public()})
	})
}

// accountNotice tells the session what became of a change of its account.
func (s *Server) accountNotice(ctx context.Context, c *controlproto.Call, msgID int, text string) error {
	return s.notice(ctx, c.Session, &controlproto.Notification{
		Value: text, Title: "Account Settings", TitleID: controlproto.TitleAccountSettings, MsgID: msgID,
	})
}

// changePassword takes the old password and sets a new one.
func (s *Server) changePassword(ctx context.Context, c *controlproto.Call, req *controlproto.ChangePassword) error {
	next := req.NewPassword.Reveal()
	if badLength(next, 1, 256) || badLength(req.OldPassword.Reveal(), 1, 256) || badLength(req.Hint, 0, 256) || !s.domains[c.Session.Domain()].Password.allow(next) {
		return nil
	}
	now := s.cfg.Now()
	if !s.oldPasswords.Allow(c.Session.UserID(), now) {
		return s.accountNotice(ctx, c, 19, "Error, password not changed.") // somebody guesses
	}
	ok, err := s.CheckPassword(ctx, c.Session.UserID(), req.OldPassword)
	if err != nil {
		return err
	}
	if ok {
		s.oldPasswords.Return(c.Session.UserID(), now)
	} else {
		return s.accountNotice(ctx, c, 21, "Current password not correct.")
	}
	hash := controlproto.NewSecret(HashPassword(next))
	err = s.editSelf(ctx, c, 74, "Account password changed: {}", func(a *Account) error {
		a.PasswordHash, a.StockSalt, a.StockHash = hash, controlproto.Secret{}, controlproto.Secret{}
		a.PasswordHint = controlproto.NewSecret(cut(req.Hint, 250))
		a.PassChange = s.cfg.Now().Unix()
		return nil
	})
	if err != nil {
		return err
	}
	return s.accountNotice(ctx, c, 20, "Password changed.")
}

// changeEmail sets the account's address. It is not verified: this package sends no mail.
func (s *Server) changeEmail(ctx context.Context, c *controlproto.Call, req *controlproto.ChangeEmail) error {
	address := strings.ToLower(req.Email)
	if !validEmail(address) {
		return nil
	}
	for _, a := range s.accountsOf(c.Session.Domain()) {
		if a.Email == address && a.ID != c.Session.UserID() && a.EmailVerified {
			return c.Session.Send(ctx, &controlproto.Notification{
				Value: "Failed to change email address, another account already using: " + address + ".", Title: "Account Settings",
				TitleID: controlproto.TitleAccountSettings, MsgID: 13, Args: args(address), Tag: "ServerNotify", ID: s.randomFloat(),
			})
		}
	}
	text := ""
	return s.changeSelf(ctx, c, func(a *Account) error {
		if a.Email == address {
			return nil
		}
		if text = "Set email of user " + a.Name + " to " + address; a.Email != "" {
			text = "Changed email of user " + a.Name + " from " + a.Email + " to " + address
		}
		a.Email, a.EmailVerified = address, false
		return nil
	}, func(*Account) controlproto.Event { return controlproto.Event{Msg: text} })
}

// changeLang sets the account's language.
func (s *Server) changeLang(ctx context.Context, c *controlproto.Call, req *controlproto.ChangeLang) error {
	if badLength(req.Language, 1, 6) {
		return nil
	}
	from, to := "", ""
	return s.changeSelf(ctx, c, func(a *Account) error {
		from = cmp.Or(a.Language, "default")
		if a.Language = strings.ToLower(req.Language); req.Language == "*" {
			a.Language = ""
		}
		to = cmp.Or(a.Language, "default")
		return nil
	}, func(*Account) controlproto.Event {
		return controlproto.Event{MsgID: 3, MsgArgs: args("", from, to), Msg: "Changed language from " + from + " to " + to}
	})
}

func (s *Server) removePhone(ctx context.Context, c *controlproto.Call, _ *controlproto.RemovePhone) error {
	return s.editSelf(ctx, c, 97, "Removed phone number of user {}", func(a *Account) error { a.Phone = ""; return nil })
}

func (s *Server) removeMessaging(ctx context.Context, c *controlproto.Call, _ *controlproto.RemoveMessaging) error {
	return s.editSelf(ctx, c, 157, "Removed messaging account of user {}", func(a *Account) error { a.MessageHandle = ""; return nil })
}

// changeMeshNotify says of what in a device group the account wants to hear.
func (s *Server) changeMeshNotify(ctx context.Context, c *controlproto.Call, req *controlproto.ChangeMeshNotify) error {
	g, _ := s.groupFor(c.Session, req.GroupID)
	switch {
	case g == nil && badLength(string(req.GroupID), 8, 134):
		return refused("Invalid group identifier")
	case g == nil:
		return refused("Access denied")
	case !isNumber(c, "notify"), req.Extra["notify"] != nil:
		return refused("Invalid notification flags")
	}
	return s.editSelf(ctx, c, 73, "Device group notification changed", func(a *Account) error {
		if l, ok := a.Links[g.ID]; ok {
			l.Notify = req.Notify
			a.Links[g.ID] = l
			return nil
		}
		a.notify(g.ID, req.Notify)
		return nil
	})
}

// notify sets what an account hears of something that it has no link of its own to.
func (a *Account) notify(id controlproto.ID, n controlproto.Notify) {
	if n == 0 {
		if delete(a.Notify, id); len(a.Notify) == 0 {
			a.Notify = nil
		}
		return
	}
	if a.Notify == nil {
		a.Notify = map[controlproto.ID]controlproto.Notify{}
	}
	a.Notify[id] = n
}

// changeUserNotify says of what of a device the account wants to hear.
func (s *Server) changeUserNotify(ctx context.Context, c *controlproto.Call, req *controlproto.ChangeUserNotify) error {
	d, _, err := s.deviceFor(ctx, c.Session, req.DeviceID)
	if errors.Is(err, ErrNotFound) {
		return refused("Invalid device identifier")
	}
	if err != nil {
		return err
	}
	if !isNumber(c, "notify") || req.Extra["notify"] != nil {
		return refused("Invalid notification flags")
	}
	return s.editSelf(ctx, c, 130, "User notifications changed", func(a *Account) error {
		a.notify(d.ID, req.Notify)
		return nil
	})
}

// twoFactorCookie makes this device one that is not asked for a second factor.
func (s *Server) twoFactorCookie(ctx context.Context, c *controlproto.Call, _ *controlproto.GetTwoFactorCookie) error {
	d := s.domains[c.Session.Domain()]
	// Only a login that has shown the second factor can vouch for a device.
	if d.NoTwoFactor || !slices.Contains([]controlproto.LoginKind{controlproto.LoginPassword, controlproto.LoginInBand, controlproto.LoginSession}, c.Session.Login().Kind) {
		return nil
	}
	cookie, err := s.loginCodec().Encode(controlproto.TwoFactorCookie(c.Session.UserID(), d.twoFactorAge()))
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.GetTwoFactorCookieReply{Cookie: cookie})
}
