package controlproto

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// authenticator is what the logins of a server share.
type authenticator struct {
	cfg     *ServerConfig // with its defaults
	origins *OriginPolicy
	cookies *CookieCodec // nil: none are accepted
	limiter *loginLimiter
	checks  chan struct{} // a place for each password that is being checked
}

func newAuthenticator(cfg *ServerConfig) (*authenticator, error) {
	origins, err := NewOriginPolicy(cfg.Origins, cfg.TrustedProxies)
	if err != nil {
		return nil, err
	}
	a := &authenticator{
		cfg: cfg, origins: origins, limiter: newLoginLimiter(cfg.FailedLogins), checks: make(chan struct{}, cfg.Limits.PasswordChecks),
	}
	if len(cfg.CookieKeys) > 0 {
		a.cookies = &CookieCodec{
			Key: cfg.CookieKeys[0], OtherKeys: cfg.CookieKeys[1:], Encoding: cfg.CookieEncoding, Once: cfg.CookieOnce, Now: cfg.Now,
		}
	}
	return a, nil
}

// authSequence is the login of one connection, without the connection and without a clock: it is begun with what the client's
// request brought, takes messages as long as it asks for them, and ends with an account or a refusal. The order of the
// checks is that of webserver.js, control.ashx and PerformWSSessionAuth.
type authSequence struct {
	*authenticator
	req    LoginRequest
	wait   func(ctx context.Context, msg []byte) authStep // what the next message is for
	signed int                                            // answers to serverAuth
	tunnel bool                                           // it is for a tunnel, where nothing is asked in band
	used   *Cookie                                        // what logged in, of a tunnel
}

// authStep is what follows: a user, a refusal, or the next message.
type authStep struct {
	reply   []byte // to be sent first
	user    *User
	login   Login
	refused *refusal
}

// done tells whether the sequence has ended.
func (s authStep) done() bool { return s.user != nil || s.refused != nil }

func refuse(cause, msg string, reason error) authStep {
	return authStep{refused: &refusal{cause: cause, msg: msg, reason: reason}}
}

// begin is the first step.
func (a *authenticator) begin(ctx context.Context, req *LoginRequest) (*authSequence, authStep) {
	s := &authSequence{authenticator: a, req: *req}
	if s.req.MoreArgs {
		s.wait = s.moreArgs
		return s, authStep{}
	}
	return s, s.check(ctx)
}

// message takes a message of the client. What is not expected is passed over, as stock servers do.
func (s *authSequence) message(ctx context.Context, msg []byte) authStep {
	if s.wait == nil {
		return refuse(CloseNoAuth, CloseMsgNoAuth, errors.New("a message after the login"))
	}
	return s.wait(ctx, msg)
}

// moreArgs takes the arguments that the client kept out of its URL.
func (s *authSequence) moreArgs(ctx context.Context, msg []byte) authStep {
	args, ok := parseURLArgs(msg)
	if !ok {
		return authStep{}
	}
	s.wait = nil
	for name, value := range args {
		s.req.setArg(name, value)
	}
	return s.check(ctx)
}

// check runs what needs no message.
func (s *authSequence) check(ctx context.Context) authStep {
	r := &s.req
	if err := s.origins.check(r.Origin, r.HasOrigin, false, r.Host, r.Scheme); err != nil {
		return refuse(CloseInvalidOrigin, CloseMsgInvalidOrigin, err)
	}
	if r.NoDomain {
		return refuse(CloseNoAuth, CloseMsgNoDomain, nil)
	}
	if !(s.tunnel && r.Cookie.Reveal() != "") && !s.urlKey() {
		return refuse(CloseNoAuth, CloseMsgNoKey, nil)
	}
	if r.SessionExpired {
		return refuse(CloseExpired, CloseMsgExpired, nil)
	}
	if s.limiter.banned(r.RemoteAddr, s.cfg.Now()) {
		return refuse(CloseBanned, CloseMsgBanned, nil)
	}
	if r.HasMeshAuth && r.MeshAuth.Reveal() == "*" {
		if s.tunnel {
			return refuse(CloseNoAuth, CloseMsgNoAuthOther, nil)
		}
		s.wait = s.inBand
		return authStep{}
	}
	if r.HasUser && r.HasPassword {
		return s.password(ctx, credentials{r.User, r.Password, r.Token, LoginPassword, CloseMsgBadQuery})
	}
	var ignored error
	if r.Cookie.Reveal() != "" {
		step, err := s.cookie(ctx)
		if err == nil {
			return step
		}
		if s.tunnel {
			return refuse(CloseNoAuth, CloseMsgNoAuthOther, err)
		}
		ignored = err // the next methods are tried
	}
	if r.HasMeshAuth {
		m, err := ParseMeshAuth(r.MeshAuth.Reveal())
		if err != nil {
			return refuse(CloseNoAuth, CloseMsgBadInBand, err)
		}
		return s.password(ctx, credentials{m.User, m.Password, m.Token, LoginPassword, CloseMsgBadHeader})
	}
	if r.SessionUser != "" {
		return s.session(ctx, ignored)
	}
	return refuse(CloseNoAuth, CloseMsgNoAuth, ignored)
}

