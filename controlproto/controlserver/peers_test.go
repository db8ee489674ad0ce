package controlserver

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// conflictStore says once that there was a conflict, as a store that does not lock does, after another server made its change.
type conflictStore struct {
	Store

	mu     sync.Mutex
	before func() // runs before the next change, which finds a conflict
	tries  int
}

func (s *conflictStore) Update(ctx context.Context, f func(StoreTx) error) error {
	s.mu.Lock()
	before := s.before
	s.before = nil
	s.tries++
	s.mu.Unlock()
	if before == nil {
		return s.Store.Update(ctx, f)
	}
	errConflicting := errors.New("what was read is not true any more")
	err := s.Store.Update(ctx, func(tx StoreTx) error { return errors.Join(f(tx), errConflicting) })
	if !errors.Is(err, errConflicting) {
		return err
	}
	before()
	return ErrConflict
}

// twoServers are two servers on one store. Only the first has sessions.
func twoServers(t *testing.T, bus Bus, f func(w *world, store *conflictStore, other *Server)) {
	t.Helper()
	store := &conflictStore{Store: new(MemoryStore)}
	inWorld(t, func(w *world) {
		other, err := New(Config{Store: store.Store, Bus: bus})
		require.NoError(t, err)
		defer other.Close()
		w.store = store.Store.(*MemoryStore)
		f(w, store, other)
	}, func(c *Config) { c.Store, c.Bus = store, bus })
}

// Without a bus between them, a server learns of the other's changes by conflicts and by what it does not find.
func TestConflictsAreTriedAgain(t *testing.T) {
	twoServers(t, nil, func(w *world, store *conflictStore, other *Server) {
		bob := w.account("bob", 0)
		store.before = func() {
			require.NoError(t, other.reload(context.Background()))
			require.NoError(t, other.Update(context.Background(), func(tx *Tx) error {
				return tx.EditAccount(bob, func(a *Account) error { a.RealName = "first"; return nil })
			}))
		}
		store.tries = 0
		w.update(func(tx *Tx) error {
			return tx.EditAccount(bob, func(a *Account) error { a.RealName += " second"; return nil })
		})
		require.Equal(t, 2, store.tries)
		require.Equal(t, "first second", w.s.account(bob).RealName)
	})
}

