package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// detailVerbs tell what the server knows of devices beyond their records.
func (s *Server) detailVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.getSysInfo)
	controlproto.On(m, s.getNetworkInfo)
	controlproto.On(m, s.lastConnect)
	controlproto.On(m, s.lastConnects)
	controlproto.On(m, s.powerTimeline)
	controlproto.On(m, s.getDeviceDetails)
}

// invalidDevice is what is said of a device that is not seen, that there is not, and that nothing is known of.
const invalidDevice = "Invalid device id"

// askedDevice finds the device that a request for details is about. ok is false for an id that gets no answer. A device that is not
// seen is nil.
func (s *Server) askedDevice(ctx context.Context, c *controlproto.Call, asked controlproto.ID) (id controlproto.ID, d *controlproto.Device, r controlproto.Rights, ok bool, err error) {
	id, ok = wholeID(c.Session, asked)
	if !ok || badLength(string(asked), 1, 1024) {
		return id, nil, 0, false, nil
	}
	d, r, err = s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return id, d, r, true, err
}

// reportOf reads a report of a device, or nil.
func reportOf(tx StoreTx, kind Kind, id controlproto.ID) (map[string]json.RawMessage, error) {
	var doc raw
	rev, err := readDocument(tx, kind, string(id), &doc)
	if err != nil || rev == 0 {
		return nil, err
	}
	if doc.Extra == nil {
		doc.Extra = map[string]json.RawMessage{}
	}
	return doc.Extra, nil
}

// report reads a report of a device, or nil.
func (s *Server) report(ctx context.Context, kind Kind, id controlproto.ID) (doc map[string]json.RawMessage, err error) {
	err = s.cfg.Store.View(ctx, func(tx StoreTx) (err error) {
		doc, err = reportOf(tx, kind, id)
		return err
	})
	return doc, err
}

// getSysInfo tells the hardware and system of a device. Unlike on the stock server the device's record comes without secrets.
func (s *Server) getSysInfo(ctx context.Context, c *controlproto.Call, req *controlproto.GetSysInfo) error {
	id, d, rights, ok, err := s.askedDevice(ctx, c, req.DeviceID)
	if err != nil || !ok {
		return err
	}
	var doc map[string]json.RawMessage
	if d != nil && rights.Has(controlproto.DeviceDetails) {
		if doc, err = s.report(ctx, KindSystem, id); err != nil {
			return err
		}
	}
	if doc == nil {
		return c.ReplyEcho(ctx, &controlproto.GetSysInfoReply{DeviceID: id, NoInfo: true, Result: invalidDevice}, controlproto.EchoTag)
	}
	hideRecoveryPasswords(doc, rights)
	// What an agent calls so is not what it means in the answer.
	for _, name := range []string{"action", "nodeid", "node", "rights", "noinfo", "result", "responseid", "tag", "type", "domain", "_id"} {
		delete(doc, name)
	}
	if doc["nodeid"], err = encode(id); err != nil {
		return err
	}
	if req.NodeInfo {
		hideSecrets(d)
		d.Conn, d.Power, d.AgentSince, d.CIRASince, d.Sessions = 0, 0, time.Time{}, time.Time{}, nil // as in the database
		if doc["node"], err = encodeDevice(d); err != nil {
			return err
		}
		if doc["rights"], err = encode(rights); err != nil {
			return err
		}
	}
	return c.ReplyEcho(ctx, &controlproto.Unknown{Name: "getsysinfo", Extra: doc}, controlproto.EchoTag)
}

// hideRecoveryPasswords takes the keys of encrypted disks out of a report, for who has not all rights.
func hideRecoveryPasswords(doc map[string]json.RawMessage, rights controlproto.Rights) {
	if !rights.Full() {
		hideMember(doc, "hardware", "windows", "volumes", "", "recoveryPassword")
	}
}

// hideMember takes a member out of nested objects; an empty name on the way stands for all. What has not the form of an object
// on the way is taken out whole: what is in it cannot be told.
func hideMember(doc map[string]json.RawMessage, path ...string) {
	if len(path) == 1 {
		delete(doc, path[0])
		return
	}
	for name, value := range doc {
		if path[0] != "" && name != path[0] {
			continue
		}
		inner := raw{Extra: map[string]json.RawMessage{}}
		if len(value) == 0 || value[0] != '{' || jsonrec.Unmarshal(value, &inner) != nil {
			delete(doc, name)
			continue
		}
		hideMember(inner.Extra, path[1:]...)
		b, err := encode(&inner)
		if err != nil {
			delete(doc, name)
			continue
		}
		doc[name] = b
	}
}