// urlKey tells whether the URL has one of the domain's keys, if it has any.
func (s *authSequence) urlKey() bool {
	if s.cfg.URLKeys == nil {
		return true
	}
	keys := s.cfg.URLKeys(s.req.Domain)
	found := len(keys) == 0
	for _, k := range keys { // all of them, whichever it is
		if k.Reveal() != "" && k.Equal(s.req.URLKey) {
			found = true
		}
	}
	return found
}

// session logs in by the HTTP session of a page.
func (s *authSequence) session(ctx context.Context, ignored error) authStep {
	r := &s.req
	if err := s.origins.check(r.Origin, r.HasOrigin, true, r.Host, r.Scheme); err != nil {
		return refuse(CloseInvalidOrigin, CloseMsgInvalidOrigin, err)
	}
	u, err := s.account(ctx, r.SessionUser)
	if err != nil {
		return failed(err, refuse(CloseNoAuth, CloseMsgNoAuth, errors.Join(err, ignored)))
	}
	return s.accept(u, Login{Kind: LoginSession, TokenName: r.SessionToken})
}

// cookie logs in by "auth=". With an error the cookie is no good.
func (s *authSequence) cookie(ctx context.Context) (authStep, error) {
	if s.cookies == nil {
		return authStep{}, errors.New("controlproto: login cookies are not accepted")
	}
	c, err := s.cookies.Decode(s.req.Cookie.Reveal(), CookieAgeLogin)
	if err != nil {
		return authStep{}, err
	}
	logsIn := c.LoginUser
	if s.tunnel {
		logsIn = c.TunnelUser
	}
	id, err := logsIn(s.req.Domain)
	if err != nil {
		return authStep{}, err
	}
	if err := s.cfg.CookieIP.Check(&c, s.req.RemoteAddr); err != nil {
		return authStep{}, err
	}
	u, err := s.account(ctx, id)
	if err != nil {
		return failed(err, authStep{}), notInternal(err)
	}
	if err := fresh(&c, u); err != nil {
		return authStep{}, err
	}
	// Pages of the server come with such cookies too; only tools have no Origin.
	if !s.req.HasOrigin && u.SiteRights.Restricted(SiteNoTools) {
		return refuse(CloseNoTools, CloseMsgNoTools, nil), nil
	}
	s.used = &c
	return s.accept(u, Login{Kind: LoginAuthCookie}), nil
}

// fresh refuses a cookie that is older than the account's password.
func fresh(c *Cookie, u *User) error {
	if u.PassChange > 0 && c.Time.Before(time.Unix(u.PassChange, 0)) {
		return fmt.Errorf("%w: made before the password was changed", ErrCookie)
	}
	return nil
}

// internalError is one of the embedder's: nothing is known of the credentials.
type internalError struct{ error }

func (e internalError) Unwrap() error { return e.error }

// notInternal is err, but for an internalError nil.
func notInternal(err error) error {
	if errors.As(err, new(internalError)) {
		return nil
	}
	return err
}

// failed is a refusal for internal errors, and otherwise what is given.
func failed(err error, otherwise authStep) authStep {
	if errors.As(err, new(internalError)) {
		return refuse(CloseInternal, CloseMsgInternal, err)
	}
	return otherwise
}

var errLocked = errors.New("controlproto: the account is locked")

