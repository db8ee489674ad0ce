package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/nodeid"
)

func openStore(t *testing.T) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "store.sqlite"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func update(t *testing.T, s *sqlstore.Store, f func(*sqlstore.Tx) error) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), f))
}

func view(t *testing.T, s *sqlstore.Store, f func(*sqlstore.Tx) error) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), f))
}

func newGroup(t *testing.T, name string) sqlstore.Group {
	t.Helper()
	id, err := nodeid.NewMeshID(rand.Reader)
	require.NoError(t, err)
	return sqlstore.Group{Key: nodeid.MeshKey{ID: id}, Name: name, Type: sqlstore.AgentGroup, Created: now}
}

func newDevice(group sqlstore.Group, number byte) sqlstore.Device {
	return sqlstore.Device{
		Key: nodeid.NodeKey{ID: nodeid.NodeID{number}}, Group: group.Key, Name: fmt.Sprintf("device %d", number), Created: now,
	}
}

// now has the precision of the store.
var now = time.Now().Truncate(time.Millisecond)

func TestSettings(t *testing.T) {
	s := openStore(t)
	update(t, s, func(tx *sqlstore.Tx) error {
		_, ok, err := tx.Setting("a")
		require.NoError(t, err)
		require.False(t, ok)
		return errors.Join(tx.SetSetting("a", "1"), tx.SetSetting("a", "2"), tx.SetSetting("b", ""))
	})
	view(t, s, func(tx *sqlstore.Tx) error {
		v, ok, err := tx.Setting("a")
		require.Equal(t, "2", v)
		require.True(t, ok)
		require.NoError(t, err)
		v, ok, err = tx.Setting("b")
		require.Empty(t, v)
		require.True(t, ok)
		return err
	})
}

func TestUsers(t *testing.T) {
	s := openStore(t)
	admin := sqlstore.User{Name: "Admin", Password: "$secret$", Admin: true, Created: now}
	update(t, s, func(tx *sqlstore.Tx) error {
		_, err := tx.User("admin")
		require.ErrorIs(t, err, sqlstore.ErrNotFound)
		return tx.PutUser(admin)
	})
	view(t, s, func(tx *sqlstore.Tx) error {
		got, err := tx.User("ADMIN")
		require.NoError(t, err)
		require.Equal(t, admin.Name, got.Name)
		require.True(t, got.Password == admin.Password)
		require.True(t, got.Created.Equal(now))
		all, err := tx.Users()
		require.Len(t, all, 1)
		return err
	})
	text, err := json.Marshal(struct{ P sqlstore.PasswordHash }{admin.Password})
	require.NoError(t, err)
	for _, form := range []string{fmt.Sprint(admin), fmt.Sprintf("%#v %+v %x %q", admin, admin, admin.Password, admin.Password), string(text)} {
		require.NotContains(t, form, "secret")
	}
}

func TestGroupsAndDevices(t *testing.T) {
	s := openStore(t)
	a, b := newGroup(t, "a"), newGroup(t, "b")
	b.Type, b.Description = sqlstore.LocalGroup, "local"
	d := newDevice(a, 1)
	d.Connected, d.Addr, d.OS = now, "192.0.2.1", "Linux"
	update(t, s, func(tx *sqlstore.Tx) error {
		return errors.Join(tx.PutGroup(b), tx.PutGroup(a), tx.PutDevice(d), tx.PutDevice(newDevice(b, 2)), tx.PutDevice(newDevice(b, 3)))
	})
	view(t, s, func(tx *sqlstore.Tx) error {
		groups, err := tx.Groups()
		require.NoError(t, err)
		require.Len(t, groups, 2)
		require.Equal(t, a.Key, groups[0].Key)
		require.Equal(t, "local", groups[1].Description)
		require.Equal(t, sqlstore.LocalGroup, groups[1].Type)
		got, err := tx.Device(d.Key)
		require.NoError(t, err)
		require.True(t, got.Connected.Equal(now))
		require.True(t, got.Disconnected.IsZero())
		got.Created, got.Connected = d.Created, d.Connected
		require.Equal(t, d, got)
		counts, err := tx.CountDevices()
		require.NoError(t, err)
		require.Equal(t, map[nodeid.MeshKey]int{a.Key: 1, b.Key: 2}, counts)
		some, err := tx.Devices(2)
		require.Len(t, some, 2)
		return err
	})

	d.Group, d.Name = b.Key, "moved"
	update(t, s, func(tx *sqlstore.Tx) error { return tx.PutDevice(d) })
	view(t, s, func(tx *sqlstore.Tx) error {
		got, err := tx.Device(d.Key)
		require.Equal(t, b.Key, got.Group)
		require.Equal(t, "moved", got.Name)
		return err
	})

	stranger := newDevice(newGroup(t, "never stored"), 4)
	err := s.Update(t.Context(), func(tx *sqlstore.Tx) error { return tx.PutDevice(stranger) })
	require.ErrorContains(t, err, "FOREIGN KEY")
}

