package controlproto

import (
	"encoding/json"
	"time"
)

// anyStatistics are the rights of which one suffices to look at the server's statistics; the handler checks, since
// Spec.Site is of rights that are all needed.
const anyStatistics = SiteBackup | SiteRestore | SiteUpdate

var serverActions = []Spec{
	{Action: "serverstats", Request: blank[ServerStats], Reply: blank[ServerStatsReply]},
	{Action: "servertimelinestats", Request: blank[ServerTimelineStats], Reply: blank[ServerTimelineStatsReply]},
	{
		Action: "serverversion", Request: blank[ServerVersion], Reply: blank[ServerVersionReply],
		Site: SiteUpdate, NoToken: true,
	},
	{Action: "serverupdate", Request: blank[ServerUpdate], Replies: RepliesNever, Site: SiteUpdate, NoToken: true},
	{Action: "servererrors", Request: blank[ServerErrors], Reply: blank[ServerErrorsReply], Site: SiteUpdate},
	{Action: "serverclearerrorlog", Request: blank[ServerClearErrorLog], Replies: RepliesNever, Site: SiteUpdate},
	{Action: "serverconfig", Request: blank[GetServerConfig], Reply: blank[GetServerConfigReply], Site: SiteUpdate},
	{
		Action: "serverconsole", Request: blank[ServerConsole], Reply: blank[ServerConsoleReply],
		Echo: EchoTag, Full: true, NoToken: true,
	},
	{Action: "traceinfo", Request: blank[TraceInfo], Replies: RepliesNever, Full: true},
	{Action: "trafficstats", Request: blank[TrafficStats], Reply: blank[TrafficStatsReply]},
	{Action: "trafficdelta", Request: blank[TrafficDelta], Reply: blank[TrafficDeltaReply]},
	{Action: "serverBackup", Request: blank[ServerBackup], Reply: blank[ServerBackupReply], Full: true, NoToken: true},
	{Action: "meshToolInfo", Request: blank[MeshToolInfo], Reply: blank[MeshToolInfoReply], Key: "name"},
}

