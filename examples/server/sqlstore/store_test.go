package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/controlproto/controlserver/storetest"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
)

func openStore(t testing.TB) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "store.sqlite"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) controlserver.Store { return openStore(t) })
}

func TestViewsDoNotWrite(t *testing.T) {
	s := openStore(t)
	err := s.View(t.Context(), func(tx controlserver.StoreTx) error {
		return tx.Put(controlserver.Record{Kind: controlserver.KindSetting, ID: "a", Doc: []byte("1")})
	})
	require.ErrorContains(t, err, "readonly")
}

func TestTrimEvents(t *testing.T) {
	s := openStore(t)
	now := time.Now()
	require.NoError(t, s.Update(t.Context(), func(tx controlserver.StoreTx) error {
		for i := range 10 {
			e := controlserver.LoggedEvent{
				Time: now.Add(time.Duration(i) * time.Minute), Domain: fmt.Sprint(i % 2), Targets: []string{"*"}, Doc: fmt.Append(nil, i),
			}
			if err := tx.AppendEvent(e); err != nil {
				return err
			}
		}
		return nil
	}))
	left := func(domain string) (left string) {
		require.NoError(t, s.View(t.Context(), func(tx controlserver.StoreTx) error {
			events, err := tx.Events(controlserver.EventQuery{Domain: domain, Targets: []string{"*"}})
			for _, e := range events {
				left += string(e.Doc)
			}
			return err
		}))
		return left
	}
	n, err := s.TrimEvents(t.Context(), now.Add(3*time.Minute), 100)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	require.Equal(t, "864", left("0"))
	require.Equal(t, "9753", left("1"))
	n, err = s.TrimEvents(t.Context(), now, 4)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	require.Equal(t, "86", left("0"))
	require.Equal(t, "97", left("1"))
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?b%20c#d.sqlite") // a name that a URL would take apart
	s, err := sqlstore.Open(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), func(tx controlserver.StoreTx) error {
		return tx.Put(controlserver.Record{Kind: controlserver.KindSetting, ID: "a", Doc: []byte(`{"value":"1"}`)})
	}))
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
	require.NoError(t, s.View(t.Context(), func(tx controlserver.StoreTx) error {
		r, err := tx.Get(controlserver.KindSetting, "a")
		require.Equal(t, `{"value":"1"}`, string(r.Doc))
		return err
	}))
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
