package controlserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestCreateMesh(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("bob", 0)
		w.account("eve", controlproto.SiteNoNewGroups)
		s := w.script(nil, "bob", "eve")
		created := func(name string) map[string][]string {
			return map[string][]string{"bob": {"accountchange (bob)", "createmesh 76: Device group created: " + name + " (bob)"}}
		}
		reply := []string{`{"action":"createmesh","responseid":"r","result":"ok","meshid":"{*}","links":{"user//bob":{"name":"bob","rights":4294967295}}}`}
		s.run(
			step{say: `{"action":"createmesh","meshname":"lab","meshtype":2,"desc":"d","flags":1,"consent":2,"responseid":"r"}`, replies: reply, hears: created("lab")},
			step{name: "number as text", say: `{"action":"createmesh","meshname":"amt","meshtype":"1","responseid":"r"}`, replies: reply, hears: created("amt")},
			step{say: `{"action":"createmesh","meshname":"","meshtype":2,"responseid":"r"}`, replies: refusal("createmesh", "Invalid group name")},
			step{say: `{"action":"createmesh","meshname":"x","meshtype":2,"desc":"` + strings.Repeat("x", 1025) + `","responseid":"r"}`, replies: refusal("createmesh", "Invalid group description")},
			step{say: `{"action":"createmesh","meshname":"x","meshtype":4,"responseid":"r"}`, replies: refusal("createmesh", "Invalid group type")},
			step{say: `{"action":"createmesh","meshname":"x","responseid":"r"}`, replies: refusal("createmesh", "Invalid group type")},
		)
		s.asker = "eve"
		s.run(step{say: `{"action":"createmesh","meshname":"x","meshtype":2,"responseid":"r"}`, replies: refusal("createmesh", "Permission denied")})
		w.checkLinks()
	})
}

// The devices of a group are reached only through a device that its maker may reach.
func TestRelayOfGroup(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		theirs := w.device("theirs", w.group("a", map[controlproto.ID]controlproto.Rights{eve: controlproto.FullRights}))
		mine := w.group("b", map[controlproto.ID]controlproto.Rights{bob: controlproto.FullRights})
		one, two := w.device("one", mine), w.device("two", mine)
		s := w.script(map[string]controlproto.ID{"theirs": theirs, "one": one, "two": two}, "bob", "eve")
		reply := []string{`{"action":"createmesh","result":"ok","meshid":"{*}","links":"{*}"}`}
		s.run(
			step{say: `{"action":"createmesh","meshname":"no","meshtype":3,"relayid":"{theirs}"}`, replies: reply,
				hears: map[string][]string{"bob": {"accountchange (bob)", "createmesh 76: Device group created: no (bob)"}}},
			step{say: `{"action":"createmesh","meshname":"yes","meshtype":3,"relayid":"{one}"}`, replies: reply,
				hears: map[string][]string{"bob": {"accountchange (bob)", "createmesh 76: Device group created: yes (bob)", "changenode 153: Is a relay for yes. (bob)"}}},
		)
		var g controlproto.ID
		for _, x := range w.s.groupsOf("") {
			switch x.Name {
			case "no":
				require.Empty(t, x.RelayID)
			case "yes":
				require.Equal(t, one, x.RelayID)
				g = x.ID
			}
		}
		s.ids["g"] = string(g)
		s.run(
			step{say: `{"action":"editmesh","meshid":"{g}","relayid":"{theirs}","responseid":"r"}`, replies: ok("editmesh")},
			step{say: `{"action":"editmesh","meshid":"{g}","relayid":"{two}","responseid":"r"}`, replies: ok("editmesh"), hears: map[string][]string{"bob": {
				"meshchange 142: Device relay changed (bob)", "changenode 152: No longer a relay for yes. (bob)", "changenode 153: Is a relay for yes. (bob)"}}},
			step{say: `{"action":"deletemesh","meshid":"{g}","responseid":"r"}`, replies: ok("deletemesh"), hears: map[string][]string{"bob": {
				"deletemesh 77: Device group deleted: yes (bob)", "accountchange 78: Device group membership changed: bob (bob)", "changenode 152: No longer a relay for yes. (bob)"}}},
		)
	})
}

