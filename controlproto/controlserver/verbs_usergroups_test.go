package controlserver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestUserGroups(t *testing.T) {
	inWorld(t, func(w *world) {
		mgr := w.account("mgr", controlproto.SiteUserGroups|controlproto.SiteManageUsers)
		bob := w.account("bob", 0)
		w.account("eve", 0)
		ug := w.userGroup("ops", bob)
		lab := w.group("lab", map[controlproto.ID]controlproto.Rights{mgr: controlproto.FullRights, ug: 8})
		d := w.device("pc1", lab)
		w.update(func(tx *Tx) error { return tx.Link(ug, "ops", d, 64) })
		s := w.script(map[string]controlproto.ID{"ug": ug, "lab": lab}, "mgr", "bob", "eve")
		s.run(
			step{name: "like another", say: `{"action":"createusergroup","name":"twin","desc":"d","clone":"{ug}"}`, replies: []string{
				`{"action":"createusergroup","result":"ok","ugrpid":"{*}","links":"{*}"}`}, hears: map[string][]string{
				"mgr": {"createusergroup 69: User group created: twin (mgr)", "meshchange 68: Added user group twin to device group lab (mgr)", "accountchange 67: User group membership changed: bob (mgr)"},
				"bob": {"createusergroup", "meshchange 68: Added user group twin to device group lab (mgr)", "accountchange 67: User group membership changed: bob (mgr)"},
			}},
			step{say: `{"action":"createusergroup","name":"","responseid":"r"}`, replies: refusal("createusergroup", "Invalid group name")},
			step{say: `{"action":"createusergroup","name":"x","desc":"` + strings.Repeat("x", 1025) + `","responseid":"r"}`, replies: refusal("createusergroup", "Invalid group description")},
			step{say: `{"action":"createusergroup","name":"x","clone":"ugrp//none","responseid":"r"}`, replies: refusal("createusergroup", "Invalid clone groupid")},

			step{say: `{"action":"addusertousergroup","ugrpid":"{ug}","usernames":["Eve","nobody<"],"responseid":"r"}`, replies: []string{
				`{"action":"msg","type":"notify","id":"{*}","value":"User nobody&lt; not found.","title":"Device Group","tag":"ServerNotify","titleid":5,"msgid":15,"args":["nobody&lt;"],"userid":"user//mgr","username":"mgr"}`,
				`{"action":"addusertousergroup","responseid":"r","result":"ok","added":1,"failed":1}`}, hears: map[string][]string{
				"mgr": {"accountchange 67: User group membership changed: eve (mgr)", "usergroupchange 71: Added user(s) eve to user group ops (mgr)"},
				"bob": {"usergroupchange"},
				"eve": {"accountchange 67: User group membership changed: eve (mgr)", "usergroupchange"},
			}},
			step{say: `{"action":"addusertousergroup","ugrpid":"ugrp//none","usernames":["eve"],"responseid":"r"}`, replies: ok("addusertousergroup")},
			step{say: `{"action":"addusertousergroup","ugrpid":"{ug}","usernames":[""],"responseid":"r"}`, replies: refusal("addusertousergroup", "Invalid usernames")},
			step{say: `{"action":"addusertousergroup","ugrpid":"{ug}","usernames":"eve","responseid":"r"}`, replies: refusal("addusertousergroup", "Invalid usernames")},
			step{say: `{"action":"addusertousergroup","ugrpid":"ops","usernames":["eve"],"responseid":"r"}`, replies: refusal("addusertousergroup", "Invalid groupid")},
			step{say: `{"action":"addusertousergroup","usernames":["eve"],"responseid":"r"}`, replies: refusal("addusertousergroup", "Invalid groupid")},

			step{say: `{"action":"editusergroup","ugrpid":"{ug}","name":"ops2","desc":"d","consent":3,"flags":2}`, hears: map[string][]string{
				"mgr": {`usergroupchange: User group name changed from "ops" to "ops2" and description changed and consent changed (mgr)`},
				"bob": {"usergroupchange"}, "eve": {"usergroupchange"},
			}},
			step{name: "nothing", say: `{"action":"editusergroup","ugrpid":"{ug}","name":"ops2"}`},
			step{name: "no such", say: `{"action":"editusergroup","ugrpid":"ugrp//none","name":"x"}`},
			step{name: "too long", say: `{"action":"editusergroup","ugrpid":"{ug}","name":"` + strings.Repeat("x", 65) + `"}`},

			step{say: `{"action":"removeuserfromusergroup","ugrpid":"{ug}","userid":"EVE","responseid":"r"}`, replies: ok("removeuserfromusergroup"), hears: map[string][]string{
				"mgr": {"accountchange 67: User group membership changed: eve (mgr)", "usergroupchange 72: Removed user eve from user group ops2 (mgr)"},
				"bob": {"usergroupchange"},
				"eve": {"accountchange 67: User group membership changed: eve (mgr)", "usergroupchange"},
			}},
			step{name: "no member", say: `{"action":"removeuserfromusergroup","ugrpid":"{ug}","userid":"user//eve","responseid":"r"}`, replies: ok("removeuserfromusergroup")},
			step{name: "nobody", say: `{"action":"removeuserfromusergroup","ugrpid":"{ug}","userid":"nobody","responseid":"r"}`, replies: ok("removeuserfromusergroup")},
			step{say: `{"action":"removeuserfromusergroup","ugrpid":"ops","userid":"eve","responseid":"r"}`, replies: refusal("removeuserfromusergroup", "Invalid groupid")},
			step{say: `{"action":"removeuserfromusergroup","ugrpid":"{ug}","userid":"","responseid":"r"}`, replies: refusal("removeuserfromusergroup", "Invalid userid")},
		)
		w.checkLinks()
		require.Contains(t, s.ops["bob"].ask(`{"action":"usergroups","tag":5}`)[0], `"`+string(ug)+`":{"name":"ops2"}`)
		full := s.ops["mgr"].asked(`{"action":"usergroups"}`)["ugroups"].(map[string]any)
		require.Len(t, full, 2)
		require.Contains(t, full[string(ug)], "links")

		s.run(
			step{say: `{"action":"deleteusergroup","ugrpid":"{ug}","responseid":"r"}`, replies: []string{
				s.fill(`{"action":"deleteusergroup","responseid":"r","result":"ok","ugrpid":"{ug}"}`)}, hears: map[string][]string{
				"mgr": {"meshchange 70: Removed user group ops2 from device group lab (mgr)", "accountchange 67: User group membership changed: bob (mgr)", "deleteusergroup: User group deleted: ops2 (mgr)"},
				"bob": {"meshchange 70: Removed user group ops2 from device group lab (mgr)", "accountchange 67: User group membership changed: bob (mgr)"},
			}},
			step{name: "gone", say: `{"action":"deleteusergroup","ugrpid":"{ug}","responseid":"r"}`, replies: refusal("deleteusergroup", "Unknown device group")},
			step{say: `{"action":"deleteusergroup","ugrpid":"ops","responseid":"r"}`, replies: refusal("deleteusergroup", "Invalid domain id")},
			step{say: `{"action":"deleteusergroup","ugrpid":"ugrp/x/ops","responseid":"r"}`, replies: refusal("deleteusergroup", "Invalid domain id")},
			step{say: `{"action":"deleteusergroup","responseid":"r"}`, replies: refusal("deleteusergroup", "Invalid group id")},
		)
		w.checkLinks()
		s.asker = "eve"
		for _, action := range []string{"createusergroup", "deleteusergroup", "addusertousergroup", "removeuserfromusergroup"} {
			s.run(step{say: `{"action":"` + action + `","responseid":"r"}`, replies: refusal(action, "Permission denied")})
		}
		s.run(step{say: `{"action":"editusergroup","ugrpid":"{ug}","name":"x"}`})
	})
}

// Groups that are managed elsewhere keep their members.
func TestUserGroupManagedElsewhere(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("mgr", controlproto.SiteUserGroups)
		bob := w.account("bob", 0)
		w.account("eve", 0)
		ug := w.userGroup("ldap", bob)
		w.update(func(tx *Tx) error {
			return tx.EditUserGroup(ug, func(g *controlproto.UserGroup) error { g.MembershipType = "ldap"; return nil })
		})
		s := w.script(map[string]controlproto.ID{"ug": ug}, "mgr", "bob", "eve")
		s.run(
			step{say: `{"action":"addusertousergroup","ugrpid":"{ug}","usernames":["eve"],"responseid":"r"}`},
			step{say: `{"action":"removeuserfromusergroup","ugrpid":"{ug}","userid":"bob","responseid":"r"}`},
			step{say: `{"action":"deleteusergroup","ugrpid":"{ug}","responseid":"r"}`},
			step{say: `{"action":"editusergroup","ugrpid":"{ug}","name":"x"}`},
		)
		require.Len(t, w.s.userGroup(ug).Links, 1)
	})
}
