package controlproto

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/nodeid"
)

// Credentials are a way to log in. Each way is a type of its own: [PasswordLogin], [TrustedDeviceLogin], [TokenLogin],
// [KeyLogin], [CookieLogin], [SessionLogin] and [InBandLogin]; and to have a code sent for the second factor of an
// account, [EmailCodeRequest], [SMSCodeRequest] and [MessagingCodeRequest]. Printed in any way, none shows what is
// secret of it.
type Credentials interface {
	// login says what one attempt to log in consists of. A client that reconnects calls it for every attempt.
	login(ctx context.Context) (loginForm, error)
}

// loginForm is what an attempt carries.
type loginForm struct {
	user        string // with pass: the header x-meshauth
	pass, token Secret
	auth        Secret       // "auth=" of the URL
	cookies     Secret       // the header Cookie
	inBand      *InBandLogin // user and pass are sent in messages
}

// PasswordLogin is an account's name and password, and its second factor where it has one: a time based code, a backup
// code, a code that was sent, or what a YubiKey types. A token is good for one login, so a client that is to reconnect
// to such an account takes a [TrustedDeviceLogin], a [TokenLogin] or a [KeyLogin].
//
// It is sent in the header x-meshauth (webserver.js, control.ashx).
type PasswordLogin struct {
	User     string
	Password Secret
	Token    Secret
}

func (l PasswordLogin) login(context.Context) (loginForm, error) {
	return passwordForm(l.User, l.Password, l.Token)
}

func passwordForm(user string, password, token Secret) (loginForm, error) {
	switch {
	case user == "":
		return loginForm{}, errors.New("credentials without a user")
	case strings.Contains(user, "/"):
		return loginForm{}, fmt.Errorf("user %.64q: the name is wanted, not the id", user)
	}
	return loginForm{user: user, pass: password, token: token}, nil
}

// EmailCodeRequest asks the server to send a code by e-mail. [Dial] with it always fails: with a [TokenRequiredError]
// whose EmailSent is set if all went well. The code goes into the Token of a [PasswordLogin].
type EmailCodeRequest struct {
	User     string
	Password Secret
}

func (r EmailCodeRequest) login(context.Context) (loginForm, error) {
	return passwordForm(r.User, r.Password, NewSecret("**email**"))
}

// SMSCodeRequest is [EmailCodeRequest] by SMS.
type SMSCodeRequest struct {
	User     string
	Password Secret
}

func (r SMSCodeRequest) login(context.Context) (loginForm, error) {
	return passwordForm(r.User, r.Password, NewSecret("**sms**"))
}

// MessagingCodeRequest is [EmailCodeRequest] by the messenger of the account.
type MessagingCodeRequest struct {
	User     string
	Password Secret
}

func (r MessagingCodeRequest) login(context.Context) (loginForm, error) {
	return passwordForm(r.User, r.Password, NewSecret("**msg**"))
}

// TrustedDeviceLogin is a password with the cookie of a device that is trusted, in place of a second factor. Action
// "twoFactorCookie" gives such cookies to who is logged in.
type TrustedDeviceLogin struct {
	User     string
	Password Secret
	Cookie   Secret
}

func (l TrustedDeviceLogin) login(context.Context) (loginForm, error) {
	if l.Cookie.Reveal() == "" {
		return loginForm{}, errors.New("no cookie of a trusted device")
	}
	return passwordForm(l.User, l.Password, NewSecret("cookie="+l.Cookie.Reveal()))
}

// TokenLogin is a login token: a name that begins with "~t:" and its secret. No second factor is asked for.
type TokenLogin struct {
	Name   string
	Secret Secret
}

func (l TokenLogin) login(context.Context) (loginForm, error) {
	if !strings.HasPrefix(l.Name, "~t:") {
		return loginForm{}, fmt.Errorf("login token %.64q: names begin with %q", l.Name, "~t:")
	}
	return loginForm{user: l.Name, pass: l.Secret}, nil
}

