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
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// Keys as a MeshCentral 1.1.55 wrote them.
const (
	stockMesh  = "mesh//PtPqToWjq8QJOg$MztsuYaRiJlql5IKv@LtuwY2twcjVG8MRqfr2mp3C3UcN@Rr@"
	stockNode  = "node//ob01W9$ObL$ktEIB06elNYt1p3ZmWDY5mmbCRWPtg3MFRF9nVq@OBCqoRMqJRMz8"
	otherMesh  = "mesh//0000000000000000000000000000000000000000000000000000000000000000"
	otherNode  = "node//0000000000000000000000000000000000000000000000000000000000000000"
	domainMesh = "mesh/customer1/1111111111111111111111111111111111111111111111111111111111111111"
)

// stockHash is that of the password "hello" and the salt "c2FsdA==", from a run of MeshCentral's pass.js.
const stockHash = "hNh839twzIlJxAXMY9IWn61/K8MOj34qsg+GHeYFf8pWUET6zbr66B775tnS2Mxokmxo7VDZS/F8I7PvkWtzxgRJfq3Jg8wozha1+M9YVodlC910OcCnABkWLejAFl7Q1bzkG+FQoXwkGEhzZl8PEJ94RV0eXXpQ9KU2ysDUIO4="

var stockKey = strings.Repeat("0123456789abcdef", 10)

