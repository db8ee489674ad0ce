package controlserver

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/meshcentral-go/sdk/controlproto"
)

// userVerbs manage accounts.
func (s *Server) userVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.users)
	controlproto.On(m, s.wsSessionCount)
	controlproto.On(m, s.addUser)
	controlproto.On(m, s.addUserBatch)
	controlproto.On(m, s.editUser)
	controlproto.On(m, s.deleteUser)
	controlproto.On(m, s.changeUserPass)
	controlproto.On(m, s.notifyUser)
	controlproto.On(m, s.userBroadcast)
}

// users lists the accounts that the session may manage.
func (s *Server) users(ctx context.Context, c *controlproto.Call, _ *controlproto.Users) error {
	me := s.account(c.Session.UserID())
	if me == nil {
		return controlproto.ErrNoUser
	}
	list := []controlproto.User{}
	for _, a := range s.accountsOf(c.Session.Domain()) {
		if seenBy(me, a) {
			list = append(list, *a.Public())
		}
	}
	return c.Reply(ctx, &controlproto.UsersReply{Users: list})
}

// wsSessionCount tells how many sessions each account has; nobody's to who does not manage accounts.
func (s *Server) wsSessionCount(ctx context.Context, c *controlproto.Call, _ *controlproto.WSSessionCount) error {
	counts := map[controlproto.ID]int{}
	if c.Session.User().SiteRights.Has(controlproto.SiteManageUsers) {
		for _, o := range s.sessionsWhere(func(o *controlproto.Session) bool { return s.manages(c.Session, o.UserID()) }) {
			counts[o.UserID()]++
		}
	}
	return c.Reply(ctx, &controlproto.WSSessionCountReply{Sessions: counts})
}

// manages tells whether an account is in the domain of the session, and in one of its realms if it has some.
func (s *Server) manages(c *controlproto.Session, id controlproto.ID) bool {
	me, a := s.account(c.UserID()), s.account(id)
	return me != nil && a != nil && id.Domain() == c.Domain() && seenBy(me, a)
}

// Numbers of what is wrong with a new account, for translations.
const (
	badUsername = iota + 2
	badPassword
	badEmail
	_ // a domain that there is not
	badSiteRights
	userExists
)

// userError is what is wrong with a new account.
type userError struct {
	text string
	id   int
}

// managedSiteRights are the bits that who manages accounts may give without being a full administrator.
const managedSiteRights = controlproto.SiteLocked | controlproto.SiteNoNewGroups | controlproto.SiteNoTools

// addUser makes an account.
func (s *Server) addUser(ctx context.Context, c *controlproto.Call, req *controlproto.AddUser) error {
	if req.RandomPassword {
		req.Password = controlproto.NewSecret(rand.Text())
	}
	wrong := s.checkAccount(c.Session, req)
	if wrong == nil && shapeOf(c, "siteadmin") != 0 && !isNumber(c, "siteadmin") {
		wrong = &userError{"Invalid site permissions", badSiteRights}
	}
	full := false
	var err error
	if wrong == nil {
		if full = s.tooMany(c.Session.Domain(), 1); full {
			wrong = &userError{"maxUsersExceed", 0}
		} else {
			wrong, err = s.createAccount(ctx, c.Session, req)
		}
	}
	switch {
	case err != nil:
		return err
	case wrong == nil:
		return c.Result(ctx, "ok")
	case full && !c.Asked():
		return s.accountLimit(ctx, c.Session)
	case c.Asked():
		r := &controlproto.Result{Name: "adduser", Result: wrong.text}
		if wrong.id != 0 {
			r.Extra = map[string]json.RawMessage{"msgid": json.RawMessage(strconv.Itoa(wrong.id))}
		}
		return c.ReplyEcho(ctx, r, controlproto.EchoResponseID)
	}
	return s.notice(ctx, c.Session, &controlproto.Notification{
		Value: wrong.text, Title: "New Account", TitleID: controlproto.TitleNewAccount, MsgID: wrong.id,
	})
}

