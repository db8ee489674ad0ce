package controlserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestAddUser(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("admin", controlproto.SiteFull)
		w.account("mgr", controlproto.SiteManageUsers)
		w.account("bob", 0)
		s := w.script(nil, "mgr", "admin", "bob")
		heard := func(text string) map[string][]string { return map[string][]string{"mgr": {text}, "admin": {text}} }
		wrong := func(text string, id int) []string {
			return []string{fmt.Sprintf(`{"action":"adduser","responseid":"r","result":%q,"msgid":%d}`, text, id)}
		}
		s.run(
			step{say: `{"action":"adduser","username":"Carl","pass":"s3cr3t-1","responseid":"r"}`, replies: ok("adduser"),
				hears: heard("accountcreate 64: Account created, username is Carl (carl)")},
			step{say: `{"action":"adduser","username":"dora","pass":"s3cr3t-1","email":"Dora@Example.com","emailVerified":true,"responseid":"r"}`,
				replies: ok("adduser"), hears: heard("accountcreate 65: Account created, email is dora@example.com (dora)")},
			step{say: `{"action":"adduser","username":"emil","randomPassword":true,"resetNextLogin":true}`,
				hears: heard("accountcreate 64: Account created, username is emil (emil)")},
			step{name: "there is one", say: `{"action":"adduser","username":"CARL","pass":"s3cr3t-1","responseid":"r"}`, replies: wrong("User already exists", 7)},
			step{name: "there is one before rights", say: `{"action":"adduser","username":"carl","siteadmin":4294967295,"pass":"s3cr3t-1","responseid":"r"}`, replies: wrong("User already exists", 7)},
			step{name: "more than he may give", say: `{"action":"adduser","username":"x","siteadmin":2,"pass":"s3cr3t-1","responseid":"r"}`, replies: wrong("Invalid site permissions", 6)},
			step{name: "all rights", say: `{"action":"adduser","username":"x","siteadmin":-1,"pass":"s3cr3t-1","responseid":"r"}`, replies: wrong("Invalid site permissions", 6)},
			step{name: "no number", say: `{"action":"adduser","username":"x","siteadmin":"32","pass":"s3cr3t-1","responseid":"r"}`, replies: wrong("Invalid site permissions", 6)},
			step{name: "bad name", say: `{"action":"adduser","username":"~x","pass":"s3cr3t-1","responseid":"r"}`, replies: wrong("Invalid username", 2)},
			step{name: "bad name", say: `{"action":"adduser","username":"a/b","pass":"s3cr3t-1","responseid":"r"}`, replies: wrong("Invalid username", 2)},
			step{name: "no name", say: `{"action":"adduser","pass":"s3cr3t-1","responseid":"r"}`, replies: wrong("Invalid username", 2)},
			step{name: "no password", say: `{"action":"adduser","username":"x","responseid":"r"}`, replies: wrong("Invalid password", 3)},
			step{name: "bad mail", say: `{"action":"adduser","username":"x","pass":"s3cr3t-1","email":"nobody","responseid":"r"}`, replies: wrong("Invalid email", 4)},
			step{name: "not asked", say: `{"action":"adduser","username":"~x","pass":"s3cr3t-1"}`, replies: []string{
				`{"action":"msg","type":"notify","id":"{*}","value":"Invalid username","title":"New Account","tag":"ServerNotify","titleid":1,"msgid":2,"userid":"user//mgr","username":"mgr"}`}},
			step{name: "locked", say: `{"action":"adduser","username":"lock","siteadmin":32,"pass":"s3cr3t-1","responseid":"r"}`, replies: ok("adduser"),
				hears: heard("accountcreate 64: Account created, username is lock (lock)")},
		)
		s.asker = "bob"
		s.run(step{say: `{"action":"adduser","username":"x","pass":"s3cr3t-1","responseid":"r"}`, replies: refusal("adduser", "Permission denied")})
		require.EqualValues(t, -1, w.s.account("user//emil").PassChange)
		require.True(t, w.s.account("user//dora").EmailVerified)
		require.NotEmpty(t, w.s.account("user//carl").PasswordHash.Reveal())
	})
}