func TestReportsGoWithTheirDevice(t *testing.T) {
	s := openStore(t)
	g := newGroup(t, "g")
	d := newDevice(g, 1)
	r := sqlstore.Report{Device: d.Key, Kind: sqlstore.SystemReport, Time: now, Hash: "ab", Doc: sqlstore.Document(`{"a":"secret"}`)}
	update(t, s, func(tx *sqlstore.Tx) error {
		require.NoError(t, errors.Join(tx.PutGroup(g), tx.PutDevice(d), tx.PutReport(r)))
		r.Hash = "cd"
		return tx.PutReport(r)
	})
	view(t, s, func(tx *sqlstore.Tx) error {
		hash, err := tx.ReportHash(d.Key, sqlstore.SystemReport)
		require.Equal(t, "cd", hash)
		require.NoError(t, err)
		hash, err = tx.ReportHash(d.Key, sqlstore.NetworkReport)
		require.Empty(t, hash)
		require.NoError(t, err)
		got, err := tx.Report(d.Key, sqlstore.SystemReport)
		require.Equal(t, r, got)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %x", got, got, got, got.Doc, got.Doc), "secret")
		return err
	})
	update(t, s, func(tx *sqlstore.Tx) error {
		require.NoError(t, tx.PutDevice(d)) // replacing it keeps them
		_, err := tx.Report(d.Key, sqlstore.SystemReport)
		require.NoError(t, err)
		there, err := tx.DeleteDevice(d.Key)
		require.True(t, there)
		require.NoError(t, err)
		_, err = tx.Report(d.Key, sqlstore.SystemReport)
		require.ErrorIs(t, err, sqlstore.ErrNotFound)
		there, err = tx.DeleteDevice(d.Key)
		require.False(t, there)
		return err
	})
}

func TestTemporaryDevices(t *testing.T) {
	s := openStore(t)
	g := newGroup(t, "g")
	temporary := newDevice(g, 1)
	temporary.Temporary = true
	update(t, s, func(tx *sqlstore.Tx) error {
		return errors.Join(tx.PutGroup(g), tx.PutDevice(temporary), tx.PutDevice(newDevice(g, 2)))
	})
	view(t, s, func(tx *sqlstore.Tx) error {
		list, err := tx.TemporaryDevices()
		require.Len(t, list, 1)
		require.Equal(t, temporary.Key, list[0].Key)
		return err
	})
}