// ServerStats asks for the server's load, once now and then in intervals; without interval (1 s to 1,000 s) it stops
// those. It takes one of [SiteBackup], [SiteRestore] and [SiteUpdate]; refused in silence. (meshuser.js,
// serverCommandServerStats)
//
//	{"action":"serverstats","interval":10000}
type ServerStats struct {
	Interval time.Duration              `json:"interval,msecs"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "serverstats".
func (*ServerStats) Action() string           { return "serverstats" }
func (*ServerStats) reply() *ServerStatsReply { return new(ServerStatsReply) }

// MayRead tells whether somebody with these rights gets an answer to [ServerStats] and [ServerTimelineStats].
func (*ServerStats) MayRead(r SiteRights) bool { return r&anyStatistics != 0 }

// ServerStatsReply answers [ServerStats], again in each interval.
//
//	{"action":"serverstats","totalmem":1,"freemem":1,"cpuavg":[0.1,0.1,0.1],"availablemem":1,"values":{"ServerState":{
//	 "UserAccounts":1,"DeviceGroups":1,"AgentSessions":0,"ConnectedUsers":1,"UsersSessions":1,"RelaySessions":0,
//	 "RelayCount":0,"ConnectedIntelAMT":0}}}
type ServerStatsReply struct {
	TotalMemory     int64                      `json:"totalmem,keep"`
	FreeMemory      int64                      `json:"freemem,keep"`
	CPU             []float64                  `json:"cpuavg"`       // load of 1, 5 and 15 minutes
	AvailableMemory int64                      `json:"availablemem"` // absent on Windows
	Values          ServerStatsValues          `json:"values,keep"`
	Extra           map[string]json.RawMessage `json:"-"`
}

// Action is "serverstats".
func (*ServerStatsReply) Action() string { return "serverstats" }

// ServerStatsValues are the counters of a [ServerStatsReply].
type ServerStatsValues struct {
	State       ServerState                `json:"ServerState,keep"`
	AgentErrors map[string]int64           `json:"AgentErrorCounters"` // by kind, those that are not zero
	Extra       map[string]json.RawMessage `json:"-"`
}

// ServerState counts what a server holds now.
type ServerState struct {
	UserAccounts  int                        `json:"UserAccounts,keep"`
	DeviceGroups  int                        `json:"DeviceGroups,keep"`
	AgentSessions int                        `json:"AgentSessions,keep"`
	Users         int                        `json:"ConnectedUsers,keep"`
	UserSessions  int                        `json:"UsersSessions,keep"`
	RelaySessions int                        `json:"RelaySessions,keep"`
	RelayCount    int                        `json:"RelayCount,keep"`
	AMT           int                        `json:"ConnectedIntelAMT,keep"`
	RelayErrors   int                        `json:"RelayErrors"`
	CIRA          *int                       `json:"ConnectedIntelAMTCira"` // nil: the server takes none
	Extra         map[string]json.RawMessage `json:"-"`
}

// ServerTimelineStats asks for the recorded load of the last 0 to 720 hours. Rights as for [ServerStats]. (meshuser.js,
// serverCommandServerTimelineStats)
//
//	{"action":"servertimelinestats","hours":24}
type ServerTimelineStats struct {
	Span  time.Duration              `json:"hours,hours,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "servertimelinestats".
func (*ServerTimelineStats) Action() string                   { return "servertimelinestats" }
func (*ServerTimelineStats) reply() *ServerTimelineStatsReply { return new(ServerTimelineStatsReply) }

// ServerTimelineStatsReply answers [ServerTimelineStats].
//
//	{"action":"servertimelinestats","events":[{"time":"2026-11-23T02:00:00.000Z","conn":{"ca":1,"cu":1,"us":1,
//	 "rs":0,"am":0},...}]}
type ServerTimelineStatsReply struct {
	Points []ServerTimelinePoint      `json:"events,keep"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "servertimelinestats".
func (*ServerTimelineStatsReply) Action() string { return "servertimelinestats" }

// ServerTimelinePoint is the load at one time; servers record it every five minutes. (meshcentral.js, where
// SetServerStats is called)
type ServerTimelinePoint struct {
	Time    time.Time                  `json:"time,iso"`
	Expires time.Time                  `json:"expire,iso"` // when the record goes
	Memory  map[string]int64           `json:"mem"`        // bytes by kind: "rss", "heapTotal", "heapUsed", ...
	Conn    *ServerTimelineConn        `json:"conn"`
	Traffic json.RawMessage            `json:"traffic"`
	CPU     []float64                  `json:"cpu"`   // load of 1, 5 and 15 minutes
	First   bool                       `json:"first"` // since the server started
	Extra   map[string]json.RawMessage `json:"-"`
}

// ServerTimelineConn counts connections.
type ServerTimelineConn struct {
	Agents        int                        `json:"ca,keep"`
	Users         int                        `json:"cu,keep"`
	Sessions      int                        `json:"us,keep"`
	RelaySessions int                        `json:"rs,keep"`
	AMT           int                        `json:"am,keep"`
	CIRA          *int                       `json:"amc"` // nil: the server takes none
	Extra         map[string]json.RawMessage `json:"-"`
}

// ServerVersion asks which versions of the server there are. It takes [SiteUpdate] and no login token; refused in
// silence. (meshuser.js, serverCommandServerVersion)
//
//	{"action":"serverversion"}
type ServerVersion struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "serverversion".
func (*ServerVersion) Action() string             { return "serverversion" }
func (*ServerVersion) reply() *ServerVersionReply { return new(ServerVersionReply) }

// ServerVersionReply answers [ServerVersion].
//
//	{"action":"serverversion","tags":{"current":"1.1.55","latest":"1.1.55","stable":"1.1.50"}}
type ServerVersionReply struct {
	Tags  map[string]string          `json:"tags"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "serverversion".
func (*ServerVersionReply) Action() string { return "serverversion" }

// ServerUpdate has the server update itself and start again. It takes [SiteUpdate] and no login token; silent.
// (meshuser.js, serverCommandServerUpdate)
//
//	{"action":"serverupdate","version":"1.1.55"}
type ServerUpdate struct {
	Version string                     `json:"version"` // "": the newest
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "serverupdate".
func (*ServerUpdate) Action() string { return "serverupdate" }
func (*ServerUpdate) reply() *Result { return new(Result) }

// ServerErrors asks for the server's log of errors. It takes [SiteUpdate]; refused in silence. (meshuser.js,
// serverCommandServerErrors)
//
//	{"action":"servererrors"}
type ServerErrors struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "servererrors".
func (*ServerErrors) Action() string            { return "servererrors" }
func (*ServerErrors) reply() *ServerErrorsReply { return new(ServerErrorsReply) }

// ServerErrorsReply answers [ServerErrors].
//
//	{"action":"servererrors","data":"..."}
type ServerErrorsReply struct {
	Data  string                     `json:"data"` // absent when there is no log
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "servererrors".
func (*ServerErrorsReply) Action() string { return "servererrors" }

// ServerClearErrorLog empties the server's log of errors. It takes [SiteUpdate]; silent. (meshuser.js,
// serverCommandServerClearErrorLog)
//
//	{"action":"serverclearerrorlog"}
type ServerClearErrorLog struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "serverclearerrorlog".
func (*ServerClearErrorLog) Action() string { return "serverclearerrorlog" }
func (*ServerClearErrorLog) reply() *Result { return new(Result) }

// GetServerConfig, action "serverconfig", asks for the server's configuration file. It takes [SiteUpdate], and the
// server's leave (myServer); refused in silence. (meshuser.js, serverCommandServerConfig)
//
//	{"action":"serverconfig"}
type GetServerConfig struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "serverconfig".
func (*GetServerConfig) Action() string               { return "serverconfig" }
func (*GetServerConfig) reply() *GetServerConfigReply { return new(GetServerConfigReply) }

// GetServerConfigReply answers [GetServerConfig].
//
//	{"action":"serverconfig","data":"{...}"}
type GetServerConfigReply struct {
	Data  Secret                     `json:"data"` // the text of config.json, passwords and keys included
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "serverconfig".
func (*GetServerConfigReply) Action() string { return "serverconfig" }

// ServerConsole runs a command of the server's console, "help" lists them. For full administrators without login token;
// refused in silence. A command without output gives no reply, some give several. (meshuser.js,
// serverCommandServerConsole)
//
//	{"action":"serverconsole","value":"info"}
type ServerConsole struct {
	Value string                     `json:"value,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "serverconsole".
func (*ServerConsole) Action() string             { return "serverconsole" }
func (*ServerConsole) reply() *ServerConsoleReply { return new(ServerConsoleReply) }

// ServerConsoleReply answers [ServerConsole].
//
//	{"action":"serverconsole","value":"MeshCentral v1.1.55\r\n...","tag":"x"}
type ServerConsoleReply struct {
	Value string                     `json:"value"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "serverconsole".
func (*ServerConsoleReply) Action() string { return "serverconsole" }

// TraceInfo chooses what the server traces; null stops it. For full administrators; refused in silence. After a login
// full administrators are told what is traced with the same action. (meshuser.js, case 'traceinfo')
//
//	{"action":"traceinfo","traceSources":["web","relay"]}
type TraceInfo struct {
	Sources []string                   `json:"traceSources,null"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "traceinfo".
func (*TraceInfo) Action() string { return "traceinfo" }
func (*TraceInfo) reply() *Result { return new(Result) }

// TrafficStats asks for the server's counters of traffic. No rights needed. (meshuser.js, serverCommandTrafficStats)
//
//	{"action":"trafficstats"}
type TrafficStats struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "trafficstats".
func (*TrafficStats) Action() string            { return "trafficstats" }
func (*TrafficStats) reply() *TrafficStatsReply { return new(TrafficStatsReply) }

// TrafficStatsReply answers [TrafficStats].
//
//	{"action":"trafficstats","stats":{"httpRequestCount":12,"httpIn":1,"httpOut":1,"relayCount":{},...}}
type TrafficStatsReply struct {
	Stats map[string]json.RawMessage `json:"stats"` // numbers, and objects of numbers by protocol
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "trafficstats".
func (*TrafficStatsReply) Action() string { return "trafficstats" }

// TrafficDelta asks how the counters of [TrafficStats] grew since this session last asked. No rights needed.
// (meshuser.js, serverCommandTrafficDelta)
//
//	{"action":"trafficdelta"}
type TrafficDelta struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "trafficdelta".
func (*TrafficDelta) Action() string            { return "trafficdelta" }
func (*TrafficDelta) reply() *TrafficDeltaReply { return new(TrafficDeltaReply) }

// TrafficDeltaReply answers [TrafficDelta].
//
//	{"action":"trafficdelta","delta":{...}}
type TrafficDeltaReply struct {
	Delta map[string]json.RawMessage `json:"delta"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "trafficdelta".
func (*TrafficDeltaReply) Action() string { return "trafficdelta" }

// ServerBackup sets up the copy of backups to Google Drive, step by step. For full administrators without login token;
// refused in silence. (meshuser.js, case 'serverBackup')
//
//	{"action":"serverBackup","service":"googleDrive","state":1,"clientid":"...","clientsecret":"..."}
type ServerBackup struct {
	Service      string                     `json:"service"`    // "googleDrive"
	State        int                        `json:"state,keep"` // 0 remove, 1 start, 2 with Code
	ClientID     string                     `json:"clientid"`
	ClientSecret Secret                     `json:"clientsecret"`
	Code         Secret                     `json:"code"`
	Extra        map[string]json.RawMessage `json:"-"`
}

// Action is "serverBackup".
func (*ServerBackup) Action() string            { return "serverBackup" }
func (*ServerBackup) reply() *ServerBackupReply { return new(ServerBackupReply) }

// ServerBackupReply answers [ServerBackup], and comes unasked after a login of a full administrator.
//
//	{"action":"serverBackup","service":"googleDrive","state":2,"url":"https://accounts.google.com/..."}
type ServerBackupReply struct {
	Service string                     `json:"service"`
	State   int                        `json:"state,keep"` // 1 not set up, 2 waits for the code from URL, 3 set up
	URL     SecretURL                  `json:"url"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "serverBackup".
func (*ServerBackupReply) Action() string { return "serverBackup" }

// MeshToolInfo asks where a tool can be downloaded ("MeshCentralRouter", "MeshCentralAssistant"). No rights needed;
// silence for an unknown name. (meshuser.js, case 'meshToolInfo')
//
//	{"action":"meshToolInfo","name":"MeshCentralRouter"}
type MeshToolInfo struct {
	Name  string                     `json:"name"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "meshToolInfo".
func (*MeshToolInfo) Action() string            { return "meshToolInfo" }
func (*MeshToolInfo) reply() *MeshToolInfoReply { return new(MeshToolInfoReply) }

// MeshToolInfoReply answers [MeshToolInfo].
//
//	{"action":"meshToolInfo","name":"MeshCentralRouter","hash":"...","size":1,
//	 "url":"/meshagents?meshaction=winrouter","serverhash":"..."}
type MeshToolInfoReply struct {
	Name       string                     `json:"name"`
	Hash       string                     `json:"hash"` // SHA-384, hexadecimal
	Size       int64                      `json:"size"`
	URL        string                     `json:"url"`
	ServerHash string                     `json:"serverhash"` // SHA-384 of the key of the server's certificate, hexadecimal
	Extra      map[string]json.RawMessage `json:"-"`
}

// Action is "meshToolInfo".
func (*MeshToolInfoReply) Action() string { return "meshToolInfo" }