func TestAddUserLimits(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("mgr", controlproto.SiteManageUsers)
		w.account("bob", 0)
		s := w.script(nil, "mgr")
		limit := []string{`{"action":"msg","type":"notify","id":"{*}","value":"Account limit reached.","title":"Server Limit","titleid":2,"msgid":10,
			"userid":"user//mgr","username":"mgr","domain":""}`}
		s.run(
			step{say: `{"action":"adduserbatch","users":[{"user":"a","pass":"s3cr3t-1A"},{"user":"b","pass":"s3cr3t-1A"}]}`, replies: limit},
			step{say: `{"action":"adduser","username":"weak","pass":"nope","responseid":"r"}`,
				replies: []string{`{"action":"adduser","responseid":"r","result":"Invalid password","msgid":3}`}},
			step{say: `{"action":"adduser","username":"a","pass":"s3cr3t-1A","responseid":"r"}`, replies: ok("adduser"),
				hears: map[string][]string{"mgr": {"accountcreate 64: Account created, username is a (a)"}}},
			step{say: `{"action":"adduser","username":"b","pass":"s3cr3t-1A","responseid":"r"}`, replies: refusal("adduser", "maxUsersExceed")},
			step{say: `{"action":"adduser","username":"b","pass":"s3cr3t-1A"}`, replies: limit},
		)
	}, func(c *Config) {
		c.Domains = []Domain{{MaxUsers: 3, Password: PasswordRules{Min: 6, Upper: 1, Lower: 1, Numeric: 1, Special: 1}}}
	})
}

func TestAddUserBatch(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("mgr", controlproto.SiteManageUsers)
		w.account("bob", 0)
		s := w.script(nil, "mgr", "bob")
		s.run(
			step{say: `{"action":"adduserbatch","users":[{"user":"a","pass":"s3cr3t-1"},{"user":"bob","pass":"s3cr3t-1"},{"user":"c","pass":"s3cr3t-1","email":"c@example.com"}],"responseid":"r"}`,
				hears: map[string][]string{"mgr": {"accountcreate 64: Account created, username is a (a)", "accountcreate 65: Account created, email is c@example.com (c)"}}},
			step{name: "all or none", say: `{"action":"adduserbatch","users":[{"user":"d","pass":"s3cr3t-1"},{"user":"e f","pass":"s3cr3t-1"}],"responseid":"r"}`, replies: refusal("adduserbatch", "Invalid username")},
			step{say: `{"action":"adduserbatch","users":[{"user":"d"}],"responseid":"r"}`, replies: refusal("adduserbatch", "Invalid password")},
			step{say: `{"action":"adduserbatch","users":[{"user":"d","pass":"s3cr3t-1","email":"x"}],"responseid":"r"}`, replies: refusal("adduserbatch", "Invalid email")},
			step{say: `{"action":"adduserbatch","users":"a","responseid":"r"}`, replies: refusal("adduserbatch", "Invalid users")},
			step{say: `{"action":"adduserbatch","responseid":"r"}`, replies: refusal("adduserbatch", "Invalid users")},
			step{say: `{"action":"adduserbatch","users":[` + strings.Repeat(`{},`, 1000) + `{}],"responseid":"r"}`, replies: refusal("adduserbatch", "Too many users")},
		)
		require.Nil(t, w.s.account("user//d"))
		s.asker = "bob"
		s.run(step{say: `{"action":"adduserbatch","users":[],"responseid":"r"}`, replies: refusal("adduserbatch", "Access denied")})
	})
}

