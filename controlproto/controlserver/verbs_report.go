package controlserver

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// reportVerbs put the log together in tables.
func (s *Server) reportVerbs(m *controlproto.Mux) { controlproto.On(m, s.reportVerb) }

// reportData is controlproto.ReportData with lines of any members.
type reportData struct {
	Groups      map[string]*reportGroup `json:"groups,keep"`
	GroupFormat string                  `json:"groupFormat"`
	Columns     []reportColumn          `json:"columns,keep"`
}

type reportGroup struct {
	Entries []json.RawMessage `json:"entries,keep"`
}

// reportEntry is a line: controlproto.ReportEntry, in which some members have several types. meshctrl prints the members in
// the order in which they come.
type reportEntry struct{ members []reportMember }

type reportMember struct {
	name  string
	value json.RawMessage
}

// json is the line as it is sent.
func (e *reportEntry) json() json.RawMessage {
	b := []byte{'{'}
	for i, m := range e.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(jsonrec.AppendString(b, m.name), ':')
		b = append(b, m.value...)
	}
	return append(b, '}')
}

func (e *reportEntry) add(name string, raw json.RawMessage) {
	e.members = append(e.members, reportMember{name, raw})
}

func (e *reportEntry) has(name string) bool {
	return slices.ContainsFunc(e.members, func(m reportMember) bool { return m.name == name })
}

func (e *reportEntry) number(name string, v float64) {
	e.add(name, strconv.AppendFloat(nil, v, 'f', -1, 64))
}

func (e *reportEntry) text(name, v string) {
	if v != "" {
		e.add(name, jsonrec.AppendString(nil, v))
	}
}

func (d *reportData) add(group string, entry *reportEntry) {
	g := d.Groups[group]
	if g == nil {
		g = new(reportGroup)
		d.Groups[group] = g
	}
	g.Entries = append(g.Entries, entry.json())
}

// reportReply is controlproto.ReportReply.
type reportReply struct {
	Data *reportData `json:"data"`
}

// Action is "report".
func (*reportReply) Action() string { return "report" }

// reportVerb makes a report. Whatever is wrong with the request is met with silence.
func (s *Server) reportVerb(ctx context.Context, c *controlproto.Call, req *controlproto.Report) error {
	if req.GroupBy < controlproto.ReportByUser || req.GroupBy > controlproto.ReportByDay || !req.Start.Before(req.End) {
		return nil
	}
	if m, err := jsonrec.Peek(c.Raw, "start", "end"); err != nil || !numberIn(m[0], 0, maxShareTime) || !numberIn(m[1], 0, maxShareTime) {
		return err
	}
	me := s.account(c.Session.UserID())
	if me == nil {
		return nil
	}
	if req.GroupID != "" {
		if g, _ := s.groupFor(c.Session, req.GroupID); g == nil {
			return nil
		}
		req.GroupID = req.GroupID.In(controlproto.KindDeviceGroup, c.Session.Domain())
	}
	var data *reportData
	var err error
	switch req.Type {
	case controlproto.ReportSessions:
		data, err = s.sessionReport(ctx, me, req)
	case controlproto.ReportTraffic:
		data, err = s.trafficReport(ctx, me, req)
	case controlproto.ReportLogins:
		data, err = s.loginReport(ctx, me, req)
	case controlproto.ReportDatabase:
		data, err = s.databaseReport(ctx, me)
	}
	if err != nil || data == nil {
		return err
	}
	return c.Reply(ctx, &reportReply{data})
}

// reported is an event with what reports need of it.
type reported struct {
	controlproto.Event
	targets []string
}

// reportEvents reads events with one of the numbers within the time of a report, oldest first. Nil targets are all.
func (s *Server) reportEvents(ctx context.Context, a *Account, req *controlproto.Report, targets []string, msgIDs ...int) ([]reported, error) {
	list, err := s.logged(ctx, EventQuery{
		Domain: a.Domain, Targets: targets, Since: req.Start, Until: req.End.Add(time.Millisecond), // the end counts
	})
	if err != nil {
		return nil, err
	}
	var found []reported
	for _, l := range slices.Backward(list) {
		if req.GroupID != "" && !slices.Contains(l.Targets, string(req.GroupID)) {
			continue
		}
		e := reported{targets: l.Targets}
		if err := jsonrec.Unmarshal(l.Doc, &e.Event); err != nil {
			return nil, err
		}
		if slices.Contains(msgIDs, e.MsgID) {
			found = append(found, e)
		}
	}
	return found, nil
}

// sessionEnds are the numbers of the events that end a tunnel.
var sessionEnds = []int{5, 10, 11, 12, 122, 123, 124, 125, 126, 144}

// arg is one of an event's arguments, or nil.
func (e *reported) arg(i int) json.RawMessage {
	if i < len(e.MsgArgs) {
		return e.MsgArgs[i]
	}
	return nil
}

