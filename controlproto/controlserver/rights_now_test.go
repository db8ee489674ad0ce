package controlserver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Rights that are taken are gone with the next request of any session.
func TestRightsChangeAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, bob := w.account("admin", controlproto.SiteFull), w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights, bob: controlproto.RemoteControl})
		d := w.device("pc1", g)
		boss, op := w.login("admin"), w.login("bob")

		list := op.asked(`{"action":"nodes","responseid":"x"}`)
		require.Len(t, list["nodes"], 1)
		w.connect(d)
		require.Len(t, op.events(), 1)

		// In one go: nothing is waited for between the two.
		boss.all()
		boss.send(`{"action":"removemeshuser","meshid":%q,"userid":"user//bob","responseid":"r"}`, g)
		require.Contains(t, fmt.Sprint(boss.all()), `"result":"ok"`)
		require.Empty(t, op.asked(`{"action":"nodes","responseid":"x"}`)["nodes"])
		op.wants(fmt.Sprintf(`{"action":"msg","type":"ps","nodeid":%q,"responseid":"x"}`, d),
			`{"action":"msg","result":"Unable to route","responseid":"x"}`)
		w.update(func(tx *Tx) error {
			return tx.ChangeDevice(d, func(d *controlproto.Device) error { d.Desc = "secret"; return nil })
		})
		require.Empty(t, op.events(), "events of a group that is not his any more")
	})
}
