package controlserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// deviceCache holds the devices of groups that operators have listed lately, as they are sent. It follows every change.
// A fleet that nobody looks at takes no memory here.
type deviceCache struct {
	mu     sync.RWMutex
	groups map[controlproto.ID]*cachedGroup
	where  map[controlproto.ID]controlproto.ID // device to group, for the groups above
}

type cachedGroup struct {
	devices []cachedDevice // by id
	lent    bool           // somebody goes through devices, which is replaced by the next change then
	used    time.Time
}

// own makes devices one that may be changed. A fleet that comes back changes many devices of a group before the next
// operator looks, so it is not copied for each.
func (g *cachedGroup) own() {
	if g.lent {
		g.devices, g.lent = slices.Clone(g.devices), false
	}
}

type cachedDevice struct {
	id   controlproto.ID
	wire []byte // as it is sent, without state and without the last brace
}

// cacheTime is how long a group stays after it was listed last.
const cacheTime = time.Minute

func (d cachedDevice) compare(id controlproto.ID) int { return cmp.Compare(d.id, id) }

// apply follows a change of a device's record; Rev 0 is a removed one.
func (c *deviceCache) apply(r Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, group := controlproto.ID(r.ID), controlproto.ID(r.Owner)
	if old, ok := c.where[id]; ok && (r.Rev == 0 || old != group) {
		g := c.groups[old]
		if i, found := slices.BinarySearchFunc(g.devices, id, cachedDevice.compare); found {
			g.own()
			g.devices = slices.Delete(g.devices, i, i+1)
		}
		delete(c.where, id)
	}
	g := c.groups[group]
	if r.Rev == 0 || g == nil {
		return nil
	}
	d, err := cacheDevice(r)
	if err != nil {
		return err
	}
	i, found := slices.BinarySearchFunc(g.devices, id, cachedDevice.compare)
	if g.own(); found {
		g.devices[i] = d
	} else {
		g.devices = slices.Insert(g.devices, i, d)
	}
	c.where[id] = group
	return nil
}

func cacheDevice(r Record) (cachedDevice, error) {
	d, err := decode[controlproto.Device](r)
	if err != nil {
		return cachedDevice{}, err
	}
	hideSecrets(d)
	// These are known when it is sent.
	d.Group, d.Conn, d.Power, d.AgentSince, d.CIRASince, d.Sessions = "", 0, 0, time.Time{}, time.Time{}, nil
	wire, err := encodeDevice(d)
	if err != nil {
		return cachedDevice{}, err
	}
	return cachedDevice{controlproto.ID(r.ID), slices.Clip(wire[:len(wire)-1])}, nil
}

// hideSecrets makes a stored record one that may be shown: secrets are only told to be there.
func hideSecrets(d *controlproto.Device) {
	// In records from the stock server these hold credentials and a token; so may what has not the form that it should.
	for _, name := range []string{"ssh", "rdp", "pmt", "intelamt", "kvm"} {
		if _, ok := d.Extra[name]; ok {
			d.Extra = maps.Clone(d.Extra)
			delete(d.Extra, name)
			if name == "pmt" {
				d.PushToken = 1
			}
		}
	}
	if d.AMT == nil {
		return
	}
	amt := *d.AMT
	for _, p := range []*controlproto.Secret{&amt.Password, &amt.MPSPass} {
		if p.Reveal() != "" {
			*p = controlproto.NewSecret("1")
		}
	}
	d.AMT = &amt
}

// encodeDevice encodes a device whose secrets are hidden.
func encodeDevice(d *controlproto.Device) ([]byte, error) {
	b, err := encode(d)
	return secretsAsNumbers(b), err
}

// secretsAsNumbers makes the marks of hidden secrets the numbers that they are in the protocol. Inside of a text such a member
// cannot stand: its quotes would be escaped.
func secretsAsNumbers(b []byte) []byte {
	for _, name := range []string{"pass", "mpspass"} {
		b = bytes.ReplaceAll(b, []byte(`"`+name+`":"1"`), []byte(`"`+name+`":1`))
	}
	return b
}

