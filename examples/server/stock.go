package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

const (
	stockDatabase = "meshcentral.db"
	// Settings: what of it was taken over. Earlier versions of this program took groups and devices alone.
	stockImported = "stock database imported"
	stockAccounts = "stock accounts imported"
)

// stockTypes are the types of documents that are read as a whole; the others of use are the devices' reports, which may be
// large.
var stockTypes = []string{"user", "ugrp", "mesh", "node", "logintoken", "deviceshare", "note"}

// importStock takes accounts, groups, devices and what belongs to them over from the database of a MeshCentral server,
// once, if the data folder is that of one. It only reads that database. What is here already stays as it is.
func importStock(ctx context.Context, store *sqlstore.Store, folder string, log *slog.Logger) error {
	path := filepath.Join(folder, stockDatabase)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return store.Update(ctx, func(tx controlserver.StoreTx) error {
		if _, done, err := setting(tx, stockAccounts); err != nil || done {
			return err
		}
		_, before, err := setting(tx, stockImported)
		if err != nil {
			return err
		}
		docs, lines, bad, err := readNeDB(f, func(id, typ string) bool {
			return slices.Contains(stockTypes, typ) || id == loginKeySetting || id == inviteKeySetting
		})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if lines > 0 && bad == lines {
			return fmt.Errorf("%s: no line is a JSON document; a database that was encrypted by dbEncryptKey can not be taken over", path)
		}
		i := &stockImport{tx: tx, again: before, counts: map[controlserver.Kind]int{}}
		if err := i.all(docs); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, _, err := scanNeDB(f, i.report); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		log.Info("MeshCentral's database imported", "file", path, "accounts", i.counts[controlserver.KindAccount],
			"userGroups", i.counts[controlserver.KindUserGroup], "groups", i.counts[controlserver.KindDeviceGroup],
			"devices", i.counts[controlserver.KindDevice], "tokens", i.counts[controlserver.KindLoginToken],
			"shares", i.counts[controlserver.KindShare], "notes", i.counts[controlserver.KindNotes], "skipped", i.skipped, "badLines", bad)
		if len(i.noPassword) > 0 {
			log.Warn("accounts whose only second factor this server does not have can not log in until they get a new password",
				"accounts", i.noPassword)
		}
		now := time.Now().UTC().Format(time.RFC3339)
		return errors.Join(putSetting(tx, stockImported, now), putSetting(tx, stockAccounts, now))
	})
}

// stockImport is one run of importStock.
type stockImport struct {
	tx         controlserver.StoreTx
	again      bool // groups and devices were imported before, without links
	counts     map[controlserver.Kind]int
	skipped    int      // neither usable nor here already
	noPassword []string // names of accounts
}

// all stores what is in the documents, owners first.
func (i *stockImport) all(docs map[string]json.RawMessage) error {
	for _, name := range []string{loginKeySetting, inviteKeySetting} {
		if err := i.key(name, docs[name]); err != nil {
			return err
		}
	}
	byType := map[string][]string{}
	for id, doc := range docs {
		var head struct {
			Type string `json:"type"`
		}
		if err := jsonrec.Unmarshal(doc, &head); err == nil && id != loginKeySetting && id != inviteKeySetting {
			byType[head.Type] = append(byType[head.Type], id)
		}
	}
	take := map[string]func(id string, doc []byte) (bool, error){
		"user": i.account, "ugrp": i.userGroup, "mesh": i.group, "node": i.device, "logintoken": i.token, "deviceshare": i.share, "note": i.note,
	}
	for _, typ := range stockTypes {
		ids := byType[typ]
		slices.Sort(ids)
		for _, id := range ids {
			used, err := take[typ](id, docs[id])
			if err != nil {
				return fmt.Errorf("%.100q: %w", id, err)
			}
			if !used {
				i.skipped++
			}
		}
	}
	return nil
}

// exists tells whether a record is here.
func (i *stockImport) exists(kind controlserver.Kind, id string) (bool, error) {
	_, err := i.tx.Get(kind, id)
	if errors.Is(err, controlserver.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// put stores a record unless there is one. It returns true for used.
func (i *stockImport) put(kind controlserver.Kind, id, owner string, v any) (bool, error) {
	if known, err := i.exists(kind, id); err != nil || known {
		return true, err
	}
	doc, err := jsonrec.Append(nil, v)
	if err != nil {
		return false, nil // it can not be written as it was read; never seen
	}
	i.counts[kind]++
	return true, i.tx.Put(controlserver.Record{Kind: kind, ID: id, Owner: owner, Doc: doc})
}

// key takes over a key of cookies, so that links and logins that were given out go on.
func (i *stockImport) key(name string, doc []byte) error {
	var k struct {
		Key controlproto.Secret `json:"key"`
	}
	if doc == nil || jsonrec.Unmarshal(doc, &k) != nil {
		return nil
	}
	key, err := controlproto.ParseCookieKey(k.Key.Reveal())
	if err != nil {
		return nil // this server makes one of its own
	}
	if _, known, err := setting(i.tx, name); err != nil || known {
		return err
	}
	return putSetting(i.tx, name, key.Hex())
}

// ofKind checks the id of a document.
func ofKind(text, kind string) (controlproto.ID, bool) {
	id := controlproto.ID(text)
	return id, id.Valid() && id.Kind() == kind && len(text) <= 512
}

// unescaped takes back what the stock server does to the keys of objects in its database (common.js, escapeFieldName).
func unescaped(s string) string {
	return strings.NewReplacer("%2E", ".", "%24", "$", "%2C", ",", "%25", "%").Replace(s)
}

func unescapedLinks(links controlproto.Links) controlproto.Links {
	if len(links) == 0 {
		return nil
	}
	out := make(controlproto.Links, len(links))
	for id, l := range links {
		l.Extra = nil
		out[controlproto.ID(unescaped(string(id)))] = l
	}
	return out
}
