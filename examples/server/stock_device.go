package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

func (i *stockImport) group(text string, doc []byte) (bool, error) {
	id, ok := ofKind(text, controlproto.KindDeviceGroup)
	g := &controlproto.DeviceGroup{}
	if err := jsonrec.Unmarshal(doc, g); err != nil || !ok || len(g.Deleted) > 0 {
		return false, nil
	}
	types := []controlproto.GroupType{controlproto.GroupAMT, controlproto.GroupAgent, controlproto.GroupLocal, controlproto.GroupIPKVM}
	if _, err := id.DeviceGroupKey(); err != nil || !slices.Contains(types, g.GroupType) {
		return false, nil
	}
	g.Type, g.ID, g.Domain, g.Extra = controlproto.KindDeviceGroup, id, id.Domain(), nil
	g.Name, g.Desc, g.Links = cmp.Or(cleanName(g.Name), "group without a name"), cleanText(g.Desc), unescapedLinks(g.Links)
	r, err := i.tx.Get(controlserver.KindDeviceGroup, text)
	if errors.Is(err, controlserver.ErrNotFound) && !i.again {
		return i.put(controlserver.KindDeviceGroup, text, "", g)
	}
	if err != nil || !i.again {
		return true, notFoundIsFine(err)
	}
	// It was imported before links were.
	known := &controlproto.DeviceGroup{}
	if err := jsonrec.Unmarshal(r.Doc, known); err != nil {
		return true, err
	}
	for who, l := range g.Links {
		if _, linked := known.Links[who]; linked {
			continue
		}
		if known.Links == nil {
			known.Links = controlproto.Links{}
		}
		known.Links[who] = l
	}
	if r.Doc, err = jsonrec.Append(nil, known); err != nil {
		return true, err
	}
	return true, i.tx.Put(r)
}

func notFoundIsFine(err error) error {
	if errors.Is(err, controlserver.ErrNotFound) {
		return nil
	}
	return err
}

func (i *stockImport) device(text string, doc []byte) (bool, error) {
	d, ok := stockDevice(text, doc)
	if !ok {
		return false, nil
	}
	if known, err := i.exists(controlserver.KindDevice, text); err != nil || known || i.again {
		return true, err
	}
	if group, err := i.exists(controlserver.KindDeviceGroup, string(d.Group)); err != nil || !group {
		return false, err
	}
	return i.put(controlserver.KindDevice, text, string(d.Group), d)
}

// stockDevice reads the document of a device.
func stockDevice(text string, doc []byte) (*controlproto.Device, bool) {
	id, ok := ofKind(text, controlproto.KindDevice)
	key, err := id.DeviceKey()
	d := &controlproto.Device{}
	if jsonrec.Unmarshal(doc, d) != nil || !ok || err != nil || d.Group.Kind() != controlproto.KindDeviceGroup || d.Group.Domain() != id.Domain() {
		return nil, false
	}
	// Not kept: what is true only now, and members that are not of the common ones, among which are credentials that
	// operators stored for the device.
	d.Conn, d.Power, d.AgentSince, d.CIRASince, d.Sessions = 0, 0, time.Time{}, time.Time{}, nil
	d.SSH, d.RDP, d.PushToken, d.Extra = 0, 0, 0, nil
	if d.AMT != nil {
		d.AMT.Extra = nil
	}
	d.Type, d.ID, d.Domain, d.Links = controlproto.KindDevice, id, id.Domain(), unescapedLinks(d.Links)
	for _, s := range []*string{&d.RName, &d.Host, &d.IP} {
		*s = cleanName(*s)
	}
	d.Name = cmp.Or(cleanName(d.Name), d.RName, nameless(key))
	d.OSDesc, d.Desc = cleanLine(d.OSDesc), cleanText(d.Desc)
	if d.Agent != nil {
		d.Agent.Core, d.Agent.Tag, d.Agent.Extra = cleanLine(d.Agent.Core), cleanLine(d.Agent.Tag), nil
	}
	for _, list := range [][]string{d.Users, d.LocalUsers, d.Tags} {
		for n, s := range list {
			list[n] = cleanName(s)
		}
	}
	return d, true
}

// report stores what devices reported: documents whose id is two letters and the device's id.
func (i *stockImport) report(l nedbLine) error {
	kind, ok := map[string]controlserver.Kind{
		"si": controlserver.KindSystem, "if": controlserver.KindNetwork, "lc": controlserver.KindLastConnect,
	}[l.id[:min(2, len(l.id))]]
	if !ok {
		return nil
	}
	id, ok := ofKind(l.id[2:], controlproto.KindDevice)
	if !ok {
		return nil
	}
	if here, err := i.exists(controlserver.KindDevice, string(id)); err != nil || !here {
		return err
	}
	r, err := i.tx.Get(kind, string(id))
	if errors.Is(err, controlserver.ErrNotFound) {
		r, err = controlserver.Record{Kind: kind, ID: string(id), Owner: string(id)}, nil
	}
	if err != nil || r.Rev != 0 && i.again {
		return err
	}
	if l.deleted {
		return notFoundIsFine(i.tx.Delete(kind, string(id)))
	}
	if len(l.doc) > maxReport {
		return nil
	}
	var v any
	if kind == controlserver.KindLastConnect {
		last := &controlproto.LastConnect{}
		if jsonrec.Unmarshal(l.doc, last) != nil {
			return nil
		}
		last.Extra = nil
		v = last
	} else {
		doc := &report{}
		if jsonrec.Unmarshal(l.doc, doc) != nil {
			return nil
		}
		for _, name := range []string{"_id", "type", "domain", "nodeid", "meshid"} {
			delete(doc.Extra, name)
		}
		if net := doc.Extra["netif2"]; net != nil {
			doc.Extra["netif2"] = unescapedMembers(net)
		}
		v = doc
	}
	if r.Doc, err = jsonrec.Append(nil, v); err != nil {
		return nil
	}
	return i.tx.Put(r)
}

// unescapedMembers is an object with the names of its members as they were.
func unescapedMembers(object json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return object
	}
	out := make(map[string]json.RawMessage, len(members))
	for name, value := range members {
		out[unescaped(name)] = value
	}
	text, err := jsonrec.Append(nil, out)
	if err != nil {
		return object
	}
	return text
}

func (i *stockImport) note(text string, doc []byte) (bool, error) {
	var n struct {
		Value string `json:"value"`
	}
	about, ok := strings.CutPrefix(text, "nt")
	if jsonrec.Unmarshal(doc, &n) != nil || !ok || !controlproto.ID(about).Valid() {
		return false, nil
	}
	return i.put(controlserver.KindNotes, about, "", &controlserver.Notes{Text: n.Value})
}
