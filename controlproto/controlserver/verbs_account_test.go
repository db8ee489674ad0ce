package controlserver

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestOwnAccount(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		w.account("eve", controlproto.SiteLockSettings)
		w.account("mgr", controlproto.SiteManageUsers)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8})
		ug := w.userGroup("ops", bob)
		via := w.group("via", map[controlproto.ID]controlproto.Rights{ug: 8})
		d := w.device("pc1", g)
		w.update(func(tx *Tx) error {
			if err := tx.EditAccount("user//eve", func(a *Account) error { a.Email, a.EmailVerified = "eve@example.com", true; return nil }); err != nil {
				return err
			}
			return tx.EditAccount(bob, func(a *Account) error {
				a.PasswordHash = controlproto.NewSecret(HashPassword("s3cr3t-old"))
				a.Phone, a.MessageHandle = "+1555010020", "h"
				return nil
			})
		})
		s := w.script(map[string]controlproto.ID{"g": g, "via": via, "d": d}, "bob", "mgr", "eve")
		changed := func(text string) map[string][]string {
			return map[string][]string{"bob": {"accountchange" + text + " (bob)"}, "mgr": {"accountchange" + text + " (bob)"}}
		}
		note := func(id, text string) []string {
			return []string{`{"action":"msg","type":"notify","id":"{*}","value":"` + text + `","title":"Account Settings","tag":"ServerNotify","titleid":4,"msgid":` + id + `,"userid":"user//bob","username":"bob"}`}
		}
		s.run(
			step{say: `{"action":"changepassword","oldpass":"s3cr3t-wrong","newpass":"s3cr3t-new"}`, replies: note("21", "Current password not correct.")},
			step{say: `{"action":"changepassword","oldpass":"s3cr3t-old","newpass":"s3cr3t-new","hint":"s3cr3t-hint"}`, replies: note("20", "Password changed."),
				hears: changed(" 74: Account password changed: bob")},
			step{say: `{"action":"changepassword","oldpass":"s3cr3t-new","newpass":""}`},
			step{say: `{"action":"changeemail","email":"Bob@Example.com"}`, hears: changed(": Set email of user bob to bob@example.com")},
			step{say: `{"action":"changeemail","email":"bob@example.com"}`},
			step{say: `{"action":"changeemail","email":"b@example.com"}`, hears: changed(": Changed email of user bob from bob@example.com to b@example.com")},
			step{say: `{"action":"changeemail","email":"nobody"}`},
			step{name: "another one's", say: `{"action":"changeemail","email":"eve@example.com"}`, replies: []string{
				`{"action":"msg","type":"notify","id":"{*}","value":"Failed to change email address, another account already using: eve@example.com.","title":"Account Settings","tag":"ServerNotify","titleid":4,"msgid":13,"args":["eve@example.com"]}`}},
			step{say: `{"action":"changelang","lang":"FR"}`, hears: changed(" 3: Changed language from default to fr")},
			step{say: `{"action":"changelang","lang":"*"}`, hears: changed(" 3: Changed language from fr to default")},
			step{say: `{"action":"changelang","lang":"toolong"}`},
			step{say: `{"action":"removePhone"}`, hears: changed(" 97: Removed phone number of user bob")},
			step{name: "there is none", say: `{"action":"removePhone"}`},
			step{say: `{"action":"removeMessaging"}`, hears: changed(" 157: Removed messaging account of user bob")},
			step{say: `{"action":"changemeshnotify","meshid":"{g}","notify":6,"responseid":"r"}`, hears: changed(" 73: Device group notification changed")},
			step{say: `{"action":"changemeshnotify","meshid":"{via}","notify":2,"responseid":"r"}`, hears: changed(" 73: Device group notification changed")},
			step{say: `{"action":"changemeshnotify","meshid":"mesh//nothing","notify":2,"responseid":"r"}`, replies: refusal("changemeshnotify", "Access denied")},
			step{say: `{"action":"changemeshnotify","meshid":"short","notify":2,"responseid":"r"}`, replies: refusal("changemeshnotify", "Invalid group identifier")},
			step{say: `{"action":"changemeshnotify","meshid":"{g}","notify":"2","responseid":"r"}`, replies: refusal("changemeshnotify", "Invalid notification flags")},
			step{say: `{"action":"changeusernotify","nodeid":"{d}","notify":6,"responseid":"r"}`, hears: changed(" 130: User notifications changed")},
			step{name: "the same", say: `{"action":"changeusernotify","nodeid":"{d}","notify":6,"responseid":"r"}`},
			step{say: `{"action":"changeusernotify","nodeid":"{d}","notify":0,"responseid":"r"}`, hears: changed(" 130: User notifications changed")},
			step{say: `{"action":"changeusernotify","nodeid":"nothing","notify":6,"responseid":"r"}`, replies: refusal("changeusernotify", "Invalid device identifier")},
			step{say: `{"action":"changeusernotify","nodeid":"{d}","responseid":"r"}`, replies: refusal("changeusernotify", "Invalid notification flags")},
		)
		a := w.s.account(bob)
		require.Equal(t, controlproto.Notify(6), a.Links[g].Notify)
		require.Equal(t, map[controlproto.ID]controlproto.Notify{via: 2}, a.Notify)
		ok, err := w.s.CheckPassword(context.Background(), bob, controlproto.NewSecret("s3cr3t-new"))
		require.NoError(t, err)
		require.True(t, ok)
		w.checkLinks()

		// Whose settings are locked changes nothing.
		s.asker = "eve"
		for _, request := range []string{
			`{"action":"changepassword","oldpass":"x","newpass":"y"}`, `{"action":"changeemail","email":"x@example.com"}`, `{"action":"changelang","lang":"fr"}`,
			`{"action":"removePhone"}`, `{"action":"removeMessaging"}`, `{"action":"otpauth-setup"}`, `{"action":"otpauth-clear"}`, `{"action":"userWebState","state":"{}"}`,
		} {
			s.run(step{say: request})
		}
	})
}

