package controlproto

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// ServerConfig is how a [Server] works. Mux and Accounts are required, all else has a default. Printing it shows no secret.
type ServerConfig struct {
	// Mux is what the actions do. Handlers are registered before the server is used.
	Mux *Mux
	// Domain returns the server's domain that a request is for; without ok there is none, and the login is refused. Nil is
	// the default domain for all.
	Domain func(r *http.Request) (domain string, ok bool)

	// Accounts are who may log in.
	Accounts Accounts
	// Tokens are login tokens, "~t:" and 16 characters in place of a name. Nil accepts none.
	Tokens LoginTokens
	// Factors are the second factors. Nil asks for none.
	Factors SecondFactors
	// SessionUser returns the account of the HTTP session of the embedder's pages, and the name of the login token if it was
	// opened with one. A browser sends that session's cookie from any page, so it counts only together with an Origin header
	// that OriginPolicy accepts. Nil is none.
	SessionUser func(r *http.Request) (user ID, tokenName string, ok bool)
	// SessionExpired tells whether a request comes with an HTTP session that has ended; such a login is refused as
	// "expired". Nil is never.
	SessionExpired func(r *http.Request) bool

	// CookieKeys decrypt login cookies ("auth="): the present key, then older ones. Without keys none are accepted.
	//
	// A login cookie stands for a login that somebody with the key, or an authenticated session, has vouched for, so it
	// takes no second factor, as on stock servers. Unlike there it does not log in to a locked account, nor, without an
	// Origin header, to one that may not use tools; nor does one that was made before the account's last change of the
	// password.
	CookieKeys []CookieKey
	// CookieIP says how a cookie is bound to an address.
	CookieIP CookieIPPolicy
	// CookieEncoding is how cookies are written.
	CookieEncoding CookieEncoding
	// CookieOnce keeps cookies for one use apart, together with the other readers of cookies. Nil is a guard of the server's
	// own.
	CookieOnce *OnceGuard

	// URLKeys returns the keys of a domain, one of which must be in the URL ("?key="). Nil, or none, asks for none.
	URLKeys func(domain string) []Secret
	// Origins are where pages may come from besides the server's own host and port; see [NewOriginPolicy].
	Origins []string

	// ServerIdentity proves the server to clients that ask for it ("serverAuth"). Nil refuses them.
	ServerIdentity *ServerIdentity

	// TrustedProxies are the addresses of proxies whose headers tell a client's address, scheme and host. Behind a proxy that is
	// not among them all clients have one address, and share what FailedLogins allows it.
	TrustedProxies []netip.Prefix
	// Limits bound messages, times and sessions.
	Limits ServerLimits
	// FailedLogins bound guessing.
	FailedLogins FailedLogins

	// Opened is called after a login, before anything is read: it sends serverinfo and userinfo, in this order. An error
	// closes the session.
	Opened func(ctx context.Context, s *Session) error
	// Closed is called when a session is over and none of its handlers runs any more, also if Opened failed.
	Closed func(s *Session)

	// Logger gets what an operator may want to read. Nil drops it.
	Logger *slog.Logger
	// Trace gets everything else.
	Trace *ServerTrace
	// Now is the clock of cookies and rates; nil means time.Now.
	Now func() time.Time
}

// Accounts is where a [Server] finds accounts.
type Accounts interface {
	// User returns an account, or [ErrNoUser]. The server does not change it.
	User(ctx context.Context, id ID) (*User, error)
	// CheckPassword tells whether this is the account's password. It takes as long for an account that does not exist, and
	// is then false without an error.
	CheckPassword(ctx context.Context, id ID, password Secret) (bool, error)
}

// LoginTokens is where a [Server] finds login tokens.
type LoginTokens interface {
	// CheckLoginToken returns the account that a login token logs in to and the name that its owner gave it, or
	// [ErrBadCredentials] for one that does not exist, has expired, or has another secret. tokenUser is "~t:" and 16 characters.
	CheckLoginToken(ctx context.Context, domain, tokenUser string, secret Secret) (user ID, tokenName string, err error)
}

