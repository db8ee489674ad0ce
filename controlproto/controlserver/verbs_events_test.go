package controlserver

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// tell logs an event at a time.
func (w *world) tell(at time.Time, targets []string, e controlproto.Event, more ...detail) {
	w.t.Helper()
	made, err := event(nil, e, more...)
	require.NoError(w.t, err)
	w.update(func(tx *Tx) error { return tx.eventAt(at, made, targets) })
}

// names are the texts of the events in an answer.
func names(t *testing.T, answer map[string]any) []string {
	t.Helper()
	list := []string{}
	for _, e := range answer["events"].([]any) {
		list = append(list, e.(map[string]any)["msg"].(string))
	}
	return list
}

func TestEvents(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(controlproto.RemoteControl)
		w.account("manager", controlproto.SiteManageUsers)
		dave := w.account("dave", 0)
		limited := w.group("limited", map[controlproto.ID]controlproto.Rights{dave: controlproto.LimitedEvents, "user//bob": controlproto.RemoteControl})
		d2 := w.device("pc2", limited)
		begin := time.Now().Add(-time.Hour)
		of := func(id, group controlproto.ID) []string { return []string{toAdmins, string(group), string(id)} }
		w.tell(begin, of(d, g), controlproto.Event{Type: "node", Action: "manual", DeviceID: d, UserID: "user//bob", Msg: "one"}, detail{"node", "x"})
		w.tell(begin.Add(time.Minute), of(d, g), controlproto.Event{Type: "node", Action: "agentlog", DeviceID: d, Msg: "two"})
		w.tell(begin.Add(2*time.Minute), of(d2, limited), controlproto.Event{Type: "node", Action: "manual", DeviceID: d2, UserID: dave, Msg: "three"})
		w.tell(begin.Add(3*time.Minute), of(d2, limited), controlproto.Event{Type: "node", Action: "manual", DeviceID: d2, UserID: "user//bob", Msg: "four"})
		w.tell(begin.Add(4*time.Minute), []string{"user//bob"}, controlproto.Event{Type: "user", Action: "accountchange", UserID: "user//admin", Msg: "five"})
		w.tell(begin.Add(5*time.Minute), []string{"user//bob"}, controlproto.Event{Type: "user", Action: "accountchange", UserID: "user//bob", Msg: "six"})
		admin, bob, carol, dv, boss := w.login("admin"), w.login("bob"), w.login("carol"), w.login("dave"), w.login("manager")

		// Own ones, newest first.
		require.Equal(t, []string{"six", "five", "four", "three", "two", "one"}, names(t, bob.asked(`{"action":"events"}`)))
		require.Equal(t, []string{"six", "five"}, names(t, bob.asked(`{"action":"events","limit":2}`)))
		require.Equal(t, []string{"two"}, names(t, bob.asked(`{"action":"events","filter":"agentlog"}`)))
		require.Len(t, names(t, bob.asked(`{"action":"events","filter":"accountchange"}`)), 6, "that one cannot be picked")
		require.Empty(t, names(t, dv.asked(`{"action":"events"}`)), "of a group with limited events nothing")
		require.Len(t, names(t, admin.asked(`{"action":"events"}`)), 6)
		carol.wants(`{"action":"events","tag":"t"}`) // without links

		// Of a device.
		got := bob.asked(`{"action":"events","nodeid":%q,"tag":"t"}`, d.Name())
		require.Equal(t, "t", got["tag"])
		require.Equal(t, string(d), got["nodeid"])
		require.Equal(t, map[string]any{
			"action": "manual", "userid": "user//bob", "msg": "one", "time": begin.UTC().Format("2006-01-02T15:04:05.000Z"),
		}, got["events"].([]any)[1])
		require.Equal(t, []string{"three"}, names(t, dv.asked(`{"action":"events","nodeid":%q}`, d2)))
		require.Equal(t, []string{"four", "three"}, names(t, bob.asked(`{"action":"events","nodeid":%q}`, d2)))
		carol.wants(fmt.Sprintf(`{"action":"events","nodeid":%q}`, d), fmt.Sprintf(`{"action":"events","events":[],"nodeid":%q}`, d))

		// Of an account: for who manages accounts.
		require.Equal(t, []string{"six", "five", "four", "one"}, names(t, boss.asked(`{"action":"events","userid":"user//bob"}`)))
		require.Equal(t, []string{"six", "five", "four"}, names(t, boss.asked(`{"action":"events","userid":"user//bob","limit":3}`)))
		require.Equal(t, "user//bob", boss.asked(`{"action":"events","userid":"user//bob","limit":3}`)["userid"])
		boss.wants(`{"action":"events","userid":"user/other/bob"}`)
		require.Len(t, names(t, bob.asked(`{"action":"events","userid":"user//dave"}`)), 6, "his own instead")
		require.Equal(t, "x", bob.asked(`{"action":"events","user":"x"}`)["user"])

		// What is old goes.
		time.Sleep(30 * time.Minute) // in the bubble
		require.NoError(t, w.s.Prune(t.Context()))
		require.Equal(t, []string{"six", "five", "four", "three", "two"}, names(t, bob.asked(`{"action":"events"}`)))
	}, func(c *Config) { c.EventsFor = 90*time.Minute - time.Second })
}

