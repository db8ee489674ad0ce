package controlproto

import (
	"encoding/json"
	"time"
)

var reportActions = []Spec{
	{
		Action: "report", Request: func() Message { return new(Report) },
		Reply: func() Message { return new(ReportReply) },
	},
}

// ReportType is what a [Report] is about.
type ReportType int

// Types of reports.
const (
	ReportSessions ReportType = 1
	ReportTraffic  ReportType = 2
	ReportLogins   ReportType = 3
	ReportDatabase ReportType = 4 // full administrators
)

// ReportGrouping is by what the lines of a [Report] are put together.
type ReportGrouping int

// Groupings.
const (
	ReportByUser   ReportGrouping = 1
	ReportByDevice ReportGrouping = 2
	ReportByDay    ReportGrouping = 3
)

// Report asks for a report: of the account's own doings, with [SiteManageUsers] of all. Client to server. Silent if
// anything is wrong. (meshuser.js, serverCommandReport)
//
//	{"action":"report","type":1,"groupBy":1,"devGroup":null,"start":1795246718,"end":1795333118,"tz":"UTC","tf":0,
//	 "showTraffic":false,"l":"en"}
type Report struct {
	Type        ReportType                 `json:"type,keep"`
	GroupBy     ReportGrouping             `json:"groupBy,keep"`
	GroupID     ID                         `json:"devGroup,null"` // only this device group
	Start       time.Time                  `json:"start,sec"`
	End         time.Time                  `json:"end,sec"`
	TimeZone    string                     `json:"tz"`      // name, for days
	TimeOffset  int                        `json:"tf,keep"` // minutes, for days
	ShowTraffic bool                       `json:"showTraffic,keep"`
	Language    string                     `json:"l"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "report".
func (*Report) Action() string { return "report" }

func (*Report) reply() *ReportReply { return new(ReportReply) }

// ReportReply is the report. Server to client.
//
//	{"action":"report","data":{"groups":{"user//admin":{"entries":[{"time":1795333118000, ...}]}},"groupFormat":"user",
//	 "columns":[{"id":"time","title":"time","format":"datetime"}]}}
type ReportReply struct {
	Data  ReportData                 `json:"data,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "report".
func (*ReportReply) Action() string { return "report" }

// ReportData is a table in parts.
type ReportData struct {
	Groups      map[string]ReportGroup     `json:"groups,keep"`
	GroupFormat string                     `json:"groupFormat"` // what the keys of Groups are: "user", "node", "date"
	Columns     []ReportColumn             `json:"columns,keep"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// ReportGroup is one part of a report.
type ReportGroup struct {
	Entries []ReportEntry              `json:"entries,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// ReportColumn says how a member of the entries is shown.
type ReportColumn struct {
	ID     string                     `json:"id"` // name of the member
	Title  string                     `json:"title"`
	Format string                     `json:"format"` // "datetime", "node", "mesh", "user", "protocol", "seconds", "bytes"
	Align  string                     `json:"align"`
	SumBy  string                     `json:"sumBy"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// ReportEntry is one line; which members are there depends on the type of the report.
type ReportEntry struct {
	Time        time.Time                  `json:"time,ms"`
	UserID      ID                         `json:"userid"`
	DeviceID    ID                         `json:"nodeid"`
	GroupID     ID                         `json:"meshid"`
	Protocol    int                        `json:"protocol"` // 1 terminal, 2 desktop, 5 files, ...
	GuestName   string                     `json:"guestname"`
	Length      *time.Duration             `json:"length,secs"`
	BytesIn     *int64                     `json:"bytesin"`
	BytesOut    *int64                     `json:"bytesout"`
	IP          string                     `json:"ip"`
	Browser     string                     `json:"browser"`
	OS          string                     `json:"os"`
	TwoFactor   string                     `json:"twofactor"`
	Msg         string                     `json:"msg"`
	Record      string                     `json:"record"`
	RecordCount *int64                     `json:"recordcount"`
	Extra       map[string]json.RawMessage `json:"-"`
}
