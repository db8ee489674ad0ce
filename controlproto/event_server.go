package controlproto

import "encoding/json"

// ScanAMTDeviceEvent is the event "scanamtdevice": what [ScanAMTDevice] found. (meshuser.js, amtscanner.js)
//
//	{"action":"scanamtdevice","range":"r","results":{"192.0.2.1":{"open":true}},"domain":"","nolog":1}
type ScanAMTDeviceEvent struct {
	Range   string                     `json:"range"`
	Results json.RawMessage            `json:"results"` // null: the range is not right
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "scanamtdevice".
func (*ScanAMTDeviceEvent) EventAction() string { return "scanamtdevice" }

// WakeDevicesEvent is the event "wakedevices": devices are woken. (meshuser.js)
//
//	{"action":"wakedevices","userid":"user//a","username":"a","nodeids":["node//..."],"domain":"","nolog":1}
type WakeDevicesEvent struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "wakedevices".
func (*WakeDevicesEvent) EventAction() string { return "wakedevices" }

// AMTPowerActionEvent is the event "amtpoweraction": devices are switched by Intel AMT. (meshuser.js)
//
//	{"action":"amtpoweraction","userid":"user//a","username":"a","nodeids":["node//..."],"domain":"","nolog":1,
//	 "actiontype":10}
type AMTPowerActionEvent struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Type      int                        `json:"actiontype"` // PowerAction less 300
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "amtpoweraction".
func (*AMTPowerActionEvent) EventAction() string { return "amtpoweraction" }

// OneClickRecoveryEvent is the event "oneclickrecovery": see [OneClickRecovery]. (meshuser.js, webserver.js)
//
//	{"action":"oneclickrecovery","userid":"user//a","username":"a","nodeids":["node//..."],"domain":"","nolog":1,
//	 "file":"f"}
type OneClickRecoveryEvent struct {
	DeviceIDs []ID                       `json:"nodeids"`
	File      string                     `json:"file"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "oneclickrecovery".
func (*OneClickRecoveryEvent) EventAction() string { return "oneclickrecovery" }

// TimelineStatsEvent is the event "servertimelinestats": the server's load, every five minutes. (meshuser.js,
// meshcentral.js)
//
//	{"action":"servertimelinestats","data":{"a":1},"domain":""}
type TimelineStatsEvent struct {
	Data  json.RawMessage            `json:"data"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "servertimelinestats".
func (*TimelineStatsEvent) EventAction() string { return "servertimelinestats" }

// ServerInfoChangeEvent is the event "serverinfochange": settings of the server have changed. (meshuser.js)
//
//	{"action":"serverinfochange","lock2factor":false,"nolog":1,"domain":""}
type ServerInfoChangeEvent struct {
	Lock2Factor *bool                      `json:"lock2factor"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "serverinfochange".
func (*ServerInfoChangeEvent) EventAction() string { return "serverinfochange" }

// StartedEvent is the event "started": the server has started. (meshcentral.js)
//
//	{"action":"started","domain":""}
type StartedEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "started".
func (*StartedEvent) EventAction() string { return "started" }

// StoppedEvent is the event "stopped": the server has stopped. (meshuser.js, meshcentral.js)
//
//	{"action":"stopped","domain":""}
type StoppedEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "stopped".
func (*StoppedEvent) EventAction() string { return "stopped" }

// UpdatePluginListEvent is the event "updatePluginList": the plugins that the server has now. (meshuser.js)
//
//	{"action":"updatePluginList","list":[],"domain":""}
type UpdatePluginListEvent struct {
	Plugins []PluginRecord             `json:"list"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "updatePluginList".
func (*UpdatePluginListEvent) EventAction() string { return "updatePluginList" }

// PluginStateChangeEvent is the event "pluginStateChange": a plugin was switched on or off. (meshuser.js)
//
//	{"action":"pluginStateChange","domain":""}
type PluginStateChangeEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "pluginStateChange".
func (*PluginStateChangeEvent) EventAction() string { return "pluginStateChange" }

// TraceInfoEvent is the event "traceinfo": what the server traces now. (meshuser.js)
//
//	{"action":"traceinfo","userid":"user//a","username":"a","traceSources":["web"],"nolog":1,"domain":""}
type TraceInfoEvent struct {
	Sources json.RawMessage            `json:"traceSources"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "traceinfo".
func (*TraceInfoEvent) EventAction() string { return "traceinfo" }

// SatelliteResponseEvent is the event "satelliteResponse": a MeshCentral Satellite answers. (meshuser.js)
//
//	{"action":"satelliteResponse","subaction":"s","reqid":"r","response":{"a":1},"satelliteFlags":2,"nolog":1,
//	 "domain":""}
type SatelliteResponseEvent struct {
	SubAction string                     `json:"subaction"`
	RequestID json.RawMessage            `json:"reqid"`
	Response  json.RawMessage            `json:"response"`
	Flags     int                        `json:"satelliteFlags"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "satelliteResponse".
func (*SatelliteResponseEvent) EventAction() string { return "satelliteResponse" }

// DiagnosticEvent is the event "diagnostic": a diagnostic agent says which device it belongs to. (meshagent.js)
//
//	{"etype":"node","action":"diagnostic","nodeid":"node//...","snodeid":"node//...","domain":"","msg":"m"}
type DiagnosticEvent struct {
	OtherDevice ID                         `json:"snodeid"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "diagnostic".
func (*DiagnosticEvent) EventAction() string { return "diagnostic" }
