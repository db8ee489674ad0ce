package controlserver

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestAgentReports(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8})
		o := w.login("bob")
		d := &controlproto.Device{ID: id(controlproto.KindDevice, "pc1"), Group: g, Name: "pc1", MeshType: controlproto.GroupAgent}
		added, err := w.s.Enrol(t.Context(), d)
		require.NoError(t, err)
		require.True(t, added)
		require.Equal(t, "addnode 84: Added device pc1 to device group lab", brief(t, o.events()[0]))
		added, err = w.s.Enrol(t.Context(), d)
		require.NoError(t, err)
		require.False(t, added)
		require.Empty(t, o.events())
		_, err = w.s.Enrol(t.Context(), &controlproto.Device{ID: "node//x", Group: "mesh//none"})
		require.ErrorIs(t, err, ErrNotFound)

		same := func(*controlproto.Device) error { return nil }
		require.NoError(t, w.s.ChangeDevice(t.Context(), d.ID, same))
		require.Empty(t, o.events(), "nothing changed")
		require.ErrorIs(t, w.s.ChangeDevice(t.Context(), "node//none", same), ErrNotFound)

		require.NoError(t, w.s.SaveSystem(t.Context(), d.ID, []byte(`{"hash":"h1","hardware":{}}`)))
		require.NoError(t, w.s.SaveNetwork(t.Context(), d.ID, []byte(`{"netif2":{}}`)))
		events := o.events()
		require.Len(t, events, 2)
		require.Contains(t, events[0], `"action":"sysinfohash"`)
		require.Contains(t, events[0], `"hash":"h1"`)
		require.Contains(t, events[1], `"action":"ifchange"`)
		require.Error(t, w.s.SaveSystem(t.Context(), d.ID, []byte(`[]`)))
		require.ErrorIs(t, w.s.SaveSystem(t.Context(), "node//none", []byte(`{}`)), ErrNotFound)

		start := time.Now()
		w.update(func(tx *Tx) error {
			if err := tx.LogConnect(d.ID, controlproto.LastConnect{Time: start}); err != nil {
				return err
			}
			for i := range maxPowerLog + 10 {
				for range 2 { // the same again is not noted
					if err := tx.LogPower(d.ID, start, controlproto.PowerState(1+i%2)); err != nil {
						return err
					}
				}
			}
			return nil
		})
		var log PowerLog
		_, err = w.s.document(t.Context(), KindPower, string(d.ID), &log)
		require.NoError(t, err)
		require.Len(t, log.Changes, maxPowerLog)

		w.connect(d.ID)
		events = o.events()
		require.Len(t, events, 1)
		require.Contains(t, events[0], `"action":"nodeconnect"`)
		require.Contains(t, events[0], `"ct":`)
		w.connect(d.ID)
		require.Empty(t, o.events(), "the same state")
		require.NoError(t, w.s.SetState(t.Context(), d.ID, State{}))
		require.NotContains(t, o.events()[0], `"ct":`)
		require.ErrorIs(t, w.s.SetState(t.Context(), "node//none", State{Conn: 1}), ErrNotFound)

		// A device group that was deleted takes no devices.
		w.update(func(tx *Tx) error {
			return tx.EditGroup(g, func(g *controlproto.DeviceGroup) error { g.Deleted = json.RawMessage("1"); return nil })
		})
		_, err = w.s.Enrol(t.Context(), &controlproto.Device{ID: "node//new", Group: g})
		require.ErrorIs(t, err, ErrNotFound)
	})
}

// Messages of agents reach the session or account that they name if that sees the device, and else all who do.
func TestAgentMessage(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		w.account("dan", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8 | controlproto.AgentConsole, eve: 0})
		d := w.device("pc1", g)
		ops := map[string]*operator{"bob": w.login("bob"), "bob2": w.login("bob"), "eve": w.login("eve"), "dan": w.login("dan")}
		session := func(user controlproto.ID) string { return w.s.sessionsOf(user)[0].ID() }
		heard := func(message string) (who []string) {
			t.Helper()
			for _, o := range ops {
				o.all()
			}
			require.NoError(t, w.s.AgentMessage(t.Context(), d, []byte(message)))
			for _, name := range []string{"bob", "bob2", "eve", "dan"} {
				for _, m := range ops[name].all() {
					require.Contains(t, m, `"nodeid":"`+string(d)+`"`)
					require.NotContains(t, m, "sessionid")
					require.NotContains(t, m, "userid")
					who = append(who, name)
				}
			}
			return who
		}
		require.Equal(t, []string{"bob", "bob2", "eve"}, heard(`{"action":"msg","type":"ps","value":"x"}`))
		require.Equal(t, []string{"bob", "bob2"}, heard(`{"action":"msg","type":"console","value":"x"}`))
		require.Equal(t, []string{"bob", "bob2"}, heard(`{"action":"msg","type":"ps","userid":"user//bob","nodeid":"node//forged"}`))
		require.Len(t, heard(fmt.Sprintf(`{"action":"msg","type":"ps","sessionid":%q}`, session(bob))), 1)
		require.Empty(t, heard(fmt.Sprintf(`{"action":"msg","type":"ps","sessionid":%q}`, session("user//dan"))))
		require.Empty(t, heard(`{"action":"msg","type":"ps","userid":"user//dan"}`))
		require.Equal(t, []string{"bob", "bob2", "eve"}, heard(`{"action":"msg","type":{},"sessionid":{},"userid":[]}`))
		for _, bad := range []string{`{"action":"close","cause":"noauth"}`, `{"action":"event","event":{}}`, `[]`, `{`, `{"action":{}}`} {
			require.Error(t, w.s.AgentMessage(t.Context(), d, []byte(bad)), bad)
		}
		require.ErrorIs(t, w.s.AgentMessage(t.Context(), "node//none", []byte(`{"action":"msg"}`)), ErrNotFound)
	})
}