// account finds an account of the request's domain that is not locked.
func (s *authSequence) account(ctx context.Context, id ID) (*User, error) {
	if id.Kind() != KindUser || id.Domain() != s.req.Domain || !id.Valid() {
		return nil, fmt.Errorf("%w: %.128q is not in the domain %.64q", ErrNoUser, string(id), s.req.Domain)
	}
	u, err := s.cfg.Accounts.User(ctx, id)
	switch {
	case errors.Is(err, ErrNoUser):
		return nil, err
	case err != nil:
		return nil, internalError{fmt.Errorf("controlproto: account: %w", err)}
	case u == nil || u.ID != id:
		return nil, internalError{fmt.Errorf("controlproto: account: another one than %.128q", string(id))}
	case u.SiteRights.Restricted(SiteLocked):
		return nil, errLocked
	}
	return u, nil
}

// accept is the end that is hoped for.
func (s *authSequence) accept(u *User, l Login) authStep {
	s.wait = nil
	l.RemoteAddr, l.Host, l.Time = s.req.RemoteAddr, s.req.Host, s.cfg.Now()
	return authStep{user: u, login: l}
}

// credentials are a name, a password and perhaps a code, and the msg for when they are wrong.
type credentials struct {
	name            string
	password, token Secret
	kind            LoginKind
	msg             string
}

// loginTokenPrefix begins the names of login tokens.
const loginTokenPrefix = "~t:"

// password logs in with a name and a password. It never falls through to another method.
func (s *authSequence) password(ctx context.Context, c credentials) authStep {
	wrong := authStep{refused: &refusal{cause: CloseNoAuth, msg: c.msg, delayed: true}}
	if len(c.name) > maxLoginText || len(c.password.Reveal()) > maxLoginText || len(c.token.Reveal()) > MaxCookieText {
		c.name, c.password = "", Secret{} // nobody's
	}
	name := UserID(s.req.Domain, c.name)
	over, ok := s.limiter.begin(ctx, s.req.RemoteAddr, name, s.cfg.Now)
	if !ok {
		return refuse(CloseBanned, CloseMsgBanned, nil)
	}
	defer over()
	now := s.cfg.Now()
	u, login, err := s.verify(ctx, c, name)
	if err != nil {
		if errors.As(err, new(internalError)) {
			s.limiter.succeeded(s.req.RemoteAddr, name, now)
			return failed(err, wrong)
		}
		wrong.refused.reason = err
		return wrong
	}
	if u.SiteRights.Restricted(SiteNoTools) {
		s.limiter.succeeded(s.req.RemoteAddr, name, now)
		return refuse(CloseNoTools, CloseMsgNoTools, nil)
	}
	step, guessed := authStep{}, false
	if login.Kind != LoginToken {
		step, guessed = s.secondFactor(ctx, u, c.token)
	}
	if !guessed {
		s.limiter.succeeded(s.req.RemoteAddr, name, now)
	}
	if step.done() {
		return step
	}
	return s.accept(u, login)
}

// verify finds the account of credentials, without the second factor.
func (s *authSequence) verify(ctx context.Context, c credentials, id ID) (*User, Login, error) {
	release, err := s.enter(ctx)
	if err != nil {
		return nil, Login{}, internalError{err}
	}
	defer release()
	if s.cfg.Tokens != nil && strings.HasPrefix(c.name, loginTokenPrefix) {
		id, label, err := s.cfg.Tokens.CheckLoginToken(ctx, s.req.Domain, c.name, c.password)
		switch {
		case errors.Is(err, ErrBadCredentials):
			return nil, Login{}, err
		case err != nil:
			return nil, Login{}, internalError{fmt.Errorf("controlproto: login token: %w", err)}
		}
		if label == "" {
			label = c.name // the session is marked in any case
		}
		u, err := s.account(ctx, id)
		return u, Login{Kind: LoginToken, TokenName: label, TokenUser: c.name}, err
	}
	if !id.Valid() {
		return nil, Login{}, ErrBadCredentials
	}
	// The password is checked whether there is such an account or not: both take as long.
	ok, err := s.cfg.Accounts.CheckPassword(ctx, id, c.password)
	if err != nil && !errors.Is(err, ErrNoUser) {
		return nil, Login{}, internalError{fmt.Errorf("controlproto: password: %w", err)}
	}
	u, err := s.account(ctx, id)
	if errors.As(err, new(internalError)) || err == nil && ok {
		return u, Login{Kind: c.kind}, err
	}
	return nil, Login{}, errors.Join(ErrBadCredentials, err)
}

