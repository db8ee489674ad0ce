package controlproto

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

var detailActions = []Spec{
	{
		Action: "getDeviceDetails", Request: func() Message { return new(GetDeviceDetails) },
		Reply: func() Message { return new(GetDeviceDetailsReply) },
	},
	{
		Action: "getsysinfo", Request: func() Message { return new(GetSysInfo) },
		Reply: func() Message { return new(GetSysInfoReply) }, Echo: EchoTag, Key: "nodeid",
	},
	{
		Action: "getnetworkinfo", Request: func() Message { return new(GetNetworkInfo) },
		Reply: func() Message { return new(GetNetworkInfoReply) }, Key: "nodeid",
	},
	{
		Action: "lastconnect", Request: func() Message { return new(LastConnectRequest) },
		Reply: func() Message { return new(LastConnectReply) }, Key: "nodeid",
	},
	{
		Action: "lastconnects", Request: func() Message { return new(LastConnects) },
		Reply: func() Message { return new(LastConnectsReply) }, Echo: EchoTag,
	},
	{
		Action: "powertimeline", Request: func() Message { return new(PowerTimeline) },
		Reply: func() Message { return new(PowerTimelineReply) }, Echo: EchoTag, Key: "nodeid",
	},
}

// GetDeviceDetails asks for all that the server knows of devices, as text for a file. Client to server. Of the devices
// that the account sees; hardware and network only with [DeviceDetails]. (meshuser.js, case 'getDeviceDetails')
//
//	{"action":"getDeviceDetails","type":"json"}
type GetDeviceDetails struct {
	Type      string                     `json:"type"`    // "json" or "csv"
	DeviceIDs []ID                       `json:"nodeids"` // whole ids; nil: all
	Language  string                     `json:"l"`       // for csv
	TimeZone  string                     `json:"tz"`      // for csv
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "getDeviceDetails".
func (*GetDeviceDetails) Action() string { return "getDeviceDetails" }

func (*GetDeviceDetails) reply() *GetDeviceDetailsReply { return new(GetDeviceDetailsReply) }

// GetDeviceDetailsReply holds the text. Server to client.
//
//	{"action":"getDeviceDetails","data":"[{\"node\":{...},\"net\":{...},\"lastConnect\":{...}}]","type":"json"}
type GetDeviceDetailsReply struct {
	Data  string                     `json:"data,keep"`
	Type  string                     `json:"type"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "getDeviceDetails".
func (*GetDeviceDetailsReply) Action() string { return "getDeviceDetails" }

// DeviceDetail is one device of a [GetDeviceDetailsReply] of type "json".
type DeviceDetail struct {
	Device      DetailedDevice             `json:"node"`
	System      *SysInfo                   `json:"sys"`
	Network     *NetworkInfo               `json:"net"`
	LastConnect *LastConnect               `json:"lastConnect"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// DetailedDevice is a device with the name of its group.
type DetailedDevice struct {
	Device
	GroupName string `json:"groupname"`
}

// Details decodes Data of type "json". None for the empty text that comes when no device can be read.
func (r *GetDeviceDetailsReply) Details() ([]DeviceDetail, error) {
	if r.Data == "" || r.Data == `""` {
		return nil, nil
	}
	var list struct {
		Details []DeviceDetail `json:"details"`
	}
	if err := jsonrec.Unmarshal([]byte(`{"details":`+r.Data+`}`), &list); err != nil {
		return nil, fmt.Errorf("%w: device details: %w", ErrMessage, err)
	}
	return list.Details, nil
}

// SetDetails encodes into Data.
func (r *GetDeviceDetailsReply) SetDetails(list []DeviceDetail) error {
	if len(list) == 0 {
		r.Data, r.Type = `""`, "json"
		return nil
	}
	b, err := jsonrec.Append(nil, list)
	if err != nil {
		return fmt.Errorf("controlproto: device details: %w", err)
	}
	r.Data, r.Type = string(b), "json"
	return nil
}

// GetSysInfo asks for the hardware and system of a device. Client to server. Needs [DeviceDetails].
// (meshuser.js, serverCommandGetSysInfo)
//
//	{"action":"getsysinfo","nodeid":"node//...","nodeinfo":true}
type GetSysInfo struct {
	DeviceID ID                         `json:"nodeid"`
	NodeInfo bool                       `json:"nodeinfo"` // adds the device's record and the rights
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "getsysinfo".
func (*GetSysInfo) Action() string { return "getsysinfo" }

func (*GetSysInfo) reply() *GetSysInfoReply { return new(GetSysInfoReply) }

// GetSysInfoReply is the document, with more members, or why there is none. Server to client.
//
//	{"action":"getsysinfo","nodeid":"node//...","hash":"...","time":1795333103445,"hardware":{...},"node":{...},"rights":4294967295}
//	{"action":"getsysinfo","nodeid":"node//...","noinfo":true,"result":"Invalid device id"}
//
// MeshCentral's device record here is the one of its database: with the group, without connectivity, and with secrets
// in clear text.
type GetSysInfoReply struct {
	DeviceID ID `json:"nodeid"`
	SysInfo
	Device *Device `json:"node"`
	Rights Rights  `json:"rights"`
	NoInfo bool    `json:"noinfo"`
	Result string  `json:"result"` // set: this is an error. "Invalid device id" is also said when there is no document
}

// Action is "getsysinfo".
func (*GetSysInfoReply) Action() string { return "getsysinfo" }

// GetNetworkInfo asks for the network interfaces of a device. Client to server. Needs [DeviceDetails].
// (meshuser.js, serverCommandGetNetworkInfo)
//
//	{"action":"getnetworkinfo","nodeid":"node//..."}
type GetNetworkInfo struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "getnetworkinfo".
func (*GetNetworkInfo) Action() string { return "getnetworkinfo" }

func (*GetNetworkInfo) reply() *GetNetworkInfoReply { return new(GetNetworkInfoReply) }

// GetNetworkInfoReply is the answer. Without data there are no interfaces; with Result set it is an error. Server to
// client.
//
//	{"action":"getnetworkinfo","nodeid":"node//...","updateTime":1795333103445,"netif2":{"eth0":[{"family":"IPv4", ...}]}}
//	{"action":"getnetworkinfo","nodeid":"node//...","netif":null,"netif2":null}
//	{"action":"getnetworkinfo","nodeid":"node//...","noinfo":true,"result":"Invalid device id"}
type GetNetworkInfoReply struct {
	DeviceID ID `json:"nodeid"`
	NetworkInfo
	NoInfo bool   `json:"noinfo"`
	Result string `json:"result"`
}

// Action is "getnetworkinfo".
func (*GetNetworkInfoReply) Action() string { return "getnetworkinfo" }

// LastConnectRequest asks when a device connected or disconnected last. Client to server. The device must be seen.
// (meshuser.js, serverCommandLastConnect)
//
//	{"action":"lastconnect","nodeid":"node//..."}
type LastConnectRequest struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "lastconnect".
func (*LastConnectRequest) Action() string { return "lastconnect" }

func (*LastConnectRequest) reply() *LastConnectReply { return new(LastConnectReply) }

// LastConnectReply is the answer; with Result set an error ("No data", "Invalid device id"). Server to client.
//
//	{"action":"lastconnect","nodeid":"node//...","time":1795333098220,"addr":"127.0.0.1:39204"}
type LastConnectReply struct {
	DeviceID ID                         `json:"nodeid"`
	Time     time.Time                  `json:"time,ms"`
	Addr     string                     `json:"addr"`
	NoInfo   bool                       `json:"noinfo"`
	Result   string                     `json:"result"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "lastconnect".
func (*LastConnectReply) Action() string { return "lastconnect" }

// LastConnects asks the same for all devices that the account sees. Client to server.
// (meshuser.js, serverCommandLastConnects)
//
//	{"action":"lastconnects","tag":"x"}
type LastConnects struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "lastconnects".
func (*LastConnects) Action() string { return "lastconnects" }

func (*LastConnects) reply() *LastConnectsReply { return new(LastConnectsReply) }

// LastConnectsReply holds milliseconds since 1970, see [LastConnectsReply.Time]. Server to client.
//
//	{"action":"lastconnects","lastconnects":{"node//...":1795333098220},"tag":"x"}
type LastConnectsReply struct {
	Times map[ID]int64               `json:"lastconnects,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "lastconnects".
func (*LastConnectsReply) Action() string { return "lastconnects" }

// Time is when a device connected or disconnected last; zero if that is not known.
func (r *LastConnectsReply) Time(id ID) time.Time { return unixMilli(r.Times[id]) }

// PowerTimeline asks for the power states of a device over time. Client to server. The device must be seen, else
// silent; its id must be whole. (meshuser.js, serverCommandPowerTimeline)
//
//	{"action":"powertimeline","nodeid":"node//...","tag":"x"}
type PowerTimeline struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "powertimeline".
func (*PowerTimeline) Action() string { return "powertimeline" }

func (*PowerTimeline) reply() *PowerTimelineReply { return new(PowerTimelineReply) }

// PowerTimelineReply is the state before, when it ended (seconds since 1970), the state then, and from there on pairs
// of seconds and state. [PowerTimelineReply.Changes] makes times of it. Server to client.
//
//	{"action":"powertimeline","nodeid":"node//...","timeline":[0,1795333098.219,1,3600,0],"tag":"x"}
type PowerTimelineReply struct {
	DeviceID ID                         `json:"nodeid"`
	Timeline []float64                  `json:"timeline"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "powertimeline".
func (*PowerTimelineReply) Action() string { return "powertimeline" }

// PowerChange says since when a device is in a state.
type PowerChange struct {
	Since time.Time
	State PowerState
}

// Changes lists the states in the order of time. A server that has no records sends its clock in milliseconds.
func (r *PowerTimelineReply) Changes() []PowerChange {
	t := r.Timeline
	if len(t) < 3 {
		return nil
	}
	const inMilliseconds = 1e11 // seconds of the year 5138, milliseconds of 1973
	ms := t[1]
	if ms < inMilliseconds {
		ms *= 1000
	}
	if !(ms >= 0 && ms < 1e16) {
		return nil
	}
	at := time.UnixMilli(int64(ms))
	list := []PowerChange{{at, powerState(t[2])}}
	for i := 3; i+1 < len(t); i += 2 {
		if !(t[i] >= 0 && t[i] < 1e10) {
			break
		}
		at = at.Add(time.Duration(t[i]*1000) * time.Millisecond)
		list = append(list, PowerChange{at, powerState(t[i+1])})
	}
	return list
}

func powerState(f float64) PowerState {
	if f >= 0 && f <= 255 {
		return PowerState(f)
	}
	return PowerUnknown
}