func TestEvents(t *testing.T) {
	s := openStore(t)
	device := nodeid.NodeKey{ID: nodeid.NodeID{1}}
	update(t, s, func(tx *sqlstore.Tx) error {
		for i := range 10 {
			e := sqlstore.Event{Time: now.Add(time.Duration(i) * time.Minute), Kind: sqlstore.DeviceConnected, Name: fmt.Sprint(i)}
			if i%2 == 1 {
				e.Device = device
			}
			require.NoError(t, tx.AppendEvent(e))
		}
		return nil
	})
	names := func(events []sqlstore.Event, err error) (names []string) {
		require.NoError(t, err)
		for _, e := range events {
			names = append(names, e.Name)
		}
		return names
	}
	view(t, s, func(tx *sqlstore.Tx) error {
		require.Equal(t, []string{"9", "8"}, names(tx.Events(2)))
		require.Equal(t, []string{"9", "7", "5"}, names(tx.DeviceEvents(device, 3)))
		events, err := tx.DeviceEvents(device, 1)
		require.Equal(t, device, events[0].Device)
		require.True(t, events[0].Time.Equal(now.Add(9*time.Minute)))
		return err
	})
	update(t, s, func(tx *sqlstore.Tx) error {
		n, err := tx.TrimEvents(now.Add(3*time.Minute), 100)
		require.EqualValues(t, 3, n)
		require.NoError(t, err)
		n, err = tx.TrimEvents(now, 4)
		require.EqualValues(t, 3, n)
		require.Equal(t, []string{"9", "8", "7", "6"}, names(tx.Events(10)))
		return err
	})
}

func TestFailedUpdateChangesNothing(t *testing.T) {
	s := openStore(t)
	failure := errors.New("no")
	err := s.Update(t.Context(), func(tx *sqlstore.Tx) error {
		require.NoError(t, tx.SetSetting("a", "1"))
		return failure
	})
	require.ErrorIs(t, err, failure)
	err = s.View(t.Context(), func(tx *sqlstore.Tx) error {
		_, ok, err := tx.Setting("a")
		require.False(t, ok)
		require.NoError(t, err)
		return tx.SetSetting("a", "1")
	})
	require.ErrorContains(t, err, "readonly")
}

func TestUpdatesDoNotCollide(t *testing.T) {
	s := openStore(t)
	const workers, each = 8, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				err := s.Update(t.Context(), func(tx *sqlstore.Tx) error {
					v, _, err := tx.Setting("count")
					n := 0
					fmt.Sscan(v, &n)
					return errors.Join(err, tx.SetSetting("count", fmt.Sprint(n+1)))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(tx *sqlstore.Tx) error {
		v, _, err := tx.Setting("count")
		require.Equal(t, fmt.Sprint(workers*each), v)
		return err
	})
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?b%20c#d.sqlite") // a name that a URL would take apart
	s, err := sqlstore.Open(t.Context(), path)
	require.NoError(t, err)
	update(t, s, func(tx *sqlstore.Tx) error { return tx.SetSetting("a", "1") })
	require.NoError(t, s.Close())

	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "the write-ahead log is merged at the end")
	info, err := files[0].Info()
	require.NoError(t, err)
	require.Equal(t, filepath.Base(path), info.Name())
	if runtime.GOOS != "windows" {
		require.Zero(t, info.Mode().Perm()&0o077, "others may not read password hashes")
	}

	s, err = sqlstore.Open(t.Context(), path)
	require.NoError(t, err)
	view(t, s, func(tx *sqlstore.Tx) error {
		v, _, err := tx.Setting("a")
		require.Equal(t, "1", v)
		return err
	})
	require.NoError(t, s.Close())
}

func TestFilesThatCanNotBeUsed(t *testing.T) {
	dir := t.TempDir()
	_, err := sqlstore.Open(t.Context(), filepath.Join(dir, "missing", "store.sqlite"))
	require.ErrorIs(t, err, os.ErrNotExist)

	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("this is a text file, and no database at all"), 0o600))
	_, err = sqlstore.Open(t.Context(), text)
	require.ErrorContains(t, err, "not a database")

	newer := filepath.Join(dir, "newer.sqlite")
	db, err := sql.Open("sqlite", newer)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "PRAGMA user_version = 999")
	require.NoError(t, errors.Join(err, db.Close()))
	_, err = sqlstore.Open(t.Context(), newer)
	require.ErrorContains(t, err, "newer")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = sqlstore.Open(ctx, filepath.Join(dir, "late.sqlite"))
	require.ErrorIs(t, err, context.Canceled)
}