func TestEventVisibility(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(controlproto.LimitedEvents)
		ops := controlproto.MakeID(controlproto.KindUserGroup, "", "ops")
		w.account("keeper", controlproto.SiteUserGroups)
		w.update(func(tx *Tx) error {
			if err := tx.AddUserGroup(&controlproto.UserGroup{Type: controlproto.KindUserGroup, ID: ops, Name: "ops"}); err != nil {
				return err
			}
			for _, name := range []controlproto.ID{"user//carol", "user//keeper"} {
				if err := tx.Link(name, name.Name(), ops, 1); err != nil {
					return err
				}
			}
			return nil
		})
		admin, bob, carol, keeper := w.login("admin"), w.login("bob"), w.login("carol"), w.login("keeper")
		for _, o := range []*operator{admin, bob, carol, keeper} {
			o.all()
		}
		targets := []string{toAdmins, string(g), string(d)}
		w.tell(time.Now(), targets, controlproto.Event{Action: "changenode", UserID: "user//admin", Msg: "of the device"})
		require.Len(t, bob.events(), 1)
		w.tell(time.Now(), append(targets, "user//admin"), controlproto.Event{Action: "runcommands", UserID: "user//admin", Msg: "of admin"})
		require.Empty(t, bob.events())
		w.tell(time.Now(), append(targets, "user//admin", "user//bob"), controlproto.Event{Action: "runcommands", UserID: "user//bob", Msg: "of both"})
		require.Len(t, bob.events(), 1)
		require.Len(t, admin.events(), 3)
		require.Empty(t, carol.events())

		links := controlproto.Links{"user//carol": {Rights: 1}, "user//keeper": {Rights: 1}, g: {Rights: 8}}
		w.tell(time.Now(), []string{string(ops)}, controlproto.Event{Type: "ugrp", Action: "usergroupchange", UserID: "user//admin", Username: "admin", Msg: "changed", NoLog: 1},
			detail{"ugrpid", ops}, detail{"name", "ops"}, detail{"desc", "they"}, detail{"links", links})
		seen := carol.events()
		require.Len(t, seen, 1)
		require.JSONEq(t, fmt.Sprintf(`{"ugrpid":%q,"domain":"","name":"ops","action":"usergroupchange","username":"admin","links":{"user//carol":{"rights":1},%q:{"rights":8}}}`, ops, g), seen[0])
		seen = keeper.events()
		require.Len(t, seen, 1)
		require.Contains(t, seen[0], `"user//carol"`)

		// From another server only the message comes; who may see what is the same.
		admin.all()
		message := fmt.Sprintf(`{"action":"event","event":{"action":"usergroupchange","domain":"","ugrpid":%q,"links":{"user//keeper":{"rights":1}}}}`, ops)
		w.s.cfg.Bus.Publish(Notice{Targets: []string{string(ops)}, Message: json.RawMessage(message)})
		require.NotContains(t, fmt.Sprint(carol.events()), "keeper")
		require.Contains(t, fmt.Sprint(keeper.events()), "keeper")
		share := fmt.Sprintf(`{"action":"event","event":{"action":"deviceShareUpdate","domain":"","nodeid":%q,"deviceShares":[{"publicid":"p","userid":"user//x","url":"https://secret"}]}}`, d)
		w.s.cfg.Bus.Publish(Notice{Targets: targets, Message: json.RawMessage(share)})
		got := admin.events()
		require.Len(t, got, 1)
		require.NotContains(t, got[0], "secret")
	})
}

