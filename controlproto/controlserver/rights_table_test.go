package controlserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Each verb is refused to who lacks the right, and done with the next request once he has it.
func TestRightsOfVerbs(t *testing.T) {
	const full = controlproto.FullRights
	type row struct {
		request string
		site    controlproto.SiteRights // what of the site rights it takes
		group   controlproto.Rights     // what of the rights on the group and its devices it takes
		denied  string                  // what it is answered without it; "" is silence
	}
	for _, r := range []row{
		{`"action":"users"`, controlproto.SiteManageUsers, 0, "Access denied"},
		{`"action":"adduser","username":"new","pass":"x"`, controlproto.SiteManageUsers, 0, "Permission denied"},
		{`"action":"edituser","id":"eve","realname":"x"`, controlproto.SiteManageUsers, 0, ""},
		{`"action":"deleteuser","userid":"eve"`, controlproto.SiteManageUsers, 0, "Permission denied"},
		{`"action":"changeuserpass","userid":"user//eve","pass":"x","removeMultiFactor":false`, controlproto.SiteManageUsers, 0, ""},
		{`"action":"notifyuser","userid":"user//eve","msg":"x"`, controlproto.SiteManageUsers, 0, ""},
		{`"action":"userbroadcast","msg":"x"`, controlproto.SiteManageUsers, 0, "Permission denied"},
		{`"action":"createusergroup","name":"x"`, controlproto.SiteUserGroups, 0, "Permission denied"},
		{`"action":"editusergroup","ugrpid":"{ug}","name":"x"`, controlproto.SiteUserGroups, 0, ""},
		{`"action":"deleteusergroup","ugrpid":"{ug}"`, controlproto.SiteUserGroups, 0, "Permission denied"},
		{`"action":"addusertousergroup","ugrpid":"{ug}","usernames":["eve"]`, controlproto.SiteUserGroups, 0, "Permission denied"},
		{`"action":"removeuserfromusergroup","ugrpid":"{ug}","userid":"eve"`, controlproto.SiteUserGroups, 0, "Permission denied"},
		{`"action":"serverversion"`, controlproto.SiteUpdate, 0, ""},
		{`"action":"serverconsole","value":"info"`, controlproto.SiteFull, 0, ""},
		{`"action":"serverstats","interval":5000`, controlproto.SiteUpdate, 0, ""},

		{`"action":"deletemesh","meshid":"{g}"`, 0, full, "Access denied"},
		{`"action":"editmesh","meshid":"{g}","meshname":"x"`, 0, controlproto.EditGroup, ""},
		{`"action":"meshamtpolicy","meshid":"{g}","amtpolicy":{"type":1}`, 0, controlproto.EditGroup, ""},
		{`"action":"addmeshuser","meshid":"{g}","usernames":["eve"],"meshadmin":8`, 0, controlproto.ManageUsers, "Permission denied"},
		{`"action":"removemeshuser","meshid":"{g}","userid":"ann"`, 0, controlproto.ManageUsers, "Permission denied"},
		{`"action":"adddeviceuser","nodeid":"{d}","usernames":["eve"],"rights":8`, 0, controlproto.ManageUsers, ""},
		{`"action":"changedevice","nodeid":"{d}","name":"x"`, 0, controlproto.ManageDevices, "Access Denied"},
		{`"action":"addlocaldevice","meshid":"{l}","devicename":"x","hostname":"h","type":4`, 0, controlproto.ManageDevices, "Permission denied"},
		{`"action":"changeDeviceMesh","nodeids":["{d}"],"meshid":"{to}"`, 0, controlproto.ManageDevices | controlproto.EditGroup, "Permission denied"},
		{`"action":"removedevices","nodeids":["{d}"]`, 0, controlproto.UninstallAgent, "Denied"},
		{`"action":"setDeviceEvent","nodeid":"{d}","msg":"x"`, 0, controlproto.RemoteControl, ""},
		{`"action":"toast","nodeids":["{d}"],"msg":"x"`, 0, controlproto.ChatNotify, "ok Access Denied"},
		{`"action":"msg","type":"ps","nodeid":"{d}"`, 0, controlproto.RemoteControl, "Unable to route"},
		{`"action":"msg","type":"console","value":"x","nodeid":"{d}"`, 0, controlproto.RemoteControl | controlproto.AgentConsole, "Unable to route"},
		{`"action":"runcommands","nodeids":["{d}"],"type":3,"cmds":"x"`, 0, controlproto.RemoteCommand, "Access denied"},
		{`"action":"runcommands","nodeids":["{d}"],"type":4,"cmds":"x"`, 0, controlproto.RemoteControl | controlproto.AgentConsole, "Access denied"},
		{`"action":"getcookie","nodeid":"{d}"`, 0, controlproto.RemoteControl, ""},
	} {
		name := r.request[len(`"action":"`):]
		t.Run(name[:strings.IndexByte(name, '"')], func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.account("eve", 0)
				ann, bob := w.account("ann", 0), w.account("bob", 0)
				g := w.group("lab", map[controlproto.ID]controlproto.Rights{ann: 8})
				groups := []controlproto.ID{g, w.group("to", nil), w.groupOf("local", controlproto.GroupLocal, nil)}
				d := w.device("pc1", g)
				w.connect(d)
				ug := w.userGroup("ops")
				e, o := w.login("eve"), w.login("bob")
				request := "{" + r.request + `,"responseid":"r"}`
				for name, id := range map[string]controlproto.ID{"g": g, "to": groups[1], "l": groups[2], "d": d, "ug": ug} {
					request = strings.ReplaceAll(request, "{"+name+"}", string(id))
				}
				give := func(site controlproto.SiteRights, rights controlproto.Rights) {
					w.update(func(tx *Tx) error {
						if err := tx.EditAccount(bob, func(a *Account) error { a.SiteRights = site; return nil }); err != nil {
							return err
						}
						for _, id := range groups {
							if err := tx.Link(bob, "bob", id, rights); err != nil {
								return err
							}
						}
						return nil
					})
				}
				before := func() string { return fmt.Sprint(w.contents(), len(w.agents.sent)) }
				refused := func(denied string) {
					t.Helper()
					was := before()
					replies := o.ask("%s", request)
					require.Equal(t, was, before(), "nothing is done")
					var texts []string
					for _, m := range replies {
						require.Contains(t, m, `"result":`)
						texts = append(texts, resultOf(t, m))
					}
					require.Equal(t, denied, strings.Join(texts, " "))
				}
				// Without any link, with one that gives nothing, and with all rights but those that it takes.
				if strings.Contains(r.request, "runcommands") {
					refused("Invalid nodeid") // as if there were no such device
				} else {
					refused(r.denied)
				}
				give(0, 0)
				refused(r.denied)
				const harmful = controlproto.SiteLocked | controlproto.SiteNoNewDevices
				if r.site == controlproto.SiteFull {
					give(r.site&^harmful, 0)
				} else {
					give(^r.site&^harmful, 0)
				}
				if r.site != 0 && !strings.Contains(r.request, "serverstats") { // one of several is enough for that
					refused(r.denied)
				}
				if r.group != 0 && r.group != full && !strings.Contains(r.request, "setDeviceEvent") {
					give(0, ^r.group&^controlproto.RemoteViewOnly)
					refused(r.denied)
				}
				// With them, at once.
				give(r.site, r.group)
				was := before()
				e.all()
				replies, _ := split(w.sent(o, request))
				require.True(t, was != before() || len(replies) > 0 || len(e.all()) > 0)
				for _, m := range replies {
					if strings.Contains(m, `"result":`) {
						require.Contains(t, []string{"ok", "OK", "Added user eve", "User not in group"}, strings.TrimSpace(resultOf(t, m)), m)
					}
				}
			})
		})
	}
}

// sent sends a request and returns all that comes.
func (w *world) sent(o *operator, request string) []string {
	o.all()
	o.send("%s", request)
	return o.all()
}

// contents is all that the store holds.
func (w *world) contents() string {
	w.t.Helper()
	w.store.mu.RLock()
	defer w.store.mu.RUnlock()
	return fmt.Sprint(w.store.records, len(w.store.events))
}

func resultOf(t *testing.T, message string) string {
	t.Helper()
	e, err := controlproto.ParseRequest([]byte(message))
	require.NoError(t, err)
	var r controlproto.Result
	require.NoError(t, e.Decode(&r))
	return r.Result
}
