package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// AppendEvent implements [controlserver.StoreTx].
func (t *tx) AppendEvent(e controlserver.LoggedEvent) error {
	targets := e.Targets
	if targets == nil {
		targets = []string{}
	}
	text, err := json.Marshal(targets)
	if err != nil {
		return wrap("event", err)
	}
	res, err := t.tx.ExecContext(t.ctx, `INSERT INTO event (time, domain, action, user, device, targets, doc)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, e.Time.UnixMilli(), e.Domain, e.Action, e.User, e.Device, string(text), string(e.Doc))
	if err != nil {
		return wrap("event", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return wrap("event", err)
	}
	for _, target := range targets {
		if _, err := t.exec("event", "INSERT OR IGNORE INTO event_target (target, event) VALUES (?, ?)", target, id); err != nil {
			return err
		}
	}
	return nil
}

// condition is the part of a query that columns of the table answer.
func condition(q controlserver.EventQuery) (where string, args []any) {
	where, args = "domain = ?", []any{q.Domain}
	and := func(text string, arg any) { where, args = where+" AND "+text, append(args, arg) }
	if q.User != "" {
		and("user <> '' AND user = ?", q.User)
	}
	if q.Device != "" {
		and("device <> '' AND device = ?", q.Device)
	}
	if q.Action != "" {
		and("action = ?", q.Action)
	}
	if !q.Since.IsZero() {
		and("time >= ?", q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		and("time < ?", q.Until.UnixMilli())
	}
	return where, args
}

const eventColumns = "time, domain, action, user, device, targets, doc"

func scanEvent(rows *sql.Rows) (e controlserver.LoggedEvent, err error) {
	var ms int64
	var targets string
	if err := rows.Scan(&ms, &e.Domain, &e.Action, &e.User, &e.Device, &targets, &e.Doc); err != nil {
		return e, err
	}
	e.Time = time.UnixMilli(ms).UTC()
	return e, json.Unmarshal([]byte(targets), &e.Targets)
}

// Events implements [controlserver.StoreTx].
func (t *tx) Events(q controlserver.EventQuery) ([]controlserver.LoggedEvent, error) {
	where, args := condition(q)
	if len(q.Targets) == 0 {
		limit, args := limited(q.Limit, args)
		return list(t, "events", scanEvent, "SELECT "+eventColumns+" FROM event WHERE "+where+" ORDER BY id DESC"+limit, args...)
	}
	ids, err := t.eventIDs(q, where, args)
	if err != nil {
		return nil, err
	}
	var events []controlserver.LoggedEvent
	for chunk := range slices.Chunk(ids, 500) { // SQLite bounds the arguments of a statement
		part, err := list(t, "events", scanEvent, "SELECT "+eventColumns+" FROM event WHERE id IN (?"+
			strings.Repeat(", ?", len(chunk)-1)+") ORDER BY id DESC", chunk...)
		if err != nil {
			return nil, err
		}
		events = append(events, part...)
	}
	return events, nil
}

// eventIDs finds events by target, the newest first. It asks for one target after the other, as many events as are wanted
// in all: each question is answered from an index in the right order, however long the log is and however few events of
// it one may see.
func (t *tx) eventIDs(q controlserver.EventQuery, where string, args []any) ([]any, error) {
	found := make(map[int64]struct{})
	for _, target := range q.Targets {
		limit, args := limited(q.Limit, append([]any{target}, args...))
		ids, err := list(t, "events", func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) },
			"SELECT event FROM event_target JOIN event ON id = event WHERE target = ? AND "+where+" ORDER BY event DESC"+limit, args...)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			found[id] = struct{}{}
		}
	}
	ids := make([]int64, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	if q.Limit > 0 && len(ids) > q.Limit {
		ids = ids[:q.Limit]
	}
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list, nil
}

func limited(limit int, args []any) (string, []any) {
	if limit <= 0 {
		return "", args
	}
	return " LIMIT ?", append(args, limit)
}

// RemoveEvents implements [controlserver.StoreTx].
func (t *tx) RemoveEvents(q controlserver.EventQuery) error {
	where, args := condition(q)
	if len(q.Targets) > 0 {
		where += " AND EXISTS (SELECT 1 FROM event_target WHERE event = event.id AND target IN (?" +
			strings.Repeat(", ?", len(q.Targets)-1) + "))"
		for _, target := range q.Targets {
			args = append(args, target)
		}
	}
	_, err := t.exec("events", "DELETE FROM event WHERE "+where, args...)
	return err
}

// TrimEvents removes the events of all domains before a time, and the oldest beyond a number. It tells how many.
func (s *Store) TrimEvents(ctx context.Context, before time.Time, keep int) (removed int64, err error) {
	err = transact(ctx, s.write, func(store controlserver.StoreTx) (err error) {
		removed, err = store.(*tx).exec("events", `DELETE FROM event WHERE time < ?
			OR id <= (SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?)`, before.UnixMilli(), keep)
		return err
	})
	return removed, err
}
