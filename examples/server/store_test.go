package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
)

func openTestStore(t testing.TB) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "store.sqlite"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func openTestRecords(t testing.TB) (*sqlstore.Store, *controlserver.Server) {
	t.Helper()
	store := openTestStore(t)
	records, err := controlserver.New(controlserver.Config{Store: store})
	require.NoError(t, err)
	t.Cleanup(records.Close)
	return store, records
}
