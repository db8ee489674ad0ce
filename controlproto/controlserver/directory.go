package controlserver

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// directory is all accounts, user groups and device groups, as every check of rights needs them. What it holds is never
// changed, only replaced.
type directory struct {
	mu         sync.RWMutex
	accounts   map[controlproto.ID]entry[Account]
	userGroups map[controlproto.ID]entry[controlproto.UserGroup]
	groups     map[controlproto.ID]entry[controlproto.DeviceGroup]
}

// entry is a record that was decoded, with the revision it had.
type entry[T any] struct {
	value *T
	rev   uint64
}

// load reads the directory from the store.
func (s *Server) load() error {
	d := &s.dir
	d.accounts = map[controlproto.ID]entry[Account]{}
	d.userGroups = map[controlproto.ID]entry[controlproto.UserGroup]{}
	d.groups = map[controlproto.ID]entry[controlproto.DeviceGroup]{}
	return s.cfg.Store.View(context.Background(), func(tx StoreTx) error {
		for _, kind := range []Kind{KindAccount, KindUserGroup, KindDeviceGroup} {
			records, err := tx.List(kind, Query{})
			if err != nil {
				return err
			}
			for _, r := range records {
				if err := d.apply(r); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// apply takes a record over into the directory; Rev 0 is a removed one. It is called with mu held, or before anybody
// else has the directory.
func (d *directory) apply(r Record) error {
	switch r.Kind {
	case KindAccount:
		return applyTo(d.accounts, r)
	case KindUserGroup:
		return applyTo(d.userGroups, r)
	case KindDeviceGroup:
		return applyTo(d.groups, r)
	default:
		return nil // not kept in memory
	}
}

func applyTo[T any](m map[controlproto.ID]entry[T], r Record) error {
	id := controlproto.ID(r.ID)
	if r.Rev == 0 {
		delete(m, id)
		return nil
	}
	if r.Rev <= m[id].rev {
		return nil // older than what is known
	}
	v, err := decode[T](r)
	if err != nil {
		return err
	}
	m[id] = entry[T]{v, r.Rev}
	return nil
}

func decode[T any](r Record) (*T, error) {
	v := new(T)
	if err := jsonrec.Unmarshal(r.Doc, v); err != nil {
		return nil, fmt.Errorf("controlserver: record %s %.100q: %w", r.Kind, r.ID, err)
	}
	return v, nil
}

func encode(v any) ([]byte, error) { return jsonrec.Append(nil, v) }

// account returns an account, or nil. It must not be changed.
func (s *Server) account(id controlproto.ID) *Account {
	s.dir.mu.RLock()
	defer s.dir.mu.RUnlock()
	return s.dir.accounts[id].value
}

// userGroup returns a user group, or nil. It must not be changed.
func (s *Server) userGroup(id controlproto.ID) *controlproto.UserGroup {
	s.dir.mu.RLock()
	defer s.dir.mu.RUnlock()
	return s.dir.userGroups[id].value
}

// group returns a device group that is not marked as deleted, or nil. It must not be changed.
func (s *Server) group(id controlproto.ID) *controlproto.DeviceGroup {
	s.dir.mu.RLock()
	defer s.dir.mu.RUnlock()
	if g := s.dir.groups[id].value; g != nil && len(g.Deleted) == 0 {
		return g
	}
	return nil
}

// groupOrDeleted returns a device group, marked as deleted or not, or nil. It must not be changed.
func (s *Server) groupOrDeleted(id controlproto.ID) *controlproto.DeviceGroup {
	s.dir.mu.RLock()
	defer s.dir.mu.RUnlock()
	return s.dir.groups[id].value
}

// accountsOf returns the accounts of a domain by id.
func (s *Server) accountsOf(domain string) []*Account {
	return listed(&s.dir, s.dir.accounts, controlproto.KindUser, domain)
}

// userGroupsOf returns the user groups of a domain by id.
func (s *Server) userGroupsOf(domain string) []*controlproto.UserGroup {
	return listed(&s.dir, s.dir.userGroups, controlproto.KindUserGroup, domain)
}

// groupsOf returns the device groups of a domain by id, without deleted ones.
func (s *Server) groupsOf(domain string) []*controlproto.DeviceGroup {
	list := listed(&s.dir, s.dir.groups, controlproto.KindDeviceGroup, domain)
	return slices.DeleteFunc(list, func(g *controlproto.DeviceGroup) bool { return len(g.Deleted) > 0 })
}

func listed[T any](d *directory, m map[controlproto.ID]entry[T], kind, domain string) []*T {
	prefix := kind + "/" + domain + "/"
	d.mu.RLock()
	defer d.mu.RUnlock()
	var list []*T
	for _, id := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(string(id), prefix) {
			list = append(list, m[id].value)
		}
	}
	return list
}

// Accounts returns all accounts of a domain. They must not be changed.
func (s *Server) Accounts(domain string) iter.Seq[*Account] {
	return slices.Values(s.accountsOf(domain))
}

// Groups returns all device groups of a domain. They must not be changed.
func (s *Server) Groups(domain string) iter.Seq[*controlproto.DeviceGroup] {
	return slices.Values(s.groupsOf(domain))
}
