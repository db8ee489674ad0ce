package main

import (
	"context"
	"errors"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/nodeid"
)

// view is what the pages show: records of the store, and who is online according to the registry.
type view struct {
	store    *sqlstore.Store
	agents   *agentproto.Server
	settings *settings
}

var _ web.Source = (*view)(nil)

func (v *view) Groups(ctx context.Context) (list []web.Group, err error) {
	err = v.store.View(ctx, func(tx *sqlstore.Tx) error {
		groups, err := tx.Groups()
		for _, g := range groups {
			row := web.Group{ID: g.Key.String(), Name: g.Name}
			if g.Type == sqlstore.AgentGroup {
				row.Settings = v.settings.path(g.Key)
			}
			list = append(list, row)
		}
		return err
	})
	return list, err
}

func (v *view) Devices(ctx context.Context, limit int) (list []web.Device, total int, err error) {
	err = v.store.View(ctx, func(tx *sqlstore.Tx) error {
		counts, err := tx.CountDevices()
		if err != nil {
			return err
		}
		for _, n := range counts {
			total += n
		}
		devices, err := tx.Devices(limit)
		for _, d := range devices {
			list = append(list, v.row(d))
		}
		return err
	})
	return list, total, err
}

func (v *view) Device(ctx context.Context, key nodeid.NodeKey) (row web.Device, ok bool, err error) {
	err = v.store.View(ctx, func(tx *sqlstore.Tx) error {
		d, err := tx.Device(key)
		if err == nil {
			row, ok = v.row(d), true
		} else if errors.Is(err, sqlstore.ErrNotFound) {
			return nil
		}
		return err
	})
	return row, ok, err
}

func (v *view) Online() int { return v.agents.Len() }

func (v *view) Events(ctx context.Context, limit int) (list []web.Event, err error) {
	err = v.store.View(ctx, func(tx *sqlstore.Tx) error {
		events, err := tx.Events(limit)
		for _, e := range events {
			list = append(list, web.Event{Time: e.Time, Kind: string(e.Kind), Name: e.Name, Addr: e.Addr, Detail: e.Detail})
		}
		return err
	})
	return list, err
}

func (v *view) row(d sqlstore.Device) web.Device {
	row := web.Device{
		ID: d.Key.String(), Group: d.Group.String(),
		Name: d.Name, Host: d.Host, OS: d.OS, Core: d.Core, Tag: d.Tag, Addr: d.Addr,
		Since: later(d.Connected, d.Disconnected), // after a crash nobody knows when it went
	}
	if s, ok := v.agents.Session(d.Key); ok {
		row.Online, row.Since = true, s.Since()
	}
	return row
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
