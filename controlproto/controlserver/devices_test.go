package controlserver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// deviceNames are the names of the devices that an operator is told, by group.
func deviceNames(t *testing.T, o *operator) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for group, devices := range o.asked(`{"action":"nodes","responseid":"r"}`)["nodes"].(map[string]any) {
		for _, d := range devices.([]any) {
			out[group] = append(out[group], d.(map[string]any)["name"].(string))
		}
	}
	return out
}

// What is kept of devices follows every change.
func TestDeviceCacheFollows(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(0)
		other := w.group("other", map[controlproto.ID]controlproto.Rights{"user//bob": 0})
		unseen := w.group("unseen", nil)
		bob := w.login("bob")
		lab, second := string(g), string(other)
		require.Equal(t, map[string][]string{lab: {"pc1"}}, deviceNames(t, bob))

		// Added, to a group with devices and to one without.
		d2 := w.device("pc2", g)
		d3 := w.device("pc0", other)
		require.Equal(t, map[string][]string{lab: {"pc1", "pc2"}, second: {"pc0"}}, deviceNames(t, bob))

		// Changed.
		edit := func(id controlproto.ID, f func(*controlproto.Device)) {
			w.update(func(tx *Tx) error { return tx.EditDevice(id, func(d *controlproto.Device) error { f(d); return nil }) })
		}
		edit(d2, func(d *controlproto.Device) { d.Name = "renamed" })
		require.Equal(t, map[string][]string{lab: {"pc1", "renamed"}, second: {"pc0"}}, deviceNames(t, bob))

		// Moved: to a listed group, to one that nobody has listed, and back.
		edit(d, func(d *controlproto.Device) { d.Group = other })
		require.Equal(t, map[string][]string{lab: {"renamed"}, second: {"pc0", "pc1"}}, deviceNames(t, bob))
		edit(d, func(d *controlproto.Device) { d.Group = unseen })
		require.Equal(t, map[string][]string{lab: {"renamed"}, second: {"pc0"}}, deviceNames(t, bob))
		group, err := w.s.groupOf(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, unseen, group)
		edit(d, func(d *controlproto.Device) { d.Group = g })
		require.Equal(t, map[string][]string{lab: {"pc1", "renamed"}, second: {"pc0"}}, deviceNames(t, bob))

		// Removed.
		w.update(func(tx *Tx) error { return tx.RemoveDevice(nil, d3) })
		require.Equal(t, map[string][]string{lab: {"pc1", "renamed"}}, deviceNames(t, bob))
		_, err = w.s.groupOf(t.Context(), d3)
		require.ErrorIs(t, err, ErrNotFound)

		// A change that fails changes nothing.
		failed := fmt.Errorf("no")
		err = w.s.Update(t.Context(), func(tx *Tx) error {
			if err := tx.EditDevice(d, func(d *controlproto.Device) error { d.Name = "never"; return nil }); err != nil {
				return err
			}
			return failed
		})
		require.ErrorIs(t, err, failed)
		require.Equal(t, map[string][]string{lab: {"pc1", "renamed"}}, deviceNames(t, bob))
	})
}

// Groups that nobody lists are dropped, and read again when somebody does.
func TestDeviceCacheExpires(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(0)
		bob := w.login("bob")
		deviceNames(t, bob)
		time.Sleep(cacheTime / 2) // in the bubble
		w.s.Tick()
		_, cached := w.s.devices.groupOf(d)
		require.True(t, cached)
		deviceNames(t, bob)
		time.Sleep(cacheTime)
		w.s.Tick()
		require.True(t, func() bool { _, ok := w.s.devices.groupOf(d); return ok }(), "used within the time")
		time.Sleep(time.Second)
		w.s.Tick()
		require.Empty(t, w.s.devices.groups)
		require.Empty(t, w.s.devices.where)
		w.update(func(tx *Tx) error {
			return tx.EditDevice(d, func(d *controlproto.Device) error { d.Name = "new"; return nil })
		})
		require.Equal(t, map[string][]string{string(g): {"new"}}, deviceNames(t, bob))
	})
}

