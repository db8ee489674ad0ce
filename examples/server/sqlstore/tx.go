package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// tx is a transaction.
type tx struct {
	ctx context.Context
	tx  *sql.Tx
}

var _ controlserver.StoreTx = (*tx)(nil)

// tables says where records of a kind are.
var tables = map[controlserver.Kind]string{
	controlserver.KindAccount:     "user",
	controlserver.KindUserGroup:   "user_group",
	controlserver.KindDeviceGroup: "mesh",
	controlserver.KindDevice:      "node",
	controlserver.KindLoginToken:  "login_token",
	controlserver.KindShare:       "share",
	controlserver.KindNotes:       "notes",
	controlserver.KindSystem:      "system_info",
	controlserver.KindNetwork:     "network_info",
	controlserver.KindLastConnect: "last_connect",
	controlserver.KindPower:       "power",
	controlserver.KindSetting:     "setting",
}

// table returns where records of a kind are, and what stands before their ids there.
func table(kind controlserver.Kind) (name, prefix string) {
	if name, ok := tables[kind]; ok {
		return name, ""
	}
	return "other", string(kind) + "\n"
}

// Get implements [controlserver.StoreTx].
func (t *tx) Get(kind controlserver.Kind, id string) (controlserver.Record, error) {
	from, prefix := table(kind)
	r := controlserver.Record{Kind: kind, ID: id}
	err := t.tx.QueryRowContext(t.ctx, "SELECT owner, rev, doc FROM "+from+" WHERE id = ?", prefix+id).Scan(&r.Owner, &r.Rev, &r.Doc)
	if errors.Is(err, sql.ErrNoRows) {
		return controlserver.Record{}, controlserver.ErrNotFound
	}
	return r, wrap(from, err)
}

// Put implements [controlserver.StoreTx].
func (t *tx) Put(r controlserver.Record) error {
	into, prefix := table(r.Kind)
	var n int64
	var err error
	if r.Rev == 0 {
		n, err = t.exec(into, "INSERT INTO "+into+" (id, owner, rev, doc) VALUES (?, ?, 1, ?) ON CONFLICT (id) DO NOTHING",
			prefix+r.ID, r.Owner, string(r.Doc))
	} else {
		n, err = t.exec(into, "UPDATE "+into+" SET owner = ?, rev = rev + 1, doc = ? WHERE id = ? AND rev = ?",
			r.Owner, string(r.Doc), prefix+r.ID, r.Rev)
	}
	if err == nil && n == 0 {
		return controlserver.ErrConflict
	}
	return err
}

// Delete implements [controlserver.StoreTx].
func (t *tx) Delete(kind controlserver.Kind, id string) error {
	from, prefix := table(kind)
	n, err := t.exec(from, "DELETE FROM "+from+" WHERE id = ?", prefix+id)
	if err == nil && n == 0 {
		return controlserver.ErrNotFound
	}
	return err
}

// List implements [controlserver.StoreTx].
func (t *tx) List(kind controlserver.Kind, q controlserver.Query) ([]controlserver.Record, error) {
	from, prefix := table(kind)
	query, args := "SELECT id, owner, rev, doc FROM "+from+" WHERE id > ?", []any{prefix + q.After}
	if prefix != "" {
		query, args = query+" AND id < ?", append(args, string(kind)+"\v") // the character behind the line end
	}
	if q.Owner != "" {
		query, args = query+" AND owner = ?", append(args, q.Owner)
	}
	query += " ORDER BY id"
	if q.Limit > 0 {
		query, args = query+" LIMIT ?", append(args, q.Limit)
	}
	return list(t, from, func(rows *sql.Rows) (controlserver.Record, error) {
		r := controlserver.Record{Kind: kind}
		err := rows.Scan(&r.ID, &r.Owner, &r.Rev, &r.Doc)
		r.ID = strings.TrimPrefix(r.ID, prefix)
		return r, err
	}, query, args...)
}

// exec runs a statement and tells how many rows it changed.
func (t *tx) exec(what, query string, args ...any) (changed int64, err error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, wrap(what, err)
	}
	n, err := res.RowsAffected()
	return n, wrap(what, err)
}

// list reads all rows with scan.
func list[T any](t *tx, what string, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, wrap(what, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, wrap(what, err)
		}
		all = append(all, v)
	}
	return all, wrap(what, rows.Err())
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlstore: %s: %w", what, err)
}