// stockLines is a database in the form that NeDB writes: documents, later versions of them, deletions, indexes, and a
// line that a power failure cut. The documents follow those of a MeshCentral 1.1.55 with one native agent.
var stockLines = []string{
	`{"_id":"DatabaseIdentifier","value":"39e2682ad2cbd604"}`,
	`{"_id":"SchemaVersion","value":2}`,
	`{"_id":"LoginCookieEncryptionKey","key":"` + stockKey + `","time":1795390803056}`,
	`{"_id":"InvitationLinkEncryptionKey","key":"short","time":1795390803056}`,
	`{"_id":"user//admin","type":"user","name":"Admin","domain":"","salt":"c2FsdA==","hash":"` + stockHash + `","siteadmin":4294967295,"links":{"mesh//PtPqToWjq8QJOg%24MztsuYaRiJlql5IKv@LtuwY2twcjVG8MRqfr2mp3C3UcN@Rr@":{"rights":4294967295}},"otpsecret":"GEZDGNBVGY3TQOJQ","otpkeys":{"keys":[{"p":1234567,"u":true},{"p":87654321,"u":false}]},"otphkeys":[{"name":"key","type":3,"publicKey":"hidden"}],"oldpasswords":[{"salt":"hidden","hash":"hidden"}],"passhint":"dog","creation":1795390803}`,
	`{"_id":"user/customer1/key","type":"user","name":"key","salt":"c2FsdA==","hash":"` + stockHash + `","otphkeys":[{"name":"key","type":3}],"groups":["north"]}`,
	`{"_id":"ugrp//` + strings.Repeat("u", 64) + `","type":"ugrp","name":"helpdesk","links":{"user//admin":{"userid":"user//admin","name":"Admin","rights":1}}}`,
	`{"_id":"logintoken-~t:abcdefghijklmnop","type":"logintoken","nodeid":"logintoken-user//admin","userid":"user//admin","name":"job","tokenUser":"~t:abcdefghijklmnop","salt":"c2FsdA==","hash":"` + stockHash + `","domain":"","created":1795390803056,"expire":0}`,
	`{"_id":"deviceshare-abc","type":"deviceshare","nodeid":"` + stockNode + `","p":2,"domain":"","publicid":"abc","guestName":"bob","userid":"user//admin","url":"https://server/sharing?c=hidden","extrakey":"xyz"}`,
	`{"_id":"nt` + stockNode + `","type":"note","value":"behind the door"}`,
	`{"_id":"si` + stockNode + `","type":"sysinfo","domain":"","nodeid":"` + stockNode + `","time":1795390804357,"hash":"ab12","hardware":{"linux":{}}}`,
	`{"_id":"if` + stockNode + `","type":"ifinfo","domain":"","updateTime":1795390804357,"netif2":{"eth0%2E1":[{"address":"192.0.2.7"}]}}`,
	`{"_id":"si` + otherNode + `","type":"sysinfo","hash":"of no device"}`,
	`{"$$indexCreated":{"fieldName":"type","unique":false,"sparse":false}}`,
	`{"type":"mesh","_id":"` + stockMesh + `","name":"before","mtype":2,"domain":"","creation":1795390803056}`,
	`{"type":"mesh","_id":"` + stockMesh + `","name":"Gruppe <eins>","mtype":2,"domain":"","links":{"user//admin":{"rights":4294967295}},"creation":1795390803056}`,
	`{"type":"mesh","_id":"` + otherMesh + `","name":"gone","mtype":2,"domain":""}`,
	`{"type":"mesh","_id":"` + domainMesh + `","name":5,"desc":"d","mtype":1,"domain":"customer1","creation":1e300}`,
	`{"type":"node","mtype":2,"_id":"` + stockNode + `","icon":1,"meshid":"` + stockMesh + `","name":"vm","rname":"vm","domain":"","agent":{"ver":0,"id":6,"caps":280},"host":null,"firstconnect":1795390804356}`,
	`{"_id":"lc` + stockNode + `","type":"lastconnect","domain":"","meshid":"` + stockMesh + `","time":1795390804357,"addr":"127.0.0.1:1","cause":1,"connectType":1}`,
	`{"type":"node","mtype":2,"_id":"` + stockNode + `","icon":1,"meshid":"` + stockMesh + `","name":"\u0007Büro <1>","rname":"vm","domain":"","agent":{"ver":0,"id":6,"caps":30,"core":"Nov 21 2022","root":true},"host":null,"firstconnect":1795390804356,"ip":"127.0.0.1","osdesc":"Debian","ssh":{"user//admin":{"u":"root","p":"hidden"}},"rdp":{"user//admin":{"p":"hidden"}},"pmt":"hidden"}`,
	`{"type":"node","_id":"` + otherNode + `","meshid":"` + otherMesh + `","name":"of a group that is gone"}`,
	`{"type":"node","_id":"node//short","meshid":"` + stockMesh + `","name":"bad id"}`,
	`{"$$deleted":true,"_id":"` + otherMesh + `"}`,
	``,
	`{"type":"node","_id":"node//x","name":"cut`,
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
	require.Contains(t, log.String(), "accounts=2 userGroups=1 groups=2 devices=1 tokens=1 shares=1 notes=1 skipped=2 badLines=1")
	require.Contains(t, log.String(), "accounts=[user/customer1/key]")

	g := record[controlproto.DeviceGroup](t, store, controlserver.KindDeviceGroup, stockMesh)
	require.Equal(t, "Gruppe <eins>", g.Name)
	require.Equal(t, controlproto.GroupAgent, g.GroupType)
	require.True(t, g.Created.Equal(time.UnixMilli(1795390803056)))
	require.Equal(t, controlproto.Links{"user//admin": {Rights: controlproto.FullRights}}, g.Links)
	record[controlproto.DeviceGroup](t, store, controlserver.KindDeviceGroup, domainMesh)

	isRoot := true
	d := record[controlproto.Device](t, store, controlserver.KindDevice, stockNode)
	require.Equal(t, &controlproto.Device{
		Type: "node", MeshType: controlproto.GroupAgent, ID: stockNode, Group: stockMesh, Name: "Büro <1>", RName: "vm", Icon: 1,
		Agent:  &controlproto.DeviceAgent{Version: new(int), ID: 6, Caps: 30, Core: "Nov 21 2022", Root: &isRoot},
		OSDesc: "Debian", IP: "127.0.0.1", FirstConnect: time.UnixMilli(1795390804356).UTC(),
	}, d)
	require.Equal(t, "behind the door", record[controlserver.Notes](t, store, controlserver.KindNotes, stockNode).Text)
	last := record[controlproto.LastConnect](t, store, controlserver.KindLastConnect, stockNode)
	require.Equal(t, &controlproto.LastConnect{
		Time: time.UnixMilli(1795390804357).UTC(), Addr: "127.0.0.1:1", Cause: 1, Type: controlproto.ConnAgent,
	}, last)
	require.Equal(t, "ab12", record[controlproto.SysInfo](t, store, controlserver.KindSystem, stockNode).Hash)
	network := record[controlproto.NetworkInfo](t, store, controlserver.KindNetwork, stockNode)
	require.Len(t, network.Interfaces["eth0.1"], 1)
	require.Empty(t, network.Extra)
	absent(t, store, controlserver.KindSystem, otherNode)
	share := record[controlproto.Share](t, store, controlserver.KindShare, "abc")
	require.Equal(t, "bob", share.GuestName)
	require.Equal(t, controlproto.ShareDesktop, share.Kind)

	// Once: what is changed here stays changed.
	require.NoError(t, store.Update(t.Context(), func(tx controlserver.StoreTx) error {
		return tx.Delete(controlserver.KindDevice, stockNode)
	}))
	log.Reset()
	require.NoError(t, importStock(t.Context(), store, folder, logger))
	require.Empty(t, log.String())
	absent(t, store, controlserver.KindDevice, stockNode)
}

