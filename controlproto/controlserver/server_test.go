package controlserver

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// What a session is told first.
func TestServerInfo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("admin", controlproto.SiteFull)
		w.account("bob", 0)
		first := func(name string) []string {
			o := w.dial(&controlproto.LoginRequest{Origin: "https://example.com", HasOrigin: true, SessionUser: controlproto.UserID("", name)})
			return o.all()
		}
		a := first("admin")
		require.Contains(t, a[0], `"action":"serverinfo"`)
		require.Contains(t, a[1], `"action":"userinfo"`)
		for _, text := range []string{`"manageAllDeviceGroups":true`, `"preConfiguredScripts":[{"name":"up","type":3}]`, `"maxdeviceview":9`, `"guestdevicesharing":false`} {
			require.Contains(t, a[0], text)
		}
		require.NotContains(t, first("bob")[0], "manageAllDeviceGroups")
		d, ok := w.s.Domain("")
		require.True(t, ok)
		require.True(t, d.NoClipboardSet)
	}, func(c *Config) {
		c.ManageAll = []controlproto.ID{"user//admin"}
		c.Domains = []Domain{{
			MaxDeviceView: 9, NoGuestSharing: true, NoClipboardGet: true, NoClipboardSet: true, IdleTimeout: time.Minute,
			Scripts: []Script{{Name: "up", Type: controlproto.ShellUnix, Commands: "uptime"}},
		}}
	})
}

// Administrators of all groups see and manage those that they have no link to; their number follows the settings' groups.
func TestManageAll(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.account("admin", controlproto.SiteFull)
		eve := w.account("eve", controlproto.SiteFull)
		ug := id(controlproto.KindUserGroup, "all")
		require.NotEmpty(t, eve)
		g := w.group("lab", nil)
		d := w.device("pc1", g)
		a, e := w.login("admin"), w.login("eve")
		require.Empty(t, a.asked(`{"action":"nodes"}`)["nodes"])
		require.Equal(t, ug, w.userGroup("all", admin))
		require.Len(t, a.asked(`{"action":"nodes"}`)["nodes"], 1)
		require.Empty(t, e.asked(`{"action":"nodes"}`)["nodes"])
		require.Len(t, a.asked(`{"action":"meshes"}`)["meshes"], 1)
		w.connect(d)
		require.NotEmpty(t, a.events())
		a.wants(`{"action":"deletemesh","meshid":"`+string(g)+`","responseid":"r"}`, ok("deletemesh")...)
	}, func(c *Config) { c.ManageAll = []controlproto.ID{id(controlproto.KindUserGroup, "all")} })
}

