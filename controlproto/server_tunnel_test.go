package controlproto

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Who opens a tunnel, and who does not.
func TestLoginTunnel(t *testing.T) {
	bob := UserID("", "bob")
	cookie := func(key byte, c Cookie) func(*LoginRequest) {
		return func(r *LoginRequest) { r.Cookie = fakeCookie(key, c) }
	}
	port := LoginCookie(bob)
	port.NodeID, port.TCPPort = "node//x", 22
	narrowed := LoginCookie(bob)
	narrowed.RelayUserID = bob
	session := func(origin string) func(*LoginRequest) {
		return func(r *LoginRequest) {
			r.SessionUser, r.Origin, r.HasOrigin = bob, origin, origin != ""
		}
	}
	keys := func(c *ServerConfig) { c.URLKeys = func(string) []Secret { return []Secret{NewSecret("k")} } }
	for name, c := range map[string]struct {
		request func(*LoginRequest)
		config  func(*ServerConfig)
		kind    LoginKind
		cookie  bool
		refused string // the cause and the message
	}{
		"nothing":                 {refused: "noauth noauth"},
		"password":                {request: withQuery("user", "bob", "pass", "pw-bob"), kind: LoginPassword},
		"wrong password":          {request: withQuery("user", "bob", "pass", "x"), refused: "noauth noauth-2a"},
		"header":                  {request: withHeader("bob", "pw-bob"), kind: LoginPassword},
		"header, code is missing": {request: withHeader("otp", "pw-otp"), refused: "noauth tokenrequired"},
		"in band":                 {request: func(r *LoginRequest) { r.MeshAuth, r.HasMeshAuth = NewSecret("*"), true }, refused: "noauth noauth-4"},
		"login token":             {request: withHeader("~t:abcdefghijklmnop", "token-secret"), kind: LoginToken},
		"cookie":                  {request: cookie(1, LoginCookie(bob)), kind: LoginAuthCookie, cookie: true},
		"cookie, older key":       {request: cookie(2, LoginCookie(bob)), kind: LoginAuthCookie, cookie: true},
		"cookie of a login token": {request: cookie(1, LoginTokenCookie(bob)), kind: LoginAuthCookie, cookie: true},
		"cookie for a port":       {request: cookie(1, port), kind: LoginAuthCookie, cookie: true},
		"cookie for tunnels":      {request: cookie(1, narrowed), kind: LoginAuthCookie, cookie: true},
		"cookie of a device":      {request: cookie(1, RelayCookie(bob)), refused: "noauth noauth-4"},
		"cookie, wrong key":       {request: cookie(3, LoginCookie(bob)), refused: "noauth noauth-4"},
		"cookie, locked":          {request: cookie(1, LoginCookie(UserID("", "locked"))), refused: "noauth noauth-4"},
		"cookie, older than password": {request: func(r *LoginRequest) {
			c := LoginCookie(UserID("", "changed"))
			c.Time = fakeNow.Add(-3 * 60e9)
			r.Cookie = fakeCookie(1, c)
		}, refused: "noauth noauth-4"},
		"bad cookie and a good header": {
			request: all(cookie(3, LoginCookie(bob)), withHeader("bob", "pw-bob")), refused: "noauth noauth-4",
		},
		"session":                 {request: session("https://mesh.example"), kind: LoginSession},
		"session, no origin":      {request: session(""), refused: "invalidorigin invalidorigin"},
		"session, other origin":   {request: session("https://evil.example"), refused: "invalidorigin invalidorigin"},
		"cookie, other origin":    {request: all(cookie(1, LoginCookie(bob)), session("https://evil.example")), refused: "invalidorigin invalidorigin"},
		"password without key":    {request: withHeader("bob", "pw-bob"), config: keys, refused: "noauth nokey"},
		"password with key":       {request: all(withHeader("bob", "pw-bob"), withQuery("key", "k")), config: keys, kind: LoginPassword},
		"cookie needs no key":     {request: cookie(1, LoginCookie(bob)), config: keys, kind: LoginAuthCookie, cookie: true},
		"bad cookie without key":  {request: cookie(3, LoginCookie(bob)), config: keys, refused: "noauth noauth-4"},
		"no domain":               {request: func(r *LoginRequest) { r.NoDomain = true }, refused: "noauth noauth-1"},
		"accounts are broken":     {request: cookie(1, LoginCookie(bob)), config: func(c *ServerConfig) { c.Accounts.(*fakeAccounts).broken = errors.New("disk full") }, refused: "internal internal-1"},
		"arguments that may come": {request: func(r *LoginRequest) { r.MoreArgs = true }, refused: "noauth noauth"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := fakeServerConfig(fakeOperators())
				if c.config != nil {
					c.config(&cfg)
				}
				s, err := NewServer(cfg)
				require.NoError(t, err)
				defer func() { require.NoError(t, s.Shutdown(context.Background())) }()
				login, err := s.LoginTunnel(t.Context(), fakeRequest(c.request))
				if c.refused != "" {
					var refused *RefusedError
					require.ErrorAs(t, err, &refused)
					require.Equal(t, c.refused, refused.Cause+" "+refused.Msg)
					return
				}
				require.NoError(t, err)
				require.Equal(t, bob, login.User.ID)
				require.Equal(t, c.kind, login.Login.Kind)
				require.Equal(t, c.cookie, login.Cookie != nil)
			})
		})
	}
}