// TestStockLogins logs in with what people have from the stock server.
func TestStockLogins(t *testing.T) {
	store := openTestStore(t)
	require.NoError(t, importStock(t.Context(), store, writeStock(t, stockLines...), slog.New(slog.DiscardHandler)))
	ts, err := findTenants(t.Context(), store, &fileConfig{})
	require.NoError(t, err)
	require.Len(t, ts, 2)
	records, err := controlserver.New(controlserver.Config{Store: store, Domains: ts.domains()})
	require.NoError(t, err)
	defer records.Close()

	admin := record[controlserver.Account](t, store, controlserver.KindAccount, "user//admin")
	require.Equal(t, "Admin", admin.Name)
	require.True(t, admin.SiteRights.Full())
	require.Equal(t, "GEZDGNBVGY3TQOJQ", admin.TOTPSecret.Reveal())
	require.Equal(t, "01234567", admin.BackupCodes[0].Code.Reveal())
	require.False(t, admin.BackupCodes[0].Used)
	require.True(t, admin.BackupCodes[1].Used)
	require.Equal(t, controlproto.Links{stockMesh: {Rights: controlproto.FullRights}}, admin.Links)

	hello, wrong := controlproto.NewSecret("hello"), controlproto.NewSecret("hello ")
	for range 2 { // the second time from a hash of this server
		ok, err := records.CheckPassword(t.Context(), "user//admin", wrong)
		require.NoError(t, err)
		require.False(t, ok)
		ok, err = records.CheckPassword(t.Context(), "user//admin", hello)
		require.NoError(t, err)
		require.True(t, ok)
	}
	require.Empty(t, record[controlserver.Account](t, store, controlserver.KindAccount, "user//admin").StockHash.Reveal())
	u, err := records.User(t.Context(), "user//admin")
	require.NoError(t, err)
	f, err := records.Factors(t.Context(), u, &controlproto.LoginRequest{})
	require.NoError(t, err)
	require.True(t, f.Required, "the second factor came along")
	ok, err := records.CheckToken(t.Context(), u, controlproto.NewSecret("01234567"))
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = records.CheckPassword(t.Context(), "user/customer1/key", hello)
	require.NoError(t, err)
	require.False(t, ok, "a key of hardware was needed, and can not be asked for")
	require.Equal(t, []string{"north"}, must(records.User(t.Context(), "user/customer1/key")).Realms)

	user, name, err := records.CheckLoginToken(t.Context(), "", "~t:abcdefghijklmnop", hello)
	require.NoError(t, err)
	require.Equal(t, "job", name)
	require.Equal(t, controlproto.ID("user//admin"), user)
	_, _, err = records.CheckLoginToken(t.Context(), "", "~t:abcdefghijklmnop", wrong)
	require.ErrorIs(t, err, controlproto.ErrBadCredentials)

	key, err := cookieKey(t.Context(), store, loginKeySetting, nil)
	require.NoError(t, err)
	require.Equal(t, stockKey, key.Hex())
	invite, err := cookieKey(t.Context(), store, inviteKeySetting, nil)
	require.NoError(t, err, "a damaged one is replaced")
	require.Equal(t, invite.Hex(), must(cookieKey(t.Context(), store, inviteKeySetting, nil)).Hex())
}

// TestImportHidesSecrets looks for what that database hides from operators.
func TestImportHidesSecrets(t *testing.T) {
	store := openTestStore(t)
	require.NoError(t, importStock(t.Context(), store, writeStock(t, stockLines...), slog.New(slog.DiscardHandler)))
	require.NoError(t, store.View(t.Context(), func(tx controlserver.StoreTx) error {
		for _, kind := range []controlserver.Kind{controlserver.KindAccount, controlserver.KindDevice, controlserver.KindDeviceGroup} {
			list, err := tx.List(kind, controlserver.Query{})
			require.NoError(t, err)
			require.NotEmpty(t, list)
			for _, r := range list {
				require.NotContains(t, string(r.Doc), "hidden", r.ID)
			}
		}
		return nil
	}))
}