func TestTwoFactor(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		o := w.login("bob")
		ask := o.asked(`{"action":"otpauth-request"}`)
		secret := ask["secret"].(string)
		require.Contains(t, ask["url"], "otpauth://totp/")
		code := func() string {
			c, err := controlproto.TOTPCode(controlproto.NewSecret(secret), w.s.cfg.Now())
			require.NoError(t, err)
			return c.Reveal()
		}
		o.wants(`{"action":"otpauth-getpasswords"}`)
		o.wants(`{"action":"otpauth-clear"}`, `{"action":"otpauth-clear","success":false}`)
		for _, bad := range []string{`"000000"`, `""`, `"x"`, `7`} {
			o.wants(`{"action":"otpauth-setup","secret":"`+secret+`","token":`+bad+`}`, `{"action":"otpauth-setup","success":false}`)
		}
		o.wants(`{"action":"otpauth-setup","secret":"!","token":"000000"}`, `{"action":"otpauth-setup","success":false}`)
		o.all()
		o.send(`{"action":"otpauth-setup","secret":%q,"token":%q}`, secret, code())
		replies, events := split(o.all())
		require.JSONEq(t, `{"action":"otpauth-setup","success":true}`, replies[0])
		require.Equal(t, "accountchange 90: Added authentication application (bob)", brief(t, events[0]))
		require.Contains(t, events[0], `"otpsecret":1`)
		require.NotContains(t, events[0], secret)

		f, err := w.s.Factors(t.Context(), w.s.account(bob).Public(), nil)
		require.NoError(t, err)
		require.True(t, f.Required)
		check := func(code string) bool {
			ok, err := w.s.CheckToken(t.Context(), w.s.account(bob).Public(), controlproto.NewSecret(code))
			require.NoError(t, err)
			return ok
		}
		require.True(t, check(code()), "the code of the set-up has opened nothing yet")
		require.False(t, check(code()), "once")

		codes := o.asked(`{"action":"otpauth-getpasswords","subaction":1}`)["passwords"].([]any)
		require.Len(t, codes, backupCodes)
		first := w.s.account(bob).BackupCodes[0].Code.Reveal()
		require.True(t, check(first))
		require.False(t, check(first), "once")
		require.False(t, check("12345"))
		require.Equal(t, false, o.asked(`{"action":"otpauth-getpasswords"}`)["passwords"].([]any)[0].(map[string]any)["u"])
		o.wants(`{"action":"otpauth-getpasswords","subaction":2}`, `{"action":"otpauth-getpasswords","passwords":null}`)
		o.wants(`{"action":"otp-hkey-get"}`, `{"action":"otp-hkey-get","keys":[]}`)
		o.wants(`{"action":"otpauth-clear"}`, `{"action":"otpauth-clear","success":true}`)
		require.False(t, check(code()))
		require.Error(t, w.s.SendCode(t.Context(), nil, 0))
	})
}

func TestTwoFactorOff(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("bob", 0)
		w.account("eve", controlproto.SiteLockSettings)
		o := w.login("bob")
		o.wants(`{"action":"otpauth-request"}`, `{"action":"otpauth-request","err":4}`)
		o.wants(`{"action":"otpauth-setup","secret":"JBSWY3DPEHPK3PXP","token":"000000"}`)
		o.wants(`{"action":"twoFactorCookie"}`)
		require.NotContains(t, w.login("eve").ask(`{"action":"otpauth-request"}`)[0], "secret")
	}, func(c *Config) { c.Domains = []Domain{{NoTwoFactor: true}} })
}

// TestGuessedPasswords wants an open session not to be a way to guess its account's password.
func TestGuessedPasswords(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("bob", 0)
		s := w.script(nil, "bob")
		wrong := step{say: `{"action":"changepassword","oldpass":"guess","newpass":"s3cr3t-new"}`, replies: []string{
			`{"action":"msg","type":"notify","id":"{*}","value":"Current password not correct.","title":"Account Settings","tag":"ServerNotify","titleid":4,"msgid":21,"userid":"user//bob","username":"bob"}`}}
		for range 10 {
			s.run(wrong)
		}
		s.run(step{say: wrong.say, replies: []string{
			`{"action":"msg","type":"notify","id":"{*}","value":"Error, password not changed.","title":"Account Settings","tag":"ServerNotify","titleid":4,"msgid":19,"userid":"user//bob","username":"bob"}`}})
	})
}