func TestDeleteMesh(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, bob, eve := w.account("admin", controlproto.SiteFull), w.account("bob", 0), w.account("eve", 0)
		ug := w.userGroup("ops", eve)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.FullRights, eve: 8, ug: 8})
		d := w.device("pc1", g)
		w.update(func(tx *Tx) error { return tx.Link(eve, "eve", d, 8) })
		w.connect(d)
		s := w.script(map[string]controlproto.ID{"g": g}, "eve", "bob", "admin")
		require.NotEmpty(t, admin)
		s.run(
			step{say: `{"action":"deletemesh","meshid":"{g}","responseid":"r"}`, replies: refusal("deletemesh", "Access denied")},
			step{say: `{"action":"deletemesh","meshid":"short","responseid":"r"}`, replies: refusal("deletemesh", "Invalid group identifier")},
			step{say: `{"action":"deletemesh","meshid":"mesh//nothing","responseid":"r"}`, replies: refusal("deletemesh", "Unknown device group")},
		)
		s.asker = "admin" // is linked to nothing
		s.run(step{say: `{"action":"deletemesh","meshid":"{g}","responseid":"r"}`, replies: refusal("deletemesh", "Access denied")})
		s.asker = "bob"
		s.run(step{say: `{"action":"deletemesh","meshname":"lab","responseid":"r"}`, replies: ok("deletemesh"), hears: map[string][]string{
			"admin": {
				"deletemesh 77: Device group deleted: lab (bob)",
				"usergroupchange 79: User group changed: ops (bob)",
				"accountchange 78: Device group membership changed: bob (bob)",
				"accountchange 78: Device group membership changed: eve (bob)",
				"accountchange 86: Removed user device rights for eve (eve)",
			},
			"bob": {"deletemesh 77: Device group deleted: lab (bob)", "usergroupchange", "accountchange 78: Device group membership changed: bob (bob)"},
			"eve": {"deletemesh 77: Device group deleted: lab (bob)", "usergroupchange", "accountchange 78: Device group membership changed: eve (bob)", "accountchange 86: Removed user device rights for eve (eve)"},
		}})
		w.checkLinks()
		require.Nil(t, w.s.group(g))
		require.Equal(t, []agentGot{{d, "soft"}}, w.agents.ended)
		require.Empty(t, s.ops["eve"].asked(`{"action":"nodes"}`)["nodes"])
	})
}