func (c *deviceCache) groupOf(device controlproto.ID) (controlproto.ID, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	group, ok := c.where[device]
	return group, ok
}

// list returns the devices of a group if it is cached.
func (c *deviceCache) list(group controlproto.ID, now time.Time) ([]cachedDevice, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[group]
	if g == nil {
		return nil, false
	}
	g.used, g.lent = now, true
	return g.devices, true
}

// add caches a group, and drops the ones that nobody asked for lately.
func (c *deviceCache) add(group controlproto.ID, devices []cachedDevice, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups == nil {
		c.groups = map[controlproto.ID]*cachedGroup{}
		c.where = map[controlproto.ID]controlproto.ID{}
	}
	c.groups[group] = &cachedGroup{devices: devices, lent: true, used: now}
	for _, d := range devices {
		c.where[d.id] = group
	}
}

// expire drops what nobody asked for lately.
func (c *deviceCache) expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, g := range c.groups {
		if now.Sub(g.used) > cacheTime {
			for _, d := range g.devices {
				delete(c.where, d.id)
			}
			delete(c.groups, id)
		}
	}
}

// drop forgets all groups.
func (c *deviceCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.groups)
	clear(c.where)
}

// Tick does what is due from time to time: call it about once a minute. It drops what nobody uses from memory, and ends the
// sessions of login tokens that are over.
func (s *Server) Tick() {
	s.devices.expire(s.cfg.Now())
	s.endTokenSessions(context.Background())
	s.foreign.retry(s)
}

// devicesOf returns the devices of a group.
func (s *Server) devicesOf(ctx context.Context, group controlproto.ID) ([]cachedDevice, error) {
	if list, ok := s.devices.list(group, s.cfg.Now()); ok {
		return list, nil
	}
	// No change may come between the reading and the caching.
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	var list []cachedDevice
	err := s.cfg.Store.View(ctx, func(tx StoreTx) error {
		records, err := tx.List(KindDevice, Query{Owner: string(group)})
		if err != nil {
			return err
		}
		list = make([]cachedDevice, 0, len(records))
		for _, r := range records {
			d, err := cacheDevice(r)
			if err != nil {
				return err
			}
			list = append(list, d)
		}
		return nil
	})
	if err == nil {
		s.devices.add(group, list, s.cfg.Now())
	}
	return list, err
}

// DeviceIDs returns the devices of a group.
func (s *Server) DeviceIDs(ctx context.Context, group controlproto.ID) ([]controlproto.ID, error) {
	list, err := s.devicesOf(ctx, group)
	ids := make([]controlproto.ID, len(list))
	for i, d := range list {
		ids[i] = d.id
	}
	return ids, err
}

