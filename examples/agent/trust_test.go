package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/nodeid"
)

func TestTrustIsRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "servers.json")
	log := slog.New(slog.DiscardHandler)
	a, b := nodeid.ServerID{1}, nodeid.ServerID{2}

	store := openTrustFile(path, log)
	require.False(t, store.Trusted(a, agentproto.Hash{1}))
	store.Trust(a, agentproto.Hash{1})
	store.Trust(b, agentproto.Hash{2})

	store = openTrustFile(path, log)
	require.True(t, store.Trusted(a, agentproto.Hash{1}))
	require.True(t, store.Trusted(b, agentproto.Hash{2}))
	require.False(t, store.Trusted(a, agentproto.Hash{2}), "it is another server's")
	require.False(t, store.Trusted(nodeid.ServerID{}, agentproto.Hash{}))

	store.Trust(a, agentproto.Hash{3})
	store = openTrustFile(path, log)
	require.True(t, store.Trusted(a, agentproto.Hash{3}))
	require.False(t, store.Trusted(a, agentproto.Hash{1}), "the server has another certificate now")
}

func TestBrokenTrustIsBegunAnew(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, content := range []string{"", "null", "[]", `{"x":"y"}`, "{"} {
		path := filepath.Join(t.TempDir(), "servers.json")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		store := openTrustFile(path, log)
		require.False(t, store.Trusted(nodeid.ServerID{1}, agentproto.Hash{1}), content)
		store.Trust(nodeid.ServerID{1}, agentproto.Hash{1})
		require.True(t, openTrustFile(path, log).Trusted(nodeid.ServerID{1}, agentproto.Hash{1}), content)
	}
	// It goes on when it can not write.
	store := openTrustFile(filepath.Join(t.TempDir(), "missing", "servers.json"), log)
	store.Trust(nodeid.ServerID{1}, agentproto.Hash{1})
	require.True(t, store.Trusted(nodeid.ServerID{1}, agentproto.Hash{1}))
}