func TestPages(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(0)
		d2, d3 := w.device("pc2", g), w.device("pc3", g)
		bob := w.login("bob")
		w.update(func(tx *Tx) error {
			for _, id := range []controlproto.ID{d, d2, d3} {
				if err := tx.LogConnect(id, controlproto.LastConnect{Time: time.UnixMilli(5)}); err != nil {
					return err
				}
			}
			return nil
		})
		got := bob.asked(`{"action":"nodes","skip":1,"limit":1,"responseid":"r"}`)
		require.Equal(t, []any{1.0, 1.0, 3.0}, []any{got["skip"], got["limit"], got["totalcount"]})
		require.Len(t, got["nodes"].(map[string]any)[string(g)], 1)
		for _, id := range []controlproto.ID{d, d2, d3} {
			w.connect(id)
		}
		events := bob.events()
		require.Len(t, events, 1)
		require.Contains(t, events[0], string(d2))
		bob.wants(`{"action":"lastconnects"}`, fmt.Sprintf(`{"action":"lastconnects","lastconnects":{%q:5}}`, d2))
		w.tell(time.Now(), []string{string(g)}, controlproto.Event{Action: "meshchange"})
		require.Len(t, bob.events(), 1, "what is about no device comes")
	}, func(c *Config) { c.Domains = []Domain{{MaxDeviceView: 2}} })
}

func TestRecordings(t *testing.T) {
	log := func(w *world) {
		for i, name := range []string{"gone.mcrec", "there.mcrec", "../secret"} {
			w.tell(time.Unix(int64(i), 0), []string{toRecordings}, controlproto.Event{Type: "relay", Action: "recording", Msg: "x"}, detail{"filename", name})
		}
	}
	inWorld(t, func(w *world) {
		w.account("keeper", controlproto.SiteRecordings)
		w.account("bob", 0)
		log(w)
		ask := `{"action":"recordings","tag":"t","limit":2}`
		w.login("bob").wants(ask)
		w.login("keeper").wants(ask, `{"action":"recordings","tag":"t","events":[{"filename":"../secret","time":"1970-01-01T00:00:02.000Z"},`+
			`{"filename":"there.mcrec","time":"1970-01-01T00:00:01.000Z","present":1}]}`)
	}, func(c *Config) { c.Recordings = fstest.MapFS{"there.mcrec": &fstest.MapFile{}} })
	inWorld(t, func(w *world) {
		w.account("keeper", controlproto.SiteRecordings)
		log(w)
		w.login("keeper").wants(`{"action":"recordings"}`) // none are made
	})
}