func TestImportKeepsWhatIsHere(t *testing.T) {
	store, records := openTestRecords(t)
	mine := &controlproto.DeviceGroup{ID: stockMesh, Name: "mine", GroupType: controlproto.GroupAgent}
	require.NoError(t, records.Update(t.Context(), func(tx *controlserver.Tx) error { return tx.AddGroup(mine) }))
	require.NoError(t, importStock(t.Context(), store, writeStock(t, stockLines...), slog.New(slog.DiscardHandler)))
	require.Equal(t, "mine", record[controlproto.DeviceGroup](t, store, controlserver.KindDeviceGroup, stockMesh).Name)
}

// TestImportAfterTheFirstVersion imports what a version did not that took groups and devices alone.
func TestImportAfterTheFirstVersion(t *testing.T) {
	store, records := openTestRecords(t)
	mine := &controlproto.DeviceGroup{ID: stockMesh, Name: "renamed", GroupType: controlproto.GroupAgent, Links: controlproto.Links{"user//go": {Rights: 1}}}
	require.NoError(t, records.Update(t.Context(), func(tx *controlserver.Tx) error { return tx.AddGroup(mine) }))
	require.NoError(t, store.Update(t.Context(), func(tx controlserver.StoreTx) error { return putSetting(tx, stockImported, "2026-01-02") }))
	require.NoError(t, importStock(t.Context(), store, writeStock(t, stockLines...), slog.New(slog.DiscardHandler)))
	g := record[controlproto.DeviceGroup](t, store, controlserver.KindDeviceGroup, stockMesh)
	require.Equal(t, "renamed", g.Name)
	require.Equal(t, controlproto.Links{"user//go": {Rights: 1}, "user//admin": {Rights: controlproto.FullRights}}, g.Links)
	absent(t, store, controlserver.KindDevice, stockNode) // it was removed here
	absent(t, store, controlserver.KindDeviceGroup, domainMesh)
	record[controlserver.Account](t, store, controlserver.KindAccount, "user//admin")
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
		docs, lines, bad, err := readNeDB(r, func(_, typ string) bool { return typ == "mesh" })
		require.NoError(t, err, name)
		require.Equal(t, 5, lines, name)
		require.Equal(t, 1, bad, name)
		require.Len(t, docs, 4, name)
		require.Equal(t, doc("c", 200<<10), string(docs["c"]), name)
	}
	failure := errors.New("disk")
	_, _, _, err := readNeDB(io.MultiReader(strings.NewReader(doc("a", 1)), iotest.ErrReader(failure)), func(string, string) bool { return true })
	require.ErrorIs(t, err, failure)
}

func FuzzImportStock(f *testing.F) {
	for _, line := range stockLines {
		f.Add([]byte(line))
	}
	f.Add([]byte(strings.Join(stockLines, "\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, lines, bad, err := readNeDB(bytes.NewReader(b), func(_, typ string) bool { return slices.Contains(stockTypes, typ) })
		require.NoError(t, err)
		require.LessOrEqual(t, len(docs)+bad, lines)
		for _, doc := range docs {
			require.True(t, json.Valid(doc))
		}
		var store controlserver.MemoryStore
		require.NoError(t, store.Update(t.Context(), func(tx controlserver.StoreTx) error {
			i := &stockImport{tx: tx, counts: map[controlserver.Kind]int{}}
			if err := i.all(docs); err != nil {
				return err
			}
			_, _, err := scanNeDB(bytes.NewReader(b), i.report)
			return err
		}))
		// Whatever it was, the server starts with it.
		records, err := controlserver.New(controlserver.Config{Store: &store})
		require.NoError(t, err)
		defer records.Close()
		require.NoError(t, store.View(t.Context(), func(tx controlserver.StoreTx) error {
			list, err := tx.List(controlserver.KindDevice, controlserver.Query{})
			for _, r := range list {
				d, err := device(r)
				require.NoError(t, err)
				require.NotEmpty(t, d.Name)
			}
			return err
		}))
	})
}
