package controlserver

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// token makes a login token and returns its name and secret.
func (o *operator) token(expire int) (name, secret string) {
	o.w.t.Helper()
	r := o.asked(`{"action":"createLoginToken","name":"t","expire":%d}`, expire)
	return r["tokenUser"].(string), r["tokenPass"].(string)
}

// withToken opens a session with a login token.
func (w *world) withToken(name, secret string) *controlproto.LoginRequest {
	return &controlproto.LoginRequest{HasUser: true, User: name, HasPassword: true, Password: controlproto.NewSecret(secret)}
}

func TestLoginTokens(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("bob", 0)
		w.account("eve", 0)
		s := w.script(nil, "bob", "eve")
		added := map[string][]string{"bob": {"loginTokenAdded 115: Added login token (bob)"}}
		s.run(
			step{say: `{"action":"createLoginToken","name":"t","expire":5,"responseid":"r"}`, replies: []string{
				`{"action":"createLoginToken","name":"t","tokenUser":"{*}","tokenPass":"{*}","created":"{*}","expire":"{*}"}`}, hears: added},
			step{say: `{"action":"createLoginToken","name":"","expire":5,"responseid":"r"}`, replies: refusal("createLoginToken", "Invalid name")},
			step{say: `{"action":"createLoginToken","name":"t","expire":-1,"responseid":"r"}`, replies: refusal("createLoginToken", "Invalid expire value")},
			step{say: `{"action":"createLoginToken","name":"t","expire":"5","responseid":"r"}`, replies: refusal("createLoginToken", "Invalid expire value")},
			step{say: `{"action":"createLoginToken","name":"t","responseid":"r"}`, replies: refusal("createLoginToken", "Invalid expire value")},
			step{say: `{"action":"createLoginToken","name":"t","expire":1e300,"responseid":"r"}`, replies: refusal("createLoginToken", "Invalid expire value")},
		)
		name, secret := s.ops["bob"].token(0)
		require.Regexp(t, `^~t:[A-Za-z0-9]{16}$`, name)
		require.Len(t, secret, 20)
		events := s.ops["bob"].all()
		require.NotContains(t, fmt.Sprint(events), secret)
		list := s.ops["bob"].ask(`{"action":"loginTokens"}`)[0]
		require.Contains(t, list, name)
		require.NotContains(t, list, secret)
		require.Equal(t, 2, strings.Count(list, "tokenUser"))

		// Nobody else's.
		s.ops["eve"].wants(`{"action":"loginTokens","remove":["`+name+`"]}`, `{"action":"loginTokens","loginTokens":[]}`)

		o := w.loginWith(w.withToken(name, secret))
		// What a session of a login token may not.
		for _, request := range []string{
			`{"action":"loginTokens"}`, `{"action":"changepassword","oldpass":"x","newpass":"y"}`, `{"action":"changeemail","email":"x@example.com"}`,
			`{"action":"changelang","lang":"fr"}`, `{"action":"otpauth-setup","secret":"x","token":"000000"}`, `{"action":"otpauth-clear"}`,
			`{"action":"otpauth-getpasswords","subaction":1}`, `{"action":"twoFactorCookie"}`, `{"action":"logincookie"}`, `{"action":"serverconsole","value":"info"}`,
		} {
			o.wants(request)
		}
		o.wants(`{"action":"createLoginToken","name":"t","expire":0,"responseid":"r"}`, refusal("createLoginToken", "Access denied")...)
		o.wants(`{"action":"otpauth-request"}`, `{"action":"otpauth-request","err":3}`)
		// Its cookies open tunnels, and no session that may more.
		cookie := o.asked(`{"action":"authcookie"}`)["cookie"].(string)
		c, err := w.s.loginCodec().Decode(cookie, controlproto.CookieAgeLogin)
		require.NoError(t, err)
		user, err := c.TunnelUser("")
		require.NoError(t, err)
		require.Equal(t, controlproto.ID("user//bob"), user)
		refused := w.dial(&controlproto.LoginRequest{Cookie: controlproto.NewSecret(cookie)})
		require.Contains(t, refused.all()[0], `"cause":"noauth"`)

		s.run(step{say: `{"action":"loginTokens","remove":["` + name + `"]}`, replies: []string{`{"action":"loginTokens","loginTokens":"{*}"}`},
			hears: map[string][]string{"bob": {"loginTokenChanged (bob)"}}})
		o.all()
		require.True(t, o.closed, "with its token")
		again := w.dial(w.withToken(name, secret))
		<-time.After(2 * time.Second) // refusals of passwords take a second
		require.Contains(t, again.all()[0], `"cause":"noauth"`)
	}, func(c *Config) { c.Domains = []Domain{{LoginCookies: true}} })
}