func TestEditUser(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("admin", controlproto.SiteFull)
		w.account("mgr", controlproto.SiteManageUsers)
		w.account("bob", 0)
		s := w.script(nil, "mgr", "admin", "bob")
		changed := map[string][]string{}
		for _, n := range []string{"mgr", "admin", "bob"} {
			changed[n] = []string{"accountchange 66: Account changed: bob (mgr)"}
		}
		edit := func(more string) string { return `{"action":"edituser","id":"bob","responseid":"r",` + more + `}` }
		s.run(
			step{say: edit(`"email":"Bob@Example.com","emailVerified":true,"realname":"Bob B","quota":5,"consent":2,"phone":"+1 555 0100 200","msghandle":"h","flags":2,"removeRights":8`),
				replies: ok("edituser"), hears: changed},
			step{name: "quota goes", say: edit(`"realname":"Bob B"`), replies: ok("edituser"), hears: changed},
			step{name: "nothing", say: edit(`"realname":"Bob B"`), replies: ok("edituser")},
			step{name: "a manager", say: edit(`"siteadmin":2`), replies: ok("edituser"), hears: changed},
			step{name: "more than he may give", say: edit(`"siteadmin":4294967295`), replies: ok("edituser")},
			step{name: "more than he has", say: edit(`"siteadmin":256`), replies: ok("edituser")},
			step{name: "his own", say: `{"action":"edituser","userid":"user//mgr","siteadmin":4294967295,"responseid":"r"}`, replies: ok("edituser")},
			step{name: "an administrator", say: `{"action":"edituser","username":"admin","realname":"x","responseid":"r"}`, replies: refusal("edituser", "Permission denied")},
			step{name: "nobody", say: `{"action":"edituser","userid":"nobody","responseid":"r"}`, replies: refusal("edituser", "User does not exists")},
			step{name: "another domain", say: `{"action":"edituser","userid":"user/x/bob","responseid":"r"}`, replies: refusal("edituser", "User does not exists")},
			step{name: "case", say: `{"action":"edituser","userid":"Bob","responseid":"r"}`, replies: refusal("edituser", "User does not exists")},
			step{name: "no id", say: `{"action":"edituser","responseid":"r"}`, replies: refusal("edituser", "Invalid userid")},
			step{name: "texts are no numbers", say: edit(`"siteadmin":"0","flags":"0","emailVerified":"false","removeRights":"0"`), replies: ok("edituser")},
			step{name: "realms", say: edit(`"groups":["West ","east","WEST",""]`), replies: ok("edituser"), hears: changed},
		)
		a := w.s.account("user//bob")
		require.Equal(t, "bob@example.com", a.Email)
		require.True(t, a.EmailVerified)
		require.Equal(t, []string{"east", "west"}, a.Realms)
		require.Equal(t, controlproto.SiteManageUsers, a.SiteRights)
		require.Zero(t, a.Quota)
		require.Equal(t, controlproto.SiteManageUsers, w.s.account("user//mgr").SiteRights)

		s.asker = "admin"
		s.run(step{name: "locked", say: `{"action":"edituser","id":"bob","siteadmin":32,"groups":[],"email":""}`, hears: map[string][]string{
			"admin": {"accountchange 66: Account changed: bob (admin)", "wssessioncount (bob)"},
			"mgr":   {"accountchange 66: Account changed: bob (admin)", "wssessioncount (bob)"}, "bob": {"close  :"},
		}})
		require.True(t, s.ops["bob"].closed)
		require.Nil(t, w.s.account("user//bob").Realms)
		require.False(t, w.s.account("user//bob").EmailVerified)
	})
}

// Who has realms sees and manages only accounts that share one, also as a full administrator.
func TestRealms(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("mgr", controlproto.SiteManageUsers)
		w.account("bob", 0)
		w.account("west", 0)
		w.update(func(tx *Tx) error {
			for id, realms := range map[controlproto.ID][]string{"user//mgr": {"w"}, "user//west": {"v", "w"}} {
				if err := tx.EditAccount(id, func(a *Account) error { a.Realms = realms; return nil }); err != nil {
					return err
				}
			}
			return nil
		})
		s := w.script(nil, "mgr", "bob", "west")
		m := s.ops["mgr"]
		users := fmt.Sprint(m.asked(`{"action":"users","tag":1}`))
		require.Contains(t, users, "user//west")
		require.NotContains(t, users, "user//bob")
		require.Equal(t, map[string]any{"user//mgr": 1.0, "user//west": 1.0}, m.asked(`{"action":"wssessioncount"}`)["wssessions"])
		s.run(
			step{say: `{"action":"edituser","id":"bob","realname":"x","responseid":"r"}`, replies: refusal("edituser", "Invalid user group")},
			step{say: `{"action":"deleteuser","userid":"bob","responseid":"r"}`, replies: refusal("deleteuser", "Invalid user group")},
			step{say: `{"action":"changeuserpass","userid":"user//bob","pass":"s3cr3t-2","removeMultiFactor":false}`},
			step{say: `{"action":"notifyuser","userid":"user//bob","msg":"hello"}`},
			step{say: `{"action":"previousLogins","userid":"user//bob"}`},
			step{say: `{"action":"userbroadcast","msg":"hello","responseid":"r"}`, replies: []string{
				`{"action":"msg","type":"notify","domain":"","value":"hello","title":"mgr","icon":0,"tag":"broadcast","id":"{*}"}`,
				ok("userbroadcast")[0],
			}, hears: map[string][]string{"west": {"msg notify mgr: hello"}}},
			step{say: `{"action":"adduser","username":"new","pass":"s3cr3t-1","responseid":"r"}`, replies: ok("adduser"),
				hears: map[string][]string{"mgr": {"accountcreate 64: Account created, username is new (new)"}}},
		)
		require.Equal(t, []string{"w"}, w.s.account("user//new").Realms)
		w.update(func(tx *Tx) error {
			return tx.EditAccount("user//mgr", func(a *Account) error { a.SiteRights = controlproto.SiteFull; return nil })
		})
		s.run(step{say: `{"action":"edituser","id":"bob","realname":"x","responseid":"r"}`, replies: refusal("edituser", "Invalid user group")})
	})
}

