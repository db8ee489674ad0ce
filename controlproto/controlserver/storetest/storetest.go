// Package storetest tests implementations of [controlserver.Store].
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// Run tests a kind of store. newStore returns an empty one, and sees to it that it is closed when the test ends.
func Run(t *testing.T, newStore func(t *testing.T) controlserver.Store) {
	for _, test := range []struct {
		name string
		run  func(*tester)
	}{
		{"records", (*tester).records},
		{"revisions", (*tester).revisions},
		{"kinds", (*tester).kinds},
		{"list", (*tester).list},
		{"owners", (*tester).owners},
		{"a failed change", (*tester).rollback},
		{"a change sees itself", (*tester).ownWrites},
		{"changes one after the other", (*tester).serial},
		{"views are of one moment", (*tester).isolation},
		{"views do not write", (*tester).readOnly},
		{"documents", (*tester).documents},
		{"an ended context", (*tester).ended},
		{"events", (*tester).events},
		{"events by query", (*tester).eventQueries},
		{"removed events", (*tester).removeEvents},
		{"events of a failed change", (*tester).eventRollback},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(&tester{t, newStore(t)}) })
	}
}

type tester struct {
	*testing.T
	store controlserver.Store
}

const kind = controlserver.KindDevice

func rec(id, owner, doc string) controlserver.Record {
	return controlserver.Record{Kind: kind, ID: id, Owner: owner, Doc: []byte(doc)}
}

