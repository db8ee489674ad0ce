package controlserver

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestServerVerbs(t *testing.T) {
	inWorld(t, func(w *world) {
		w.account("admin", controlproto.SiteFull)
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8})
		w.connect(w.device("pc1", g))
		a, b := w.login("admin"), w.login("bob")
		for _, action := range []string{"serverversion", "servererrors", "serverstats", "serverconsole"} {
			b.wants(`{"action":"` + action + `","interval":1000,"value":"info"}`)
		}
		require.Contains(t, a.asked(`{"action":"serverversion"}`)["tags"], "current")
		a.wants(`{"action":"servererrors"}`, `{"action":"servererrors"}`)
		console := func(line string) string {
			return a.asked(`{"action":"serverconsole","value":%q,"tag":1}`, line)["value"].(string)
		}
		require.Contains(t, console("info"), "devices online: 1")
		require.Contains(t, console("VERSIONS x"), "meshcentral-go")
		require.Equal(t, "user//admin, 1 session.\nuser//bob, 1 session.", console("usersessions"))
		require.Contains(t, console("dbstats"), "node: 1")
		require.Contains(t, console("help"), "usersessions")
		require.Contains(t, console("format c:"), `Unknown command "format"`)

		stats := a.asked(`{"action":"serverstats","interval":2000}`)
		state := stats["values"].(map[string]any)["ServerState"].(map[string]any)
		require.Equal(t, 2.0, state["UserAccounts"])
		require.Equal(t, 1.0, state["AgentSessions"])
		require.Equal(t, 64.0, stats["totalmem"])
		<-time.After(3 * time.Second) // in the bubble, nobody waits
		require.Len(t, a.all(), 1)
		a.wants(`{"action":"serverstats"}`)
		<-time.After(10 * time.Second)
		require.Empty(t, a.all())
		b.wants(`{"action":"trafficstats"}`, `{"action":"trafficstats","stats":{}}`)
		b.wants(`{"action":"trafficdelta"}`, `{"action":"trafficdelta","delta":{}}`)
	}, func(c *Config) { c.HostMemory = func() (total, free int64) { return 64, 32 } })
}

func TestPageVerbs(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, bob := w.account("admin", controlproto.SiteFull), w.account("bob", 0)
		w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8})
		d := w.device("pc1", g)
		hidden := w.device("hidden", w.group("other", map[controlproto.ID]controlproto.Rights{admin: 8}))
		s := w.script(map[string]controlproto.ID{"d": d, "hidden": hidden}, "bob", "admin", "eve")
		both := map[string][]string{"bob": {"uicustomevent (bob)"}, "admin": {"uicustomevent (bob)"}}
		s.run(
			step{say: `{"action":"userWebState","state":"{\"a\":\"1\"}"}`, hears: map[string][]string{"bob": {"userWebState"}}},
			step{say: `{"action":"userWebState","state":"no JSON"}`},
			step{say: `{"action":"userWebState","state":""}`},
			step{say: `{"action":"uicustomevent","section":"x","element":{"a":1},"values":[1],"selectedDevices":["y"]}`, hears: both},
			step{say: `{"action":"uicustomevent","section":"x","src":{"selectedDevices":["{d}","{hidden}"]}}`, hears: both},
			step{say: `{"action":"uicustomevent","section":"x","src":{"selectedDevices":["{hidden}"]}}`},
			step{say: `{"action":"uicustomevent","section":"x","values":"` + strings.Repeat("x", maxCustomEvent) + `"}`},
			step{say: `{"action":"uicustomevent","section":"x","logmsg":"seen"}`, hears: map[string][]string{"bob": {"uicustomevent: seen (bob)"}, "admin": {"uicustomevent: seen (bob)"}}},
		)
		w.update(func(tx *Tx) error {
			for _, action := range []string{"login", "authfail", "other"} {
				e := &controlproto.Event{Action: action, UserID: bob, MsgID: 107, MsgArgs: args("127.0.0.1")}
				if err := tx.Event(e, string(bob)); err != nil {
					return err
				}
			}
			return nil
		})
		require.Len(t, s.ops["bob"].asked(`{"action":"previousLogins"}`)["events"], 2)
		require.Len(t, s.ops["admin"].asked(`{"action":"previousLogins","userid":"user//bob"}`)["events"], 2)
		s.ops["eve"].wants(`{"action":"previousLogins","userid":"user//bob"}`)
		s.ops["admin"].wants(`{"action":"previousLogins","userid":"user/x/bob"}`)
	})
}