func TestEditMesh(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.EditGroup, eve: 8})
		other := w.group("other", map[controlproto.ID]controlproto.Rights{bob: controlproto.EditGroup})
		w.group("two", map[controlproto.ID]controlproto.Rights{bob: 1})
		id2 := w.group("two2", map[controlproto.ID]controlproto.Rights{bob: 1})
		w.update(func(tx *Tx) error {
			return tx.EditGroup(id2, func(g *controlproto.DeviceGroup) error { g.Name = "two"; return nil })
		})
		s := w.script(map[string]controlproto.ID{"g": g, "other": other}, "bob", "eve")
		changed := func(text string) map[string][]string {
			return map[string][]string{"bob": {"meshchange 142: " + text + " (bob)"}, "eve": {"meshchange 142: " + text + " (bob)"}}
		}
		s.run(
			step{say: `{"action":"editmesh","meshid":"{g}","meshname":"Lab","desc":"d","flags":1,"consent":2,"expireDevs":3,"invite":{"codes":["c1"],"flags":0},"responseid":"r"}`,
				replies: ok("editmesh"), hears: changed(`Device group name changed from "lab" to "Lab" and description changed and flags changed and consent changed and auto-remove changed and invite code changed`)},
			step{name: "nothing", say: `{"action":"editmesh","meshid":"{g}","meshname":"Lab","flags":1,"responseid":"r"}`, replies: ok("editmesh")},
			step{name: "not as texts", say: `{"action":"editmesh","meshid":"{g}","flags":"7","expireDevs":2001,"responseid":"r"}`, replies: ok("editmesh")},
			step{say: `{"action":"editmesh","meshid":"{g}","invite":"*","responseid":"r"}`, replies: ok("editmesh"), hears: changed(`Device group "Lab" invite code changed`)},
			step{say: `{"action":"editmesh","meshidname":"Lab","invite":{"codes":["c2"],"flags":2},"responseid":"r"}`, replies: ok("editmesh"), hears: changed(`Device group "Lab" invite code changed`)},
			step{name: "taken", say: `{"action":"editmesh","meshid":"{other}","meshname":"no","invite":{"codes":["c9","c2"],"flags":0},"responseid":"r"}`, replies: []string{
				`{"action":"msg","type":"notify","id":"{*}","value":"Error, invite code \"c2\" already in use.","title":"Invite Codes","titleid":6,"msgid":22,"args":["c2"],"userid":"user//bob","username":"bob"}`}},
			step{name: "two", say: `{"action":"editmesh","meshidname":"two","responseid":"r"}`, replies: refusal("editmesh", "Duplicate device groups found")},
			step{name: "unknown", say: `{"action":"editmesh","meshid":"mesh//nothing","responseid":"r"}`, replies: refusal("editmesh", "Invalid group identifier ")},
			step{name: "none", say: `{"action":"editmesh","responseid":"r"}`, replies: refusal("editmesh", "Invalid group identifier")},
		)
		s.asker = "eve"
		s.run(step{name: "may not", say: `{"action":"editmesh","meshid":"{g}","meshname":"x","responseid":"r"}`})
		require.Equal(t, "other", w.s.group(other).Name)
		require.Equal(t, []string{"c2"}, w.s.group(g).Invite.Codes)
	})
}

func TestMeshAMTPolicy(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.EditGroup, eve: 8})
		s := w.script(map[string]controlproto.ID{"g": g}, "bob", "eve")
		changed := map[string][]string{"bob": {"meshchange 141: Intel(r) AMT policy change (bob)"}, "eve": {"meshchange 141: Intel(r) AMT policy change (bob)"}}
		policy := func(p string) string { return `{"action":"meshamtpolicy","meshid":"{g}","amtpolicy":` + p + `}` }
		s.run(
			step{say: policy(`{"type":2,"password":"s3cr3t-amt","cirasetup":1,"badpass":1}`), hears: changed},
			step{name: "keeps a password", say: policy(`{"type":3,"cirasetup":2,"ccm":2}`), hears: changed},
			step{name: "too short", say: policy(`{"type":2,"password":"short","cirasetup":0}`), hears: changed},
			step{say: policy(`{"type":5}`)},
			step{say: policy(`{"type":2}`)},
			step{say: policy(`{"type":3,"cirasetup":3}`)},
			step{say: policy(`{"type":2,"cirasetup":0,"password":"` + strings.Repeat("x", 33) + `"}`)},
		)
		require.Equal(t, "s3cr3t-amt", w.s.group(g).AMT.Password.Reveal())
		require.Contains(t, s.ops["eve"].ask(`{"action":"meshes"}`)[0], `"password":`) // which one is looked for in all that is sent
		s.asker = "eve"
		s.run(step{say: policy(`{"type":0}`)})
		s.asker = "bob"
		s.run(step{say: policy(`{"type":0}`), hears: changed})
		require.Empty(t, w.s.group(g).AMT.Password.Reveal())
	})
}