// notice shows the session a text about what it asked for (meshuser.js, displayNotificationMessage).
func (s *Server) notice(ctx context.Context, c *controlproto.Session, n *controlproto.Notification) error {
	n.ID, n.Tag, n.UserID, n.Username = s.randomFloat(), "ServerNotify", c.UserID(), c.User().Name
	return c.Send(ctx, n)
}

// accountLimit tells all sessions of an account that there cannot be more accounts.
func (s *Server) accountLimit(_ context.Context, c *controlproto.Session) error {
	domain := c.Domain()
	return s.pushTo(&controlproto.Notification{
		Value: "Account limit reached.", Title: "Server Limit", UserID: c.UserID(), Username: c.User().Name, Domain: &domain,
		TitleID: controlproto.TitleServerLimit, MsgID: 10, ID: s.randomFloat(),
	}, s.sessionsOf(c.UserID()))
}

// tooMany tells whether the domain has no room for so many more accounts.
func (s *Server) tooMany(domain string, more int) bool {
	most := s.domains[domain].MaxUsers
	return most > 0 && len(s.accountsOf(domain))+more > most
}

// checkAccount tells what is wrong with a request for an account; nil is nothing.
func (s *Server) checkAccount(c *controlproto.Session, req *controlproto.AddUser) *userError {
	password := req.Password.Reveal()
	switch {
	case !validUsername(req.Username):
		return &userError{"Invalid username", badUsername}
	case badLength(password, 1, 256), !req.RandomPassword && !s.domains[c.Domain()].Password.allow(password):
		return &userError{"Invalid password", badPassword}
	case req.Email != "" && !validEmail(req.Email):
		return &userError{"Invalid email", badEmail}
	case s.account(controlproto.UserID(c.Domain(), req.Username)) != nil:
		return &userError{"User already exists", userExists}
	case req.SiteRights != nil && !c.User().SiteRights.Full() && *req.SiteRights&^managedSiteRights != 0:
		return &userError{"Invalid site permissions", badSiteRights}
	}
	return nil
}

// createAccount makes the account of a request that was checked.
func (s *Server) createAccount(ctx context.Context, c *controlproto.Session, req *controlproto.AddUser) (*userError, error) {
	me := s.account(c.UserID())
	if me == nil {
		return nil, controlproto.ErrNoUser
	}
	if badLength(req.RealName, 0, 256) {
		req.RealName = ""
	}
	password := req.Password.Reveal()
	a := &Account{
		User: controlproto.User{
			ID: controlproto.UserID(c.Domain(), req.Username), Name: req.Username, RealName: req.RealName,
			Email: strings.ToLower(req.Email), EmailVerified: req.Email != "" && req.EmailVerified, Created: s.cfg.Now(),
			PassChange: s.cfg.Now().Unix(), Consent: req.Consent, Realms: slices.Clone(me.Realms),
		},
		Type: controlproto.KindUser, Domain: c.Domain(),
		PasswordHash: controlproto.NewSecret(HashPassword(password)), // before the transaction: it takes long
	}
	if req.ResetNextLogin {
		a.PassChange = -1
	}
	if req.SiteRights != nil {
		a.SiteRights = *req.SiteRights
	}
	if validPhone(req.Phone) {
		a.Phone = req.Phone
	}
	err := s.Update(ctx, func(tx *Tx) error {
		if req.RemoveEvents {
			if err := tx.store.RemoveEvents(EventQuery{Domain: a.Domain, User: string(a.ID)}); err != nil {
				return err
			}
		}
		if err := tx.AddAccount(a); err != nil {
			return err
		}
		e := controlproto.Event{
			Type: "user", Action: "accountcreate", UserID: a.ID, Username: a.Name, Domain: a.Domain,
			MsgID: 64, MsgArgs: args(a.Name), Msg: "Account created, username is " + a.Name,
		}
		if a.Email != "" {
			e.MsgID, e.MsgArgs, e.Msg = 65, args(a.Email), "Account created, email is "+a.Email
		}
		return tx.tell(managerTargets(a), nil, e, detail{"account", a.Public()})
	})
	if errors.Is(err, ErrConflict) {
		return &userError{"User already exists", userExists}, nil
	}
	return nil, err
}

