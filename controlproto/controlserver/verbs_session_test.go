package controlserver

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestCookies(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8})
		local := w.groupOf("local", controlproto.GroupLocal, map[controlproto.ID]controlproto.Rights{bob: 8})
		d := w.device("pc1", g)
		l := w.device("rdp", local, func(d *controlproto.Device) { d.MeshType = controlproto.GroupLocal })
		o, e := w.login("bob"), w.login("eve")

		reply := o.asked(`{"action":"authcookie"}`)
		c, err := w.s.loginCodec().Decode(reply["cookie"].(string), controlproto.CookieAgeLogin)
		require.NoError(t, err)
		user, err := c.LoginUser("")
		require.NoError(t, err)
		require.Equal(t, bob, user)
		require.Equal(t, "127.0.0.1", c.Address.String())
		c, err = w.s.loginCodec().Decode(reply["rcookie"].(string), controlproto.CookieAgeRelay)
		require.NoError(t, err)
		require.Equal(t, bob, c.RelayUserID)
		require.NotEmpty(t, w.loginWith(&controlproto.LoginRequest{Cookie: controlproto.NewSecret(reply["cookie"].(string))}))
		for range 300 { // meshctrl would garble every 30th
			require.NotContains(t, o.asked(`{"action":"authcookie"}`)["cookie"], "$$")
		}
		// With a tunnel named they are for it alone.
		reply = o.asked(`{"action":"authcookie","nodeid":%q,"tunnelid":"abc"}`, d.Name())
		codec := w.s.loginCodec()
		codec.Once = new(controlproto.OnceGuard)
		c, err = codec.Decode(reply["cookie"].(string), controlproto.CookieAgeLogin)
		require.NoError(t, err)
		require.Equal(t, []any{bob, d, "abc", controlproto.CookieAgeTunnel}, []any{c.UserID, c.NodeID, c.Tunnel, c.Expire})
		_, err = c.LoginUser("")
		require.ErrorIs(t, err, controlproto.ErrCookiePurpose)
		_, err = codec.Decode(reply["cookie"].(string), controlproto.CookieAgeLogin)
		require.ErrorIs(t, err, controlproto.ErrCookieReplayed)
		c, err = codec.Decode(reply["rcookie"].(string), controlproto.CookieAgeRelay)
		require.NoError(t, err)
		require.Equal(t, []any{bob, d, "abc", ""}, []any{c.RelayUserID, c.NodeID, c.Tunnel, c.Once})
		for _, bad := range []string{`"tunnelid":"abc"`, `"tunnelid":"abc","nodeid":"mesh//x"`, `"tunnelid":"abc","nodeid":"node/other/x"`} {
			require.Equal(t, "Invalid nodeid", o.asked(`{"action":"authcookie","responseid":"r",%s}`, bad)["result"])
		}
		o.wants(`{"action":"logincookie"}`) // the domain does not say so

		reply = o.asked(`{"action":"getcookie","nodeid":%q,"tcpport":3389,"tag":"novnc","name":"n","more":1}`, l)
		require.Equal(t, "n", reply["name"])
		require.Equal(t, true, reply["localRelay"])
		c, err = w.s.loginCodec().Decode(reply["cookie"].(string), controlproto.CookieAgeLogin)
		require.NoError(t, err)
		require.Equal(t, 12, c.Protocol)
		require.True(t, c.Local)
		require.Equal(t, 3389, c.TCPPort)
		_, err = c.LoginUser("")
		require.Error(t, err, "for one tunnel")
		require.NotContains(t, o.asked(`{"action":"getcookie","nodeid":%q}`, d), "localRelay")
		o.wants(`{"action":"getcookie","nodeid":"nothing"}`)
		e.wants(fmt.Sprintf(`{"action":"getcookie","nodeid":%q}`, d))
	})
}

func TestBetweenSessions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("bob", 0)
		w.account("eve", 0)
		w.account("talker", 0)
		b1, b2, e, talker := w.login("bob"), w.login("bob"), w.login("eve"), w.login("talker")
		request := `{"action":"intersession","x":[1,{"y":"z"}]}`
		b1.wants(request)
		require.Equal(t, []string{request}, b2.all())
		require.Empty(t, append(b1.all(), e.all()...))

		var m struct{ Sessionid string }
		talker.wants(`{"action":"interuser","userid":"bob","data":{"a":1}}`)
		got := b1.all()
		require.Len(t, got, 1)
		require.Len(t, b2.all(), 1)
		require.NoError(t, json.Unmarshal([]byte(got[0]), &m))
		require.JSONEq(t, `{"action":"interuser","sessionid":"`+m.Sessionid+`","data":{"a":1},"scope":"user"}`, got[0])
		// An answer goes to that session, also from who may not begin.
		b1.wants(fmt.Sprintf(`{"action":"interuser","sessionid":%q,"data":1}`, m.Sessionid))
		require.Contains(t, talker.all()[0], `"scope":"session"`)
		talker.wants(`{"action":"interuser","userid":"talker","data":1}`)
		require.Empty(t, talker.all(), "no echo")
		for _, request := range []string{
			`{"action":"interuser","userid":"eve","data":1}`, `{"action":"interuser","userid":"user/x/talker","data":1}`, `{"action":"interuser","data":1}`,
			`{"action":"interuser","userid":"talker"}`, `{"action":"interuser","sessionid":"x","data":1}`, `{"action":"interuser","sessionid":"","userid":"","data":1}`,
		} {
			b1.wants(request)
		}
		require.Empty(t, append(e.all(), talker.all()...))
	}, func(c *Config) { c.InterUser = []controlproto.ID{"user//talker"} })
}

// Accounts that are removed or locked lose their sessions, and get no new ones.
func TestSessionsOfRemovedAccounts(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		o := w.login("bob")
		c, ok := w.s.SessionByID(w.s.sessionsOf(bob)[0].ID())
		require.True(t, ok)
		w.update(func(tx *Tx) error {
			return tx.EditAccount(bob, func(a *Account) error { a.SiteRights = controlproto.SiteLocked; return nil })
		})
		o.all()
		require.True(t, o.closed)
		require.Error(t, w.s.Opened(t.Context(), c), "it was locked meanwhile")
		require.Empty(t, w.s.sessionsOf(bob))
		w.update(func(tx *Tx) error { return tx.Remove(KindAccount, bob) })
		require.ErrorIs(t, w.s.Opened(t.Context(), c), controlproto.ErrNoUser)
	})
}