// getNetworkInfo tells the network interfaces of a device.
func (s *Server) getNetworkInfo(ctx context.Context, c *controlproto.Call, req *controlproto.GetNetworkInfo) error {
	id, d, rights, ok, err := s.askedDevice(ctx, c, req.DeviceID)
	if err != nil || !ok {
		return err
	}
	if d == nil || !rights.Has(controlproto.DeviceDetails) {
		return c.ReplyEcho(ctx, &controlproto.GetNetworkInfoReply{DeviceID: id, NoInfo: true, Result: invalidDevice}, controlproto.EchoTag)
	}
	doc, err := s.report(ctx, KindNetwork, id)
	if err != nil {
		return err
	}
	reply := map[string]json.RawMessage{}
	for _, name := range []string{"updateTime", "netif", "netif2"} {
		if v, ok := doc[name]; ok {
			reply[name] = v
		}
	}
	if doc == nil {
		reply["netif"], reply["netif2"] = json.RawMessage("null"), json.RawMessage("null")
	}
	if reply["nodeid"], err = encode(id); err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.Unknown{Name: "getnetworkinfo", Extra: reply})
}

// lastConnect tells when a device connected or disconnected last.
func (s *Server) lastConnect(ctx context.Context, c *controlproto.Call, req *controlproto.LastConnectRequest) error {
	id, d, _, ok, err := s.askedDevice(ctx, c, req.DeviceID)
	if err != nil || !ok {
		return err
	}
	failed := func(result string) error {
		return c.ReplyEcho(ctx, &controlproto.LastConnectReply{DeviceID: id, NoInfo: true, Result: result}, controlproto.EchoTag)
	}
	if d == nil {
		return failed(invalidDevice)
	}
	var last controlproto.LastConnect
	found, err := s.document(ctx, KindLastConnect, string(id), &last)
	if err != nil {
		return err
	}
	if !found {
		return failed("No data")
	}
	return c.Reply(ctx, &controlproto.LastConnectReply{DeviceID: id, Time: last.Time, Addr: last.Addr})
}

