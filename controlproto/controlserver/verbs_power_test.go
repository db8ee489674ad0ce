package controlserver

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestWake(t *testing.T) {
	var server []string
	inWorld(t, func(w *world) {
		g, d := w.lab(controlproto.WakeDevice)
		near, offline := w.device("near", g), w.device("offline", g)
		far := w.group("far", map[controlproto.ID]controlproto.Rights{"user//bob": controlproto.WakeDevice})
		other := w.device("other", far)
		w.connect(near)
		w.connect(other)
		admin, bob, carol := w.login("admin"), w.login("bob"), w.login("carol")
		one := func(id controlproto.ID) string { return fmt.Sprintf(`{"action":"wakedevices","nodeids":[%q]}`, id) }
		result := func(text string) string { return fmt.Sprintf(`{"action":"wakedevices","result":%q}`, text) }
		admin.all()
		bob.wants(one(d), result("No network information for this device"))
		events := admin.events()
		require.Len(t, events, 1)
		require.JSONEq(t, fmt.Sprintf(`{"action":"wakedevices","userid":"user//bob","username":"bob","nodeids":[%q],"domain":"","nolog":1}`, d), events[0])
		require.Empty(t, bob.events())

		require.NoError(t, w.s.SaveNetwork(context.Background(), d, []byte(`{"netif2":{"lo":[{"mac":"00:00:00:00:00:00"},{"mac":"; rm"},{"mac":5}],"x":7}}`)))
		bob.wants(one(d), result("No known MAC addresses for this device"))
		require.NoError(t, w.s.SaveNetwork(context.Background(), d, []byte(network)))
		w.agents.take()
		bob.wants(one(controlproto.ID(d.Name())), result("Used 1 device(s) to send wake packets"))
		require.Equal(t, []agentGot{{near, `{"action":"wakeonlan","macs":["02:FC:00:00:00:01"]}`}}, w.agents.take())
		require.Equal(t, []string{"02:FC:00:00:00:01"}, server)

		carol.wants(one(d), result("Invalid nodeid"))
		bob.wants(one("short"), result("Invalid nodeid"))
		bob.wants(one("node/other/abc"), result("Invalid domain"))
		bob.wants(`{"action":"wakedevices","nodeids":[]}`)
		bob.wants(fmt.Sprintf(`{"action":"wakedevices","nodeids":[%q,"x",%q],"responseid":"r"}`, d, offline),
			`{"action":"wakedevices","responseid":"r","result":"ok"}`, `{"action":"wakedevices","responseid":"r","result":"ok"}`)
	}, func(c *Config) { c.Wake = func(_ context.Context, macs []string, _ string) { server = macs } })
}

func TestPowerAction(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(controlproto.ResetOff)
		w.connect(d)
		admin, bob, carol := w.login("admin"), w.login("bob"), w.login("carol")
		ask := func(typ int, more string) string {
			return fmt.Sprintf(`{"action":"poweraction","nodeids":[%q],"actiontype":%d%s}`, d, typ, more)
		}
		done := `{"action":"poweraction"}`
		admin.all()
		bob.wants(ask(3, `,"responseid":"r"`), `{"action":"poweraction","responseid":"r","result":"ok"}`)
		require.Equal(t, []agentGot{{d, `{"action":"poweraction","actiontype":3,"userid":"user//bob","username":"bob","remoteaddr":"127.0.0.1"}`}}, w.agents.take())
		bob.wants(ask(310, ""), done)
		require.Empty(t, w.agents.take())
		events := admin.events()
		require.Len(t, events, 1)
		require.JSONEq(t, fmt.Sprintf(`{"action":"amtpoweraction","userid":"user//bob","username":"bob","nodeids":[%q],"actiontype":10,"domain":"","nolog":1}`, d), events[0])
		bob.wants(ask(302, ""), done) // takes another right
		bob.wants(ask(400, `,"time":100`), done)
		carol.wants(ask(2, ""), done) // it is not told that this is refused
		bob.wants(ask(5, ""), done)
		bob.wants(ask(1, ""))
		bob.wants(`{"action":"poweraction","nodeids":["node/other/abcdef"],"actiontype":2}`)
		require.Empty(t, w.agents.take())
		require.Empty(t, admin.events())
		admin.wants(ask(401, `,"time":100`), done)
		got := w.agents.take()
		require.Len(t, got, 1)
		require.Contains(t, got[0].message, `"value":"vibrate 100"`)
		admin.wants(ask(401, `,"time":30001`), done)
		require.Empty(t, w.agents.take())
	})
}

func TestAgentOrders(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(controlproto.RemoteControl)
		w.connect(d)
		admin, bob := w.login("admin"), w.login("bob")
		var got []agentGot
		for _, request := range []string{
			`{"action":"uninstallagent","nodeids":[%q],"responseid":"r"}`, `{"action":"agentdisconnect","nodeid":%q,"disconnectMode":1,"responseid":"r"}`,
			`{"action":"updateAgents","nodeids":[%q],"responseid":"r"}`,
		} {
			bob.wants(fmt.Sprintf(request, d))
			require.Empty(t, w.agents.take())
			admin.wants(fmt.Sprintf(request, d.Name())) // whole ids only
			require.Empty(t, w.agents.take())
			require.Empty(t, w.agents.ended)
			admin.wants(fmt.Sprintf(request, d))
			got = append(got, w.agents.take()...)
			if len(w.agents.ended) > 0 {
				require.Equal(t, []agentGot{{d, "soft"}}, w.agents.ended)
				w.agents.ended = nil
			}
		}
		require.Len(t, got, 2)
		require.JSONEq(t, `{"action":"uninstallagent"}`, got[0].message)
		require.Contains(t, got[1].message, `"value":"agentupdate"`)
		admin.wants(fmt.Sprintf(`{"action":"agentdisconnect","nodeid":%q,"disconnectMode":2}`, d))
		admin.wants(fmt.Sprintf(`{"action":"agentdisconnect","nodeid":%q,"disconnectMode":3}`, d))
		require.Equal(t, []agentGot{{d, "hard"}}, w.agents.ended)
	})
}
