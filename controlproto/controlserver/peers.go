package controlserver

import (
	"context"
	"errors"
	"sync"

	"github.com/meshcentral-go/sdk/controlproto"
)

// foreign is what other servers on the same store and bus have published, in order. What they changed is read before what
// they tell of it is passed on, so that it reaches who may hear of it then.
type foreign struct {
	mu      sync.Mutex
	queue   []Notice
	running bool
	stale   bool // memory may differ from the store: everything is to be read again
}

// maxForeign bounds what waits. When more comes, memory is read as a whole, and messages are lost.
const maxForeign = 4096

// add takes a notice. It does not wait: bus and other servers would wait for this one.
func (f *foreign) add(s *Server, n Notice) {
	if len(n.Records) == 0 && len(n.Message) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) >= maxForeign {
		f.queue, f.stale = nil, true
		s.log.Warn("messages of other servers are lost: they come too fast")
	}
	f.queue = append(f.queue, n)
	f.start(s)
}

// start begins to work the queue off, with mu held.
func (f *foreign) start(s *Server) {
	if !f.running {
		f.running = true
		go f.run(s)
	}
}

// retry reads everything again if that failed before.
func (f *foreign) retry(s *Server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stale {
		f.start(s)
	}
}

func (f *foreign) run(s *Server) {
	for {
		f.mu.Lock()
		queue, stale := f.queue, f.stale
		if f.queue, f.stale = nil, false; len(queue) == 0 && !stale {
			f.running = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		if stale {
			if err := s.readAll(); err != nil {
				f.failed(s, err)
				return
			}
		}
		for _, n := range queue {
			if err := s.readAgain(n.Records); err != nil {
				f.failed(s, err)
				return
			}
			s.pass(n)
		}
	}
}

// failed ends the work until something new comes: what this server knows may be wrong.
func (f *foreign) failed(s *Server, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale, f.running = true, false
	s.log.Error("what another server has changed cannot be read", "reason", err)
}

func (s *Server) readAll() error {
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	return s.reload(context.Background())
}

// readAgain brings memory up to date with records that another server has changed. No change of ours comes between the
// reading and the use.
func (s *Server) readAgain(keys []RecordKey) error {
	if len(keys) == 0 {
		return nil
	}
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	return s.readLocked(keys)
}

func (s *Server) readLocked(keys []RecordKey) error {
	records := make([]Record, 0, len(keys))
	err := s.cfg.Store.View(context.Background(), func(store StoreTx) error {
		for _, k := range keys {
			switch k.Kind {
			case KindAccount, KindUserGroup, KindDeviceGroup, KindDevice, KindLoginToken, KindShare:
			default:
				continue // not in memory
			}
			r, err := store.Get(k.Kind, k.ID)
			if errors.Is(err, ErrNotFound) {
				r, err = Record{Kind: k.Kind, ID: k.ID}, nil
			}
			if err != nil {
				return err
			}
			records = append(records, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.take(records)
}

// take takes records over into memory as they are in the store, with the lock of changes held.
func (s *Server) take(records []Record) error {
	var err error
	s.dir.mu.Lock()
	for _, r := range records {
		if r.Rev > 0 {
			// A record that was removed and made again begins at 1: the one that is known must not look newer.
			err = errors.Join(err, s.dir.apply(Record{Kind: r.Kind, ID: r.ID}))
		}
		err = errors.Join(err, s.dir.apply(r))
	}
	s.dir.mu.Unlock()
	for _, r := range records {
		if r.Kind == KindDevice {
			err = errors.Join(err, s.devices.apply(r))
		}
	}
	s.refreshSessions(records)
	return err
}

// reload reads everything again, after another server changed something, with the lock of changes held.
func (s *Server) reload(ctx context.Context) error {
	var records []Record
	found := map[RecordKey]bool{}
	err := s.cfg.Store.View(ctx, func(store StoreTx) error {
		for _, kind := range []Kind{KindAccount, KindUserGroup, KindDeviceGroup} {
			list, err := store.List(kind, Query{})
			if err != nil {
				return err
			}
			for _, r := range list {
				found[RecordKey{kind, r.ID}] = true
			}
			records = append(records, list...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.dir.mu.RLock()
	records = appendRemoved(records, KindAccount, s.dir.accounts, found)
	records = appendRemoved(records, KindUserGroup, s.dir.userGroups, found)
	records = appendRemoved(records, KindDeviceGroup, s.dir.groups, found)
	s.dir.mu.RUnlock()
	s.devices.drop()
	return s.take(records)
}

// appendRemoved appends what is in memory, but no longer in the store.
func appendRemoved[T any](list []Record, kind Kind, known map[controlproto.ID]entry[T], found map[RecordKey]bool) []Record {
	for id := range known {
		if !found[RecordKey{kind, string(id)}] {
			list = append(list, Record{Kind: kind, ID: string(id)})
		}
	}
	return list
}

// endTokenSessions ends the sessions of login tokens that are removed or over.
func (s *Server) endTokenSessions(ctx context.Context) {
	over := map[string]bool{}
	for _, c := range s.sessionsWhere(func(c *controlproto.Session) bool { return c.Login().TokenUser != "" }) {
		name := c.Login().TokenUser
		ended, known := over[name]
		if !known {
			var t LoginToken
			found, err := s.document(ctx, KindLoginToken, name, &t)
			if err != nil {
				s.log.Warn("a login token cannot be read", "reason", err)
				continue
			}
			ended = !found || t.Expired(s.cfg.Now())
			over[name] = ended
		}
		if ended {
			c.Close("noauth", "noauth")
		}
	}
}
