package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Keys as a MeshCentral 1.1.55 wrote them.
const (
	stockMesh  = "mesh//PtPqToWjq8QJOg$MztsuYaRiJlql5IKv@LtuwY2twcjVG8MRqfr2mp3C3UcN@Rr@"
	stockNode  = "node//ob01W9$ObL$ktEIB06elNYt1p3ZmWDY5mmbCRWPtg3MFRF9nVq@OBCqoRMqJRMz8"
	otherMesh  = "mesh//0000000000000000000000000000000000000000000000000000000000000000"
	otherNode  = "node//0000000000000000000000000000000000000000000000000000000000000000"
	domainMesh = "mesh/customer1/1111111111111111111111111111111111111111111111111111111111111111"
)

// stockLines is a database in the form that NeDB writes: documents, later versions of them, deletions, indexes, and a
// line that a power failure cut. The documents follow those of a MeshCentral 1.1.55 with one native agent.
var stockLines = []string{
	`{"_id":"DatabaseIdentifier","value":"39e2682ad2cbd604"}`,
	`{"_id":"SchemaVersion","value":2}`,
	`{"_id":"user//admin","type":"user","name":"admin","domain":"","salt":"SQ==","hash":"ND==","siteadmin":4294967295}`,
	`{"$$indexCreated":{"fieldName":"type","unique":false,"sparse":false}}`,
	`{"type":"mesh","_id":"` + stockMesh + `","name":"before","mtype":2,"domain":"","creation":1795390803056}`,
	`{"type":"mesh","_id":"` + stockMesh + `","name":"Gruppe <eins>","mtype":2,"domain":"","links":{"user//admin":{"rights":4294967295}},"creation":1795390803056}`,
	`{"type":"mesh","_id":"` + otherMesh + `","name":"gone","mtype":2,"domain":""}`,
	`{"type":"mesh","_id":"` + domainMesh + `","name":5,"desc":"d","mtype":1,"domain":"customer1","creation":1e300}`,
	`{"type":"node","mtype":2,"_id":"` + stockNode + `","icon":1,"meshid":"` + stockMesh + `","name":"vm","rname":"vm","domain":"","agent":{"ver":0,"id":6,"caps":280},"host":null,"firstconnect":1795390804356}`,
	`{"_id":"lc` + stockNode + `","type":"lastconnect","domain":"","meshid":"` + stockMesh + `","time":1795390804357}`,
	`{"type":"node","mtype":2,"_id":"` + stockNode + `","icon":1,"meshid":"` + stockMesh + `","name":"\u0007Büro <1>","rname":"vm","domain":"","agent":{"ver":0,"id":6,"caps":30,"core":"Nov 21 2022","root":true},"host":null,"firstconnect":1795390804356,"ip":"127.0.0.1","osdesc":"Debian"}`,
	`{"type":"node","_id":"` + otherNode + `","meshid":"` + otherMesh + `","name":"of a group that is gone"}`,
	`{"type":"node","_id":"node//short","meshid":"` + stockMesh + `","name":"bad id"}`,
	`{"$$deleted":true,"_id":"` + otherMesh + `"}`,
	``,
	`{"type":"node","_id":"node//x","name":"cut`,
}

func openTestStore(t testing.TB) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "store.sqlite"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func writeStock(t *testing.T, lines ...string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	// Read only, as far as the system cares: nothing may be written to it.
	require.NoError(t, os.WriteFile(filepath.Join(folder, stockDatabase), []byte(strings.Join(lines, "\n")), 0o400))
	return folder
}