func TestAddMeshUser(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.account("admin", 0)
		mgr, bob := w.account("mgr", 0), w.account("bob", 0)
		w.account("eve", 0)
		ug := w.userGroup("ops", bob)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights, mgr: controlproto.ManageUsers})
		s := w.script(map[string]controlproto.ID{"g": g, "ug": ug}, "mgr", "bob")
		add := func(rest string) string {
			return `{"action":"addmeshuser","meshid":"{g}","responseid":"r",` + rest + `}`
		}
		result := func(text string, done, failed int) []string {
			return []string{fmt.Sprintf(`{"action":"addmeshuser","responseid":"r","result":%q,"success":%d,"failed":%d}`, text, done, failed)}
		}
		s.run(
			step{say: add(`"usernames":["BOB"],"meshadmin":8`), replies: result("Added user bob", 1, 0), hears: map[string][]string{
				"mgr": {"meshchange: Added user bob to device group lab (mgr)"},
				"bob": {"accountchange 78: Device group membership changed: bob (mgr)", "meshchange: Added user bob to device group lab (mgr)"},
			}},
			step{name: "a user group", say: add(`"userid":"{ug}","meshadmin":64`), replies: result("Added user "+ug.Name(), 1, 0), hears: map[string][]string{
				"mgr": {"usergroupchange", "meshchange: Added user ops to device group lab (mgr)"},
				"bob": {"usergroupchange", "meshchange: Added user ops to device group lab (mgr)"},
			}},
			step{name: "all at once", say: add(`"userids":["user//mgr","user//admin","user/x/bob","user//nobody","bob"],"meshadmin":8`), replies: []string{
				`{"action":"msg","type":"notify","id":"{*}","value":"User nobody not found.","title":"Device Group","tag":"ServerNotify","titleid":5,"msgid":15,"args":["nobody"],"userid":"user//mgr","username":"mgr"}`,
				result("Can't change self, Can't change rights of device group administrator, Mismatch domains, Unknown user nobody, Mismatch domains", 0, 1)[0]}},
			step{name: "administrator", say: add(`"usernames":["eve"],"meshadmin":4294967295`), replies: result("Can't set device group administrator, if not administrator, Nothing done", 0, 0)},
			step{name: "in the other spelling", say: add(`"usernames":["eve"],"meshadmin":-1`), replies: result("Can't set device group administrator, if not administrator, Nothing done", 0, 0)},
			step{name: "unknown names", say: add(`"usernames":["nobody"],"meshadmin":8`), replies: result("Nothing done", 0, 0)},
			step{name: "no number", say: add(`"usernames":["eve"],"meshadmin":"8"`), replies: refusal("addmeshuser", "Invalid group rights")},
			step{name: "too many", say: add(`"usernames":["eve"],"meshadmin":99999999999`), replies: refusal("addmeshuser", "Invalid group rights")},
			step{name: "no rights", say: add(`"usernames":["eve"]`), replies: refusal("addmeshuser", "Invalid group rights")},
			step{name: "nobody", say: add(`"meshadmin":8`), replies: refusal("addmeshuser", "Invalid usernames")},
			step{say: `{"action":"addmeshuser","meshid":"mesh//nothing","usernames":["eve"],"meshadmin":8,"responseid":"r"}`, replies: refusal("addmeshuser", "Unknown group")},
			step{say: `{"action":"addmeshuser","usernames":["eve"],"meshadmin":8,"responseid":"r"}`, replies: refusal("addmeshuser", "Invalid groupid")},
			step{name: "away", say: add(`"usernames":["bob"],"meshadmin":0,"remove":true`), replies: result("Removed user bob", 1, 0), hears: map[string][]string{
				"mgr": {"meshchange: Removed user bob from device group lab (mgr)"},
				"bob": {"accountchange 78: Device group membership changed: bob (mgr)", "meshchange: Removed user bob from device group lab (mgr)"},
			}},
		)
		w.checkLinks()
		require.Equal(t, controlproto.Rights(64), w.s.group(g).Links[ug].Rights)
		s.asker = "bob"
		s.run(step{say: add(`"usernames":["eve"],"meshadmin":8`), replies: refusal("addmeshuser", "Permission denied")})
	})
}