// length is how long a session took, in seconds.
func (e *reported) length() (seconds float64, known bool) {
	i := -1
	switch {
	case e.MsgID >= 10 && e.MsgID <= 12:
		i = 3
	case e.MsgID >= 122 && e.MsgID <= 126:
		i = 0
	case e.MsgID == 144:
		i = 1
	default:
		return 0, false
	}
	v, there, ok := number(e.arg(i))
	return v, there && ok
}

// traffic is what a session carried.
func (e *reported) traffic(name string) (bytes float64, known bool) {
	v, there, ok := number(e.Extra[name])
	return v, there && ok
}

// group is the device group that an event was told to.
func (e *reported) group() string {
	group := ""
	for _, t := range e.targets {
		if strings.HasPrefix(t, controlproto.KindDeviceGroup+"/") {
			group = t
		}
	}
	return group
}

// day is the date of an event where the operator is.
func (e *reported) day(req *controlproto.Report) string {
	zone := req.TimeZone
	if req.Language == "" {
		zone = ""
	}
	return localTime(e.Time, zone, "1/2/2006")
}

// managed are the targets of a report over all accounts: nil, all, for who manages them, and otherwise only his own.
func managed(a *Account) []string {
	if a.SiteRights.Has(controlproto.SiteManageUsers) {
		return nil
	}
	return []string{string(a.ID)}
}

// sessionReport lists the tunnels to devices.
func (s *Server) sessionReport(ctx context.Context, a *Account, req *controlproto.Report) (*reportData, error) {
	targets := []string{string(a.ID)}
	if a.SiteRights.Has(controlproto.SiteManageUsers) {
		switch {
		case req.GroupID != "":
			targets = append(targets, string(req.GroupID))
		case s.managesAll(a):
			targets = nil
		default:
			for id := range a.Links {
				targets = append(targets, string(id))
			}
		}
	}
	list, err := s.reportEvents(ctx, a, req, targets, sessionEnds...)
	if err != nil {
		return nil, err
	}
	data := &reportData{Groups: map[string]*reportGroup{}}
	guests := false
	for i := range list {
		e := &list[i]
		entry := e.session(req)
		if entry.has("guestname") {
			guests = true
		}
		key := string(e.UserID)
		switch req.GroupBy {
		case controlproto.ReportByDevice:
			if key = string(e.DeviceID); e.group() != "" {
				key += "/" + e.group()
			}
		case controlproto.ReportByDay:
			key = e.day(req)
		case controlproto.ReportByUser:
		}
		data.add(key, entry)
	}
	length := columnSum("length", "seconds", sumProtocol)
	switch req.GroupBy {
	case controlproto.ReportByUser:
		data.GroupFormat = "user"
		data.Columns = []reportColumn{columnDateTime, columnDevice, columnGroup, columnGuest, columnProtocol, length}
	case controlproto.ReportByDevice:
		data.GroupFormat = "nodemesh"
		data.Columns = []reportColumn{columnDateTime, columnUser, columnGuest, columnProtocol, length}
	case controlproto.ReportByDay:
		data.Columns = []reportColumn{columnTime, columnDevice, columnGroup, columnGuest, columnUser, columnProtocol, length}
	}
	if !guests {
		data.Columns = slices.DeleteFunc(data.Columns, func(col reportColumn) bool { return col.ID == columnGuest.ID })
	}
	if req.ShowTraffic {
		data.Columns = append(data.Columns, columnSum("bytesin", "bytes", sumProtocol), columnSum("bytesout", "bytes", sumProtocol))
	}
	return data, nil
}

// session is an event as a line of a report of sessions.
func (e *reported) session(req *controlproto.Report) *reportEntry {
	entry := &reportEntry{}
	entry.number("time", float64(e.Time.UnixMilli()))
	if req.GroupBy != controlproto.ReportByUser {
		entry.text("userid", string(e.UserID))
	}
	if req.GroupBy != controlproto.ReportByDevice {
		entry.text("nodeid", string(e.DeviceID))
	}
	if v, there, ok := number(e.Extra["protocol"]); there && ok {
		entry.number("protocol", v)
	}
	entry.text("meshid", e.group())
	if req.ShowTraffic {
		for _, name := range []string{"bytesin", "bytesout"} {
			if v, ok := e.traffic(name); ok {
				entry.number(name, v)
			}
		}
	}
	entry.text("guestname", text(e.Extra["guestname"]))
	if v, ok := e.length(); ok {
		entry.number("length", v)
	}
	return entry
}

