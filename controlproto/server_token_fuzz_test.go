package controlproto

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// FuzzLoginToken brings a name and a secret by each way that a login token can take. Who has exactly those of a token is
// logged in as its account, without a second factor and marked as a token's session; nobody else is, whatever the name looks
// like, and a locked or missing account is nobody.
func FuzzLoginToken(f *testing.F) {
	f.Add("~t:abcdefghijklmnop", "token-secret", byte(0))
	f.Add("~t:abcdefghijklmnop", "token-secret", byte(1))
	f.Add("~t:abcdefghijklmnop", "token-secret", byte(2))
	f.Add("~t:abcdefghijklmnop", "token-secret", byte(3))
	f.Add("~t:nonameXXXXXXXXXX", "token-secret", byte(0))
	f.Add("~t:lockedlockedlock", "token-secret", byte(1))
	f.Add("~t:goneuserXXXXXXXX", "token-secret", byte(2))
	f.Add("~T:abcdefghijklmnop", "token-secret", byte(0))
	f.Add("~t:ABCDEFGHIJKLMNOP", "token-secret", byte(0))
	f.Add(" ~t:abcdefghijklmnop", "token-secret", byte(3))
	f.Add("~t:", "", byte(2))
	f.Add("user//~t:abcdefghijklmnop", "token-secret", byte(0))
	f.Add("bob", "pw-bob", byte(1))
	f.Fuzz(func(t *testing.T, name, secret string, way byte) {
		if len(name)+len(secret) > authLimits.Size/8 {
			return // messages that are too large are passed over, and the login waits
		}
		accounts := fakeOperators()
		for id := range accounts.passwords {
			accounts.passwords[id] += "-of which the fuzzer does not know: 8c1f2ad06be94fb7"
		}
		s, err := NewServer(fakeServerConfig(accounts))
		require.NoError(t, err)
		hr := &http.Request{
			Method: http.MethodGet, Host: "mesh.example", RemoteAddr: "192.0.2.7:1234", URL: &url.URL{Path: "/control.ashx"}, Header: http.Header{},
		}
		var msgs []string
		sameBytes := true // the way can carry every text
		switch way % 4 {
		case 0:
			hr.Header.Set(MeshAuthHeader, b64(name)+","+b64(secret))
			sameBytes = utf8.ValidString(name) && utf8.ValidString(secret)
		case 1:
			hr.URL.RawQuery = url.Values{"user": {name}, "pass": {secret}}.Encode()
		case 2:
			hr.Header.Set(MeshAuthHeader, "*")
			msgs = []string{`{"action":"userAuth","username":"` + b64(name) + `","password":"` + b64(secret) + `"}`}
			sameBytes = utf8.ValidString(name) && utf8.ValidString(secret)
		case 3:
			if !utf8.ValidString(name) || !utf8.ValidString(secret) {
				t.Skip("not JSON")
			}
			hr.URL.RawQuery = "moreargs=1"
			msgs = []string{`{"action":"urlargs","args":{"user":` + string(jsonrec.AppendString(nil, name)) + `,"pass":` + string(jsonrec.AppendString(nil, secret)) + `}}`}
		}
		step := login(t, s.auth, s.LoginRequest(hr), msgs...)
		require.True(t, step.done())

		token, known := accounts.tokens[name]
		var account *User
		if known && sameBytes && token.secret == secret {
			account = accounts.users[token.user]
		}
		if account == nil || account.SiteRights.Restricted(SiteLocked) {
			require.Nil(t, step.user, "logged in as %q", name)
			require.True(t, errors.Is(step.refused.err(), ErrBadCredentials) || step.refused.cause == CloseNoAuth)
			require.NotContains(t, string(step.refused.message()), "tokenrequired")
			return
		}
		require.Nil(t, step.refused)
		require.Equal(t, account, step.user)
		require.Equal(t, LoginToken, step.login.Kind)
		require.Equal(t, name, step.login.TokenUser)
		require.NotEmpty(t, step.login.TokenName)
		require.True(t, strings.HasPrefix(name, loginTokenPrefix))
	})
}