func TestRemoveMeshUser(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, mgr, bob := w.account("admin", 0), w.account("mgr", 0), w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights, mgr: controlproto.ManageUsers, bob: 8})
		s := w.script(map[string]controlproto.ID{"g": g}, "bob", "mgr", "admin")
		remove := func(who string) string {
			return `{"action":"removemeshuser","meshid":"{g}","responseid":"r","userid":"` + who + `"}`
		}
		s.run(step{say: remove("bob"), replies: refusal("removemeshuser", "Permission denied")})
		s.asker = "mgr"
		s.run(
			step{say: remove("mgr"), replies: refusal("removemeshuser", "Can't remove self")},
			step{say: remove(""), replies: refusal("removemeshuser", "Invalid userid")},
			step{say: remove("user/x/bob"), replies: refusal("removemeshuser", "Invalid userid")},
			step{name: "an administrator", say: remove("admin")},
			step{say: remove("nobody"), replies: refusal("removemeshuser", "User not in group")},
			step{say: `{"action":"removemeshuser","meshid":"mesh//nothing","userid":"mgr","responseid":"r"}`, replies: refusal("removemeshuser", "Unknown device group")},
			step{say: remove("bob"), replies: ok("removemeshuser"), hears: map[string][]string{
				"mgr": {"meshchange 83: Removed user bob from device group lab (mgr)"}, "admin": {"meshchange 83: Removed user bob from device group lab (mgr)"},
				"bob": {"accountchange 78: Device group membership changed: bob (mgr)", "meshchange 83: Removed user bob from device group lab (mgr)"},
			}},
		)
		require.Contains(t, w.s.group(g).Links, admin)
		w.checkLinks()
	})
}

func TestInvitations(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 0})
		s := w.script(map[string]controlproto.ID{"g": g}, "bob", "eve")
		link := func(rest string) string {
			return `{"action":"createInviteLink","responseid":"r","tag":"t",` + rest + `}`
		}
		s.run(
			step{say: link(`"meshid":"{g}","expire":2,"flags":1,"agents":3`), replies: []string{
				s.fill(`{"action":"createInviteLink","responseid":"r","tag":"t","meshid":"{g}","url":"{*}","cookie":"{*}","expire":2}`)}},
			step{say: link(`"meshname":"lab","expire":0,"flags":0`), replies: []string{
				s.fill(`{"action":"createInviteLink","responseid":"r","tag":"t","meshid":"{g}","url":"{*}","cookie":"{*}","expire":0}`)}},
			step{say: link(`"meshid":"{g}","expire":100000,"flags":0`), replies: refusal("createInviteLink", "Invalid expire time")},
			step{say: link(`"meshid":"{g}","expire":-1,"flags":0`), replies: refusal("createInviteLink", "Invalid expire time")},
			step{say: link(`"meshid":"{g}","flags":0`), replies: refusal("createInviteLink", "Invalid expire time")},
			step{say: link(`"meshid":"{g}","expire":1,"flags":257`), replies: refusal("createInviteLink", "Invalid flags")},
			step{say: link(`"meshid":"{g}","expire":1`), replies: refusal("createInviteLink", "Invalid flags")},
			step{say: link(`"meshid":"mesh//nothing","expire":1,"flags":0`), replies: refusal("createInviteLink", "Invalid group id")},
			step{say: `{"action":"inviteAgent","meshid":"{g}","responseid":"r"}`, replies: refusal("inviteAgent", "Unsupported feature")},
		)
		reply := s.ops["bob"].asked(`{"action":"createInviteLink","meshid":%q,"expire":2,"flags":1,"agents":3}`, g)
		c, err := w.s.inviteCodec().Decode(reply["cookie"].(string), 0)
		require.NoError(t, err)
		require.Equal(t, g, c.InviteGroup)
		require.Equal(t, "https://example.com/agentinvite?c="+reply["cookie"].(string), reply["url"])
		s.asker = "eve"
		s.run(step{say: link(`"meshid":"{g}","expire":1,"flags":0`), replies: refusal("createInviteLink", "Invalid group id")})
	})
}