func (t *tester) update(f func(controlserver.StoreTx) error) {
	t.Helper()
	if err := t.store.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (t *tester) view(f func(controlserver.StoreTx) error) {
	t.Helper()
	if err := t.store.View(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (t *tester) put(records ...controlserver.Record) {
	t.Helper()
	t.update(func(tx controlserver.StoreTx) error {
		for _, r := range records {
			if err := tx.Put(r); err != nil {
				return fmt.Errorf("put %s: %w", r.ID, err)
			}
		}
		return nil
	})
}

func (t *tester) is(got controlserver.Record, want string) {
	t.Helper()
	if text := fmt.Sprintf("%s %s owner=%s rev=%d %s", got.Kind, got.ID, got.Owner, got.Rev, got.Doc); text != want {
		t.Errorf("got record %s, want %s", text, want)
	}
}

func (t *tester) fails(err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func (t *tester) records() {
	t.put(rec("a", "g", `{"n":1}`))
	t.view(func(tx controlserver.StoreTx) error {
		r, err := tx.Get(kind, "a")
		t.is(r, `node a owner=g rev=1 {"n":1}`)
		_, missing := tx.Get(kind, "A")
		t.fails(missing, controlserver.ErrNotFound)
		return err
	})
	changed := rec("a", "h", `{"n":2}`)
	changed.Rev = 1
	t.put(changed)
	t.view(func(tx controlserver.StoreTx) error {
		r, err := tx.Get(kind, "a")
		t.is(r, `node a owner=h rev=2 {"n":2}`)
		return err
	})
	t.update(func(tx controlserver.StoreTx) error {
		t.fails(tx.Delete(kind, "b"), controlserver.ErrNotFound)
		return tx.Delete(kind, "a")
	})
	t.view(func(tx controlserver.StoreTx) error {
		_, err := tx.Get(kind, "a")
		t.fails(err, controlserver.ErrNotFound)
		return nil
	})
	t.put(rec("a", "", `{}`)) // a new one, from revision 1
	t.view(func(tx controlserver.StoreTx) error {
		r, err := tx.Get(kind, "a")
		t.is(r, `node a owner= rev=1 {}`)
		return err
	})
}

func (t *tester) revisions() {
	t.put(rec("a", "", `1`))
	for _, rev := range []uint64{0, 2, 1 << 40} {
		r := rec("a", "", `2`)
		r.Rev = rev
		err := t.store.Update(t.Context(), func(tx controlserver.StoreTx) error { return tx.Put(r) })
		t.fails(err, controlserver.ErrConflict)
	}
	r := rec("not there", "", `2`)
	r.Rev = 1
	err := t.store.Update(t.Context(), func(tx controlserver.StoreTx) error { return tx.Put(r) })
	t.fails(err, controlserver.ErrConflict)
	t.view(func(tx controlserver.StoreTx) error {
		r, err := tx.Get(kind, "a")
		t.is(r, `node a owner= rev=1 1`)
		return err
	})
}

func (t *tester) kinds() {
	kinds := []controlserver.Kind{
		controlserver.KindAccount, controlserver.KindUserGroup, controlserver.KindDeviceGroup, controlserver.KindDevice,
		controlserver.KindLoginToken, controlserver.KindShare, controlserver.KindNotes, controlserver.KindSystem,
		controlserver.KindNetwork, controlserver.KindLastConnect, controlserver.KindPower, controlserver.KindSetting,
		controlserver.KindWebState, "kinds of an embedder", "kinds", "user; DROP TABLE user",
	}
	t.update(func(tx controlserver.StoreTx) error {
		for _, k := range kinds {
			if err := tx.Put(controlserver.Record{Kind: k, ID: "same", Doc: []byte(`"` + k + `"`)}); err != nil {
				return err
			}
		}
		return nil
	})
	t.view(func(tx controlserver.StoreTx) error {
		for _, k := range kinds {
			list, err := tx.List(k, controlserver.Query{})
			if err != nil {
				return err
			}
			if len(list) != 1 {
				t.Fatalf("kind %s has %d records, want 1", k, len(list))
			}
			t.is(list[0], fmt.Sprintf(`%s same owner= rev=1 "%s"`, k, k))
			r, err := tx.Get(k, "same")
			t.is(r, fmt.Sprintf(`%s same owner= rev=1 "%s"`, k, k))
			if err != nil {
				return err
			}
		}
		return nil
	})
	t.update(func(tx controlserver.StoreTx) error {
		for _, k := range kinds {
			if err := tx.Delete(k, "same"); err != nil {
				return err
			}
			t.fails(tx.Delete(k, "same"), controlserver.ErrNotFound)
		}
		return nil
	})
}

func (t *tester) ids(want string, q controlserver.Query) {
	t.Helper()
	t.view(func(tx controlserver.StoreTx) error {
		t.Helper()
		t.idsIn(tx, want, q)
		return nil
	})
}

func (t *tester) idsIn(tx controlserver.StoreTx, want string, q controlserver.Query) {
	t.Helper()
	list, err := tx.List(kind, q)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("list %+v: got %s, want %s", q, got, want)
	}
}

func (t *tester) list() {
	t.ids("", controlserver.Query{})
	// Ids are ordered by their bytes, whatever they look like.
	t.put(rec("node//b", "", `1`), rec("node//a", "", `1`), rec("node//B", "", `1`), rec("node/x/$@", "", `1`), rec("node//ä", "", `1`))
	t.ids("node//B node//a node//b node//ä node/x/$@", controlserver.Query{})
	t.ids("node//B node//a", controlserver.Query{Limit: 2})
	t.ids("node//b node//ä", controlserver.Query{After: "node//a", Limit: 2})
	t.ids("node//b node//ä node/x/$@", controlserver.Query{After: "node//aa"})
	t.ids("", controlserver.Query{After: "node/x/$@"})
}

func (t *tester) owners() {
	t.put(rec("1", "a", `1`), rec("2", "b", `1`), rec("3", "a", `1`), rec("4", "", `1`), rec("5", "a", `1`))
	t.ids("1 3 5", controlserver.Query{Owner: "a"})
	t.ids("3", controlserver.Query{Owner: "a", After: "1", Limit: 1})
	t.ids("1 2 3 4 5", controlserver.Query{})
	t.ids("", controlserver.Query{Owner: "A"})
	moved := rec("3", "b", `1`)
	moved.Rev = 1
	t.put(moved)
	t.ids("1 5", controlserver.Query{Owner: "a"})
	t.ids("2 3", controlserver.Query{Owner: "b"})
}

var errTest = errors.New("storetest: given up")

func (t *tester) rollback() {
	t.put(rec("a", "", `1`), rec("b", "", `1`))
	err := t.store.Update(t.Context(), func(tx controlserver.StoreTx) error {
		r := rec("a", "", `2`)
		r.Rev = 1
		return errors.Join(tx.Put(r), tx.Delete(kind, "b"), tx.Put(rec("c", "", `1`)), errTest)
	})
	t.fails(err, errTest)
	t.ids("a b", controlserver.Query{})
	t.view(func(tx controlserver.StoreTx) error {
		r, err := tx.Get(kind, "a")
		t.is(r, `node a owner= rev=1 1`)
		return err
	})
	t.fails(t.store.View(t.Context(), func(controlserver.StoreTx) error { return errTest }), errTest)
}

func (t *tester) ownWrites() {
	t.put(rec("a", "g", `1`), rec("b", "g", `1`))
	t.update(func(tx controlserver.StoreTx) error {
		r := rec("a", "h", `2`)
		r.Rev = 1
		if err := errors.Join(tx.Put(r), tx.Delete(kind, "b"), tx.Put(rec("c", "g", `1`))); err != nil {
			return err
		}
		got, err := tx.Get(kind, "a")
		t.is(got, `node a owner=h rev=2 2`)
		_, missing := tx.Get(kind, "b")
		t.fails(missing, controlserver.ErrNotFound)
		t.fails(tx.Delete(kind, "b"), controlserver.ErrNotFound)
		t.idsIn(tx, "a c", controlserver.Query{})
		t.idsIn(tx, "c", controlserver.Query{Owner: "g"})
		t.fails(tx.Put(r), controlserver.ErrConflict)
		r.Rev = 2
		return errors.Join(err, tx.Put(r), tx.Put(rec("b", "", `3`)))
	})
	t.view(func(tx controlserver.StoreTx) error {
		a, err := tx.Get(kind, "a")
		t.is(a, `node a owner=h rev=3 2`)
		b, err2 := tx.Get(kind, "b")
		t.is(b, `node b owner= rev=1 3`)
		return errors.Join(err, err2)
	})
}

// serial lets many changes count one record up.
func (t *tester) serial() {
	const workers, each = 8, 10
	t.put(rec("count", "", `0`))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				err := t.store.Update(t.Context(), func(tx controlserver.StoreTx) error {
					r, err := tx.Get(kind, "count")
					if err != nil {
						return err
					}
					var n int
					if _, err := fmt.Sscan(string(r.Doc), &n); err != nil {
						return err
					}
					r.Doc = fmt.Append(nil, n+1)
					return tx.Put(r)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	t.view(func(tx controlserver.StoreTx) error {
		r, err := tx.Get(kind, "count")
		t.is(r, fmt.Sprintf("node count owner= rev=%d %d", workers*each+1, workers*each))
		return err
	})
}

// isolation reads two records that are always changed together, while they are.
func (t *tester) isolation() {
	t.put(rec("a", "", `0`), rec("b", "", `0`))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(stop)
		for n := range 50 {
			err := t.store.Update(t.Context(), func(tx controlserver.StoreTx) error {
				for _, id := range []string{"a", "b"} {
					r := rec(id, "", fmt.Sprint(n+1))
					r.Rev = uint64(n) + 1
					if err := tx.Put(r); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for done := false; !done; {
		select {
		case <-stop:
			done = true
		default:
		}
		t.view(func(tx controlserver.StoreTx) error {
			a, err := tx.Get(kind, "a")
			b, err2 := tx.Get(kind, "b")
			if a.Rev != b.Rev || string(a.Doc) != string(b.Doc) {
				t.Errorf("a view saw half of a change: %d %s, %d %s", a.Rev, a.Doc, b.Rev, b.Doc)
			}
			return errors.Join(err, err2)
		})
	}
	wg.Wait()
}

func (t *tester) readOnly() {
	t.put(rec("a", "", `1`))
	t.log(event(1))
	changed := rec("a", "", `2`)
	changed.Rev = 1
	for name, write := range map[string]func(controlserver.StoreTx) error{
		"Put":          func(tx controlserver.StoreTx) error { return tx.Put(rec("b", "", `1`)) },
		"Put again":    func(tx controlserver.StoreTx) error { return tx.Put(changed) },
		"Delete":       func(tx controlserver.StoreTx) error { return tx.Delete(kind, "a") },
		"AppendEvent":  func(tx controlserver.StoreTx) error { return tx.AppendEvent(event(2)) },
		"RemoveEvents": func(tx controlserver.StoreTx) error { return tx.RemoveEvents(controlserver.EventQuery{}) },
	} {
		if err := t.store.View(t.Context(), write); err == nil {
			t.Errorf("%s in a view is no error", name)
		}
	}
	t.ids("a", controlserver.Query{})
	t.found("1", controlserver.EventQuery{})
}

// documents come back as they were, and stay what they are after the transaction.
func (t *tester) documents() {
	docs := map[string]string{
		"text": "{\"a\":\"ä \U0001F600 \\u0000 <b>\",\"n\":4294967295,\"f\":1.5e300}", "spaces": `{ "a" : [ ] }`, "large": `"` + strings.Repeat("x", 1<<20) + `"`,
	}
	for id, doc := range docs {
		t.put(rec(id, "", doc))
	}
	var list []controlserver.Record
	t.view(func(tx controlserver.StoreTx) (err error) {
		list, err = tx.List(kind, controlserver.Query{})
		return err
	})
	t.update(func(tx controlserver.StoreTx) error {
		for _, r := range list {
			r.Doc = []byte(`0`)
			if err := tx.Put(r); err != nil {
				return err
			}
		}
		return nil
	})
	for _, r := range list {
		if string(r.Doc) != docs[r.ID] {
			t.Errorf("document %s is not what it was", r.ID)
		}
	}
}

func (t *tester) ended() {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(controlserver.StoreTx) error { return errTest }
	t.fails(t.store.Update(ctx, never), context.Canceled)
	t.fails(t.store.View(ctx, never), context.Canceled)
}

var start = time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)

func event(n int, targets ...string) controlserver.LoggedEvent {
	return controlserver.LoggedEvent{
		Time: start.Add(time.Duration(n) * time.Minute), Action: "changenode", Targets: targets, Doc: fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func (t *tester) log(events ...controlserver.LoggedEvent) {
	t.Helper()
	t.update(func(tx controlserver.StoreTx) error {
		for _, e := range events {
			if err := tx.AppendEvent(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// found compares the numbers of the events that a query finds.
func (t *tester) found(want string, q controlserver.EventQuery) {
	t.Helper()
	t.view(func(tx controlserver.StoreTx) error {
		t.Helper()
		t.foundIn(tx, want, q)
		return nil
	})
}

func (t *tester) foundIn(tx controlserver.StoreTx, want string, q controlserver.EventQuery) {
	t.Helper()
	list, err := tx.Events(q)
	if err != nil {
		t.Fatal(err)
	}
	var docs []string
	for _, e := range list {
		docs = append(docs, strings.TrimSuffix(strings.TrimPrefix(string(e.Doc), `{"n":`), "}"))
	}
	if got := strings.Join(docs, " "); got != want {
		t.Errorf("events %+v: got %s, want %s", q, got, want)
	}
}

func (t *tester) events() {
	e := event(1, "*", "node//a", "mesh//b")
	e.Domain, e.User, e.Device = "customer1", "user/customer1/bob", "node/customer1/a"
	t.log(e, event(2))
	t.view(func(tx controlserver.StoreTx) error {
		list, err := tx.Events(controlserver.EventQuery{Domain: "customer1"})
		if len(list) != 1 {
			t.Fatalf("got %d events, want 1", len(list))
		}
		got := list[0]
		slices.Sort(got.Targets)
		if !got.Time.Equal(e.Time) || got.Domain != e.Domain || got.Action != e.Action || got.User != e.User || got.Device != e.Device ||
			!slices.Equal(got.Targets, []string{"*", "mesh//b", "node//a"}) || string(got.Doc) != string(e.Doc) {
			t.Errorf("got event %+v, want %+v", got, e)
		}
		return err
	})
	t.found("2", controlserver.EventQuery{}) // the default domain
	t.found("", controlserver.EventQuery{Domain: "customer2"})
}

func (t *tester) eventQueries() {
	var events []controlserver.LoggedEvent
	for n := range 10 {
		e := event(n, "*")
		if n%2 == 1 {
			e.Targets = []string{"node//a", "mesh//b"}
			e.Device = "node//a"
		}
		if n%3 == 0 {
			e.User, e.Action = "user//bob", "login"
		}
		events = append(events, e)
	}
	t.log(events[:5]...)
	t.log(events[5:]...)
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	for want, q := range map[string]controlserver.EventQuery{
		"9 8 7 6 5 4 3 2 1 0": {},
		"9 8 7":               {Limit: 3},
		"9 7 5 3 1":           {Targets: []string{"mesh//b", "node//a", "nobody"}}, // each once
		"9 7":                 {Targets: []string{"mesh//b", "node//a"}, Limit: 2},
		"9 8 7 6":             {Targets: []string{"*", "mesh//b"}, Limit: 4},
		"":                    {Targets: []string{"nobody"}},
		"9 6 3 0":             {User: "user//bob"},
		"9 3":                 {User: "user//bob", Device: "node//a"},
		"8 7 5 4 2 1":         {Action: "changenode"},
		"7 5 1":               {Action: "changenode", Targets: []string{"mesh//b"}},
		"9 8 7 6 5":           {Since: at(5)},
		"4 3 2 1 0":           {Until: at(5)},
		"6 5":                 {Since: at(5), Until: at(7), Targets: []string{"*", "node//a"}},
		"5":                   {Since: at(4), Until: at(7), Device: "node//a", Limit: 1},
		"5 3 1":               {Until: at(7), Device: "node//a"},
	} {
		t.found(want, q)
	}
}

func (t *tester) removeEvents() {
	all := controlserver.EventQuery{}
	other := event(20, "*")
	other.Domain = "customer1"
	t.log(event(1, "*"), event(2, "node//a"), event(3, "*", "node//a"), event(4, "mesh//b"), other)
	t.update(func(tx controlserver.StoreTx) error {
		if err := tx.AppendEvent(event(5, "node//a")); err != nil {
			return err
		}
		if err := tx.RemoveEvents(controlserver.EventQuery{Targets: []string{"node//a", "node//b"}}); err != nil {
			return err
		}
		t.foundIn(tx, "4 1", all)
		return nil
	})
	t.found("4 1", all)
	t.found("", controlserver.EventQuery{Targets: []string{"node//a"}})
	t.update(func(tx controlserver.StoreTx) error {
		return tx.RemoveEvents(controlserver.EventQuery{Until: start.Add(2 * time.Minute)})
	})
	t.found("4", all)
	t.update(func(tx controlserver.StoreTx) error { return tx.RemoveEvents(all) })
	t.found("", all)
	t.found("20", controlserver.EventQuery{Domain: "customer1"})
}

func (t *tester) eventRollback() {
	t.log(event(1))
	err := t.store.Update(t.Context(), func(tx controlserver.StoreTx) error {
		if err := tx.AppendEvent(event(2)); err != nil {
			return err
		}
		t.foundIn(tx, "2 1", controlserver.EventQuery{})
		return errors.Join(tx.RemoveEvents(controlserver.EventQuery{Until: start.Add(90 * time.Second)}), errTest)
	})
	t.fails(err, errTest)
	t.found("1", controlserver.EventQuery{})
}
