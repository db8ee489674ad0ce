package controlproto

import "encoding/json"

// ScanAMTDeviceEvent: what [ScanAMTDevice] found.
type ScanAMTDeviceEvent struct {
	Range   string                     `json:"range"`
	Results json.RawMessage            `json:"results"` // null: the range is not right
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "scanamtdevice".
func (*ScanAMTDeviceEvent) EventAction() string { return "scanamtdevice" }

// WakeDevicesEvent: devices are woken.
type WakeDevicesEvent struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "wakedevices".
func (*WakeDevicesEvent) EventAction() string { return "wakedevices" }

// AMTPowerActionEvent: devices are switched by Intel AMT.
type AMTPowerActionEvent struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Type      int                        `json:"actiontype"` // PowerAction less 300
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "amtpoweraction".
func (*AMTPowerActionEvent) EventAction() string { return "amtpoweraction" }

// OneClickRecoveryEvent: see [OneClickRecovery].
type OneClickRecoveryEvent struct {
	DeviceIDs []ID                       `json:"nodeids"`
	File      string                     `json:"file"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "oneclickrecovery".
func (*OneClickRecoveryEvent) EventAction() string { return "oneclickrecovery" }

// TimelineStatsEvent: the server's load, every five minutes.
type TimelineStatsEvent struct {
	Data  json.RawMessage            `json:"data"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "servertimelinestats".
func (*TimelineStatsEvent) EventAction() string { return "servertimelinestats" }

// ServerInfoChangeEvent: settings of the server have changed.
type ServerInfoChangeEvent struct {
	Lock2Factor *bool                      `json:"lock2factor"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "serverinfochange".
func (*ServerInfoChangeEvent) EventAction() string { return "serverinfochange" }

// StartedEvent: the server has started.
type StartedEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "started".
func (*StartedEvent) EventAction() string { return "started" }

// StoppedEvent: the server has stopped.
type StoppedEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "stopped".
func (*StoppedEvent) EventAction() string { return "stopped" }

// UpdatePluginListEvent: the plugins that the server has now.
type UpdatePluginListEvent struct {
	Plugins []PluginRecord             `json:"list"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "updatePluginList".
func (*UpdatePluginListEvent) EventAction() string { return "updatePluginList" }

// PluginStateChangeEvent: a plugin was switched on or off.
type PluginStateChangeEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "pluginStateChange".
func (*PluginStateChangeEvent) EventAction() string { return "pluginStateChange" }

// TraceInfoEvent: what the server traces now.
type TraceInfoEvent struct {
	Sources json.RawMessage            `json:"traceSources"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "traceinfo".
func (*TraceInfoEvent) EventAction() string { return "traceinfo" }

// SatelliteResponseEvent: a MeshCentral Satellite answers.
type SatelliteResponseEvent struct {
	SubAction string                     `json:"subaction"`
	RequestID json.RawMessage            `json:"reqid"`
	Response  json.RawMessage            `json:"response"`
	Flags     int                        `json:"satelliteFlags"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "satelliteResponse".
func (*SatelliteResponseEvent) EventAction() string { return "satelliteResponse" }

// DiagnosticEvent: a diagnostic agent says which device it belongs to.
type DiagnosticEvent struct {
	OtherDevice ID                         `json:"snodeid"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "diagnostic".
func (*DiagnosticEvent) EventAction() string { return "diagnostic" }
