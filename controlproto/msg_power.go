package controlproto

import (
	"encoding/json"
	"strconv"
)

var powerActions = []Spec{
	{Action: "wakedevices", Request: func() Message { return new(WakeDevices) }, Echo: EchoResponseID, PerDevice: true},
	{
		Action: "poweraction", Request: func() Message { return new(PowerActionRequest) }, Echo: EchoResponseID,
		PerDevice: true,
	},
	{Action: "uninstallagent", Request: func() Message { return new(UninstallAgents) }, Replies: RepliesNever},
	{Action: "agentdisconnect", Request: func() Message { return new(AgentDisconnect) }, Replies: RepliesNever},
	{Action: "updateAgents", Request: func() Message { return new(UpdateAgents) }, Replies: RepliesNever},
	{Action: "uploadagentcore", Request: func() Message { return new(UploadAgentCore) }, Replies: RepliesNever},
	{
		Action: "distributeCore", Request: func() Message { return new(DistributeCore) }, Replies: RepliesNever,
		Full: true,
	},
	{Action: "oneclickrecovery", Request: func() Message { return new(OneClickRecovery) }, Replies: RepliesNever},
}

// WakeDevices has other devices send wake-up packets. Client to server. Needs [WakeDevice].
//
//	{"action":"wakedevices","nodeids":["node//..."],"responseid":"x"}
//
// For one device there is one answer when all is done or has failed: "Used 2 device(s) to send wake packets", "No
// network information for this device", "No known MAC addresses for this device", "Invalid nodeid", "Invalid domain";
// for several one "ok" for each valid id. Answers come also without "responseid". A [WakeDevicesEvent] goes out.
// (meshuser.js, case 'wakedevices')
type WakeDevices struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "wakedevices".
func (*WakeDevices) Action() string { return "wakedevices" }

func (*WakeDevices) reply() *Result { return new(Result) }

// PowerAction is what [PowerActionRequest] does.
type PowerAction int

// Actions by the agent, by Intel AMT and on phones.
const (
	AgentOff       PowerAction = 2
	AgentReset     PowerAction = 3
	AgentSleep     PowerAction = 4
	AMTOn          PowerAction = 302
	AMTOff         PowerAction = 308
	AMTReset       PowerAction = 310
	AMTOnToBIOS    PowerAction = 311
	AMTResetToBIOS PowerAction = 312
	AMTOnToBIOSSOL PowerAction = 313 // with serial over LAN
	AMTResetSOL    PowerAction = 314 // to the BIOS, with serial over LAN
	AMTOnToPXE     PowerAction = 315
	AMTResetToPXE  PowerAction = 316
	PhoneFlash     PowerAction = 400
	PhoneVibrate   PowerAction = 401
)

var powerActionNames = map[PowerAction]string{
	AgentOff: "off", AgentReset: "reset", AgentSleep: "sleep", AMTOn: "amton", AMTOff: "amtoff", AMTReset: "amtreset",
	AMTOnToBIOS: "amton to bios", AMTResetToBIOS: "amtreset to bios", AMTOnToBIOSSOL: "amton to bios with sol",
	AMTResetSOL: "amtreset to bios with sol", AMTOnToPXE: "amton to pxe", AMTResetToPXE: "amtreset to pxe",
	PhoneFlash: "flash", PhoneVibrate: "vibrate",
}

// String names the action.
func (a PowerAction) String() string {
	if s, ok := powerActionNames[a]; ok {
		return s
	}
	return "PowerAction(" + strconv.Itoa(int(a)) + ")"
}

// Needs tells the right that the action takes on a device.
func (a PowerAction) Needs() Rights {
	switch {
	case a >= PhoneFlash:
		return RemoteControl
	case a == AMTOn:
		return WakeDevice
	}
	return ResetOff
}