// lastConnects tells the same of all devices that the account sees, or of those on the page that it looks at.
func (s *Server) lastConnects(ctx context.Context, c *controlproto.Call, _ *controlproto.LastConnects) error {
	ids, err := s.listedDevices(ctx, c.Session)
	if err != nil {
		return err
	}
	times := map[controlproto.ID]int64{}
	err = s.cfg.Store.View(ctx, func(tx StoreTx) error {
		for _, id := range ids {
			var last controlproto.LastConnect
			rev, err := readDocument(tx, KindLastConnect, string(id), &last)
			if err != nil {
				return err
			}
			if rev != 0 {
				times[id] = last.Time.UnixMilli()
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.LastConnectsReply{Times: times})
}

// listedDevices are the devices that the session sees, or those on its page.
func (s *Server) listedDevices(ctx context.Context, c *controlproto.Session) ([]controlproto.ID, error) {
	list, err := s.visibleDevices(ctx, c.UserID(), "")
	if err != nil {
		return nil, err
	}
	page, _ := c.Value(pageKey{}).(pageOfDevices)
	var ids []controlproto.ID
	for _, group := range list.groups {
		for _, d := range list.devices[group] {
			if page.shows(d.id) {
				ids = append(ids, d.id)
			}
		}
	}
	return ids, nil
}

// briefly is how short a power state may be to be left out of the time line.
const briefly = 2 * time.Minute

// powerTimeline tells the power states of a device over time.
func (s *Server) powerTimeline(ctx context.Context, c *controlproto.Call, req *controlproto.PowerTimeline) error {
	if !req.DeviceID.Valid() {
		return nil
	}
	d, _, err := s.deviceFor(ctx, c.Session, req.DeviceID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var log PowerLog
	if _, err := s.document(ctx, KindPower, string(d.ID), &log); err != nil {
		return err
	}
	line := log.timeline()
	if len(log.Changes) == 0 {
		if d.Conn == 0 {
			return nil
		}
		line = []float64{float64(d.Power), seconds(s.cfg.Now()), float64(d.Power)}
	}
	return c.Reply(ctx, &controlproto.PowerTimelineReply{DeviceID: d.ID, Timeline: line})
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// timeline is the log as the protocol has it: the state before, when it ended, the state then, and pairs of seconds and state.
func (l *PowerLog) timeline() []float64 {
	line := []float64{}
	var last time.Time
	before := controlproto.PowerUnknown
	for i, c := range l.Changes {
		switch {
		case len(line) == 0:
			if c.Power == controlproto.PowerUnknown && before == controlproto.PowerUnknown {
				continue // nothing was known before
			}
			line = append(line, float64(before), seconds(c.Time), float64(c.Power))
			last = c.Time
		case c.Power != before:
			if i+1 < len(l.Changes) && l.Changes[i+1].Time.Sub(c.Time) < briefly {
				continue
			}
			line = append(line, float64(c.Time.Sub(last).Milliseconds())/1000, float64(c.Power))
			last = c.Time
		}
		before = c.Power
	}
	return line
}

// deviceDetail is one device of getDeviceDetails: controlproto.DeviceDetail, with reports as they are.
type deviceDetail struct {
	Device      controlproto.DetailedDevice `json:"node"`
	System      *raw                        `json:"sys"`
	Network     *raw                        `json:"net,null"`
	LastConnect *controlproto.LastConnect   `json:"lastConnect"`
	details     bool                        // the account may see System and Network
}

// getDeviceDetails tells all that is known of devices, as a text for a file.
func (s *Server) getDeviceDetails(ctx context.Context, c *controlproto.Call, req *controlproto.GetDeviceDetails) error {
	if badLength(req.Type, 3, 4) || req.DeviceIDs != nil && !validIDs(req.DeviceIDs, 1024) {
		return nil
	}
	ids := req.DeviceIDs
	if ids == nil {
		var err error
		if ids, err = s.listedDevices(ctx, c.Session); err != nil {
			return err
		}
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	list := make([]deviceDetail, 0, len(ids))
	err := s.cfg.Store.View(ctx, func(tx StoreTx) error {
		for _, id := range ids {
			d, err := s.detail(tx, c.Session, id)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			list = append(list, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	reply := &controlproto.GetDeviceDetailsReply{Type: req.Type}
	switch {
	case req.Type == "csv":
		reply.Data = s.detailsCSV(list, req)
	case len(list) == 0 && req.DeviceIDs != nil:
		reply.Data = `""`
	default:
		b, err := encode(list)
		if err != nil {
			return err
		}
		reply.Data = string(secretsAsNumbers(b))
	}
	return c.Reply(ctx, reply)
}

// detail reads all that an account may know of a device, or ErrNotFound.
func (s *Server) detail(tx StoreTx, c *controlproto.Session, id controlproto.ID) (out deviceDetail, err error) {
	if id.Domain() != c.Domain() || id.Kind() != controlproto.KindDevice {
		return out, ErrNotFound
	}
	r, err := tx.Get(KindDevice, string(id))
	if err != nil {
		return out, err
	}
	d, err := decode[controlproto.Device](r)
	if err != nil {
		return out, err
	}
	rights, visible := s.rights(c.UserID(), d.Group, d.ID)
	if !visible {
		return out, ErrNotFound
	}
	hideSecrets(d)
	s.addState(d)
	d.Sessions = nil
	out.Device.Device = *d
	if g := s.group(d.Group); g != nil {
		out.Device.GroupName = g.Name
	}
	var last controlproto.LastConnect
	rev, err := readDocument(tx, KindLastConnect, string(id), &last)
	if err != nil {
		return out, err
	}
	if rev != 0 {
		out.LastConnect = &last
	}
	if out.details = rights.Has(controlproto.DeviceDetails); !out.details {
		return out, nil
	}
	system, err := reportOf(tx, KindSystem, id)
	if err != nil {
		return out, err
	}
	if system != nil {
		hideRecoveryPasswords(system, rights)
		out.System = &raw{asStored(system, "si", "sysinfo", id)}
	}
	network, err := reportOf(tx, KindNetwork, id)
	if err == nil && network != nil {
		out.Network = &raw{asStored(network, "if", "ifinfo", id)}
	}
	return out, err
}

// asStored adds what the stock server's database has in the document of a report, which goes out with it.
func asStored(doc map[string]json.RawMessage, prefix, typ string, id controlproto.ID) map[string]json.RawMessage {
	doc["_id"] = jsonrec.AppendString(nil, prefix+string(id))
	doc["domain"] = jsonrec.AppendString(nil, id.Domain())
	doc["type"] = jsonrec.AppendString(nil, typ)
	return doc
}