func TestRemovedByAnotherServer(t *testing.T) {
	for name, tc := range map[string]struct {
		remove  func(tx *Tx, ids map[string]controlproto.ID) error
		request string
		want    string // the result; "" is silence
	}{
		"account, added to a group": {removeBob, `{"action":"addmeshuser","meshid":"{g}","usernames":["bob"],"meshadmin":8,"responseid":"r"}`,
			`{"action":"addmeshuser","responseid":"r","result":"Unknown user bob","success":0,"failed":1}`},
		"account, edited":   {removeBob, `{"action":"edituser","id":"bob","realname":"x","responseid":"r"}`, refusal("edituser", "User does not exists")[0]},
		"account, deleted":  {removeBob, `{"action":"deleteuser","userid":"bob","responseid":"r"}`, refusal("deleteuser", "User does not exists")[0]},
		"account, password": {removeBob, `{"action":"changeuserpass","userid":"user//bob","pass":"s3cr3t-1","removeMultiFactor":false}`, ""},
		"account, device":   {removeBob, `{"action":"adddeviceuser","nodeid":"{d}","usernames":["bob"],"rights":8,"responseid":"r"}`, ok("adddeviceuser")[0]},
		"account, user group": {removeBob, `{"action":"addusertousergroup","ugrpid":"{ug}","usernames":["bob"],"responseid":"r"}`,
			`{"action":"addusertousergroup","responseid":"r","result":"ok","added":0,"failed":1}`},
		"group, edited":       {removeGroup, `{"action":"editmesh","meshid":"{g}","meshname":"x","responseid":"r"}`, refusal("editmesh", "Invalid group identifier ")[0]},
		"group, user":         {removeGroup, `{"action":"addmeshuser","meshid":"{g}","usernames":["bob"],"meshadmin":8,"responseid":"r"}`, `{"action":"addmeshuser","responseid":"r","result":"Unknown group, Nothing done","success":0,"failed":0}`},
		"group, deleted":      {removeGroup, `{"action":"deletemesh","meshid":"{g}","responseid":"r"}`, refusal("deletemesh", "Unknown device group")[0]},
		"group, user removed": {removeGroup, `{"action":"removemeshuser","meshid":"{g}","userid":"bob","responseid":"r"}`, refusal("removemeshuser", "Unknown device group")[0]},
		"group, moved to":     {removeGroup, `{"action":"changeDeviceMesh","nodeids":["{d2}"],"meshid":"{g}","responseid":"r"}`, refusal("changeDeviceMesh", "Device not found")[0]},
		"group, policy":       {removeGroup, `{"action":"meshamtpolicy","meshid":"{g}","amtpolicy":{"type":1}}`, ""},
		"local group, device": {removeLocal, `{"action":"addlocaldevice","meshid":"{l}","devicename":"x","hostname":"h","type":4,"responseid":"r"}`, refusal("changeDeviceMesh", "Unknown device group")[0]},
		"user group, joined":  {removeUserGroup, `{"action":"addusertousergroup","ugrpid":"{ug}","usernames":["bob"],"responseid":"r"}`, ok("addusertousergroup")[0]},
		"user group, left":    {removeUserGroup, `{"action":"removeuserfromusergroup","ugrpid":"{ug}","userid":"admin","responseid":"r"}`, ok("removeuserfromusergroup")[0]},
		"user group, edited":  {removeUserGroup, `{"action":"editusergroup","ugrpid":"{ug}","name":"x"}`, ""},
		"user group, deleted": {removeUserGroup, `{"action":"deleteusergroup","ugrpid":"{ug}","responseid":"r"}`, refusal("deleteusergroup", "Unknown device group")[0]},
		"user group, cloned":  {removeUserGroup, `{"action":"createusergroup","name":"x","clone":"{ug}","responseid":"r"}`, refusal("createusergroup", "Invalid clone groupid")[0]},
		"user group, linked":  {removeUserGroup, `{"action":"addmeshuser","meshid":"{g}","userid":"{ug}","meshadmin":8,"responseid":"r"}`, `{"action":"addmeshuser","responseid":"r","result":"Unknown user ops.............................................................","success":0,"failed":1}`},
		"device, removed":     {removeDevice, `{"action":"removedevices","nodeids":["{d}"],"responseid":"r"}`, refusal("removedevices", "Denied")[0]},
		"device, user":        {removeDevice, `{"action":"adddeviceuser","nodeid":"{d}","usernames":["bob"],"rights":8,"responseid":"r"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			twoServers(t, nil, func(w *world, _ *conflictStore, other *Server) {
				admin := w.account("admin", controlproto.SiteFull)
				w.account("bob", 0)
				ids := map[string]controlproto.ID{"g": w.group("lab", map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights})}
				ids["g2"] = w.group("lab2", map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights})
				ids["l"] = w.groupOf("local", controlproto.GroupLocal, map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights})
				ids["d"], ids["d2"] = w.device("pc1", ids["g2"]), w.device("pc2", ids["g2"])
				ids["ug"] = w.userGroup("ops", admin)
				s := w.script(ids, "admin")
				o := s.ops["admin"]
				o.ask(`{"action":"nodes"}`)
				require.NoError(t, other.reload(context.Background()))
				require.NoError(t, other.Update(context.Background(), func(tx *Tx) error { return tc.remove(tx, ids) }))
				others, _ := split(o.ask("%s", s.fill(tc.request)))
				var got []string
				for _, m := range others {
					if briefMessage(t, m)[:min(10, len(briefMessage(t, m)))] != "msg notify" {
						got = append(got, m)
					}
				}
				if tc.want == "" {
					require.Empty(t, got)
				} else {
					require.Len(t, got, 1)
					require.JSONEq(t, tc.want, got[0])
				}
				// Now it knows.
				w.s.changes.mu.Lock()
				err := w.s.reload(context.Background())
				w.s.changes.mu.Unlock()
				require.NoError(t, err)
				w.checkLinks()
			})
		})
	}
}

func removeBob(tx *Tx, _ map[string]controlproto.ID) error {
	return tx.Remove(KindAccount, "user//bob")
}

func removeGroupWith(tx *Tx, id controlproto.ID) error {
	if err := tx.Unlink("user//admin", id); err != nil {
		return err
	}
	return tx.Remove(KindDeviceGroup, id)
}

func removeGroup(tx *Tx, ids map[string]controlproto.ID) error { return removeGroupWith(tx, ids["g"]) }
func removeLocal(tx *Tx, ids map[string]controlproto.ID) error { return removeGroupWith(tx, ids["l"]) }

func removeUserGroup(tx *Tx, ids map[string]controlproto.ID) error {
	if err := tx.Unlink("user//admin", ids["ug"]); err != nil {
		return err
	}
	return tx.Remove(KindUserGroup, ids["ug"])
}

func removeDevice(tx *Tx, ids map[string]controlproto.ID) error {
	return tx.RemoveDevice(nil, ids["d"])
}

// With a bus between them, the sessions of one server follow what is done on the other.
func TestServersOnOneBus(t *testing.T) {
	twoServers(t, new(MemoryBus), func(w *world, _ *conflictStore, other *Server) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.FullRights, eve: 8})
		d := w.device("pc1", g)
		b, e := w.login("bob"), w.login("eve")
		require.Len(t, e.asked(`{"action":"nodes"}`)["nodes"], 1)
		synctest.Wait()
		require.NotNil(t, other.account(eve), "the other one follows this one")
		there := func(f func(tx *Tx) error) { require.NoError(t, other.Update(context.Background(), f)) }

		there(func(tx *Tx) error {
			return tx.ChangeDevice(d, func(d *controlproto.Device) error { d.Desc = "new"; return nil })
		})
		require.Len(t, e.events(), 1)
		require.Contains(t, e.ask(`{"action":"nodes"}`)[0], `"desc":"new"`)

		b.all()
		// Rights that were taken there count here, also for the events that follow.
		there(func(tx *Tx) error {
			if err := tx.Unlink(eve, g); err != nil {
				return err
			}
			return tx.ChangeDevice(d, func(d *controlproto.Device) error { d.Desc = "secret"; return nil })
		})
		require.Empty(t, e.events())
		require.Len(t, b.events(), 1)
		require.Empty(t, e.asked(`{"action":"nodes"}`)["nodes"])

		// An account that is removed and made again is a new one.
		there(func(tx *Tx) error { return tx.Remove(KindAccount, eve) })
		e.all()
		require.True(t, e.closed)
		there(func(tx *Tx) error {
			return tx.AddAccount(&Account{Type: controlproto.KindUser, User: controlproto.User{ID: eve, Name: "Eve"}})
		})
		synctest.Wait()
		require.Equal(t, "Eve", w.s.account(eve).Name)
		name, secret := b.token(0)
		o := w.loginWith(w.withToken(name, secret))
		there(func(tx *Tx) error { return tx.Remove(KindLoginToken, controlproto.ID(name)) })
		o.all()
		require.True(t, o.closed, "its token was removed there")
	})
}

// brokenStore fails to be read while it is broken.
type brokenStore struct {
	*MemoryStore
	mu     sync.Mutex
	broken bool
}

func (s *brokenStore) set(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

func (s *brokenStore) View(ctx context.Context, f func(StoreTx) error) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken {
		return errors.New("disk on fire")
	}
	return s.MemoryStore.View(ctx, f)
}

// What could not be read is read later.
func TestServersWithBrokenStore(t *testing.T) {
	bus := new(MemoryBus)
	store := &brokenStore{MemoryStore: new(MemoryStore)}
	inWorld(t, func(w *world) {
		other, err := New(Config{Store: store.MemoryStore, Bus: bus})
		require.NoError(t, err)
		defer other.Close()
		add := func(name string) {
			require.NoError(t, other.Update(context.Background(), func(tx *Tx) error {
				return tx.AddAccount(&Account{User: controlproto.User{ID: controlproto.UserID("", name), Name: name}})
			}))
			synctest.Wait()
		}
		store.set(true)
		add("bob")
		require.Nil(t, w.s.account("user//bob"))
		w.s.Tick() // in vain
		synctest.Wait()
		store.set(false)
		w.s.Tick()
		synctest.Wait()
		require.NotNil(t, w.s.account("user//bob"))
		w.s.foreign.mu.Lock()
		w.s.foreign.queue = make([]Notice, maxForeign)
		w.s.foreign.mu.Unlock()
		add("eve")
		require.NotNil(t, w.s.account("user//eve"), "everything is read")
	}, func(c *Config) { c.Store, c.Bus = store, bus })
}