// managerTargets are who hears of an account: who manages it, itself, and others.
func managerTargets(a *Account, more ...string) []string {
	targets := append([]string{toAdmins, toManagers}, more...)
	for _, realm := range a.Realms {
		targets = append(targets, toManagers+":"+realm)
	}
	return targets
}

// validUsername tells whether this can be the login name of a new account.
func validUsername(name string) bool {
	return !badLength(name, 1, 256) && name[0] != '~' && !strings.ContainsAny(name, ` ",/`) &&
		!strings.ContainsFunc(name, unicode.IsControl)
}

func validEmail(address string) bool {
	a, err := mail.ParseAddress(address)
	return err == nil && a.Address == address && len(address) <= 1024
}

// validPhone tells whether this looks like a phone number to the stock server.
func validPhone(number string) bool {
	return len(number) >= 10 && len(number) <= 32 && strings.Trim(number, "+0123456789 -/.") == ""
}

// cut shortens a text that is too long for its field.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}

// allow tells whether a password has what the rules want.
func (r PasswordRules) allow(password string) bool {
	var upper, lower, numeric, special int
	n := 0
	for _, c := range password {
		n++
		switch {
		case c >= '0' && c <= '9':
			numeric++
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		case c != '_':
			special++
		}
	}
	return n >= r.Min && (r.Max == 0 || n <= r.Max) && upper >= r.Upper && lower >= r.Lower && numeric >= r.Numeric && special >= r.Special
}

// addUserBatch makes several accounts. It says nothing of those that cannot be.
func (s *Server) addUserBatch(ctx context.Context, c *controlproto.Call, req *controlproto.AddUserBatch) error {
	const most = 1000 // each costs the hash of a password
	switch {
	case shapeOf(c, "users") != '[':
		return refused("Invalid users")
	case len(req.Users) > most:
		return refused("Too many users")
	}
	list := make([]*controlproto.AddUser, 0, len(req.Users))
	for _, u := range req.Users {
		r := &controlproto.AddUser{
			Username: u.Username, Password: u.Password, Email: u.Email, EmailVerified: u.EmailVerified, RealName: u.RealName,
			ResetNextLogin: u.ResetNextLogin,
		}
		switch wrong := s.checkAccount(c.Session, r); {
		case wrong == nil:
			list = append(list, r)
		case wrong.id != userExists: // those that there are already are passed over
			return refused(wrong.text)
		}
	}
	if s.tooMany(c.Session.Domain(), len(req.Users)) {
		return s.accountLimit(ctx, c.Session)
	}
	for _, r := range list {
		if _, err := s.createAccount(ctx, c.Session, r); err != nil { // another userError: somebody else was faster
			return err
		}
	}
	return nil
}

// managedAccount finds an account that the session may manage; the texts are the stock server's. Sessions of login tokens may
// not manage their own: that would be a way to the password.
func (s *Server) managedAccount(c *controlproto.Session, id controlproto.ID) (*Account, error) {
	if badLength(string(id), 1, 2048) {
		return nil, refused("Invalid userid")
	}
	id = id.In(controlproto.KindUser, c.Domain())
	me, a := s.account(c.UserID()), s.account(id)
	switch {
	case me == nil:
		return nil, controlproto.ErrNoUser
	case a == nil || a.Domain != c.Domain():
		return nil, refused("User does not exists")
	case a.SiteRights.Full() && !me.SiteRights.Full():
		return nil, refused("Permission denied")
	case !seenBy(me, a):
		return nil, refused("Invalid user group")
	case id == me.ID && c.Login().TokenName != "":
		return nil, refused("Permission denied")
	}
	return a, nil
}