// KeyLogin logs in with the server's login cookie key, as any account and without password or second factor: it is
// worth as much as the server. A fresh cookie is made for every attempt to log in.
type KeyLogin struct {
	Key    CookieKey
	User   string // the name of the account, in lower case
	Domain string
	// Encoding is that of the server's setting cookieEncoding.
	Encoding CookieEncoding
	// Now is the clock; nil means time.Now. A server refuses cookies that are over 30 seconds from the future.
	Now func() time.Time
}

func (l KeyLogin) login(context.Context) (loginForm, error) {
	if l.User == "" {
		return loginForm{}, errors.New("credentials without a user")
	}
	codec := CookieCodec{Key: l.Key, Encoding: l.Encoding, Now: l.Now}
	cookie, err := codec.Encode(LoginCookie(UserID(l.Domain, l.User)))
	return loginForm{auth: cookie}, err
}

// CookieLogin is a login cookie that was made elsewhere: by [CookieCodec], by action "logincookie" or "authcookie", or
// by the server's own program. It is good for an hour unless it says something else, so a client that reconnects later
// needs Refresh.
type CookieLogin struct {
	Cookie Secret
	// Refresh gives a cookie for each attempt to log in, in place of Cookie. Nil uses Cookie again.
	Refresh func(ctx context.Context) (Secret, error)
}

func (l CookieLogin) login(ctx context.Context) (loginForm, error) {
	cookie := l.Cookie
	if l.Refresh != nil {
		var err error
		if cookie, err = l.Refresh(ctx); err != nil {
			return loginForm{}, fmt.Errorf("refreshing the login cookie: %w", err)
		}
	}
	if cookie.Reveal() == "" {
		return loginForm{}, errors.New("no login cookie")
	}
	return loginForm{auth: cookie}, nil
}

// SessionCookie is one HTTP cookie.
type SessionCookie struct {
	Name  string
	Value Secret
}

// SessionLogin is the session of a browser that has logged in on the server's pages: its cookies "xid" and "xid.sig".
// The server may bind them to an IP address. It is not for programs that run in a browser, which sends them by itself.
type SessionLogin struct {
	Cookies []SessionCookie
}

func (l SessionLogin) login(context.Context) (loginForm, error) {
	var parts []string
	for _, c := range l.Cookies {
		if !cookieText(c.Name, "=; ,\"") || !cookieText(c.Value.Reveal(), "; ,\"\\") {
			return loginForm{}, fmt.Errorf("session cookie %.64q has a character that cookies do not have", c.Name)
		}
		parts = append(parts, c.Name+"="+c.Value.Reveal())
	}
	if len(parts) == 0 {
		return loginForm{}, errors.New("no session cookies")
	}
	return loginForm{cookies: NewSecret(strings.Join(parts, "; "))}, nil
}

// cookieText tells whether s is not empty, printable ASCII and free of what is forbidden.
func cookieText(s, forbidden string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7F || strings.IndexByte(forbidden, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// InBandLogin first has the server prove that it is the one with ServerID, by its agent certificate, and then gives it
// user and password in messages. The TLS certificate need not be one that is trusted: the proof covers the very
// certificate that the connection uses, so somebody in between is found out before the password leaves. (webserver.js,
// "x-meshauth: *")
//
// It is not for programs that run in a browser, which does not show certificates.
type InBandLogin struct {
	ServerID nodeid.ServerID // the ServerID of .msh files
	User     string
	Password Secret
	Token    Secret
}

func (l InBandLogin) login(context.Context) (loginForm, error) {
	if l.ServerID.IsZero() {
		return loginForm{}, errors.New("in-band login without a ServerID, so the server could be anyone")
	}
	f, err := passwordForm(l.User, l.Password, l.Token)
	f.inBand = &l
	return f, err
}

// query are the parameters of the URL.
func (f *loginForm) query() url.Values {
	v := url.Values{}
	if a := f.auth.Reveal(); a != "" {
		v.Set("auth", a)
	}
	return v
}

// header is the value of x-meshauth, or empty.
func (f *loginForm) header() (Secret, error) {
	switch {
	case f.inBand != nil:
		return MeshAuth{Inside: true}.Header()
	case f.user == "":
		return Secret{}, nil
	}
	return MeshAuth{User: f.user, Password: f.pass, Token: f.token}.Header()
}
