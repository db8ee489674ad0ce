package controlserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// changes makes transactions of this process come one after the other, so that memory follows the store in order.
type changes struct{ mu sync.Mutex }

// Tx is a change: records that are read to be replaced, and the events that tell of it. All of it happens or nothing.
type Tx struct {
	s       *Server
	store   StoreTx
	written []Record // Rev 0: removed
	notices []Notice
	missing []RecordKey // what was looked for in vain: perhaps another server has removed it
}

// conflictTries is how often a change is tried again when another server changed the same record.
const conflictTries = 5

// Update runs a change. When f succeeds, records and events are stored, sessions have the new rights, and the events are
// sent, before Update returns.
func (s *Server) Update(ctx context.Context, f func(*Tx) error) error {
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	var tx *Tx
	var err error
	for range conflictTries {
		tx = &Tx{s: s}
		err = s.cfg.Store.Update(ctx, func(store StoreTx) error {
			tx = &Tx{s: s, store: store}
			return f(tx)
		})
		if !errors.Is(err, ErrConflict) {
			break
		}
		// Another server was faster, and memory may not know yet.
		if err := s.reload(ctx); err != nil {
			return err
		}
	}
	if len(tx.missing) > 0 {
		if err := s.readLocked(tx.missing); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return s.committed(tx)
}

// committed brings memory up to date and tells everyone.
func (s *Server) committed(tx *Tx) error {
	keys := make([]RecordKey, 0, len(tx.written))
	s.dir.mu.Lock()
	var err error
	for _, r := range tx.written {
		err = errors.Join(err, s.dir.apply(r))
		keys = append(keys, RecordKey{r.Kind, r.ID})
	}
	s.dir.mu.Unlock()
	for _, r := range tx.written {
		if r.Kind == KindDevice {
			err = errors.Join(err, s.devices.apply(r))
		}
	}
	s.refreshSessions(tx.written)
	if len(keys) > 0 {
		s.cfg.Bus.Publish(Notice{Records: keys, from: s})
	}
	for _, n := range tx.notices {
		n.from = s
		s.cfg.Bus.Publish(n)
	}
	return err
}

// edited is a record that was read within a Tx, to be put back.
type edited[T any] struct {
	Value *T // to be changed freely
	rec   Record
}

// read returns a record for change, or ErrNotFound.
func read[T any](t *Tx, kind Kind, id controlproto.ID) (edited[T], error) {
	r, err := t.store.Get(kind, string(id))
	if errors.Is(err, ErrNotFound) {
		t.missing = append(t.missing, RecordKey{kind, string(id)})
	}
	if err != nil {
		return edited[T]{}, err
	}
	v, err := decode[T](r)
	return edited[T]{v, r}, err
}

// put writes a record that was read back.
func put[T any](t *Tx, e edited[T]) error { return t.put(e.rec, e.Value) }

func (t *Tx) put(r Record, v any) error {
	doc, err := encode(v)
	if err != nil {
		return err
	}
	r.Doc = doc
	if err := t.store.Put(r); err != nil {
		return err
	}
	r.Rev++
	t.written = append(t.written, r)
	return nil
}

// EditAccount changes an account.
func (t *Tx) EditAccount(id controlproto.ID, f func(*Account) error) error {
	return edit(t, KindAccount, id, f)
}

// EditUserGroup changes a user group.
func (t *Tx) EditUserGroup(id controlproto.ID, f func(*controlproto.UserGroup) error) error {
	return edit(t, KindUserGroup, id, f)
}

// EditGroup changes a device group.
func (t *Tx) EditGroup(id controlproto.ID, f func(*controlproto.DeviceGroup) error) error {
	return edit(t, KindDeviceGroup, id, f)
}

// EditDevice changes a device. Its group is the record's owner, and may be changed too.
func (t *Tx) EditDevice(id controlproto.ID, f func(*controlproto.Device) error) error {
	e, err := read[controlproto.Device](t, KindDevice, id)
	if err != nil {
		return err
	}
	if err := f(e.Value); err != nil {
		return err
	}
	e.rec.Owner = string(e.Value.Group)
	return put(t, e)
}

func edit[T any](t *Tx, kind Kind, id controlproto.ID, f func(*T) error) error {
	e, err := read[T](t, kind, id)
	if err != nil {
		return err
	}
	if err := f(e.Value); err != nil {
		return err
	}
	return put(t, e)
}

// AddAccount makes an account.
func (t *Tx) AddAccount(a *Account) error {
	return t.put(Record{Kind: KindAccount, ID: string(a.ID)}, a)
}

// AddUserGroup makes a user group.
func (t *Tx) AddUserGroup(g *controlproto.UserGroup) error {
	return t.put(Record{Kind: KindUserGroup, ID: string(g.ID)}, g)
}

// AddGroup makes a device group.
func (t *Tx) AddGroup(g *controlproto.DeviceGroup) error {
	return t.put(Record{Kind: KindDeviceGroup, ID: string(g.ID)}, g)
}

// AddDevice makes a device.
func (t *Tx) AddDevice(d *controlproto.Device) error {
	return t.put(Record{Kind: KindDevice, ID: string(d.ID), Owner: string(d.Group)}, d)
}

// Device reads a device as it is stored, without its state. It may be changed; nothing is written.
func (t *Tx) Device(id controlproto.ID) (*controlproto.Device, error) {
	e, err := read[controlproto.Device](t, KindDevice, id)
	return e.Value, err
}

// Document reads any record into v, and tells its revision, 0 if there is none.
func (t *Tx) Document(kind Kind, id string, v any) (rev uint64, err error) {
	return readDocument(t.store, kind, id, v)
}

// PutDocument writes a record of any kind, with the revision that was read.
func (t *Tx) PutDocument(kind Kind, id, owner string, rev uint64, v any) error {
	return t.put(Record{Kind: kind, ID: id, Owner: owner, Rev: rev}, v)
}

// Remove removes a record; that it is not there is no error.
func (t *Tx) Remove(kind Kind, id controlproto.ID) error {
	err := t.store.Delete(kind, string(id))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		t.written = append(t.written, Record{Kind: kind, ID: string(id)})
	}
	return err
}

// Event tells those who may know: the targets are ids of accounts, device groups, devices and user groups, and the groups
// of listeners "*", "server-users" and "server-allusers". Unless it says otherwise the event goes into the log.
func (t *Tx) Event(e *controlproto.Event, targets ...string) error {
	return t.eventAt(t.s.cfg.Now(), e, targets)
}

func (t *Tx) eventAt(now time.Time, e *controlproto.Event, targets []string) error {
	n, logged, err := notice(now, e, targets)
	if err != nil {
		return err
	}
	if logged != nil {
		if err := t.store.AppendEvent(*logged); err != nil {
			return err
		}
	}
	t.notices = append(t.notices, n)
	return nil
}
