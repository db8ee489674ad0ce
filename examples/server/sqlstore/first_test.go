package sqlstore_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

const (
	firstGroup  = "mesh//PtPqToWjq8QJOg$MztsuYaRiJlql5IKv@LtuwY2twcjVG8MRqfr2mp3C3UcN@Rr@"
	firstDevice = "node//ob01W9$ObL$ktEIB06elNYt1p3ZmWDY5mmbCRWPtg3MFRF9nVq@OBCqoRMqJRMz8"
	firstOther  = "node/customer1/2222222222222222222222222222222222222222222222222222222222222222"
	firstAMT    = "mesh/customer1/1111111111111111111111111111111111111111111111111111111111111111"
	firstTemp   = "node//3333333333333333333333333333333333333333333333333333333333333333"
)

func record[T any](t *testing.T, tx controlserver.StoreTx, kind controlserver.Kind, id string) (controlserver.Record, *T) {
	t.Helper()
	r, err := tx.Get(kind, id)
	require.NoError(t, err, id)
	v := new(T)
	require.NoError(t, jsonrec.Unmarshal(r.Doc, v))
	return r, v
}

// TestFromFirst opens a database of version 1.
func TestFromFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.sqlite")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	for _, file := range []string{"migrations/0001_first.sql", "testdata/first.sql"} {
		script, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), string(script))
		require.NoError(t, err, file)
	}
	_, err = db.ExecContext(t.Context(), "PRAGMA user_version = 1")
	require.NoError(t, errors.Join(err, db.Close()))

	for _, round := range []string{"taken over", "opened again"} {
		s, err := sqlstore.Open(t.Context(), path)
		require.NoError(t, err, round)
		require.NoError(t, s.View(t.Context(), func(tx controlserver.StoreTx) error {
			checkFirst(t, tx)
			return nil
		}))
		require.NoError(t, s.Close())
	}
	db, err = sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	var left int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'first%'").Scan(&left))
	require.Zero(t, left)
}

func checkFirst(t *testing.T, tx controlserver.StoreTx) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	_, setting := record[sqlstore.Setting](t, tx, controlserver.KindSetting, "default group")
	require.Equal(t, firstGroup, setting.Value)

	_, a := record[controlserver.Account](t, tx, controlserver.KindAccount, "user//admin")
	require.Equal(t, "Admin", a.Name)
	require.True(t, a.SiteRights.Full())
	require.Equal(t, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$aGFzaA", a.PasswordHash.Reveal())
	require.True(t, a.Created.Equal(created.Truncate(time.Second)))
	require.Equal(t, controlproto.Links{firstGroup: {Rights: controlproto.FullRights}}, a.Links)

	_, g := record[controlproto.DeviceGroup](t, tx, controlserver.KindDeviceGroup, firstGroup)
	require.Equal(t, "lab", g.Name)
	require.Equal(t, "first floor", g.Desc)
	require.Equal(t, controlproto.GroupAgent, g.GroupType)
	require.True(t, g.Created.Equal(created))
	require.Equal(t, controlproto.Links{"user//admin": {Rights: controlproto.FullRights, Name: "Admin"}}, g.Links)
	_, g = record[controlproto.DeviceGroup](t, tx, controlserver.KindDeviceGroup, firstAMT)
	require.Equal(t, "customer1", g.Domain)
	require.Equal(t, controlproto.GroupAMT, g.GroupType)
	require.Empty(t, g.Links)

	r, d := record[controlproto.Device](t, tx, controlserver.KindDevice, firstDevice)
	require.Equal(t, firstGroup, r.Owner)
	isRoot := true
	require.Equal(t, &controlproto.Device{
		Type: "node", MeshType: controlproto.GroupAgent, ID: firstDevice, Icon: 1, Group: firstGroup, Name: "front desk", RName: "vm",
		Agent: &controlproto.DeviceAgent{Version: new(int), ID: 6, Caps: 30, Core: "Nov 21 2022, 2189501291", Root: &isRoot, Tag: "rack 5"}, FirstConnect: d.FirstConnect,
		IP: "192.0.2.7", OSDesc: "Debian GNU/Linux 12 (bookworm)", Users: []string{"alice"}, LastBoot: d.LastBoot,
	}, d)
	require.True(t, d.FirstConnect.Equal(created))
	require.Equal(t, int64(1767390000000), d.LastBoot.UnixMilli())
	r, last := record[controlproto.LastConnect](t, tx, controlserver.KindLastConnect, firstDevice)
	require.Equal(t, firstDevice, r.Owner)
	require.Equal(t, 1, last.Cause, "it was connected when the server was killed")
	require.Equal(t, "192.0.2.7", last.Addr)
	require.True(t, last.Time.Equal(time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)))
	_, d = record[controlproto.Device](t, tx, controlserver.KindDevice, firstOther)
	require.Equal(t, controlproto.GroupAMT, d.MeshType)
	_, err := tx.Get(controlserver.KindLastConnect, firstOther)
	require.ErrorIs(t, err, controlserver.ErrNotFound)
	_, d = record[controlproto.Device](t, tx, controlserver.KindDevice, firstTemp)
	require.EqualValues(t, 8|32, d.Agent.Caps, "the mark of a temporary agent")
	_, last = record[controlproto.LastConnect](t, tx, controlserver.KindLastConnect, firstTemp)
	require.Zero(t, last.Cause)

	for kind, want := range map[controlserver.Kind]string{controlserver.KindSystem: "hardware", controlserver.KindNetwork: "eth0"} {
		r, err := tx.Get(kind, firstDevice)
		require.NoError(t, err)
		require.Equal(t, firstDevice, r.Owner)
		require.Contains(t, string(r.Doc), want)
	}

	events, err := tx.Events(controlserver.EventQuery{Targets: []string{"*"}})
	require.NoError(t, err)
	require.Len(t, events, 3)
	require.Equal(t, `{"etype":"node","action":"addnode","nodeid":"`+firstDevice+`","meshid":"`+firstGroup+`","msg":"Device added",`+
		`"domain":"","time":"2026-01-02T03:04:05.679Z","addr":"192.0.2.7","name":"front desk"}`, string(events[1].Doc))
	require.Equal(t, "started", events[2].Action)
	events, err = tx.Events(controlserver.EventQuery{Device: firstDevice, Targets: []string{firstGroup}, Action: "agentdisconnect"})
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Contains(t, string(events[0].Doc), `"detail":"agentproto: closed"`)
}