// Accounts of one domain see nothing of another one.
func TestDomainsApart(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("mgr", controlproto.SiteFull)
		other := controlproto.UserID("other", "bob")
		g := controlproto.MakeID(controlproto.KindDeviceGroup, "other", id("", "lab").Name())
		d := controlproto.MakeID(controlproto.KindDevice, "other", id("", "pc").Name())
		ug := controlproto.MakeID(controlproto.KindUserGroup, "other", id("", "ops").Name())
		w.update(func(tx *Tx) error {
			for _, f := range []func() error{
				func() error {
					return tx.AddAccount(&Account{Domain: "other", User: controlproto.User{ID: other, Name: "bob"}})
				},
				func() error {
					return tx.AddGroup(&controlproto.DeviceGroup{ID: g, Name: "lab", Domain: "other", GroupType: controlproto.GroupAgent})
				},
				func() error { return tx.AddUserGroup(&controlproto.UserGroup{ID: ug, Name: "ops", Domain: "other"}) },
				func() error {
					return tx.AddDevice(&controlproto.Device{ID: d, Group: g, Name: "pc", Domain: "other"})
				},
				func() error { return tx.Link("user//mgr", "mgr", g, controlproto.FullRights) }, // even with a link
			} {
				if err := f(); err != nil {
					return err
				}
			}
			return nil
		})
		s := w.script(map[string]controlproto.ID{"u": other, "g": g, "d": d, "ug": ug}, "mgr")
		was := w.contents()
		for _, request := range []string{
			`"action":"edituser","userid":"{u}","realname":"x"`, `"action":"deleteuser","userid":"{u}"`, `"action":"notifyuser","userid":"{u}","msg":"x"`,
			`"action":"changeuserpass","userid":"{u}","pass":"x","removeMultiFactor":true`, `"action":"previousLogins","userid":"{u}"`,
			`"action":"editmesh","meshid":"{g}","meshname":"x"`, `"action":"deletemesh","meshid":"{g}"`, `"action":"addmeshuser","meshid":"{g}","usernames":["mgr"],"meshadmin":8`,
			`"action":"removemeshuser","meshid":"{g}","userid":"{u}"`, `"action":"createInviteLink","meshid":"{g}","expire":1,"flags":0`,
			`"action":"changedevice","nodeid":"{d}","name":"x"`, `"action":"removedevices","nodeids":["{d}"]`, `"action":"adddeviceuser","nodeid":"{d}","usernames":["mgr"],"rights":8`,
			`"action":"msg","type":"ps","nodeid":"{d}"`, `"action":"runcommands","nodeids":["{d}"],"type":3,"cmds":"x"`, `"action":"toast","nodeids":["{d}"],"msg":"x"`,
			`"action":"getcookie","nodeid":"{d}"`, `"action":"setDeviceEvent","nodeid":"{d}","msg":"x"`, `"action":"editusergroup","ugrpid":"{ug}","name":"x"`,
			`"action":"deleteusergroup","ugrpid":"{ug}"`, `"action":"addusertousergroup","ugrpid":"{ug}","usernames":["mgr"]`,
			`"action":"createusergroup","name":"x","clone":"{ug}"`, `"action":"meshamtpolicy","meshid":"{g}","amtpolicy":{"type":1}`,
			`"action":"changemeshnotify","meshid":"{g}","notify":2`, `"action":"changeusernotify","nodeid":"{d}","notify":2`,
		} {
			for _, m := range s.ops["mgr"].ask("{%s}", s.fill(request)+`,"responseid":"r"`) {
				if !strings.Contains(request, `"toast"`) { // which confirms before it looks
					require.NotContains(t, []string{"ok", "OK"}, resultOf(t, m), request)
				}
			}
			require.Equal(t, was, w.contents(), request)
		}
		require.NotContains(t, s.ops["mgr"].ask(`{"action":"users"}`)[0], "user/other")
		require.NotContains(t, s.ops["mgr"].ask(`{"action":"usergroups"}`)[0], "ugrp/other")
		require.NotContains(t, s.ops["mgr"].ask(`{"action":"meshes"}`)[0], "mesh/other")
		require.NotContains(t, s.ops["mgr"].ask(`{"action":"nodes"}`)[0], "node/other")
	}, func(c *Config) { c.Domains = []Domain{{ID: "other"}} })
}

func TestTwoFactorCookie(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		r := w.login("bob").asked(`{"action":"twoFactorCookie"}`)
		c, err := w.s.loginCodec().Decode(r["cookie"].(string), 0)
		require.NoError(t, err)
		user, err := c.TwoFactorUser()
		require.NoError(t, err)
		require.Equal(t, bob, user)
		require.Equal(t, 48*time.Hour, c.Expire)
		for a := range w.s.Accounts("") {
			require.Equal(t, bob, a.ID)
		}
		for range w.s.Groups("") {
			t.Error("there are no groups")
		}
		u, err := w.s.User(t.Context(), bob)
		require.NoError(t, err)
		require.Equal(t, "bob", u.Name)
		_, err = w.s.User(t.Context(), "user//none")
		require.ErrorIs(t, err, controlproto.ErrNoUser)
	}, func(c *Config) { c.Domains = []Domain{{TwoFactorCookieAge: 48 * time.Hour}} })
}