func TestDeleteUser(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.account("admin", controlproto.SiteFull)
		w.account("mgr", controlproto.SiteManageUsers)
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights, bob: 8})
		d := w.device("pc1", g)
		ug := w.userGroup("ops", bob)
		w.update(func(tx *Tx) error {
			if err := tx.Link(bob, "bob", d, 64); err != nil {
				return err
			}
			if err := tx.PutDocument(KindLoginToken, "~t:x", string(bob), 0, &LoginToken{UserID: bob}); err != nil {
				return err
			}
			return tx.PutDocument(KindNotes, "p"+string(bob), "", 0, &Notes{Text: "mine"})
		})
		s := w.script(nil, "mgr", "admin", "bob")
		s.run(
			step{name: "an administrator", say: `{"action":"deleteuser","userid":"admin","responseid":"r"}`, replies: refusal("deleteuser", "Permission denied")},
			step{name: "nobody", say: `{"action":"deleteuser","userid":"nobody","responseid":"r"}`, replies: refusal("deleteuser", "User does not exists")},
			step{name: "no id", say: `{"action":"deleteuser","responseid":"r"}`, replies: refusal("deleteuser", "Invalid userid")},
			step{say: `{"action":"deleteuser","userid":"bob","responseid":"r"}`, replies: ok("deleteuser"), hears: map[string][]string{
				"admin": {
					"meshchange 72: Removed user bob from device group lab (mgr)",
					"changenode 61: Changed user device rights for pc1 (mgr)",
					"usergroupchange 62: Removed user bob from user group ops (mgr)",
					"accountremove 63: Account removed (bob)",
				},
				"mgr": {
					"meshchange 72: Removed user bob from device group lab (mgr)",
					"usergroupchange",
					"accountremove 63: Account removed (bob)",
				},
				"bob": {"close  :"},
			}},
		)
		require.True(t, s.ops["bob"].closed)
		w.checkLinks()
		require.NotContains(t, w.s.userGroup(ug).Links, bob)
		for kind, id := range map[Kind]string{KindLoginToken: "~t:x", KindNotes: "p" + string(bob), KindAccount: string(bob)} {
			found, err := w.s.document(t.Context(), kind, id, new(Notes))
			require.NoError(t, err)
			require.False(t, found, kind)
		}
	})
}

// userGroup makes a user group with members.
func (w *world) userGroup(name string, members ...controlproto.ID) controlproto.ID {
	w.t.Helper()
	g := &controlproto.UserGroup{Type: controlproto.KindUserGroup, ID: id(controlproto.KindUserGroup, name), Name: name}
	w.update(func(tx *Tx) error {
		if err := tx.AddUserGroup(g); err != nil {
			return err
		}
		for _, m := range members {
			if err := tx.joinUserGroup(nil, g, m, 1); err != nil {
				return err
			}
		}
		return nil
	})
	return g.ID
}