// Device returns a device with its state now and its secrets, or ErrNotFound. It may be changed; nothing is written.
func (s *Server) Device(ctx context.Context, id controlproto.ID) (*controlproto.Device, error) {
	var d *controlproto.Device
	err := s.cfg.Store.View(ctx, func(tx StoreTx) error {
		r, err := tx.Get(KindDevice, string(id))
		if err != nil {
			return err
		}
		d, err = decode[controlproto.Device](r)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.addState(d)
	return d, nil
}

func (s *Server) addState(d *controlproto.Device) {
	st := s.cfg.Presence.State(d.ID)
	d.Conn, d.Power, d.AgentSince, d.CIRASince, d.Sessions = st.Conn, st.Power, st.AgentSince, st.CIRASince, st.Sessions
}

// appendDevice appends a device as it is sent, with its state now.
func (s *Server) appendDevice(b []byte, d cachedDevice) []byte {
	b = append(b, d.wire...)
	st := s.cfg.Presence.State(d.id)
	if st.Conn != 0 {
		b = strconv.AppendUint(append(b, `,"conn":`...), uint64(st.Conn), 10)
	}
	if st.Power != 0 {
		b = strconv.AppendUint(append(b, `,"pwr":`...), uint64(st.Power), 10)
	}
	if !st.AgentSince.IsZero() {
		b = strconv.AppendInt(append(b, `,"agct":`...), st.AgentSince.UnixMilli(), 10)
	}
	if !st.CIRASince.IsZero() {
		b = strconv.AppendInt(append(b, `,"cict":`...), st.CIRASince.UnixMilli(), 10)
	}
	if len(st.Sessions) > 0 {
		b = append(append(b, `,"sessions":`...), st.Sessions...)
	}
	return append(b, '}')
}

// linkedDevices are the devices that an account has a link to, its own or that of a user group, whatever group they are in.
func (s *Server) linkedDevices(user controlproto.ID) map[controlproto.ID]bool {
	a := s.account(user)
	if a == nil {
		return nil
	}
	found := map[controlproto.ID]bool{}
	add := func(links controlproto.Links) {
		for id := range links {
			if id.Kind() == controlproto.KindDevice {
				found[id] = true
			}
		}
	}
	add(a.Links)
	for id := range a.Links {
		if g := s.userGroup(id); g != nil {
			add(g.Links)
		}
	}
	return found
}

// deviceList is the devices that an account sees, by group.
type deviceList struct {
	groups  []controlproto.ID // those that have some, by id
	devices map[controlproto.ID][]cachedDevice
}

func (l *deviceList) add(group controlproto.ID, devices ...cachedDevice) {
	if len(devices) == 0 {
		return
	}
	if l.devices == nil {
		l.devices = map[controlproto.ID][]cachedDevice{}
	}
	if _, known := l.devices[group]; !known {
		l.groups = append(l.groups, group)
	}
	l.devices[group] = append(l.devices[group], devices...)
}

// visibleDevices lists the devices that an account sees: those of one group, or of all groups if group is empty, and then
// also those that it is linked to one by one.
func (s *Server) visibleDevices(ctx context.Context, user, group controlproto.ID) (deviceList, error) {
	var list deviceList
	whole := map[controlproto.ID]bool{}
	for _, g := range s.visibleGroups(user) {
		if group != "" && g.ID != group {
			continue
		}
		devices, err := s.devicesOf(ctx, g.ID)
		if err != nil {
			return list, err
		}
		whole[g.ID] = true
		list.add(g.ID, devices...)
	}
	if group != "" {
		return list, nil
	}
	for _, id := range slices.Sorted(maps.Keys(s.linkedDevices(user))) { // in an order, for pages
		var r Record
		err := s.cfg.Store.View(ctx, func(tx StoreTx) (err error) {
			r, err = tx.Get(KindDevice, string(id))
			return err
		})
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return list, err
		}
		owner := controlproto.ID(r.Owner)
		if whole[owner] {
			continue
		}
		d, err := cacheDevice(r)
		if err != nil {
			return list, err
		}
		list.add(owner, d)
	}
	slices.Sort(list.groups)
	return list, nil
}

// appendNodes appends a controlproto.NodesReply, put together from devices that are encoded already. more is other members, each with
// a comma before it.
func (s *Server) appendNodes(b []byte, list deviceList, more []byte) []byte {
	size := 128 + len(more)
	for _, devices := range list.devices {
		size += 256
		for _, d := range devices {
			size += len(d.wire) + 64
		}
	}
	b = slices.Grow(b, size)
	b = append(b, `{"action":"nodes","nodes":{`...)
	for i, group := range list.groups {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonrec.AppendString(b, string(group))
		b = append(b, ':', '[')
		for i, d := range list.devices[group] {
			if i > 0 {
				b = append(b, ',')
			}
			b = s.appendDevice(b, d)
		}
		b = append(b, ']')
	}
	b = append(b, '}')
	b = append(b, more...)
	return append(b, '}')
}
