package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/nodeid"
)

// view is what the pages show: records of the store, and who is online according to the registry. A full administrator
// of the default domain sees all of the server, everyone else what his links show him.
type view struct {
	store    *sqlstore.Store
	records  *controlserver.Server
	agents   *agentproto.Server
	tenants  tenants
	settings *settings
}

var _ web.Source = (*view)(nil)

// all tells whether somebody sees all of the server.
func (v *view) all(ctx context.Context, user string) bool {
	u, err := v.records.User(ctx, controlproto.ID(user))
	return err == nil && u.SiteRights.Full() && u.ID.Domain() == ""
}

// groups returns the groups that somebody sees, by name.
func (v *view) groups(ctx context.Context, user string) (list []*controlproto.DeviceGroup) {
	id := controlproto.ID(user)
	all := v.all(ctx, user)
	for domain := range v.tenants {
		if domain != id.Domain() && !all {
			continue
		}
		for g := range v.records.Groups(domain) {
			if _, visible := v.records.GroupRights(id, g.ID); visible || all {
				list = append(list, g)
			}
		}
	}
	slices.SortFunc(list, func(a, b *controlproto.DeviceGroup) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func (v *view) Groups(ctx context.Context, user string) (list []web.Group, err error) {
	for _, g := range v.groups(ctx, user) {
		row := web.Group{ID: string(g.ID), Name: g.Name}
		if g.GroupType == controlproto.GroupAgent {
			row.Settings = v.settings.path(g.ID)
		}
		list = append(list, row)
	}
	return list, nil
}

func (v *view) Devices(ctx context.Context, user string, limit int) (list []web.Device, total int, err error) {
	err = v.store.View(ctx, func(tx controlserver.StoreTx) error {
		var devices []*controlproto.Device
		for _, g := range v.groups(ctx, user) {
			records, err := tx.List(controlserver.KindDevice, controlserver.Query{Owner: string(g.ID)})
			if err != nil {
				return err
			}
			for _, r := range records {
				d, err := device(r)
				if err != nil {
					return err
				}
				devices = append(devices, d)
			}
		}
		slices.SortFunc(devices, func(a, b *controlproto.Device) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
		})
		total = len(devices)
		for _, d := range devices[:min(limit, total)] {
			row, err := v.row(tx, d)
			if err != nil {
				return err
			}
			list = append(list, row)
		}
		return nil
	})
	return list, total, err
}

func device(r controlserver.Record) (*controlproto.Device, error) {
	d := &controlproto.Device{}
	return d, jsonrec.Unmarshal(r.Doc, d)
}

func (v *view) Device(ctx context.Context, user string, key nodeid.NodeKey) (row web.Device, ok bool, err error) {
	id := controlproto.DeviceID(key)
	if _, visible, err := v.records.DeviceRights(ctx, controlproto.ID(user), id); err != nil || !visible && !v.all(ctx, user) {
		return row, false, err
	}
	err = v.store.View(ctx, func(tx controlserver.StoreTx) error {
		r, err := tx.Get(controlserver.KindDevice, string(id))
		if errors.Is(err, controlserver.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		d, err := device(r)
		if err != nil {
			return err
		}
		row, err = v.row(tx, d)
		ok = err == nil
		return err
	})
	return row, ok, err
}

func (v *view) Online(ctx context.Context, user string) int {
	if v.all(ctx, user) {
		return v.agents.Len()
	}
	n := 0
	for s := range v.agents.Sessions() {
		if s.NodeKey().Domain != controlproto.ID(user).Domain() {
			continue
		}
		if _, visible, err := v.records.DeviceRights(ctx, controlproto.ID(user), controlproto.DeviceID(s.NodeKey())); err == nil && visible {
			n++
		}
	}
	return n
}

// kinds is what the pages call the actions of events.
var kinds = map[string]string{
	"addnode": "device added", "removenode": "device removed", deviceConnected: "device connected", deviceDisconnected: "device disconnected",
	"started": "server started", "stopped": "server stopped",
}

func (v *view) Events(ctx context.Context, user string, limit int) (list []web.Event, err error) {
	u, err := v.records.User(ctx, controlproto.ID(user))
	if err != nil {
		return nil, err
	}
	q := controlserver.EventQuery{Domain: u.ID.Domain(), Limit: limit}
	if !u.SiteRights.Full() {
		q.Targets = []string{user}
		for id := range u.Links {
			q.Targets = append(q.Targets, string(id))
		}
	}
	err = v.store.View(ctx, func(tx controlserver.StoreTx) error {
		events, err := tx.Events(q)
		for _, logged := range events {
			var e controlproto.Event
			if err := jsonrec.Unmarshal(logged.Doc, &e); err != nil {
				return err
			}
			text := func(name string) (s string) {
				_ = json.Unmarshal(e.Extra[name], &s) // absent is empty
				return s
			}
			row := web.Event{
				Time: e.Time, Kind: cmp.Or(kinds[e.Action], e.Action), Name: cmp.Or(text("name"), e.Username), Addr: text("addr"),
				Detail: cmp.Or(text("detail"), e.Msg),
			}
			if at, err := time.Parse(time.RFC3339Nano, text("at")); err == nil {
				row.Time = at
			}
			list = append(list, row)
		}
		return err
	})
	return list, err
}

func (v *view) row(tx controlserver.StoreTx, d *controlproto.Device) (web.Device, error) {
	row := web.Device{ID: string(d.ID), Group: string(d.Group), Name: d.Name, Host: d.RName, OS: d.OSDesc, Addr: d.IP}
	if d.Agent != nil {
		row.Core, row.Tag = d.Agent.Core, d.Agent.Tag
	}
	r, err := tx.Get(controlserver.KindLastConnect, string(d.ID))
	if err == nil {
		var last controlproto.LastConnect
		if err := jsonrec.Unmarshal(r.Doc, &last); err != nil {
			return row, err
		}
		row.Since = last.Time // after a crash nobody knows when it went
	} else if !errors.Is(err, controlserver.ErrNotFound) {
		return row, err
	}
	key, err := d.ID.DeviceKey()
	if err != nil {
		return row, err
	}
	if s, ok := v.agents.Session(key); ok {
		row.Online, row.Since = true, s.Since()
	}
	return row, nil
}
