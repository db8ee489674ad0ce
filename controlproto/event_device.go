package controlproto

import (
	"encoding/json"
	"time"
)

// AddNodeEvent: a new device.
type AddNodeEvent struct {
	Device *Device                    `json:"node"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// EventAction is "addnode".
func (*AddNodeEvent) EventAction() string { return "addnode" }

// ChangeNodeEvent: a device has changed; the record takes the place of the one before.
type ChangeNodeEvent struct {
	Device     *Device                    `json:"node"`
	AMTChanged json.RawMessage            `json:"amtchange"` // set when Intel AMT has changed
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "changenode".
func (*ChangeNodeEvent) EventAction() string { return "changenode" }

// RemoveNodeEvent: a device, Event.DeviceID, is gone.
type RemoveNodeEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "removenode".
func (*RemoveNodeEvent) EventAction() string { return "removenode" }

// NodeGroupChangeEvent: a device is in another group now.
type NodeGroupChangeEvent struct {
	Device   *Device                    `json:"node"` // with connectivity and power
	OldGroup ID                         `json:"oldMeshId"`
	NewGroup ID                         `json:"newMeshId"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "nodemeshchange".
func (*NodeGroupChangeEvent) EventAction() string { return "nodemeshchange" }

// NodeConnectEvent: a device, Event.DeviceID, is connected in other ways now. Never kept.
type NodeConnectEvent struct {
	Conn  Connectivity               `json:"conn,keep"`
	Power PowerState                 `json:"pwr,keep"`
	Since time.Time                  `json:"ct,ms"` // when it connected
	ID    float64                    `json:"id"`    // a random number
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "nodeconnect".
func (*NodeConnectEvent) EventAction() string { return "nodeconnect" }

// DeviceSessionsEvent: who is connected to a device, Event.DeviceID. Missing when nobody is left.
type DeviceSessionsEvent struct {
	Sessions json.RawMessage            `json:"sessions"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "devicesessions".
func (*DeviceSessionsEvent) EventAction() string { return "devicesessions" }

// InterfaceChangeEvent: the interfaces of a device have changed, see [GetNetworkInfo].
type InterfaceChangeEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "ifchange".
func (*InterfaceChangeEvent) EventAction() string { return "ifchange" }

// SysInfoHashEvent: the hardware of a device has changed, see [GetSysInfo].
type SysInfoHashEvent struct {
	Hash  string                     `json:"hash"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "sysinfohash".
func (*SysInfoHashEvent) EventAction() string { return "sysinfohash" }

// SessionCompressionEvent: how well an agent's messages were compressed.
type SessionCompressionEvent struct {
	Sent       int64                      `json:"sent"`       // bytes before
	SentActual int64                      `json:"sentActual"` // bytes sent
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "sessioncompression".
func (*SessionCompressionEvent) EventAction() string { return "sessioncompression" }

// AgentLogEvent: what an agent did for somebody.
type AgentLogEvent struct {
	RemoteAddr string                     `json:"remoteaddr"`
	SessionID  string                     `json:"sessionid"`
	GuestName  string                     `json:"guestname"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "agentlog".
func (*AgentLogEvent) EventAction() string { return "agentlog" }

// ManualEvent: somebody wrote a line into a device's log, Event.Msg.
type ManualEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "manual".
func (*ManualEvent) EventAction() string { return "manual" }

// RunCommandsEvent: commands were sent to a device.
type RunCommandsEvent struct {
	Commands string                     `json:"cmds"`
	Type     CommandType                `json:"cmdType"`
	RunAs    RunAs                      `json:"runAsUser,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "runcommands".
func (*RunCommandsEvent) EventAction() string { return "runcommands" }

// BatchUploadEvent: files were sent to a device.
type BatchUploadEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "batchupload".
func (*BatchUploadEvent) EventAction() string { return "batchupload" }

// RelayLogEvent: a tunnel began or ended.
type RelayLogEvent struct {
	Protocol  int                        `json:"protocol"` // 1 terminal, 2 desktop, 5 files, ...
	BytesIn   *int64                     `json:"bytesin"`
	BytesOut  *int64                     `json:"bytesout"`
	SessionID string                     `json:"sessionid"`
	GuestName string                     `json:"guestname"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "relaylog".
func (*RelayLogEvent) EventAction() string { return "relaylog" }

// RecordingEvent: a session was recorded.
type RecordingEvent struct {
	GroupName string                     `json:"meshname"`
	Name      string                     `json:"name"` // of the device
	Icon      Icon                       `json:"icon"`
	Filename  string                     `json:"filename"`
	Size      int64                      `json:"size"`
	UserIDs   []ID                       `json:"userids"`
	Protocol  int                        `json:"protocol"`
	Start     time.Time                  `json:"startTime,ms"`
	Length    time.Duration              `json:"lengthTime,secs"`
	Multiplex bool                       `json:"multiplex"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "recording".
func (*RecordingEvent) EventAction() string { return "recording" }

// EndSessionEvent: somebody's desktop session was ended.
type EndSessionEvent struct {
	OtherUserID ID                         `json:"xuserid"` // whose
	GuestName   string                     `json:"guestname"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "endsession".
func (*EndSessionEvent) EventAction() string { return "endsession" }

// AddedDeviceShareEvent: a guest link was made.
type AddedDeviceShareEvent struct {
	PublicID string                     `json:"publicid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "addedDeviceShare".
func (*AddedDeviceShareEvent) EventAction() string { return "addedDeviceShare" }

// RemovedDeviceShareEvent: a guest link was taken back.
type RemovedDeviceShareEvent struct {
	PublicID string                     `json:"publicid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "removedDeviceShare".
func (*RemovedDeviceShareEvent) EventAction() string { return "removedDeviceShare" }

// DeviceShareUpdateEvent: all guest links that a device has now.
type DeviceShareUpdateEvent struct {
	Shares []Share                    `json:"deviceShares,keep"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// EventAction is "deviceShareUpdate".
func (*DeviceShareUpdateEvent) EventAction() string { return "deviceShareUpdate" }

// TurnOnEvent: a port of an IP-KVM is switched on.
type TurnOnEvent struct {
	PortID     json.RawMessage            `json:"portid"`
	PortType   string                     `json:"porttype"`
	PortNumber json.RawMessage            `json:"portnum"`
	GroupType  GroupType                  `json:"mtype"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "turnon".
func (*TurnOnEvent) EventAction() string { return "turnon" }

// TurnOffEvent: a port of an IP-KVM is switched off.
type TurnOffEvent struct {
	PortID     json.RawMessage            `json:"portid"`
	PortType   string                     `json:"porttype"`
	PortNumber json.RawMessage            `json:"portnum"`
	GroupType  GroupType                  `json:"mtype"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "turnoff".
func (*TurnOffEvent) EventAction() string { return "turnoff" }
