package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPorts(t *testing.T) {
	f, err := parseFlags([]string{"-ports", "22,8080", "-ports", "10.0.0.5:3389,db.example:*,*:443,[fe80::1]:5", "-data", "x"}, io.Discard)
	require.NoError(t, err)
	for address, want := range map[string]bool{
		"127.0.0.1:22": true, "localhost:22": true, "[::1]:8080": true, "127.0.0.1:23": false, "10.0.0.5:22": false,
		"10.0.0.5:3389": true, "DB.example:1": true, "other:443": true, "other:444": false, "[FE80::1]:5": true, "[fe80::1]:6": false,
		"": false, "127.0.0.1": false, "127.0.0.1:0": false, "127.0.0.1:65558": false, "db.example:x": false,
	} {
		require.Equal(t, want, f.ports.allows(address), address)
	}
	f, err = parseFlags([]string{"-ports", "any", "-data", "x"}, io.Discard)
	require.NoError(t, err)
	require.True(t, f.ports.allows("anything:1"))
	for _, bad := range []string{"", "0", "x", "70000", "22,", "a:b:1", ":22", "host:"} {
		_, err := parseFlags([]string{"-ports", bad, "-data", "x"}, io.Discard)
		require.Error(t, err, bad)
	}
	require.Nil(t, ports(nil).dial("tcp"), "without the flag the dispatcher refuses all")
	conn, err := (ports{{ownHost, 22}}).dial("tcp")(t.Context(), nil, "127.0.0.1:23")
	require.Error(t, err)
	require.Nil(t, conn)
}

// Operators do not get the folder with the agent's key.
func TestFilesWithoutTheKey(t *testing.T) {
	top := t.TempDir()
	data := filepath.Join(top, "a", "data")
	require.NoError(t, os.MkdirAll(filepath.Join(data, "inside"), 0o700))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(filepath.Join(top, "a"), link))
	for _, files := range []string{data, filepath.Join(top, "a"), top, "/", link, filepath.Join(data, "..", "data")} {
		require.ErrorContains(t, keepsApart(files, data), "agent's key", files)
		require.ErrorContains(t, keepsApart(files, filepath.Join(link, "data")), "agent's key", files)
	}
	require.NoError(t, keepsApart(filepath.Join(data, "inside"), data))
	require.NoError(t, keepsApart(t.TempDir(), data))
	require.Error(t, keepsApart(filepath.Join(top, "missing"), data))

	var stderr bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"-data", data, "-files", top}, &stderr), "-files: ")
	left, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Len(t, left, 1, "it ends before it makes a key")
}