// PowerActionRequest switches devices. Client to server. Needs what [PowerAction.Needs] tells.
//
//	{"action":"poweraction","nodeids":["node//..."],"actiontype":3,"responseid":"x"}
//
// Answers "ok" at once for each device, before any right is checked; without "responseid" an answer without "result"
// comes. (meshuser.js, case 'poweraction')
type PowerActionRequest struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Type      PowerAction                `json:"actiontype,keep"`
	Time      int                        `json:"time"` // milliseconds, for PhoneFlash and PhoneVibrate: 1 to 30000
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "poweraction".
func (*PowerActionRequest) Action() string { return "poweraction" }

func (*PowerActionRequest) reply() *Result { return new(Result) }

// UninstallAgents has agents remove themselves. Client to server. Needs [UninstallAgent]; whole ids. No answer.
// (meshuser.js, case 'uninstallagent')
//
//	{"action":"uninstallagent","nodeids":["node//..."]}
type UninstallAgents struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "uninstallagent".
func (*UninstallAgents) Action() string { return "uninstallagent" }

func (*UninstallAgents) reply() *Result { return new(Result) }

// AgentDisconnect ends the connection of an agent; it comes back. Client to server. Needs [AgentConsole] or a full
// administrator; whole id. No answer. (meshuser.js, serverCommandAgentDisconnect)
//
//	{"action":"agentdisconnect","nodeid":"node//...","disconnectMode":1}
type AgentDisconnect struct {
	DeviceID ID                         `json:"nodeid"`
	Mode     int                        `json:"disconnectMode,keep"` // 1 closes the WebSocket, 2 drops the TCP connection
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "agentdisconnect".
func (*AgentDisconnect) Action() string { return "agentdisconnect" }

func (*AgentDisconnect) reply() *Result { return new(Result) }

// UpdateAgents has agents update themselves. Client to server. Needs full rights; whole ids. No answer.
// (meshuser.js, serverCommandUpdateAgents)
//
//	{"action":"updateAgents","nodeids":["node//..."]}
type UpdateAgents struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "updateAgents".
func (*UpdateAgents) Action() string { return "updateAgents" }

func (*UpdateAgents) reply() *Result { return new(Result) }

// CoreKind is which core an agent is sent.
type CoreKind string

// Kinds of cores.
const (
	CoreDefault  CoreKind = "default"
	CoreClear    CoreKind = "clear" // none
	CoreRecovery CoreKind = "recovery"
	CoreTiny     CoreKind = "tiny"
	CoreCustom   CoreKind = "custom" // a file on the server
)

// UploadAgentCore sends agents another core. Client to server. Needs [AgentConsole] or a full administrator; whole ids.
// No answer. (meshuser.js, case 'uploadagentcore')
//
//	{"action":"uploadagentcore","nodeids":["node//..."],"type":"default"}
type UploadAgentCore struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Type      CoreKind                   `json:"type"`
	Path      string                     `json:"path"` // of the file, for CoreCustom
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "uploadagentcore".
func (*UploadAgentCore) Action() string { return "uploadagentcore" }

func (*UploadAgentCore) reply() *Result { return new(Result) }

// DistributeCore sends agents the default core again. Client to server. Full administrators, on servers with plugins.
// No answer. (meshuser.js, case 'distributeCore')
//
//	{"action":"distributeCore","nodes":[{"_id":"node//..."}]}
type DistributeCore struct {
	Devices []DeviceRef                `json:"nodes"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "distributeCore".
func (*DistributeCore) Action() string { return "distributeCore" }

func (*DistributeCore) reply() *Result { return new(Result) }

// DeviceRef names a device inside an object.
type DeviceRef struct {
	ID    ID                         `json:"_id"`
	Extra map[string]json.RawMessage `json:"-"`
}

// OneClickRecovery boots devices with Intel AMT from a disk image on the server. Client to server. Needs full rights.
// No answer. (meshuser.js, case 'oneclickrecovery')
//
//	{"action":"oneclickrecovery","nodeids":["node//..."],"path":"user//admin/recovery.img","type":"diskimage"}
type OneClickRecovery struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Path      string                     `json:"path"`
	Type      string                     `json:"type"` // "diskimage"
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "oneclickrecovery".
func (*OneClickRecovery) Action() string { return "oneclickrecovery" }

func (*OneClickRecovery) reply() *Result { return new(Result) }