func TestReports(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(controlproto.RemoteControl)
		begin := time.Date(2026, 3, 4, 23, 30, 0, 0, time.UTC)
		targets := []string{toAdmins, string(g), string(d), "user//bob"}
		session := func(at time.Time, msgID int, msgArgs string, more ...detail) {
			var list []json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(msgArgs), &list))
			w.tell(at, targets, controlproto.Event{
				Type: "relay", Action: "relaylog", DeviceID: d, UserID: "user//bob", MsgID: msgID, MsgArgs: list, Msg: "ended",
			}, append(more, detail{"protocol", 2})...)
		}
		session(begin, 11, `["x","a","b",60]`, detail{"bytesin", 100}, detail{"bytesout", 10})
		session(begin.Add(time.Hour), 123, `[5]`, detail{"bytesin", 1}, detail{"guestname", "guest"})
		session(begin.Add(2*time.Hour), 9, `[]`) // a beginning
		w.tell(begin, []string{"user//bob", toManagers}, controlproto.Event{
			Type: "user", Action: "login", UserID: "user//bob", MsgID: 107, MsgArgs: args("127.0.0.1", "Firefox", "Linux"), Msg: "login",
		}, detail{"twoFactorType", "totp"})
		w.tell(begin, []string{toManagers}, controlproto.Event{Type: "user", Action: "authfail", UserID: "user//carol", MsgID: 108, MsgArgs: args("127.0.0.2"), Msg: "no"})
		admin, bob, carol := w.login("admin"), w.login("bob"), w.login("carol")
		ask := func(typ, by int, more string) string {
			return fmt.Sprintf(`{"action":"report","type":%d,"groupBy":%d,"start":%d,"end":%d%s}`, typ, by, begin.Unix()-10, begin.Unix()+86400, more)
		}
		columns := func(answer map[string]any) (list []string) {
			for _, c := range answer["data"].(map[string]any)["columns"].([]any) {
				list = append(list, c.(map[string]any)["id"].(string))
			}
			return list
		}
		groups := func(answer map[string]any) map[string]any {
			return answer["data"].(map[string]any)["groups"].(map[string]any)
		}
		entries := func(answer map[string]any, group string) []any {
			return groups(answer)[group].(map[string]any)["entries"].([]any)
		}

		got := admin.asked("%s", ask(1, 1, `,"showTraffic":true`))
		require.Equal(t, []string{"time", "nodeid", "meshid", "guestname", "protocol", "length", "bytesin", "bytesout"}, columns(got))
		require.Equal(t, []any{
			map[string]any{"time": float64(begin.UnixMilli()), "nodeid": string(d), "meshid": string(g), "protocol": 2.0, "length": 60.0, "bytesin": 100.0, "bytesout": 10.0},
			map[string]any{"time": float64(begin.UnixMilli() + 3600000), "nodeid": string(d), "meshid": string(g), "protocol": 2.0, "length": 5.0, "bytesin": 1.0, "guestname": "guest"},
		}, entries(got, "user//bob"))
		got = admin.asked("%s", ask(1, 2, ""))
		require.Equal(t, []string{"time", "userid", "guestname", "protocol", "length"}, columns(got))
		require.Len(t, entries(got, string(d)+"/"+string(g)), 2)
		got = admin.asked("%s", ask(1, 3, `,"l":"en","tz":"UTC"`))
		require.Len(t, entries(got, "3/4/2026"), 1)
		require.Len(t, entries(got, "3/5/2026"), 1)
		got = admin.asked("%s", ask(1, 1, fmt.Sprintf(`,"devGroup":%q`, g)))
		require.Len(t, entries(got, "user//bob"), 2)

		got = admin.asked("%s", ask(2, 1, ""))
		require.Equal(t, []string{"userid", "length", "bytesin", "bytesout"}, columns(got))
		require.Equal(t, []any{map[string]any{"userid": "user//bob", "length": 65.0, "bytesin": 101.0, "bytesout": 10.0}}, entries(got, "0"))

		got = admin.asked("%s", ask(3, 1, ""))
		require.Equal(t, []string{"time", "ip", "browser", "os", "twofactor", "msg"}, columns(got))
		require.Equal(t, []any{map[string]any{
			"time": float64(begin.UnixMilli()), "ip": "127.0.0.1", "browser": "Firefox", "os": "Linux", "twofactor": "totp", "msg": 107.0,
		}}, entries(got, "user//bob"))
		require.Len(t, groups(got), 2)
		require.Len(t, groups(bob.asked("%s", ask(3, 1, ""))), 1, "his own")
		require.Len(t, entries(bob.asked("%s", ask(1, 1, "")), "user//bob"), 2)
		require.Empty(t, groups(carol.asked("%s", ask(1, 1, ""))))

		got = admin.asked("%s", ask(4, 1, ""))
		require.Equal(t, []string{"record", "recordcount"}, columns(got))
		require.Equal(t, []any{
			map[string]any{"record": "node", "recordcount": 1.0}, map[string]any{"record": "mesh", "recordcount": 1.0},
			map[string]any{"record": "user", "recordcount": 3.0}, map[string]any{"record": "events", "recordcount": 5.0},
		}, entries(got, "0"))

		// Whatever is wrong is met with silence.
		bob.wants(ask(4, 1, ""))
		admin.wants(ask(3, 2, ""))
		admin.wants(ask(5, 1, ""))
		admin.wants(ask(1, 4, ""))
		carol.wants(ask(1, 1, fmt.Sprintf(`,"devGroup":%q`, g)))
		admin.wants(`{"action":"report","type":1,"groupBy":1,"start":2,"end":1}`)
		admin.wants(`{"action":"report","type":1,"groupBy":1}`)
		admin.wants(`{"action":"report","type":1,"groupBy":1,"start":1,"end":1e300}`)
	})
}