// SecondFactors is what a [Server] asks about second factors.
type SecondFactors interface {
	// Factors tells what an account needs after its password. Requests from addresses that are trusted need nothing.
	Factors(ctx context.Context, u *User, r *LoginRequest) (Factors, error)
	// CheckToken tells whether this is a code of the account's authenticator application, an unused backup code, or one that
	// was sent. That each is good for one use is the implementation's to see to.
	CheckToken(ctx context.Context, u *User, token Secret) (bool, error)
	// SendCode sends a code. It is called only for kinds that Factors offers, and at most at the rate of FailedLogins.Codes.
	SendCode(ctx context.Context, u *User, by FactorKind) error
}

// Factors is what an account needs beside its password.
type Factors struct {
	Required bool
	// Email, SMS and Messaging tell by which ways a code can be sent.
	Email, SMS, Messaging bool
	// CookieDays is how long a device can be trusted ("twoFactorCookieDays"). Zero trusts none: it refuses the cookies of
	// trusted devices.
	CookieDays int
	// VerifyEmail is an account whose e-mail address must be verified before it logs in.
	VerifyEmail bool
}

// FactorKind is a way to send a code.
type FactorKind uint8

// Ways to send a code.
const (
	FactorEmail     FactorKind = iota // "**email**"
	FactorSMS                         // "**sms**"
	FactorMessaging                   // "**msg**"
)

// String names the way.
func (k FactorKind) String() string {
	switch k {
	case FactorEmail:
		return "e-mail"
	case FactorSMS:
		return "SMS"
	case FactorMessaging:
		return "messaging"
	}
	return fmt.Sprintf("FactorKind(%d)", uint8(k))
}

// LoginKind says how an operator has logged in.
type LoginKind uint8

// Kinds of logins.
const (
	LoginPassword   LoginKind = iota // name and password, in the header or the URL
	LoginToken                       // a login token, wherever it was
	LoginAuthCookie                  // "auth="
	LoginSession                     // the HTTP session of a page
	LoginInBand                      // name and password, in a message
)

// String names the kind.
func (k LoginKind) String() string {
	switch k {
	case LoginPassword:
		return "password"
	case LoginToken:
		return "token"
	case LoginAuthCookie:
		return "cookie"
	case LoginSession:
		return "session"
	case LoginInBand:
		return "in-band"
	}
	return fmt.Sprintf("LoginKind(%d)", uint8(k))
}

// Login tells how a [Session] came to be.
type Login struct {
	Kind LoginKind
	// TokenName is the name of the login token that the session, or the HTTP session that it belongs to, was opened with.
	// Sessions with one are refused what takes the account's owner.
	TokenName string
	// TokenUser is "~t:" and 16 characters, if the session itself was opened with a login token.
	TokenUser  string
	RemoteAddr netip.Addr
	Host       string // of the request, with a port if that is not the scheme's own
	Time       time.Time
}

// check refuses a configuration that lacks what is required, and sets the defaults.
func (cfg *ServerConfig) check() error {
	switch {
	case cfg.Mux == nil:
		return errors.New("controlproto: server without a Mux")
	case cfg.Accounts == nil:
		return errors.New("controlproto: server without accounts")
	}
	for _, k := range cfg.CookieKeys {
		if k.IsZero() {
			return errors.New("controlproto: server with an empty cookie key")
		}
	}
	if err := cfg.ServerIdentity.check(); err != nil {
		return err
	}
	if err := cfg.Limits.check(); err != nil {
		return err
	}
	if err := cfg.FailedLogins.check(); err != nil {
		return err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.FailedLogins = cfg.FailedLogins.withDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CookieOnce == nil {
		cfg.CookieOnce = new(OnceGuard)
	}
	return nil
}

// String names the type alone: package fmt looks into everything that hangs on a struct if the verb is wrong, and what the
// embedder's accounts hold is not known here.
func (cfg ServerConfig) String() string { return "controlproto.ServerConfig" }

// Format makes every verb print String.
func (cfg ServerConfig) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, cfg.String(), cfg.String())
}

// LogValue is what log/slog prints.
func (cfg ServerConfig) LogValue() slog.Value { return slog.StringValue(cfg.String()) }