// editUser changes an account.
func (s *Server) editUser(ctx context.Context, c *controlproto.Call, req *controlproto.EditUser) error {
	a, err := s.managedAccount(c.Session, req.Target())
	if err != nil {
		return err
	}
	onlyShapes(c, req)
	err = s.Update(ctx, func(tx *Tx) error {
		// Again, now that nobody else changes anything.
		if a, err = s.managedAccount(c.Session, req.Target()); err != nil {
			return err
		}
		me := c.Session.User()
		changed := false
		targets := managerTargets(a, string(me.ID), string(a.ID))
		err := tx.EditAccount(a.ID, func(a *Account) error {
			before, err := encode(a)
			if err != nil {
				return err
			}
			editAccount(a, req, me)
			after, err := encode(a)
			// As on the stock server, some members count as a change even if they say what is so already.
			changed = string(before) != string(after) || req.Consent != nil || req.Phone != nil || req.MessageHandle != nil
			return err
		})
		if err != nil || !changed {
			return err
		}
		e, err := read[Account](tx, KindAccount, a.ID)
		if err != nil {
			return err
		}
		for _, t := range managerTargets(e.Value) {
			if !slices.Contains(targets, t) {
				targets = append(targets, t)
			}
		}
		return tx.tell(targets, me, controlproto.Event{
			Type: "user", Action: "accountchange", Domain: a.Domain, MsgID: 66, MsgArgs: args(a.Name), Msg: "Account changed: " + a.Name,
		}, detail{"account", e.Value.Public()})
	})
	if err != nil {
		return gone(err, "User does not exists")
	}
	return c.Result(ctx, "ok")
}

// onlyShapes drops what has not the shape that it takes: the stock server passes over a number that is written as a text.
func onlyShapes(c *controlproto.Call, req *controlproto.EditUser) {
	for name, drop := range map[string]func(){
		"siteadmin": func() { req.SiteRights = nil }, "removeRights": func() { req.RemoveRights = nil }, "flags": func() { req.Flags = nil },
		"consent": func() { req.Consent = nil }, "quota": func() { req.Quota = nil },
	} {
		if !isNumber(c, name) {
			drop()
		}
	}
	if !isBool(c, "emailVerified") {
		req.EmailVerified = nil
	}
	if !isBool(c, "resetNextLogin") {
		req.ResetNextLogin = nil
	}
}

// gone is a refusal in place of ErrNotFound: another server has removed what this one knew.
func gone(err error, text string) error {
	if errors.Is(err, ErrNotFound) {
		return refused(text)
	}
	return err
}

// editAccount changes what a request names. A quota that it does not name is removed, as on the stock server.
func editAccount(a *Account, req *controlproto.EditUser, by *controlproto.User) {
	if req.Email != nil && !badLength(*req.Email, 0, 1024) {
		if a.Email = strings.ToLower(*req.Email); a.Email == "" {
			a.EmailVerified = false
		}
	}
	if req.RealName != nil && !badLength(*req.RealName, 0, 256) {
		a.RealName = *req.RealName
	}
	if req.EmailVerified != nil && a.Email != "" {
		a.EmailVerified = *req.EmailVerified
	}
	if a.Quota = 0; req.Quota != nil && *req.Quota >= 0 {
		a.Quota = *req.Quota
	}
	if req.ResetNextLogin != nil && *req.ResetNextLogin {
		a.PassChange = -1
	}
	if req.Consent != nil {
		a.Consent = *req.Consent
	}
	if req.Phone != nil && (*req.Phone == "" || validPhone(*req.Phone)) {
		a.Phone = *req.Phone
	}
	if req.MessageHandle != nil && len(*req.MessageHandle) <= 1024 {
		a.MessageHandle = *req.MessageHandle
	}
	if req.Flags != nil {
		a.Flags = *req.Flags
	}
	if req.RemoveRights != nil {
		if a.RemoveRights = req.RemoveRights; *req.RemoveRights == 0 {
			a.RemoveRights = nil
		}
	}
	if req.SiteRights != nil && a.ID != by.ID { // nobody changes his own
		may := controlproto.SiteManageUsers | managedSiteRights
		for _, own := range []controlproto.SiteRights{controlproto.SiteUserGroups, controlproto.SiteRecordings} {
			if by.SiteRights.Has(own) {
				may |= own
			}
		}
		if by.SiteRights.Full() || (a.SiteRights^*req.SiteRights)&^may == 0 {
			a.SiteRights = *req.SiteRights
		}
	}
	if req.Realms != nil && (a.ID != by.ID || by.SiteRights.Full()) {
		a.Realms = cleanRealms(req.Realms)
	}
}

