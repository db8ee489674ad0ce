package wsmantest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

func TestWrongPassword(t *testing.T) {
	var refused []string
	d := newDevice(t, wsmantest.Config{OnEvent: func(e wsmantest.Event) { refused = append(refused, e.String()) }})
	c := newClient(t, d)
	c.pass = "no"
	assert.Equal(t, 401, c.post(c.request(wsman.ActionGet, wsman.ResourceURI("AMT_GeneralSettings"), "", "")))
	assert.Equal(t, 3, c.dials)
	assert.Equal(t, []string{`login: refused "admin": wrong password`, `login: refused "admin": wrong password`}, refused)
	c.user, c.pass = "nobody", wsmantest.DefaultPassword
	assert.Equal(t, 401, c.post(c.request(wsman.ActionGet, wsman.ResourceURI("AMT_GeneralSettings"), "", "")))
	assert.Empty(t, d.Calls())
}

// TestReplay: the count is checked for each nonce and cnonce, and any first value is taken.
func TestReplay(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	c.nc = 41 // as GWM's clients and MeshCentral's, which never begin anew
	c.get("AMT_GeneralSettings")
	require.Equal(t, 2, c.dials)
	c.nc--
	c.get("AMT_GeneralSettings")
	assert.Equal(t, 3, c.dials, "a count that was used costs a round")
	c.cnonce, c.nc = "another", 0
	c.get("AMT_GeneralSettings")
	assert.Equal(t, 3, c.dials, "with another cnonce it counts from 1 again")
	// The nonce is good on another connection too.
	c.close()
	c.get("AMT_GeneralSettings")
	assert.Equal(t, 4, c.dials)
}

func TestQuality(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  wsmantest.Config
		want string
	}{
		"11":        {wsmantest.Config{Version: "11"}, `qop="auth"`},
		"16":        {wsmantest.Config{Version: "16.1"}, `qop="auth-int, auth"`},
		"auth only": {wsmantest.Config{Quirks: wsmantest.Quirks{AuthOnly: true}}, `qop="auth"`},
		"auth-int":  {wsmantest.Config{Version: "11", Quirks: wsmantest.Quirks{AuthInt: true}}, `qop="auth-int, auth"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, newDevice(t, test.cfg))
			c.send("", "")
			assert.Contains(t, c.header.Get("Www-Authenticate"), test.want)
			c.get("AMT_GeneralSettings")
		})
	}
	t.Run("not offered", func(t *testing.T) {
		c := newClient(t, newDevice(t, wsmantest.Config{Version: "12"}))
		c.get("AMT_GeneralSettings")
		challenge := c.challenge
		challenge.AuthInt = true
		cred := credentials(c)
		a := challenge.Authorize(&cred, "POST", "/wsman", nil, 9, "x")
		require.Equal(t, digest.AuthInt, a.QOP)
		assert.Equal(t, 401, c.send(string(a.Append(nil)), ""))
	})
}

func TestNonceUses(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{NonceUses: 5, StaleTrue: true}})
	c := newClient(t, d)
	for range 12 {
		c.get("AMT_GeneralSettings")
	}
	assert.Equal(t, 4, c.dials, "one bare round, then one for each five requests")
	assert.True(t, c.challenge.Stale)
}

func TestOddChallenges(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{PaddedNonce: true}}))
	c.get("AMT_GeneralSettings")
	assert.Regexp(t, `nonce="[^"]{32}="`, c.challengeText(t))
	c = newClient(t, newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{Unquoted: true}}))
	c.get("AMT_GeneralSettings")
	assert.Contains(t, c.challengeText(t), `,stale=false,qop="auth-int, auth"`)
	d := newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{RealmMismatch: true}})
	assert.NotEqual(t, d.Realm(), newClient(t, d).get("AMT_GeneralSettings").ChildText("DigestRealm"))
	d = newDevice(t, wsmantest.Config{})
	assert.Equal(t, d.Realm(), newClient(t, d).get("AMT_GeneralSettings").ChildText("DigestRealm"))
}

// challengeText asks for a challenge.
func (c *client) challengeText(t *testing.T) string {
	t.Helper()
	require.Equal(t, 401, c.send("", ""))
	return c.header.Get("Www-Authenticate")
}

func TestLock(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	d := newDevice(t, wsmantest.Config{
		Now:    func() time.Time { return time.Unix(now.Load(), 0) },
		Quirks: wsmantest.Quirks{LockAfter: 2, LockTime: 20 * time.Second},
	})
	bad, good := newClient(t, d), newClient(t, d)
	bad.pass = "no"
	body := good.request(wsman.ActionGet, wsman.ResourceURI("AMT_GeneralSettings"), "", "")
	assert.Equal(t, 401, bad.post(body))
	assert.Equal(t, 401, good.post(body), "the right password is refused too")
	now.Add(21)
	assert.Equal(t, 200, good.post(body))
}

func TestPasswordChange(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	parameter := d.PasswordParameter("admin", "N3w!pass")
	c.call(0, "AMT_AuthorizationService", "SetAdminAclEntryEx", "Username", "admin", "DigestPassword", parameter)
	assert.True(t, d.CheckPassword("admin", "N3w!pass"))
	assert.False(t, d.CheckPassword("admin", wsmantest.DefaultPassword))
	body := c.request(wsman.ActionGet, wsman.ResourceURI("AMT_GeneralSettings"), "", "")
	assert.Equal(t, 401, c.post(body), "no nonce and no old password is good any more")
	c.pass = "N3w!pass"
	assert.Equal(t, 200, c.post(body))
	// MeshCentral sends hexadecimal digits here, which are 24 bytes of base64.
	c.call(0x806, "AMT_AuthorizationService", "SetAdminAclEntryEx", "Username", "admin", "DigestPassword", "0123456789abcdef0123456789abcdef")
}