// enter waits for a place to check a password.
func (s *authSequence) enter(ctx context.Context) (release func(), err error) {
	select {
	case s.checks <- struct{}{}:
		return func() { <-s.checks }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// secondFactor checks what an account needs after its password. A step that is not done is a factor that was there, or
// none that was needed. guessed is a code that was wrong.
func (s *authSequence) secondFactor(ctx context.Context, u *User, token Secret) (step authStep, guessed bool) {
	if s.cfg.Factors == nil {
		return authStep{}, false
	}
	f, err := s.cfg.Factors.Factors(ctx, u, &s.req)
	if err != nil {
		return refuse(CloseInternal, CloseMsgInternal, fmt.Errorf("controlproto: second factor: %w", err)), false
	}
	if f.Required && !s.trusted(u, f, token) {
		step, guessed = s.code(ctx, u, f, token)
		if step.done() {
			return step, guessed
		}
	}
	if f.VerifyEmail {
		return authStep{refused: &refusal{cause: CloseEmailValidation, msg: CloseMsgEmail, factors: &f}}, false
	}
	return authStep{}, false
}

// code checks or sends a code.
func (s *authSequence) code(ctx context.Context, u *User, f Factors, token Secret) (step authStep, guessed bool) {
	asked := &refusal{cause: CloseNoAuth, msg: CloseMsgTokenRequired, factors: &f}
	text := token.Reveal()
	by, offered := FactorKind(0), false
	switch text {
	case "**email**":
		by, offered = FactorEmail, f.Email
	case "**sms**":
		by, offered = FactorSMS, f.SMS
	case "**msg**":
		by, offered = FactorMessaging, f.Messaging
	case "":
		return authStep{refused: asked}, false
	default:
		if strings.HasPrefix(text, trustedDevicePrefix) {
			break // it was no good; not a guess, but an old one
		}
		now := s.cfg.Now()
		if !s.limiter.wrong.Allow(u.ID, now) {
			return refuse(CloseBanned, CloseMsgBanned, errors.New("controlproto: too many wrong codes")), true
		}
		release, err := s.enter(ctx)
		if err != nil {
			return failed(internalError{err}, authStep{}), false
		}
		ok, err := s.cfg.Factors.CheckToken(ctx, u, token)
		release()
		if ok || err != nil {
			s.limiter.wrong.Return(u.ID, now)
		}
		switch {
		case err != nil:
			return failed(internalError{fmt.Errorf("controlproto: second factor: %w", err)}, authStep{}), false
		case !ok:
			asked.delayed = true
			return authStep{refused: asked}, true
		}
		return authStep{}, false
	}
	if offered && s.limiter.codes.Allow(u.ID, s.cfg.Now()) {
		if err := s.cfg.Factors.SendCode(ctx, u, by); err != nil {
			asked.reason = fmt.Errorf("controlproto: sending a code by %v: %w", by, err)
		} else {
			asked.sent = &by
		}
	}
	return authStep{refused: asked}, false
}

// trustedDevicePrefix begins a token that is the cookie of a trusted device.
const trustedDevicePrefix = "cookie="

// trusted tells whether the cookie of a trusted device, as token or as HTTP cookie, stands for the second factor.
func (s *authSequence) trusted(u *User, f Factors, token Secret) bool {
	if s.cookies == nil || f.CookieDays <= 0 {
		return false
	}
	fromToken, _ := strings.CutPrefix(token.Reveal(), trustedDevicePrefix)
	if fromToken == token.Reveal() {
		fromToken = ""
	}
	for _, text := range [...]string{fromToken, s.req.TrustedDevice.Reveal()} {
		if text == "" || len(text) > MaxCookieText {
			continue
		}
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
		most := time.Duration(f.CookieDays) * 24 * time.Hour
		c, err := s.cookies.Decode(text, most)
		if err != nil || s.cfg.CookieIP.Check(&c, s.req.RemoteAddr) != nil {
			continue
		}
		// A cookie names its own lifetime; the setting may have become shorter since.
		if c.Expire == CookieForever || s.cfg.Now().Sub(c.Time) > most {
			continue
		}
		if id, err := c.TwoFactorUser(); err == nil && id == u.ID && fresh(&c, u) == nil {
			return true
		}
	}
	return false
}