// What is listed is what is stored, while devices come, move and go; run with -race.
func TestDeviceCacheRaces(t *testing.T) {
	store := new(MemoryStore)
	s, err := New(Config{Store: store})
	require.NoError(t, err)
	defer s.Close()
	ctx := context.Background()
	groups := []controlproto.ID{id("mesh", "a"), id("mesh", "b"), id("mesh", "c")}
	device := func(i int) controlproto.ID { return id("node", fmt.Sprint("pc", i)) }
	const devices = 20
	require.NoError(t, s.Update(ctx, func(tx *Tx) error {
		for i := range devices {
			if err := tx.AddDevice(&controlproto.Device{Type: "node", ID: device(i), Group: groups[0], Name: "x"}); err != nil {
				return err
			}
		}
		return nil
	}))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				err := s.Update(ctx, func(tx *Tx) error {
					return tx.EditDevice(device((n*7+i)%devices), func(d *controlproto.Device) error {
						d.Group, d.Name = groups[(n+i)%3], fmt.Sprint(n)
						return nil
					})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for n := range 100 {
				list, err := s.devicesOf(ctx, groups[n%3])
				if err != nil || !slices.IsSortedFunc(list, func(a, b cachedDevice) int { return a.compare(b.id) }) {
					t.Error("not in order", err)
				}
				if n%10 == 0 {
					s.devices.expire(time.Now().Add(2 * cacheTime))
				}
			}
		})
	}
	wg.Wait()
	for _, g := range groups {
		cached, err := s.devicesOf(ctx, g)
		require.NoError(t, err)
		require.NoError(t, store.View(ctx, func(tx StoreTx) error {
			records, err := tx.List(KindDevice, Query{Owner: string(g)})
			require.Len(t, cached, len(records))
			for i, r := range records {
				want, err := cacheDevice(r)
				require.NoError(t, err)
				require.Equal(t, want, cached[i])
			}
			return err
		}))
	}
}

// Secrets of devices never leave, in whatever form the records hold them.
func TestDeviceSecrets(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(controlproto.FullRights)
		bob := w.login("bob")
		w.update(func(tx *Tx) error {
			return tx.ChangeDevice(d, func(d *controlproto.Device) error {
				d.AMT = &controlproto.DeviceAMT{User: "u", Password: controlproto.NewSecret("a-secret"), MPSPass: controlproto.NewSecret("m-secret")}
				d.Desc = `says "pass":"1"`
				d.Extra = map[string]json.RawMessage{
					"ssh": json.RawMessage(`{"user//bob":{"p":"s-secret"}}`), "rdp": json.RawMessage(`{"x":"r-secret"}`), "pmt": json.RawMessage(`"token-secret"`),
				}
				return nil
			})
		})
		events := bob.events()
		require.Len(t, events, 1)
		reply := bob.ask(`{"action":"nodes","responseid":"r"}`)
		require.Len(t, reply, 1)
		for _, text := range []string{events[0], reply[0]} {
			require.NotContains(t, text, "secret")
			require.Contains(t, text, `"pass":1`)
			require.Contains(t, text, `"mpspass":1`)
			require.Contains(t, text, `"pmt":1`)
			require.Contains(t, text, `says \"pass\":\"1\"`)
		}
		// The record still has them.
		stored, err := w.s.Device(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, "a-secret", stored.AMT.Password.Reveal())
		require.Contains(t, string(stored.Extra["ssh"]), "s-secret")
	})
}

// A device that is linked by itself comes under its group, once.
func TestLinkedDevices(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(0)
		d2 := w.device("pc2", g)
		w.update(func(tx *Tx) error {
			if err := tx.Link("user//carol", "carol", d2, controlproto.RemoteControl); err != nil {
				return err
			}
			return tx.Link("user//bob", "bob", d, controlproto.RemoteControl)
		})
		require.Equal(t, map[string][]string{string(g): {"pc2"}}, deviceNames(t, w.login("carol")))
		require.Equal(t, map[string][]string{string(g): {"pc1", "pc2"}}, deviceNames(t, w.login("bob")))
	})
}
