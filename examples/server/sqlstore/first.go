package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/deviceinfo"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// first takes over what version 1 of the database holds. Whoever could log in was an administrator of everything.
type first struct {
	*tx
	admins []*controlserver.Account
	groups map[controlproto.ID]*controlproto.DeviceGroup
	owners map[string]controlproto.ID // group of a device, by id
}

// fromFirst fills the tables of version 2 from those of version 1, and drops these.
func fromFirst(ctx context.Context, sqlTx *sql.Tx) error {
	f := &first{
		tx: &tx{ctx: ctx, tx: sqlTx}, groups: map[controlproto.ID]*controlproto.DeviceGroup{},
		owners: map[string]controlproto.ID{},
	}
	for _, step := range []func() error{f.settings, f.users, f.meshes, f.devices, f.reports, f.links, f.events} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, name := range []string{"setting", "user", "report", "device", "group", "event"} {
		if _, err := f.exec("first_"+name, "DROP TABLE first_"+name); err != nil {
			return err
		}
	}
	return nil
}

// put writes a new record.
func (f *first) put(kind controlserver.Kind, id, owner string, v any) error {
	doc, err := jsonrec.Append(nil, v)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return f.Put(controlserver.Record{Kind: kind, ID: id, Owner: owner, Doc: doc})
}

// each reads all rows of a query, and gives them to use once the query has ended.
func each[T any](f *first, what string, scan func(*sql.Rows) (T, error), use func(T) error, query string) error {
	all, err := list(f.tx, what, scan, query)
	if err != nil {
		return err
	}
	for _, v := range all {
		if err := use(v); err != nil {
			return wrap(what, err)
		}
	}
	return nil
}

func (f *first) settings() error {
	type row struct{ name, value string }
	return each(f, "settings", func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.name, &r.value)
	}, func(r row) error {
		return f.put(controlserver.KindSetting, r.name, "", &Setting{Value: r.value})
	}, "SELECT name, value FROM first_setting")
}

func (f *first) users() error {
	type row struct{ name, password, doc string }
	return each(f, "users", func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.name, &r.password, &r.doc)
	}, func(r row) error {
		var doc struct {
			Admin   bool      `json:"admin"`
			Created time.Time `json:"created"`
		}
		if err := json.Unmarshal([]byte(r.doc), &doc); err != nil {
			return err
		}
		a := &controlserver.Account{Type: "user", PasswordHash: controlproto.NewSecret(r.password)}
		a.ID, a.Name, a.Created = controlproto.UserID("", r.name), r.name, doc.Created
		if doc.Admin {
			a.SiteRights = controlproto.SiteFull
			f.admins = append(f.admins, a)
			return nil // written by links
		}
		return f.put(controlserver.KindAccount, string(a.ID), "", a)
	}, "SELECT name, password, doc FROM first_user")
}

func (f *first) meshes() error {
	type row struct{ id, name, doc string }
	return each(f, "device groups", func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.id, &r.name, &r.doc)
	}, func(r row) error {
		var doc struct {
			Type        int       `json:"type"`
			Description string    `json:"description"`
			Created     time.Time `json:"created"`
		}
		if err := json.Unmarshal([]byte(r.doc), &doc); err != nil {
			return err
		}
		id := controlproto.ID(r.id)
		f.groups[id] = &controlproto.DeviceGroup{
			Type: controlproto.KindDeviceGroup, ID: id, Name: r.name, Domain: id.Domain(), GroupType: controlproto.GroupType(doc.Type),
			Desc: doc.Description, Created: doc.Created, Links: controlproto.Links{},
		}
		return nil // written by links
	}, "SELECT id, name, doc FROM first_group")
}

// links gives administrators the groups of their domain, and writes both.
func (f *first) links() error {
	for id, g := range f.groups {
		for _, a := range f.admins {
			if a.Domain != g.Domain {
				continue
			}
			if a.Links == nil {
				a.Links = controlproto.Links{}
			}
			a.Links[id] = controlproto.Link{Rights: controlproto.FullRights}
			g.Links[a.ID] = controlproto.Link{Rights: controlproto.FullRights, Name: a.Name}
		}
		if err := f.put(controlserver.KindDeviceGroup, string(id), "", g); err != nil {
			return err
		}
	}
	for _, a := range f.admins {
		if err := f.put(controlserver.KindAccount, string(a.ID), "", a); err != nil {
			return err
		}
	}
	return nil
}