func cleanRealms(list []string) (realms []string) {
	for _, r := range list {
		if r = strings.ToLower(strings.TrimSpace(r)); r != "" && utf16Len(r) <= 64 && !slices.Contains(realms, r) {
			realms = append(realms, r)
		}
	}
	slices.Sort(realms)
	return realms
}

// deleteUser removes an account with all that belongs to it.
func (s *Server) deleteUser(ctx context.Context, c *controlproto.Call, req *controlproto.DeleteUser) error {
	a, err := s.managedAccount(c.Session, req.UserID)
	if err != nil {
		return err
	}
	err = s.Update(ctx, func(tx *Tx) error {
		if _, err := s.managedAccount(c.Session, a.ID); err != nil {
			return err
		}
		e, err := read[Account](tx, KindAccount, a.ID)
		if err != nil {
			return err
		}
		a, by := e.Value, c.Session.User()
		for _, id := range slices.Sorted(maps.Keys(a.Links)) {
			if err := tx.Unlink(a.ID, id); err != nil {
				return err
			}
			if err := tx.accountLeft(by, a, id); err != nil {
				return err
			}
		}
		tokens, err := tx.store.List(KindLoginToken, Query{Owner: string(a.ID)})
		if err != nil {
			return err
		}
		for _, r := range tokens {
			if err := tx.Remove(KindLoginToken, controlproto.ID(r.ID)); err != nil {
				return err
			}
		}
		for _, kind := range []Kind{KindNotes, KindWebState, KindAccount} {
			if err := tx.Remove(kind, a.ID); err != nil {
				return err
			}
		}
		if err := tx.Remove(KindNotes, "p"+a.ID); err != nil { // those for itself
			return err
		}
		return tx.tell(managerTargets(a), nil, controlproto.Event{
			Type: "user", Action: "accountremove", UserID: a.ID, Username: a.Name, Domain: a.Domain, MsgID: 63, Msg: "Account removed",
		})
	})
	if err != nil {
		return gone(err, "User does not exists")
	}
	return c.Result(ctx, "ok")
}

