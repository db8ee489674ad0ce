package controlproto

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// login runs a sequence without a connection.
func login(t testing.TB, a *authenticator, r *LoginRequest, msgs ...string) authStep {
	t.Helper()
	seq, step := a.begin(t.Context(), r)
	for _, m := range msgs {
		require.False(t, step.done(), "done before %s", m)
		step = seq.message(t.Context(), []byte(m))
	}
	return step
}

func newTestAuthenticator(t testing.TB, cfg ServerConfig) *authenticator {
	t.Helper()
	require.NoError(t, cfg.check())
	a, err := newAuthenticator(&cfg)
	require.NoError(t, err)
	return a
}

// Every way to log in, and every close cause that a login can end with.
func TestAuthSequence(t *testing.T) {
	bob, otp := UserID("", "bob"), UserID("", "otp")
	cookie := func(key byte, c Cookie) func(*LoginRequest) {
		return func(r *LoginRequest) { r.Cookie = fakeCookie(key, c) }
	}
	at := func(c Cookie, made time.Time) Cookie { c.Time = made; return c }
	session := func(user ID, token string) func(*LoginRequest) {
		return func(r *LoginRequest) { r.SessionUser, r.SessionToken = user, token }
	}
	const own = "https://mesh.example"
	otpFlags := `"email2fa":true,"sms2fa":false,"msg2fa":true`
	days := `,"twoFactorCookieDays":30`
	closeMsg := func(cause, msg string) string {
		return `{"action":"close","cause":"` + cause + `","msg":"` + msg + `"}`
	}

	for name, c := range map[string]struct {
		request func(*LoginRequest)
		config  func(*ServerConfig)
		msgs    []string
		want    string // the close message, or
		user    ID
		login   Login
		delayed bool
	}{
		"nothing":                    {want: closeMsg("noauth", "noauth")},
		"header":                     {request: withHeader("bob", "pw-bob"), user: bob},
		"header, other case":         {request: withHeader("BOB", "pw-bob"), user: bob},
		"header, wrong password":     {request: withHeader("bob", "pw"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"header, unknown user":       {request: withHeader("nobody", "pw"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"header, whole id":           {request: withHeader("user//bob", "pw-bob"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"header, empty name":         {request: withHeader("", ""), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"header, locked":             {request: withHeader("locked", "pw-locked"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"header, no tools":           {request: withHeader("toolless", "pw-toolless"), want: closeMsg("notools", "notools")},
		"header, one part":           {request: withHeader("bob"), want: closeMsg("noauth", "noauth-2c")},
		"header, four parts":         {request: withHeader("a", "b", "c", "d"), want: closeMsg("noauth", "noauth-2c")},
		"header, empty":              {request: func(r *LoginRequest) { r.HasMeshAuth = true }, want: closeMsg("noauth", "noauth-2c")},
		"header, huge name":          {request: withHeader(string(make([]byte, 2000)), "pw"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"query":                      {request: withQuery("user", "bob", "pass", "pw-bob"), user: bob},
		"query, wrong password":      {request: withQuery("user", "bob", "pass", ""), want: closeMsg("noauth", "noauth-2a"), delayed: true},
		"query, no fall through":     {request: all(withQuery("user", "bob", "pass", "x"), withHeader("bob", "pw-bob")), want: closeMsg("noauth", "noauth-2a"), delayed: true},
		"query, user alone":          {request: all(withQuery("user", "bob"), withHeader("bob", "pw-bob")), user: bob},
		"login token":                {request: withHeader("~t:abcdefghijklmnop", "token-secret"), user: bob, login: Login{Kind: LoginToken, TokenName: "script", TokenUser: "~t:abcdefghijklmnop"}},
		"login token, query":         {request: withQuery("user", "~t:abcdefghijklmnop", "pass", "token-secret"), user: bob, login: Login{Kind: LoginToken, TokenName: "script", TokenUser: "~t:abcdefghijklmnop"}},
		"login token, no name":       {request: withHeader("~t:nonameXXXXXXXXXX", "token-secret"), user: otp, login: Login{Kind: LoginToken, TokenName: "~t:nonameXXXXXXXXXX", TokenUser: "~t:nonameXXXXXXXXXX"}},
		"login token, wrong":         {request: withHeader("~t:abcdefghijklmnop", "x"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"login token, locked":        {request: withHeader("~t:lockedlockedlock", "token-secret"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"login token, user gone":     {request: withHeader("~t:goneuserXXXXXXXX", "token-secret"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"login token, other domain":  {request: all(withHeader("~t:abcdefghijklmnop", "token-secret"), func(r *LoginRequest) { r.Domain = "branch" }), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"login tokens off":           {request: withHeader("~t:abcdefghijklmnop", "token-secret"), config: func(c *ServerConfig) { c.Tokens = nil }, want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"domain":                     {request: all(withHeader("bob", "pw-branch"), func(r *LoginRequest) { r.Domain = "branch" }), user: UserID("branch", "bob")},
		"no domain":                  {request: all(withHeader("bob", "pw-bob"), func(r *LoginRequest) { r.NoDomain = true }), want: closeMsg("noauth", "noauth-1")},
		"code needed":                {request: withHeader("otp", "pw-otp"), want: `{"action":"close","cause":"noauth","msg":"tokenrequired",` + otpFlags + days + `}`},
		"code":                       {request: withHeader("otp", "pw-otp", "123456"), user: otp},
		"code, query":                {request: withQuery("user", "otp", "pass", "pw-otp", "token", "123456"), user: otp},
		"code, wrong":                {request: withHeader("otp", "pw-otp", "000000"), want: `{"action":"close","cause":"noauth","msg":"tokenrequired",` + otpFlags + days + `}`, delayed: true},
		"code, wrong password":       {request: withHeader("otp", "x", "123456"), want: closeMsg("noauth", "noauth-2d"), delayed: true},
		"code by mail":               {request: withHeader("otp", "pw-otp", "**email**"), want: `{"action":"close","cause":"noauth","msg":"tokenrequired",` + otpFlags + `,"email2fasent":true` + days + `}`},
		"code by SMS, not offered":   {request: withHeader("otp", "pw-otp", "**sms**"), want: `{"action":"close","cause":"noauth","msg":"tokenrequired",` + otpFlags + days + `}`},
		"code by messenger, failing": {request: withHeader("otp", "pw-otp", "**msg**"), want: `{"action":"close","cause":"noauth","msg":"tokenrequired",` + otpFlags + days + `}`},
		"trusted device": {request: func(r *LoginRequest) {
			withHeader("otp", "pw-otp", "cookie="+fakeCookie(1, TwoFactorCookie(otp, 48*time.Hour)).Reveal())(r)
		}, user: otp},
		"trusted device, HTTP": {request: func(r *LoginRequest) {
			withHeader("otp", "pw-otp")(r)
			r.TrustedDevice = fakeCookie(1, TwoFactorCookie(otp, 48*time.Hour))
		}, user: otp},
		"trusted device, another's": {request: func(r *LoginRequest) {
			withHeader("otp", "pw-otp", "cookie="+fakeCookie(1, TwoFactorCookie(bob, 48*time.Hour)).Reveal())(r)
		}, want: `{"action":"close","cause":"noauth","msg":"tokenrequired",` + otpFlags + days + `}`},
		"trusted device, login cookie": {request: func(r *LoginRequest) {
			withHeader("otp", "pw-otp", "cookie="+fakeCookie(1, LoginCookie(otp)).Reveal())(r)
		}, want: `{"action":"close","cause":"noauth","msg":"tokenrequired",` + otpFlags + days + `}`},
		"trusted device, for ever": {request: func(r *LoginRequest) {
			withHeader("otp", "pw-otp", "cookie="+fakeCookie(1, TwoFactorCookie(otp, CookieForever)).Reveal())(r)
		}, want: `{"action":"close","cause":"noauth","msg":"tokenrequired",` + otpFlags + days + `}`},
		"e-mail to verify":               {request: withHeader("mail", "pw-mail"), want: `{"action":"close","cause":"emailvalidation","msg":"emailvalidationrequired","email2fa":false,"sms2fa":false,"msg2fa":false,"twoFactorCookieDays":0}`},
		"cookie":                         {request: cookie(1, LoginCookie(bob)), user: bob, login: Login{Kind: LoginAuthCookie}},
		"cookie, by key":                 {request: cookie(2, LoginTokenCookie(bob)), user: bob, login: Login{Kind: LoginAuthCookie}},
		"cookie, no second factor":       {request: cookie(1, LoginCookie(otp)), user: otp, login: Login{Kind: LoginAuthCookie}},
		"cookie before header":           {request: all(cookie(1, LoginCookie(bob)), withHeader("admin", "pw-admin")), user: bob, login: Login{Kind: LoginAuthCookie}},
		"cookie, wrong key":              {request: cookie(3, LoginCookie(bob)), want: closeMsg("noauth", "noauth")},
		"cookie, forged":                 {request: withQuery("auth", "AAAA"), want: closeMsg("noauth", "noauth")},
		"cookie, ignored":                {request: all(withQuery("auth", "AAAA"), withHeader("bob", "pw-bob")), user: bob},
		"cookie, expired":                {request: cookie(1, at(LoginCookie(bob), fakeNow.Add(-61*time.Minute))), want: closeMsg("noauth", "noauth")},
		"cookie, from the future":        {request: cookie(1, at(LoginCookie(bob), fakeNow.Add(time.Minute))), want: closeMsg("noauth", "noauth")},
		"cookie, other domain":           {request: cookie(1, LoginCookie(UserID("branch", "bob"))), want: closeMsg("noauth", "noauth")},
		"cookie, no domain":              {request: cookie(1, Cookie{UserID: bob}), want: closeMsg("noauth", "noauth")},
		"cookie, for a tunnel":           {request: cookie(1, Cookie{UserID: bob, DomainID: new(""), NodeID: "node//x"}), want: closeMsg("noauth", "noauth")},
		"cookie, for no user":            {request: cookie(1, Cookie{NoUser: true}), want: closeMsg("noauth", "noauth")},
		"cookie, unknown user":           {request: cookie(1, LoginCookie(UserID("", "gone"))), want: closeMsg("noauth", "noauth")},
		"cookie, locked":                 {request: cookie(1, LoginCookie(UserID("", "locked"))), want: closeMsg("noauth", "noauth")},
		"cookie, no tools":               {request: cookie(1, LoginCookie(UserID("", "toolless"))), want: closeMsg("notools", "notools")},
		"cookie, no tools, from a page":  {request: all(cookie(1, LoginCookie(UserID("", "toolless"))), fromPage(own)), user: UserID("", "toolless"), login: Login{Kind: LoginAuthCookie}},
		"cookie, older than password":    {request: cookie(1, at(LoginCookie(UserID("", "changed")), fakeNow.Add(-2*time.Minute))), want: closeMsg("noauth", "noauth")},
		"cookie, younger than password":  {request: cookie(1, LoginCookie(UserID("", "changed"))), user: UserID("", "changed"), login: Login{Kind: LoginAuthCookie}},
		"cookie, other address":          {request: cookie(1, Cookie{UserID: bob, DomainID: new(""), Address: netip.MustParseAddr("198.51.100.1")}), want: closeMsg("noauth", "noauth")},
		"cookie, same network":           {request: cookie(1, Cookie{UserID: bob, DomainID: new(""), Address: netip.MustParseAddr("192.0.2.1")}), user: bob, login: Login{Kind: LoginAuthCookie}},
		"cookie, same network, strictly": {request: cookie(1, Cookie{UserID: bob, DomainID: new(""), Address: netip.MustParseAddr("192.0.2.1")}), config: func(c *ServerConfig) { c.CookieIP = CookieIPStrict }, want: closeMsg("noauth", "noauth")},
		"cookies off":                    {request: cookie(1, LoginCookie(bob)), config: func(c *ServerConfig) { c.CookieKeys = nil }, want: closeMsg("noauth", "noauth")},
		"session":                        {request: all(session(bob, ""), fromPage(own)), user: bob, login: Login{Kind: LoginSession}},
		"session of a token":             {request: all(session(bob, "script"), fromPage(own)), user: bob, login: Login{Kind: LoginSession, TokenName: "script"}},
		"session without origin":         {request: session(bob, ""), want: closeMsg("invalidorigin", "invalidorigin")},
		"session from elsewhere":         {request: all(session(bob, ""), fromPage("https://evil.example")), want: closeMsg("invalidorigin", "invalidorigin")},
		"session, locked":                {request: all(session(UserID("", "locked"), ""), fromPage(own)), want: closeMsg("noauth", "noauth")},
		"session, other domain":          {request: all(session(UserID("branch", "bob"), ""), fromPage(own)), want: closeMsg("noauth", "noauth")},
		"session, expired":               {request: func(r *LoginRequest) { r.SessionExpired = true }, want: closeMsg("expired", "expired-1")},
		"origin":                         {request: all(withHeader("bob", "pw-bob"), fromPage(own)), user: bob},
		"origin, elsewhere":              {request: all(withHeader("bob", "pw-bob"), fromPage("https://evil.example")), want: closeMsg("invalidorigin", "invalidorigin")},
		"origin null":                    {request: all(withHeader("bob", "pw-bob"), fromPage("null")), want: closeMsg("invalidorigin", "invalidorigin")},
		"URL key":                        {request: all(withHeader("bob", "pw-bob"), withQuery("key", "k2")), config: withURLKeys, user: bob},
		"URL key, none":                  {request: withHeader("bob", "pw-bob"), config: withURLKeys, want: closeMsg("noauth", "nokey")},
		"URL key, wrong":                 {request: all(withHeader("bob", "pw-bob"), withQuery("key", "k3")), config: withURLKeys, want: closeMsg("noauth", "nokey")},
		"URL key, of another domain":     {request: all(withHeader("bob", "pw-branch"), func(r *LoginRequest) { r.Domain = "branch" }), config: withURLKeys, user: UserID("branch", "bob")},
		"more arguments": {
			request: withQuery("moreargs", "1"), msgs: []string{`x`, `{"action":"nodes"}`, `{"action":"urlargs","args":{"user":"bob","pass":"pw-bob"}}`}, user: bob,
		},
		"more arguments, cookie and number": {
			request: withQuery("moreargs", "1"), user: otp, config: withNumericPassword,
			msgs: []string{`{"action":"urlargs","args":{"user":"otp","pass":12345,"token":123456,"x":[1],"y":null}}`},
		},
		"more arguments, key": {
			request: all(withHeader("bob", "pw-bob"), withQuery("moreargs", "1")), config: withURLKeys, user: bob,
			msgs: []string{`{"action":"urlargs","args":{"key":"k1"}}`},
		},
		"more arguments, none": {request: withQuery("moreargs", "1"), msgs: []string{`{"action":"urlargs","args":{}}`}, want: closeMsg("noauth", "noauth")},
		"in band": {
			request: inBand, msgs: []string{`{`, `{"action":"nodes"}`, `{"action":"userAuth","username":"` + b64("bob") + `","password":"` + b64("pw-bob") + `"}`},
			user: bob, login: Login{Kind: LoginInBand},
		},
		"in band, token": {
			request: inBand, msgs: []string{`{"action":"userAuth","username":"` + b64("~t:abcdefghijklmnop") + `","password":"` + b64("token-secret") + `"}`},
			user: bob, login: Login{Kind: LoginToken, TokenName: "script", TokenUser: "~t:abcdefghijklmnop"},
		},
		"in band, code": {
			request: inBand, msgs: []string{`{"action":"userAuth","username":"` + b64("otp") + `","password":"` + b64("pw-otp") + `","token":"123456"}`},
			user: otp, login: Login{Kind: LoginInBand},
		},
		"in band, wrong": {
			request: inBand, msgs: []string{`{"action":"userAuth","username":"` + b64("bob") + `","password":"` + b64("x") + `"}`},
			want: closeMsg("noauth", "noauth-2c"), delayed: true,
		},
		"in band, not base64":   {request: inBand, msgs: []string{`{"action":"userAuth","username":"!","password":"!"}`}, want: closeMsg("noauth", "noauth-2c"), delayed: true},
		"in band, bad args":     {request: inBand, msgs: []string{`{"action":"serverAuth","cnonce":"","tlshash":"00"}`}, want: closeMsg("noauth", "badargs")},
		"in band, no identity":  {request: inBand, msgs: []string{`{"action":"serverAuth","cnonce":"` + b64("nonce") + `","tlshash":"` + someHash + `"}`}, want: closeMsg("noauth", "badtlscert")},
		"in band before others": {request: all(withQuery("user", "bob", "pass", "pw-bob"), inBand), msgs: []string{`{"action":"userAuth"}`}, want: closeMsg("noauth", "noauth-2c"), delayed: true},
		"accounts are broken":   {request: withHeader("bob", "pw-bob"), config: func(c *ServerConfig) { c.Accounts.(*fakeAccounts).broken = errors.New("disk full") }, want: closeMsg("internal", "internal-1")},
		"accounts are broken, cookie": {
			request: cookie(1, LoginCookie(bob)), config: func(c *ServerConfig) { c.Accounts.(*fakeAccounts).broken = errors.New("disk full") }, want: closeMsg("internal", "internal-1"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := fakeServerConfig(fakeOperators())
			if c.config != nil {
				c.config(&cfg)
			}
			r := fakeRequest(c.request)
			step := login(t, newTestAuthenticator(t, cfg), r, c.msgs...)
			require.True(t, step.done())
			if c.want != "" {
				require.NotNil(t, step.refused, "logged in as %v", step.user)
				require.Equal(t, c.want, string(step.refused.message()))
				require.Equal(t, c.delayed, step.refused.delayed)
				return
			}
			require.Nil(t, step.refused, "%v", step.refused)
			require.Equal(t, c.user, step.user.ID)
			c.login.RemoteAddr, c.login.Host, c.login.Time = r.RemoteAddr, r.Host, fakeNow
			require.Equal(t, c.login, step.login)
		})
	}
}

// someHash is no hash of a certificate here.
const someHash = "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"

func inBand(r *LoginRequest) { r.MeshAuth, r.HasMeshAuth = NewSecret("*"), true }

func withURLKeys(c *ServerConfig) {
	c.URLKeys = func(domain string) []Secret {
		if domain == "" {
			return []Secret{NewSecret("k1"), NewSecret("k2")}
		}
		return nil
	}
}

func withNumericPassword(c *ServerConfig) {
	c.Accounts.(*fakeAccounts).passwords[UserID("", "otp")] = "12345"
}

// A cookie that is good for one use is good for one.
func TestAuthReplayedCookie(t *testing.T) {
	a := newTestAuthenticator(t, fakeServerConfig(fakeOperators()))
	c := LoginTokenCookie(UserID("", "bob"))
	c.Once = "x"
	text := fakeCookie(1, c)
	use := func(r *LoginRequest) { r.Cookie = text }
	require.NotNil(t, login(t, a, fakeRequest(use)).user)
	step := login(t, a, fakeRequest(use))
	require.NotNil(t, step.refused)
	require.ErrorIs(t, step.refused.err(), ErrCookieReplayed)
}

// The password of an account that does not exist is checked as well, so that both take as long.
func TestAuthSameWork(t *testing.T) {
	accounts := fakeOperators()
	a := newTestAuthenticator(t, fakeServerConfig(accounts))
	login(t, a, fakeRequest(withHeader("bob", "wrong")))
	login(t, a, fakeRequest(withHeader("nobody", "wrong")))
	require.Equal(t, []ID{UserID("", "bob"), UserID("", "nobody")}, accounts.checked)
}

// Guessing is bounded per address and per account, and what succeeds does not count.
func TestAuthRateLimit(t *testing.T) {
	from := func(addr string, parts ...string) *LoginRequest {
		return fakeRequest(all(withHeader(parts...), func(r *LoginRequest) { r.RemoteAddr = netip.MustParseAddr(addr) }))
	}
	now := fakeNow
	cfg := fakeServerConfig(fakeOperators())
	cfg.Now = func() time.Time { return now }
	cfg.FailedLogins = FailedLogins{
		PerAddress: LoginRate{Events: 3, Window: time.Minute}, PerAccount: LoginRate{Events: 5, Window: time.Minute},
		Codes: LoginRate{Events: 2, Window: time.Minute},
	}
	a := newTestAuthenticator(t, cfg)
	msg := func(s authStep) string {
		require.NotNil(t, s.refused)
		return s.refused.msg
	}
	for range 10 {
		require.NotNil(t, login(t, a, from("192.0.2.1", "bob", "pw-bob")).user)
	}
	for range 3 {
		require.Equal(t, CloseMsgBadHeader, msg(login(t, a, from("192.0.2.1", "bob", "x"))))
	}
	require.Equal(t, CloseMsgBanned, msg(login(t, a, from("192.0.2.1", "bob", "pw-bob"))), "whatever it comes with")
	require.NotNil(t, login(t, a, from("192.0.2.2", "bob", "pw-bob")).user, "others go on")

	// Addresses of one /64 are one, and five failures of all addresses together are the account's.
	require.Equal(t, CloseMsgBadHeader, msg(login(t, a, from("2001:db8::1", "bob", "x"))))
	require.Equal(t, CloseMsgBadHeader, msg(login(t, a, from("2001:db8::2", "bob", "x"))))
	require.Equal(t, CloseMsgBanned, msg(login(t, a, from("198.51.100.9", "bob", "pw-bob"))))
	require.NotNil(t, login(t, a, from("198.51.100.9", "~t:abcdefghijklmnop", "token-secret")).user, "without the password")
	require.Equal(t, CloseMsgBadHeader, msg(login(t, a, from("2001:db8::3", "nobody", "x"))))
	require.Equal(t, CloseMsgBanned, msg(login(t, a, from("2001:db8::4", "nobody", "x"))))

	now = now.Add(time.Minute)
	require.NotNil(t, login(t, a, from("192.0.2.1", "bob", "pw-bob")).user, "time heals")

	// Wrong codes count as wrong passwords do, and codes that are sent have a limit of their own.
	for range 3 {
		require.True(t, login(t, a, from("192.0.2.8", "otp", "pw-otp", "000000")).refused.delayed)
	}
	require.Equal(t, CloseMsgBanned, msg(login(t, a, from("192.0.2.8", "otp", "pw-otp", "123456"))))
	for i := range 4 {
		step := login(t, a, from("192.0.2.9", "otp", "pw-otp", "**email**"))
		require.Equal(t, CloseMsgTokenRequired, msg(step))
		require.Equal(t, i < 2, step.refused.sent != nil)
	}
}

// Half a rate has the other half of the default, and is not none.
func TestLoginRateDefaults(t *testing.T) {
	got := FailedLogins{
		PerAddress: LoginRate{Events: 3}, PerAccount: LoginRate{Window: time.Hour}, Codes: LoginRate{Events: -1},
	}.withDefaults()
	require.Equal(t, LoginRate{Events: 3, Window: 10 * time.Minute}, got.PerAddress)
	require.Equal(t, LoginRate{Events: 100, Window: time.Hour}, got.PerAccount)
	require.Equal(t, LoginRate{Events: 10, Window: time.Hour}, got.WrongCodes)
	require.True(t, got.Codes.Unlimited())
}

// Whoever knows the password cannot try codes from many addresses.
func TestAuthWrongCodes(t *testing.T) {
	cfg := fakeServerConfig(fakeOperators())
	cfg.FailedLogins.WrongCodes = LoginRate{Events: 2, Window: time.Hour}
	a := newTestAuthenticator(t, cfg)
	try := func(i byte, code string) authStep {
		return login(t, a, fakeRequest(all(withHeader("otp", "pw-otp", code), func(r *LoginRequest) {
			r.RemoteAddr = netip.AddrFrom4([4]byte{192, 0, 2, i})
		})))
	}
	require.Equal(t, CloseMsgTokenRequired, try(1, "000000").refused.msg)
	require.Equal(t, CloseMsgTokenRequired, try(2, "000001").refused.msg)
	require.Equal(t, CloseMsgBanned, try(3, "123456").refused.msg, "the right one too")
	require.Equal(t, CloseMsgTokenRequired, try(4, "").refused.msg)
}

// Failures of the embedder's storage say nothing about the credentials and do not count.
func TestAuthBrokenDoesNotCount(t *testing.T) {
	accounts := fakeOperators()
	cfg := fakeServerConfig(accounts)
	cfg.FailedLogins.PerAddress = LoginRate{Events: 1, Window: time.Hour}
	a := newTestAuthenticator(t, cfg)
	accounts.broken = errors.New("disk full")
	require.Equal(t, CloseInternal, login(t, a, fakeRequest(withHeader("bob", "pw-bob"))).refused.cause)
	accounts.broken = nil
	require.NotNil(t, login(t, a, fakeRequest(withHeader("bob", "pw-bob"))).user)
}