func (f *first) devices() error {
	type row struct{ id, group, name, doc string }
	return each(f, "devices", func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.id, &r.group, &r.name, &r.doc)
	}, func(r row) error {
		var doc struct {
			Host         string                 `json:"host"`
			Icon         uint32                 `json:"icon"`
			AgentID      uint32                 `json:"agentId"`
			AgentVersion uint32                 `json:"agentVersion"`
			Capabilities controlproto.AgentCaps `json:"capabilities"`
			Core         string                 `json:"core"`
			OS           string                 `json:"os"`
			Tag          string                 `json:"tag"`
			Temporary    bool                   `json:"temporary"`
			Created      time.Time              `json:"created"`
			Connected    time.Time              `json:"connected"`
			Disconnected time.Time              `json:"disconnected"`
			Addr         string                 `json:"addr"`
		}
		if err := json.Unmarshal([]byte(r.doc), &doc); err != nil {
			return err
		}
		const temporary = controlproto.AgentCaps(agentproto.CapTemporary)
		if doc.Capabilities &^= temporary; doc.Temporary {
			doc.Capabilities |= temporary
		}
		id, group := controlproto.ID(r.id), controlproto.ID(r.group)
		d := &controlproto.Device{
			Type: controlproto.KindDevice, ID: id, Group: group, Domain: id.Domain(), Name: r.name, RName: doc.Host,
			Icon: controlproto.Icon(doc.Icon), OSDesc: doc.OS, FirstConnect: doc.Created, IP: doc.Addr,
			Agent: &controlproto.DeviceAgent{
				ID: int(doc.AgentID), Version: new(int(doc.AgentVersion)), Caps: doc.Capabilities, Core: doc.Core, Tag: doc.Tag,
			},
		}
		if g := f.groups[group]; g != nil {
			d.MeshType = g.GroupType
		}
		f.owners[r.id] = group
		core, err := f.coreReport(r.id)
		if err != nil {
			return err
		}
		if core != nil {
			deviceinfo.Core(d, core)
			d.Name = r.name
		}
		if err := f.put(controlserver.KindDevice, r.id, r.group, d); err != nil {
			return err
		}
		last := &controlproto.LastConnect{Time: doc.Connected, Addr: doc.Addr, Cause: 1, Type: controlproto.ConnAgent}
		if !doc.Disconnected.Before(doc.Connected) {
			last.Time, last.Cause = doc.Disconnected, 0
		}
		if last.Time.IsZero() {
			return nil // never seen: imported
		}
		return f.put(controlserver.KindLastConnect, r.id, r.id, last)
	}, "SELECT id, group_id, name, doc FROM first_device")
}

// coreReport returns the last report of the device's core, or nil. It has no table of its own any more.
func (f *first) coreReport(device string) (*agentproto.CoreInfo, error) {
	docs, err := list(f.tx, "report", func(rows *sql.Rows) (doc []byte, err error) { return doc, rows.Scan(&doc) },
		"SELECT doc FROM first_report WHERE device_id = ? AND kind = 'coreinfo'", device)
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	m, err := agentproto.ParseAgentMessage(docs[0])
	if err != nil {
		return nil, nil // it was stored by this program; without it, the agent sends it again
	}
	core, _ := m.(*agentproto.CoreInfo)
	return core, nil
}

func (f *first) reports() error {
	kinds := map[string]controlserver.Kind{"sysinfo": controlserver.KindSystem, "netinfo": controlserver.KindNetwork}
	type row struct{ device, kind, doc string }
	return each(f, "reports", func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.device, &r.kind, &r.doc)
	}, func(r row) error {
		return f.Put(controlserver.Record{Kind: kinds[r.kind], ID: r.device, Owner: r.device, Doc: []byte(r.doc)})
	}, "SELECT device_id, kind, doc FROM first_report WHERE kind IN ('sysinfo', 'netinfo')")
}

// actions are what the kinds of events are called now.
var actions = map[string]string{
	"device added": "addnode", "device removed": "removenode", "device connected": "agentconnect", "device disconnected": "agentdisconnect",
	"server started": "started", "server stopped": "stopped",
}

func (f *first) events() error {
	type row struct {
		ms                int64
		device, kind, doc string
	}
	return each(f, "events", func(rows *sql.Rows) (r row, err error) {
		return r, rows.Scan(&r.ms, &r.device, &r.kind, &r.doc)
	}, func(r row) error {
		var doc struct{ Name, Addr, Detail string }
		if err := json.Unmarshal([]byte(r.doc), &doc); err != nil {
			return err
		}
		id := controlproto.ID(r.device)
		e := &controlproto.Event{
			Type: "server", Action: cmp.Or(actions[r.kind], r.kind), DeviceID: id, GroupID: f.owners[r.device], Domain: id.Domain(),
			Time: time.UnixMilli(r.ms).UTC(), Msg: strings.ToUpper(r.kind[:min(1, len(r.kind))]) + r.kind[min(1, len(r.kind)):],
			Extra: map[string]json.RawMessage{},
		}
		targets := []string{"*"}
		if id != "" {
			e.Type, targets = "node", append(targets, r.device)
		}
		if e.GroupID != "" {
			targets = append(targets, string(e.GroupID))
		}
		for name, value := range map[string]string{"name": doc.Name, "addr": doc.Addr, "detail": doc.Detail} {
			if value != "" {
				e.Extra[name] = jsonrec.AppendString(nil, value)
			}
		}
		text, err := jsonrec.Append(nil, e)
		if err != nil {
			return err
		}
		return f.AppendEvent(controlserver.LoggedEvent{
			Time: e.Time, Domain: e.Domain, Action: e.Action, Device: r.device, Targets: targets, Doc: text,
		})
	}, "SELECT time, device, kind, doc FROM first_event ORDER BY id")
}