// accountLeft tells that a device group, a device or a user group is without an account that it was linked to.
func (t *Tx) accountLeft(by *controlproto.User, a *Account, from controlproto.ID) error {
	switch from.Kind() {
	case controlproto.KindDeviceGroup:
		e, err := read[controlproto.DeviceGroup](t, KindDeviceGroup, from)
		if err != nil {
			return ignoreMissing(err)
		}
		return t.groupChanged(by, e.Value, 72, args(a.Name, e.Value.Name),
			"Removed user "+a.Name+" from device group "+e.Value.Name, string(a.ID), string(by.ID))
	case controlproto.KindDevice:
		d, err := t.Device(from)
		if err != nil {
			return ignoreMissing(err)
		}
		return t.changedNode(by, d, controlproto.Event{
			MsgID: 61, MsgArgs: args(d.Name), Msg: "Changed user device rights for " + d.Name,
		})
	case controlproto.KindUserGroup:
		e, err := read[controlproto.UserGroup](t, KindUserGroup, from)
		if err != nil {
			return ignoreMissing(err)
		}
		return t.userGroupChanged(by, from, 62, "Removed user "+a.Name+" from user group "+e.Value.Name, args(a.Name, e.Value.Name), string(a.ID))
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// changeUserPass sets the password of an account, and may take its second factors away.
func (s *Server) changeUserPass(ctx context.Context, c *controlproto.Call, req *controlproto.ChangeUserPass) error {
	a, err := s.managedAccount(c.Session, req.UserID)
	if refusal := (*controlproto.ActionError)(nil); errors.As(err, &refusal) {
		return nil // silent on the stock server
	}
	if err != nil {
		return err
	}
	password := req.Password.Reveal()
	if badLength(password, 0, 256) || password != "" && !s.domains[a.Domain].Password.allow(password) ||
		badLength(req.Hint, 0, 256) || !isBool(c, "removeMultiFactor") || shapeOf(c, "pass") != '"' {
		return nil
	}
	var hash controlproto.Secret
	if password != "" {
		hash = controlproto.NewSecret(HashPassword(password))
	}
	err = s.Update(ctx, func(tx *Tx) error {
		if _, err := s.managedAccount(c.Session, req.UserID); err != nil {
			return err
		}
		err := tx.EditAccount(a.ID, func(a *Account) error {
			if password != "" {
				a.PasswordHash, a.StockSalt, a.StockHash = hash, controlproto.Secret{}, controlproto.Secret{}
			}
			if req.Hint != "" {
				a.PasswordHint = controlproto.NewSecret(cut(req.Hint, 250))
			}
			if a.PassChange = s.cfg.Now().Unix(); req.ResetNextLogin {
				a.PassChange = -1
			}
			if req.RemoveMultiFactor {
				a.TOTPSecret, a.TOTPStep, a.BackupCodes = controlproto.Secret{}, 0, nil
				a.Phone = ""
			}
			return nil
		})
		if err != nil {
			return err
		}
		e, err := read[Account](tx, KindAccount, a.ID)
		if err != nil {
			return err
		}
		by := c.Session.User()
		return tx.tell(managerTargets(e.Value, string(by.ID), string(a.ID)), by, controlproto.Event{
			Type: "user", Action: "accountchange", Domain: a.Domain, MsgID: 75, Msg: "Changed account credentials",
		}, detail{"account", e.Value.Public()})
	})
	if refusal := (*controlproto.ActionError)(nil); errors.As(err, &refusal) {
		return nil
	}
	return err
}

// notifyUser shows a text to all sessions of an account.
func (s *Server) notifyUser(ctx context.Context, c *controlproto.Call, req *controlproto.NotifyUser) error {
	if badLength(req.Msg, 1, 4096) || !s.manages(c.Session, req.UserID) {
		return nil
	}
	icon := 8
	n := &controlproto.Notification{
		Value: req.Msg, Title: c.Session.User().Name, Icon: &icon, UserID: c.Session.UserID(), Username: c.Session.User().Name,
		ID: s.randomFloat(), URL: req.URL, MaxTime: max(req.MaxTime, 0),
	}
	if req.MsgID == 11 {
		n.Value, n.MsgID = "Chat Request, Click here to accept.", 11
	}
	return s.pushTo(n, s.sessionsOf(req.UserID))
}

// userBroadcast shows a text to sessions of the domain: all, those of an account, or of who is linked to something.
func (s *Server) userBroadcast(ctx context.Context, c *controlproto.Call, req *controlproto.UserBroadcast) error {
	if badLength(req.Msg, 1, 512) {
		return refused("Message is too long")
	}
	domain, icon := c.Session.Domain(), 0
	n := &controlproto.Notification{
		Domain: &domain, Value: req.Msg, Title: c.Session.User().Name, Icon: &icon, Tag: "broadcast", ID: s.randomFloat(),
		MaxTime: max(req.MaxTime, 0),
	}
	only := req.UserID
	if only != "" {
		only = controlproto.ID(strings.ToLower(string(only.In(controlproto.KindUser, domain))))
	}
	err := s.pushTo(n, s.sessionsWhere(func(o *controlproto.Session) bool {
		if only != "" && o.UserID() != only || !s.manages(c.Session, o.UserID()) {
			return false
		}
		_, linked := o.User().Links[req.Target]
		return req.Target == "" || linked
	}))
	if err != nil {
		return err
	}
	return c.Result(ctx, "ok")
}

// pushTo sends a message to sessions.
func (s *Server) pushTo(m controlproto.Message, to []*controlproto.Session) error {
	b, err := controlproto.AppendMessage(nil, m, controlproto.Correlation{})
	if err != nil {
		return err
	}
	for _, o := range to {
		o.Push(b)
	}
	return nil
}

// randomFloat is what notifications are told apart by.
func (s *Server) randomFloat() float64 {
	var b [8]byte
	_, _ = s.cfg.Rand.Read(b[:]) // no secret
	n := uint64(0)
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return float64(n>>11) / (1 << 53)
}