// trafficReport adds up what each account's tunnels carried.
func (s *Server) trafficReport(ctx context.Context, a *Account, req *controlproto.Report) (*reportData, error) {
	list, err := s.reportEvents(ctx, a, req, managed(a), sessionEnds...)
	if err != nil {
		return nil, err
	}
	type sum struct{ length, in, out float64 }
	sums := map[controlproto.ID]*sum{}
	var users []controlproto.ID
	for i := range list {
		e := &list[i]
		t := sums[e.UserID]
		if t == nil {
			t = new(sum)
			sums[e.UserID] = t
			users = append(users, e.UserID)
		}
		length, _ := e.length()
		in, _ := e.traffic("bytesin")
		out, _ := e.traffic("bytesout")
		t.length, t.in, t.out = t.length+length, t.in+in, t.out+out
	}
	all := &reportGroup{Entries: []json.RawMessage{}}
	for _, id := range users {
		t := sums[id]
		entry := &reportEntry{}
		entry.text("userid", string(id))
		entry.number("length", t.length)
		entry.number("bytesin", t.in)
		entry.number("bytesout", t.out)
		all.Entries = append(all.Entries, entry.json())
	}
	return &reportData{Groups: map[string]*reportGroup{"0": all}, Columns: []reportColumn{
		columnUser, columnSum("length", "seconds", sumAll), columnSum("bytesin", "bytes", sumAll),
		columnSum("bytesout", "bytes", sumAll),
	}}, nil
}

// loginReport lists logins and what was refused.
func (s *Server) loginReport(ctx context.Context, a *Account, req *controlproto.Report) (*reportData, error) {
	data := &reportData{Groups: map[string]*reportGroup{}}
	switch req.GroupBy {
	case controlproto.ReportByUser:
		data.GroupFormat = "user"
		data.Columns = []reportColumn{columnDateTime, columnIP, columnBrowser, columnOS, columnFactor, columnMsg}
	case controlproto.ReportByDay:
		data.Columns = []reportColumn{columnTime, columnUser, columnIP, columnBrowser, columnOS, columnFactor, columnMsg}
	case controlproto.ReportByDevice:
		return nil, nil // logins are not to devices
	}
	list, err := s.reportEvents(ctx, a, req, managed(a), 107, 108, 109, 110)
	if err != nil {
		return nil, err
	}
	for i := range list {
		e := &list[i]
		entry := &reportEntry{}
		entry.number("time", float64(e.Time.UnixMilli()))
		key := string(e.UserID)
		if req.GroupBy == controlproto.ReportByDay {
			key = e.day(req)
			entry.text("userid", string(e.UserID))
		}
		for i, name := range []string{"ip", "browser", "os"} {
			entry.text(name, text(e.arg(i)))
		}
		entry.add("twofactor", jsonrec.AppendString(nil, text(e.Extra["twoFactorType"])))
		entry.number("msg", float64(e.MsgID))
		data.add(key, entry)
	}
	return data, nil
}

// countedKinds are what the database report counts, in the order and under the names of a stock server with its own database.
var countedKinds = []struct {
	name string
	kind Kind
}{
	{"node", KindDevice},
	{"mesh", KindDeviceGroup},
	{"user", KindAccount},
	{"sysinfo", KindSystem},
	{"note", KindNotes},
	{"ifinfo", KindNetwork},
	{"lastconnect", KindLastConnect},
	{"power", KindPower},
}

// databaseReport counts the records of the domain, for full administrators.
func (s *Server) databaseReport(ctx context.Context, a *Account) (*reportData, error) {
	if !a.SiteRights.Full() {
		return nil, nil
	}
	all := &reportGroup{Entries: []json.RawMessage{}}
	add := func(name string, n int) {
		if n > 0 {
			entry := &reportEntry{}
			entry.text("record", name)
			entry.number("recordcount", float64(n))
			all.Entries = append(all.Entries, entry.json())
		}
	}
	err := s.cfg.Store.View(ctx, func(tx StoreTx) error {
		for _, k := range countedKinds {
			n, err := countRecords(tx, k.kind, a.Domain)
			if err != nil {
				return err
			}
			add(k.name, n)
		}
		events, err := tx.Events(EventQuery{Domain: a.Domain})
		add("events", len(events))
		return err
	})
	return &reportData{Groups: map[string]*reportGroup{"0": all}, Columns: []reportColumn{
		columnRecord, {ID: "recordcount", Title: "Count", Align: "center", SumBy: json.RawMessage(sumAll)},
	}}, err
}

// countRecords counts the records of a domain; of the power log, its lines.
func countRecords(tx StoreTx, kind Kind, domain string) (n int, err error) {
	records, err := tx.List(kind, Query{})
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		id := controlproto.ID(r.ID)
		if r.Owner != "" {
			id = controlproto.ID(r.Owner)
		}
		if id.Domain() != domain {
			continue
		}
		if kind != KindPower {
			n++
			continue
		}
		log, err := decode[PowerLog](r)
		if err != nil {
			return 0, err
		}
		n += len(log.Changes)
	}
	return n, nil
}
