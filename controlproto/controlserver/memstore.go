package controlserver

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// MemoryStore is a [Store] in memory, for tests and trials. The zero value is empty and ready.
type MemoryStore struct {
	// MaxEvents bounds the log; the oldest go. 0 is 100,000.
	MaxEvents int

	mu      sync.RWMutex
	records map[Kind]map[string]Record
	events  []LoggedEvent // oldest first
}

// View implements [Store].
func (s *MemoryStore) View(ctx context.Context, f func(StoreTx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return f(&memoryTx{s: s, log: s.events})
}

// Update implements [Store].
func (s *MemoryStore) Update(ctx context.Context, f func(StoreTx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := &memoryTx{s: s, changed: map[Kind]map[string]Record{}, log: s.events}
	if err := f(tx); err != nil {
		return err
	}
	if s.records == nil {
		s.records = map[Kind]map[string]Record{}
	}
	for kind, changes := range tx.changed {
		if s.records[kind] == nil {
			s.records[kind] = map[string]Record{}
		}
		for id, r := range changes {
			if r.Rev == 0 {
				delete(s.records[kind], id)
			} else {
				s.records[kind][id] = r
			}
		}
	}
	s.events = append(tx.log, tx.appended...)
	if most := cmp.Or(s.MaxEvents, 100_000); len(s.events) > most+most/8 {
		s.events = slices.Clone(s.events[len(s.events)-most:])
	}
	return nil
}

type memoryTx struct {
	s        *MemoryStore
	changed  map[Kind]map[string]Record // Rev 0 is removed
	log      []LoggedEvent
	appended []LoggedEvent
}

func (t *memoryTx) Get(kind Kind, id string) (Record, error) {
	r, ok := t.changed[kind][id]
	if !ok {
		r = t.s.records[kind][id]
	}
	if r.Rev == 0 {
		return Record{}, ErrNotFound
	}
	return r, nil
}

// errReadOnly is what a view that writes is told.
var errReadOnly = errors.New("controlserver: a view does not write")

// writes returns an error in a view.
func (t *memoryTx) writes() error {
	if t.changed == nil {
		return errReadOnly
	}
	return nil
}

func (t *memoryTx) Put(r Record) error {
	if err := t.writes(); err != nil {
		return err
	}
	old, _ := t.Get(r.Kind, r.ID)
	if old.Rev != r.Rev {
		return ErrConflict
	}
	r.Rev++
	t.change(r)
	return nil
}

func (t *memoryTx) change(r Record) {
	if t.changed[r.Kind] == nil {
		t.changed[r.Kind] = map[string]Record{}
	}
	t.changed[r.Kind][r.ID] = r
}

func (t *memoryTx) Delete(kind Kind, id string) error {
	if err := t.writes(); err != nil {
		return err
	}
	if _, err := t.Get(kind, id); err != nil {
		return err
	}
	t.change(Record{Kind: kind, ID: id})
	return nil
}

func (t *memoryTx) List(kind Kind, q Query) ([]Record, error) {
	var list []Record
	add := func(r Record) {
		if r.Rev != 0 && (q.Owner == "" || r.Owner == q.Owner) && r.ID > q.After {
			list = append(list, r)
		}
	}
	for id, r := range t.s.records[kind] {
		if _, changed := t.changed[kind][id]; !changed {
			add(r)
		}
	}
	for r := range maps.Values(t.changed[kind]) {
		add(r)
	}
	slices.SortFunc(list, func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
	if q.Limit > 0 && len(list) > q.Limit {
		list = list[:q.Limit]
	}
	return list, nil
}

func (t *memoryTx) AppendEvent(e LoggedEvent) error {
	t.appended = append(t.appended, e)
	return t.writes()
}

func (t *memoryTx) Events(q EventQuery) ([]LoggedEvent, error) {
	var list []LoggedEvent
	for _, part := range [][]LoggedEvent{t.appended, t.log} {
		for _, e := range slices.Backward(part) {
			if q.Limit > 0 && len(list) == q.Limit {
				return list, nil
			}
			if q.matches(e) {
				list = append(list, e)
			}
		}
	}
	return list, nil
}

func (t *memoryTx) RemoveEvents(q EventQuery) error {
	t.log = slices.DeleteFunc(slices.Clone(t.log), q.matches)
	t.appended = slices.DeleteFunc(t.appended, q.matches)
	return t.writes()
}

func (q EventQuery) matches(e LoggedEvent) bool {
	switch {
	case e.Domain != q.Domain,
		q.User != "" && e.User != q.User,
		q.Device != "" && e.Device != q.Device,
		q.Action != "" && e.Action != q.Action,
		!q.Since.IsZero() && e.Time.Before(q.Since),
		!q.Until.IsZero() && !e.Time.Before(q.Until):
		return false
	}
	return len(q.Targets) == 0 || slices.ContainsFunc(e.Targets, func(t string) bool { return slices.Contains(q.Targets, t) })
}
