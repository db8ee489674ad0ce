package controlproto

import (
	"encoding/json"
	"time"
)

// AddNodeEvent is the event "addnode": a new device. (meshuser.js, meshagent.js, mpsserver.js)
//
//	{"etype":"node","action":"addnode","node":{...},"domain":""}
type AddNodeEvent struct {
	Device *Device                    `json:"node"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// EventAction is "addnode".
func (*AddNodeEvent) EventAction() string { return "addnode" }

// ChangeNodeEvent is the event "changenode": a device has changed; the record takes the place of the one before.
// (meshuser.js, webserver.js, meshagent.js)
//
//	{"etype":"node","userid":"user//admin","username":"admin","action":"changenode","nodeid":"node//...",
//	 "domain":"","msgid":82,"msgArgs":["vm"],"msg":"Changed user device rights for vm","node":{...},
//	 "time":"2026-11-22T07:38:25.694Z"}
type ChangeNodeEvent struct {
	Device     *Device                    `json:"node"`
	AMTChanged json.RawMessage            `json:"amtchange"` // set when Intel AMT has changed
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "changenode".
func (*ChangeNodeEvent) EventAction() string { return "changenode" }

// RemoveNodeEvent is the event "removenode": a device, Event.DeviceID, is gone. (meshuser.js, meshagent.js,
// meshipkvm.js)
//
//	{"etype":"node","action":"removenode","nodeid":"node//...","domain":""}
type RemoveNodeEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "removenode".
func (*RemoveNodeEvent) EventAction() string { return "removenode" }

// NodeGroupChangeEvent is the event "nodemeshchange": a device is in another group now. (meshuser.js)
//
//	{"etype":"node","userid":"user//admin","username":"admin","action":"nodemeshchange","nodeid":"node//...",
//	 "node":{...},"oldMeshId":"mesh//...","newMeshId":"mesh//...","msgid":85,"msgArgs":["vm","lab"],
//	 "msg":"Moved device vm to group lab","domain":"","time":"2026-11-22T07:38:30.341Z"}
type NodeGroupChangeEvent struct {
	Device   *Device                    `json:"node"` // with connectivity and power
	OldGroup ID                         `json:"oldMeshId"`
	NewGroup ID                         `json:"newMeshId"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "nodemeshchange".
func (*NodeGroupChangeEvent) EventAction() string { return "nodemeshchange" }

// NodeConnectEvent is the event "nodeconnect": a device, Event.DeviceID, is connected in other ways now. Never kept.
// (meshcentral.js)
//
//	{"action":"nodeconnect","meshid":"mesh//...","nodeid":"node//...","domain":"","conn":0,"pwr":0,"nolog":1,
//	 "nopeers":1,"id":0.25}
type NodeConnectEvent struct {
	Conn  Connectivity               `json:"conn,keep"`
	Power PowerState                 `json:"pwr,keep"`
	Since time.Time                  `json:"ct,ms"` // when it connected
	ID    float64                    `json:"id"`    // a random number
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "nodeconnect".
func (*NodeConnectEvent) EventAction() string { return "nodeconnect" }

// DeviceSessionsEvent is the event "devicesessions": who is connected to a device, Event.DeviceID. Missing when
// nobody is left. (meshagent.js, meshipkvm.js)
//
//	{"etype":"node","action":"devicesessions","nodeid":"node//...","domain":"","sessions":{"kvm":{"user//admin":1}},
//	 "nolog":1}
type DeviceSessionsEvent struct {
	Sessions json.RawMessage            `json:"sessions"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "devicesessions".
func (*DeviceSessionsEvent) EventAction() string { return "devicesessions" }

// InterfaceChangeEvent is the event "ifchange": the interfaces of a device have changed, see [GetNetworkInfo].
// (meshagent.js, amtmanager.js)
//
//	{"action":"ifchange","nodeid":"node//...","domain":"","nolog":1}
type InterfaceChangeEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "ifchange".
func (*InterfaceChangeEvent) EventAction() string { return "ifchange" }

// SysInfoHashEvent is the event "sysinfohash": the hardware of a device has changed, see [GetSysInfo]. (meshagent.js,
// amtmanager.js)
//
//	{"etype":"node","action":"sysinfohash","nodeid":"node//...","domain":"","hash":"ab","nolog":1}
type SysInfoHashEvent struct {
	Hash  string                     `json:"hash"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "sysinfohash".
func (*SysInfoHashEvent) EventAction() string { return "sysinfohash" }

// SessionCompressionEvent is the event "sessioncompression": how well an agent's messages were compressed.
// (meshagent.js)
//
//	{"etype":"node","action":"sessioncompression","nodeid":"node//...","domain":"","sent":1000,"sentActual":100,
//	 "msgid":54,"msgArgs":["90",1000,100],"msg":"m"}
type SessionCompressionEvent struct {
	Sent       int64                      `json:"sent"`       // bytes before
	SentActual int64                      `json:"sentActual"` // bytes sent
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "sessioncompression".
func (*SessionCompressionEvent) EventAction() string { return "sessioncompression" }

// AgentLogEvent is the event "agentlog": what an agent did for somebody. (meshagent.js, apprelays.js)
//
//	{"etype":"node","action":"agentlog","nodeid":"node//...","domain":"",
//	 "msg":"Started remote desktop without notification (127.0.0.1)","msgid":36,"remoteaddr":"127.0.0.1",
//	 "userid":"user//admin","username":"admin","sessionid":"user//admin/fb6a290de138d6ed28e563bc7d16fb51a4dda23c",
//	 "time":"2026-11-22T06:18:50.747Z"}
type AgentLogEvent struct {
	RemoteAddr string                     `json:"remoteaddr"`
	SessionID  string                     `json:"sessionid"`
	GuestName  string                     `json:"guestname"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "agentlog".
func (*AgentLogEvent) EventAction() string { return "agentlog" }

// ManualEvent is the event "manual": somebody wrote a line into a device's log, Event.Msg. (meshuser.js)
//
//	{"etype":"node","action":"manual","nodeid":"node//...","userid":"user//a","username":"a","msg":"fan cleaned",
//	 "domain":""}
type ManualEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "manual".
func (*ManualEvent) EventAction() string { return "manual" }

// RunCommandsEvent is the event "runcommands": commands were sent to a device. (meshuser.js)
//
//	{"etype":"node","userid":"user//admin","username":"admin","nodeid":"node//...","action":"runcommands",
//	 "msg":"Running commands","msgid":24,"cmds":"uname -s","cmdType":3,"runAsUser":0,"domain":"",
//	 "time":"2026-11-22T06:18:07.523Z"}
type RunCommandsEvent struct {
	Commands string                     `json:"cmds"`
	Type     CommandType                `json:"cmdType"`
	RunAs    RunAs                      `json:"runAsUser,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "runcommands".
func (*RunCommandsEvent) EventAction() string { return "runcommands" }

// BatchUploadEvent is the event "batchupload": files were sent to a device. (webserver.js)
//
//	{"etype":"node","action":"batchupload","nodeid":"node//...","msgid":103,"msg":"m","domain":""}
type BatchUploadEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "batchupload".
func (*BatchUploadEvent) EventAction() string { return "batchupload" }

// RelayLogEvent is the event "relaylog": a tunnel began or ended. (webserver.js, meshrelay.js,
// meshdesktopmultiplex.js)
//
//	{"etype":"relay","action":"relaylog","domain":"","userid":"user//admin","username":"admin","msgid":15,
//	 "msgArgs":["dn1is13t6aen","127.0.0.1","127.0.0.1"],
//	 "msg":"Started desktop session \"dn1is13t6aen\" from 127.0.0.1 to 127.0.0.1","protocol":2,"nodeid":"node//...",
//	 "time":"2026-11-22T06:18:50.669Z"}
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

// RecordingEvent is the event "recording": a session was recorded. (webserver.js, meshrelay.js,
// meshdesktopmultiplex.js)
//
//	{"etype":"relay","action":"recording","domain":"","nodeid":"node//...","meshid":"mesh//...","meshname":"lab",
//	 "name":"vm","icon":1,"filename":"f","size":5,"userids":["user//a"],"protocol":2,"startTime":1795333113000,
//	 "lengthTime":4,"multiplex":true,"msg":"m"}
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

// EndSessionEvent is the event "endsession": somebody's desktop session was ended. (meshuser.js)
//
//	{"etype":"user","userid":"user//a","username":"a","nodeid":"node//...","xuserid":"user//b",
//	 "action":"endsession","msgid":134,"msgArgs":["b/g"],"msg":"m","domain":"","guestname":"g"}
type EndSessionEvent struct {
	OtherUserID ID                         `json:"xuserid"` // whose
	GuestName   string                     `json:"guestname"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "endsession".
func (*EndSessionEvent) EventAction() string { return "endsession" }

// AddedDeviceShareEvent is the event "addedDeviceShare": a guest link was made. (meshuser.js, meshagent.js)
//
//	{"etype":"node","userid":"user//admin","username":"admin","meshid":"mesh//...","nodeid":"node//...",
//	 "action":"addedDeviceShare","msg":"Added device share: guest1.","msgid":101,"msgArgs":["guest1",
//	 "DATETIME:1795333113000","DATETIME:1795333713000"],"domain":"","time":"2026-11-22T07:38:33.124Z"}
type AddedDeviceShareEvent struct {
	PublicID string                     `json:"publicid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "addedDeviceShare".
func (*AddedDeviceShareEvent) EventAction() string { return "addedDeviceShare" }

// RemovedDeviceShareEvent is the event "removedDeviceShare": a guest link was taken back. (meshuser.js, meshagent.js)
//
//	{"etype":"node","nodeid":"node//...","action":"removedDeviceShare","msg":"m","msgid":102,"msgArgs":["g"],
//	 "domain":"","publicid":"p"}
type RemovedDeviceShareEvent struct {
	PublicID string                     `json:"publicid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// EventAction is "removedDeviceShare".
func (*RemovedDeviceShareEvent) EventAction() string { return "removedDeviceShare" }

// DeviceShareUpdateEvent is the event "deviceShareUpdate": all guest links that a device has now. (meshuser.js,
// meshagent.js)
//
//	{"etype":"node","nodeid":"node//...","action":"deviceShareUpdate","domain":"","deviceShares":[...],"nolog":1}
type DeviceShareUpdateEvent struct {
	Shares []Share                    `json:"deviceShares,keep"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// EventAction is "deviceShareUpdate".
func (*DeviceShareUpdateEvent) EventAction() string { return "deviceShareUpdate" }

// TurnOnEvent is the event "turnon": a port of an IP-KVM is switched on. (meshuser.js)
//
//	{"etype":"node","nodeid":"node//...","meshid":"mesh//...","action":"turnon","domain":"","portid":"1",
//	 "porttype":"t","portnum":2,"mtype":4,"msgid":132,"msg":"Turn on."}
type TurnOnEvent struct {
	PortID     json.RawMessage            `json:"portid"`
	PortType   string                     `json:"porttype"`
	PortNumber json.RawMessage            `json:"portnum"`
	GroupType  GroupType                  `json:"mtype"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "turnon".
func (*TurnOnEvent) EventAction() string { return "turnon" }

// TurnOffEvent is the event "turnoff": a port of an IP-KVM is switched off. (meshuser.js)
//
//	{"etype":"node","nodeid":"node//...","meshid":"mesh//...","action":"turnoff","domain":"","portid":"1",
//	 "porttype":"t","portnum":2,"mtype":4,"msgid":133,"msg":"Turn off."}
type TurnOffEvent struct {
	PortID     json.RawMessage            `json:"portid"`
	PortType   string                     `json:"porttype"`
	PortNumber json.RawMessage            `json:"portnum"`
	GroupType  GroupType                  `json:"mtype"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "turnoff".
func (*TurnOffEvent) EventAction() string { return "turnoff" }