// A manager of accounts may not get at his password with a token.
func TestTokenOfManager(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("mgr", controlproto.SiteManageUsers)
		w.account("bob", 0)
		name, secret := w.login("mgr").token(0)
		o := w.loginWith(w.withToken(name, secret))
		o.wants(`{"action":"changeuserpass","userid":"user//mgr","pass":"s3cr3t-1","removeMultiFactor":true}`)
		require.Empty(t, w.s.account("user//mgr").PasswordHash.Reveal())
		o.wants(`{"action":"edituser","userid":"mgr","realname":"x","responseid":"r"}`, refusal("edituser", "Permission denied")...)
		o.wants(`{"action":"edituser","userid":"bob","realname":"x","responseid":"r"}`, ok("edituser")...)
	})
}

func TestTokensEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("bob", 0)
		b := w.login("bob")
		name, secret := b.token(5)
		o := w.loginWith(w.withToken(name, secret))
		_, _, err := w.s.CheckLoginToken(t.Context(), "", name, controlproto.NewSecret("wrong"))
		require.ErrorIs(t, err, controlproto.ErrBadCredentials)
		_, _, err = w.s.CheckLoginToken(t.Context(), "other", name, controlproto.NewSecret(secret))
		require.ErrorIs(t, err, controlproto.ErrBadCredentials)
		_, _, err = w.s.CheckLoginToken(t.Context(), "", "~t:none", controlproto.NewSecret(secret))
		require.ErrorIs(t, err, controlproto.ErrBadCredentials)
		w.s.Tick()
		o.all()
		require.False(t, o.closed)
		<-time.After(6 * time.Minute) // in the bubble, nobody waits
		_, _, err = w.s.CheckLoginToken(t.Context(), "", name, controlproto.NewSecret(secret))
		require.ErrorIs(t, err, controlproto.ErrBadCredentials)
		w.s.Tick()
		o.all()
		require.True(t, o.closed, "its token is over")
		b.wants(`{"action":"loginTokens"}`, `{"action":"loginTokens","loginTokens":[]}`)
		for range maxTokens {
			b.token(0)
		}
		b.wants(`{"action":"createLoginToken","name":"t","expire":0,"responseid":"r"}`, refusal("createLoginToken", "More than 100 login tokens")...)
	})
}

func TestNoLoginTokens(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("bob", 0)
		o := w.login("bob")
		o.wants(`{"action":"loginTokens"}`)
		o.wants(`{"action":"createLoginToken","name":"t","expire":0,"responseid":"r"}`, refusal("createLoginToken", "Not supported")...)
	}, func(c *Config) { c.Domains = []Domain{{NoLoginTokens: true}} })
}

// Tokens and passwords that MeshCentral made count too.
func TestStockCredentials(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		p, err := controlproto.HashStockPassword(rand.Reader, controlproto.NewSecret("s3cr3t-stock"))
		require.NoError(t, err)
		w.update(func(tx *Tx) error {
			token := &LoginToken{LoginTokenRecord: controlproto.LoginTokenRecord{Name: "t", TokenUser: "~t:stock"}, UserID: bob, Hash: StockTokenHash(p)}
			if err := tx.PutDocument(KindLoginToken, token.TokenUser, string(bob), 0, token); err != nil {
				return err
			}
			return tx.EditAccount(bob, func(a *Account) error {
				a.StockSalt, a.StockHash = controlproto.NewSecret(p.Salt), p.Hash
				return nil
			})
		})
		user, name, err := w.s.CheckLoginToken(t.Context(), "", "~t:stock", controlproto.NewSecret("s3cr3t-stock"))
		require.NoError(t, err)
		require.Equal(t, bob, user)
		require.Equal(t, "t", name)
		check := func(password string) bool {
			ok, err := w.s.CheckPassword(t.Context(), bob, controlproto.NewSecret(password))
			require.NoError(t, err)
			return ok
		}
		require.False(t, check("wrong"))
		require.True(t, check("s3cr3t-stock"))
		require.Empty(t, w.s.account(bob).StockHash.Reveal(), "stored anew")
		require.True(t, check("s3cr3t-stock"))
		ok, err := w.s.CheckPassword(t.Context(), "user//nobody", controlproto.NewSecret("x"))
		require.NoError(t, err)
		require.False(t, ok)
	})
}