func TestChangeUserPass(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("admin", controlproto.SiteFull)
		w.account("mgr", controlproto.SiteManageUsers)
		bob := w.account("bob", 0)
		w.update(func(tx *Tx) error {
			return tx.EditAccount(bob, func(a *Account) error {
				a.TOTPSecret, a.Phone = controlproto.NewSecret("s3cr3t-totp"), "+1555010020"
				return nil
			})
		})
		s := w.script(nil, "mgr", "admin", "bob")
		changed := []string{"accountchange 75: Changed account credentials (mgr)"}
		all := map[string][]string{"mgr": changed, "admin": changed, "bob": changed}
		s.run(
			step{say: `{"action":"changeuserpass","userid":"user//bob","pass":"s3cr3t-2","hint":"s3cr3t-hint","removeMultiFactor":false,"responseid":"r"}`, hears: all},
			step{name: "no bool", say: `{"action":"changeuserpass","userid":"user//bob","pass":"s3cr3t-3","removeMultiFactor":1}`},
			step{name: "missing", say: `{"action":"changeuserpass","userid":"user//bob","pass":"s3cr3t-3"}`},
			step{name: "no password member", say: `{"action":"changeuserpass","userid":"user//bob","removeMultiFactor":true}`},
			step{name: "an administrator", say: `{"action":"changeuserpass","userid":"user//admin","pass":"s3cr3t-3","removeMultiFactor":false}`},
		)
		ok, err := w.s.CheckPassword(t.Context(), bob, controlproto.NewSecret("s3cr3t-2"))
		require.NoError(t, err)
		require.True(t, ok)
		require.NotEmpty(t, w.s.account(bob).TOTPSecret.Reveal())
		s.run(step{say: `{"action":"changeuserpass","userid":"user//bob","pass":"","removeMultiFactor":true,"resetNextLogin":true}`, hears: all})
		a := w.s.account(bob)
		require.Empty(t, a.TOTPSecret.Reveal())
		require.Empty(t, a.Phone)
		require.EqualValues(t, -1, a.PassChange)
		ok, err = w.s.CheckPassword(t.Context(), bob, controlproto.NewSecret("s3cr3t-2"))
		require.NoError(t, err)
		require.True(t, ok, "an empty password keeps the old one")
	})
}

func TestUserMessages(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("mgr", controlproto.SiteManageUsers)
		bob := w.account("bob", 0)
		w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8})
		s := w.script(map[string]controlproto.ID{"g": g}, "mgr", "bob", "eve")
		note := `{"action":"msg","type":"notify","domain":"","value":"hi","title":"mgr","icon":0,"tag":"broadcast","id":"{*}","maxtime":5}`
		s.run(
			step{say: `{"action":"notifyuser","userid":"user//bob","msg":"hi","maxtime":3,"url":"https://example.com"}`, hears: map[string][]string{"bob": {"msg notify mgr: hi"}}},
			step{say: `{"action":"notifyuser","userid":"user//bob","msg":"hi","msgid":11}`, hears: map[string][]string{"bob": {"msg notify mgr: Chat Request, Click here to accept."}}},
			step{say: `{"action":"notifyuser","userid":"user//bob","msg":""}`},
			step{say: `{"action":"notifyuser","userid":"user//nobody","msg":"hi"}`},
			step{say: `{"action":"userbroadcast","msg":"hi","maxtime":5,"responseid":"r"}`, replies: []string{note, ok("userbroadcast")[0]},
				hears: map[string][]string{"bob": {"msg notify mgr: hi"}, "eve": {"msg notify mgr: hi"}}},
			step{say: `{"action":"userbroadcast","msg":"hi","userid":"bob","responseid":"r"}`, replies: ok("userbroadcast"), hears: map[string][]string{"bob": {"msg notify mgr: hi"}}},
			step{say: `{"action":"userbroadcast","msg":"hi","target":"{g}"}`, hears: map[string][]string{"bob": {"msg notify mgr: hi"}}},
			step{say: `{"action":"userbroadcast","msg":"","responseid":"r"}`, replies: refusal("userbroadcast", "Message is too long")},
			step{say: `{"action":"userbroadcast","msg":"` + strings.Repeat("x", 513) + `","responseid":"r"}`, replies: refusal("userbroadcast", "Message is too long")},
			step{say: `{"action":"wssessioncount","tag":"t"}`, replies: []string{`{"action":"wssessioncount","tag":"t","wssessions":{"user//mgr":1,"user//bob":1,"user//eve":1}}`}},
		)
		s.asker = "bob"
		s.run(
			step{say: `{"action":"userbroadcast","msg":"hi","responseid":"r"}`, replies: refusal("userbroadcast", "Permission denied")},
			step{say: `{"action":"notifyuser","userid":"user//eve","msg":"hi"}`},
			step{say: `{"action":"users","responseid":"r"}`, replies: refusal("users", "Access denied")},
			step{say: `{"action":"wssessioncount"}`, replies: []string{`{"action":"wssessioncount","wssessions":{}}`}},
		)
	})
}