func TestImportStock(t *testing.T) {
	store := openTestStore(t)
	folder := writeStock(t, stockLines...)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	require.NoError(t, importStock(t.Context(), store, folder, logger))
	require.Contains(t, log.String(), "groups=2 devices=1 skipped=2 badLines=1")

	meshKey, err := nodeid.ParseMeshKey(stockMesh)
	require.NoError(t, err)
	nodeKey, err := nodeid.ParseNodeKey(stockNode)
	require.NoError(t, err)
	require.NoError(t, store.View(t.Context(), func(tx *sqlstore.Tx) error {
		groups, err := tx.Groups()
		require.NoError(t, err)
		require.Len(t, groups, 2)
		g, err := tx.Group(meshKey)
		require.NoError(t, err)
		require.Equal(t, "Gruppe <eins>", g.Name)
		require.Equal(t, sqlstore.AgentGroup, g.Type)
		require.True(t, g.Created.Equal(time.UnixMilli(1795390803056)))
		d, err := tx.Device(nodeKey)
		require.Equal(t, sqlstore.Device{
			Key: nodeKey, Group: meshKey, Name: "Büro <1>", Host: "vm", Icon: 1, AgentID: 6, Capabilities: 30,
			Core: "Nov 21 2022", OS: "Debian", Addr: "127.0.0.1", Created: time.UnixMilli(1795390804356).UTC(),
		}, d)
		return err
	}))

	// Once: what is changed here stays changed.
	require.NoError(t, store.Update(t.Context(), func(tx *sqlstore.Tx) error {
		_, err := tx.DeleteDevice(nodeKey)
		return err
	}))
	log.Reset()
	require.NoError(t, importStock(t.Context(), store, folder, logger))
	require.Empty(t, log.String())
	require.NoError(t, store.View(t.Context(), func(tx *sqlstore.Tx) error {
		_, err := tx.Device(nodeKey)
		require.ErrorIs(t, err, sqlstore.ErrNotFound)
		return nil
	}))
}

func TestImportKeepsWhatIsHere(t *testing.T) {
	store := openTestStore(t)
	meshKey, err := nodeid.ParseMeshKey(stockMesh)
	require.NoError(t, err)
	require.NoError(t, store.Update(t.Context(), func(tx *sqlstore.Tx) error {
		return tx.PutGroup(sqlstore.Group{Key: meshKey, Name: "mine", Type: sqlstore.AgentGroup})
	}))
	require.NoError(t, importStock(t.Context(), store, writeStock(t, stockLines...), slog.New(slog.DiscardHandler)))
	require.NoError(t, store.View(t.Context(), func(tx *sqlstore.Tx) error {
		g, err := tx.Group(meshKey)
		require.Equal(t, "mine", g.Name)
		return err
	}))
}

func TestImportWithoutStock(t *testing.T) {
	require.NoError(t, importStock(t.Context(), openTestStore(t), t.TempDir(), slog.New(slog.DiscardHandler)))
}

func TestImportEncrypted(t *testing.T) {
	err := importStock(t.Context(), openTestStore(t), writeStock(t, "q83vASNF", "ZXhhbXBsZQ=="), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "dbEncryptKey")
}

func TestReadNeDBLongLines(t *testing.T) {
	doc := func(id string, pad int) string {
		return fmt.Sprintf(`{"type":"mesh","_id":"%s","pad":"%s"}`, id, strings.Repeat("x", pad))
	}
	// Around the reader's buffer, and over the limit.
	text := strings.Join([]string{doc("a", 10), doc("b", 64<<10), doc("c", 200<<10), doc("d", maxNeDBLine), doc("e", 1)}, "\r\n")
	for name, r := range map[string]io.Reader{
		"whole":    strings.NewReader(text),
		"ended":    strings.NewReader(text + "\n"),
		"in parts": iotest.HalfReader(strings.NewReader(text)),
	} {
		docs, lines, bad, err := readNeDB(r, func(typ string) bool { return typ == "mesh" })
		require.NoError(t, err, name)
		require.Equal(t, 5, lines, name)
		require.Equal(t, 1, bad, name)
		require.Len(t, docs, 4, name)
		require.Equal(t, doc("c", 200<<10), string(docs["c"]), name)
	}
	failure := errors.New("disk")
	_, _, _, err := readNeDB(io.MultiReader(strings.NewReader(doc("a", 1)), iotest.ErrReader(failure)), func(string) bool { return true })
	require.ErrorIs(t, err, failure)
}

func FuzzImportStock(f *testing.F) {
	for _, line := range stockLines {
		f.Add([]byte(line))
	}
	f.Add([]byte(strings.Join(stockLines, "\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, lines, bad, err := readNeDB(bytes.NewReader(b), func(typ string) bool { return typ == "mesh" || typ == "node" })
		require.NoError(t, err)
		require.LessOrEqual(t, len(docs)+bad, lines)
		for id, doc := range docs {
			require.True(t, json.Valid(doc))
			var d stockDocument
			if !d.parse(doc) {
				continue
			}
			if g, ok := d.group(id); ok {
				_, err := json.Marshal(g)
				require.NoError(t, err)
			}
			if n, ok := d.device(id); ok {
				require.NotEmpty(t, n.Name)
				_, err := json.Marshal(n)
				require.NoError(t, err)
			}
		}
	})
}
