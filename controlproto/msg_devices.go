package controlproto

import (
	"bytes"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Requests that go to one device of many ("nodeid", "nodeids") take whole ids and bare last parts, unless they say
// otherwise.

var deviceActions = []Spec{
	{
		Action: "nodes", Request: func() Message { return new(Nodes) },
		Reply: func() Message { return new(NodesReply) }, Echo: EchoBoth,
	},
	{
		Action: "changedevice", Request: func() Message { return new(ChangeDevice) }, Replies: RepliesIfAsked,
		Echo: EchoResponseID,
	},
	{
		Action: "addlocaldevice", Request: func() Message { return new(AddLocalDevice) }, Replies: RepliesIfAsked,
		Echo: EchoResponseID, ErrorAs: []string{"changeDeviceMesh"},
	},
	{
		Action: "addamtdevice", Request: func() Message { return new(AddAMTDevice) }, Replies: RepliesIfAsked,
		Echo: EchoResponseID, ErrorAs: []string{"changeDeviceMesh"},
	},
	{Action: "scanamtdevice", Request: func() Message { return new(ScanAMTDevice) }, Replies: RepliesNever},
	{
		Action: "changeDeviceMesh", Request: func() Message { return new(ChangeDeviceMesh) }, Replies: RepliesIfAsked,
		Echo: EchoResponseID, PerDevice: true,
	},
	{
		Action: "removedevices", Request: func() Message { return new(RemoveDevices) }, Replies: RepliesIfAsked,
		Echo: EchoResponseID, PerDevice: true,
	},
	{
		Action: "adddeviceuser", Request: func() Message { return new(AddDeviceUser) }, Replies: RepliesIfAsked,
		Echo: EchoResponseID,
	},
	{
		Action: "getNotes", Request: func() Message { return new(GetNotes) },
		Reply: func() Message { return new(GetNotesReply) }, Key: "id",
	},
	{Action: "setNotes", Request: func() Message { return new(SetNotesRequest) }, Replies: RepliesNever},
	{Action: "setDeviceEvent", Request: func() Message { return new(SetDeviceEvent) }, Replies: RepliesNever},
}

// Nodes asks for the devices that the account sees: all, those of one group, or one. Client to server.
//
//	{"action":"nodes","meshid":"mesh//...","responseid":"x"}
//
// Devices come without any right too, a link is enough. Errors come with "result", and only to a request with
// "responseid": "Invalid group id", "Duplicate device groups found". (meshuser.js, case 'nodes')
type Nodes struct {
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshname"` // instead of GroupID, of a group of agents
	DeviceID  ID                         `json:"id"`       // one device, by its whole id
	Skip      int                        `json:"skip"`     // only on servers that page their lists
	Limit     int                        `json:"limit"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "nodes".
func (*Nodes) Action() string { return "nodes" }

func (*Nodes) reply() *NodesReply { return new(NodesReply) }

// NodesReply lists devices by their group. Groups without devices are missing. Server to client.
//
//	{"action":"nodes","responseid":"x","nodes":{"mesh//...":[{"_id":"node//...","name":"pc1", ...}]},"tag":"x"}
type NodesReply struct {
	Devices map[ID][]Device            `json:"nodes,keep"`
	Skip    int                        `json:"skip"` // these three on servers that page their lists
	Limit   int                        `json:"limit"`
	Total   int                        `json:"totalcount"` // when there is more than one page
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "nodes".
func (*NodesReply) Action() string { return "nodes" }

// All goes through the devices, group by group in the order of their ids, and fills in Device.Group.
func (r *NodesReply) All() iter.Seq[*Device] {
	return func(yield func(*Device) bool) {
		groups := make([]ID, 0, len(r.Devices))
		for id := range r.Devices {
			groups = append(groups, id)
		}
		slices.Sort(groups)
		for _, id := range groups {
			list := r.Devices[id]
			for i := range list {
				list[i].Group = id
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// Count says how many devices there are.
func (r *NodesReply) Count() (n int) {
	for _, list := range r.Devices {
		n += len(list)
	}
	return n
}

// wire leaves out the group of each device, that is the key of its list.
func (r *NodesReply) wire() Message {
	var out NodesReply
	for id, list := range r.Devices {
		grouped := false
		for i := range list {
			grouped = grouped || list[i].Group != ""
		}
		if !grouped {
			continue
		}
		if out.Devices == nil {
			out = *r
			out.Devices = maps.Clone(r.Devices)
		}
		list = slices.Clone(list)
		for i := range list {
			list[i].Group = ""
		}
		out.Devices[id] = list
	}
	if out.Devices == nil {
		return r
	}
	return &out
}

// ChangeDevice changes what the server keeps of a device: what is set. Client to server. Needs [ManageDevices].
//
//	{"action":"changedevice","nodeid":"node//...","desc":"lab machine","tags":["a","b"],"responseid":"x"}
//
// Answers "ok", "Access Denied", "Invalid nodeid" or "Invalid user location". (meshuser.js, case 'changedevice')
type ChangeDevice struct {
	DeviceID     ID                         `json:"nodeid"`
	Name         string                     `json:"name"`
	Desc         *string                    `json:"desc"`    // "" clears
	Host         *string                    `json:"host"`    // ignored for devices with agents on servers for the internet only
	Icon         Icon                       `json:"icon"`    // 0 leaves it
	Consent      *Consent                   `json:"consent"` // 0 removes
	Tags         Tags                       `json:"tags"`    // empty clears, nil leaves them
	UserLocation []float64                  `json:"userloc"` // latitude and longitude; empty clears
	RDPPort      uint16                     `json:"rdpport"` // ports: 0 leaves them, the usual one removes
	VNCPort      uint16                     `json:"rfbport"`
	SSHPort      uint16                     `json:"sshport"`
	HTTPPort     uint16                     `json:"httpport"`
	HTTPSPort    uint16                     `json:"httpsport"`
	SSH          *int                       `json:"ssh"` // 0 forgets what the account stored for SSH
	RDP          *int                       `json:"rdp"` // the same for RDP
	AMT          *AMTLogin                  `json:"intelamt"`
	Extra        map[string]json.RawMessage `json:"-"`
}

// Action is "changedevice".
func (*ChangeDevice) Action() string { return "changedevice" }

func (*ChangeDevice) reply() *Result { return new(Result) }

// AMTLogin is how the server logs in to a device's Intel AMT.
type AMTLogin struct {
	User     string                     `json:"user"`
	Password Secret                     `json:"pass"`
	TLS      *int                       `json:"tls"` // 1 with TLS, 0 without
	Extra    map[string]json.RawMessage `json:"-"`
}

// Tags are words on a device; each shorter than 64 characters and without comma. Requests take a list or a text with
// commas.
type Tags []string

// UnmarshalJSONRec takes both forms.
func (t *Tags) UnmarshalJSONRec(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		*t = Tags{}
		if s != "" {
			*t = strings.Split(s, ",")
		}
		return nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	*t = list
	return nil
}

// AppendJSONRec writes a list. An empty one is "", by which the server removes the tags.
func (t Tags) AppendJSONRec(b []byte) ([]byte, error) {
	if len(t) == 0 {
		return append(b, `""`...), nil
	}
	b = append(b, '[')
	for i, s := range t {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonrec.AppendString(b, s)
	}
	return append(b, ']'), nil
}

// LocalType is the kind of a device without agent.
type LocalType int

// Kinds of devices without agent.
const (
	LocalWindows LocalType = 4 // reached by RDP
	LocalLinux   LocalType = 6
	LocalMacOS   LocalType = 29
)

// AddLocalDevice adds a device without agent to a group of type [GroupLocal]. Client to server. Needs [ManageDevices].
//
//	{"action":"addlocaldevice","type":4,"meshid":"mesh//...","devicename":"printer","hostname":"192.0.2.7","responseid":"x"}
//
// Answers "ok"; errors come as "changeDeviceMesh": "Invalid type", "Unknown device group", "Local device agentless mesh
// only allowed", "Permission denied". (meshuser.js, case 'addlocaldevice')
type AddLocalDevice struct {
	GroupID ID                         `json:"meshid"`
	Name    string                     `json:"devicename"`
	Host    string                     `json:"hostname"`
	Type    LocalType                  `json:"type,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "addlocaldevice".
func (*AddLocalDevice) Action() string { return "addlocaldevice" }

func (*AddLocalDevice) reply() *Result { return new(Result) }

// AddAMTDevice adds a device with Intel AMT to a group of type [GroupAMT]. Client to server. Needs [ManageDevices].
//
//	{"action":"addamtdevice","amttls":1,"meshid":"mesh//...","devicename":"pc2","hostname":"192.0.2.8","amtusername":"admin",
//	 "amtpassword":"...","responseid":"x"}
//
// Answers "ok"; errors come as "changeDeviceMesh", and servers for the internet only are silent. User and password have
// at most 16 characters. (meshuser.js, case 'addamtdevice')
type AddAMTDevice struct {
	GroupID  ID                         `json:"meshid"`
	Name     string                     `json:"devicename"`
	Host     string                     `json:"hostname"`
	User     string                     `json:"amtusername,keep"`
	Password Secret                     `json:"amtpassword,keep"`
	TLS      int                        `json:"amttls,keep"` // 1 with TLS, 0 without
	State    *int                       `json:"state"`       // 0 to 3
	Version  string                     `json:"ver"`
	Hash     string                     `json:"hash"`
	Realm    string                     `json:"realm"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "addamtdevice".
func (*AddAMTDevice) Action() string { return "addamtdevice" }

func (*AddAMTDevice) reply() *Result { return new(Result) }

// ScanAMTDevice looks for Intel AMT in a range of addresses of the server's network. Client to server. What is found
// comes as a [ScanAMTDeviceEvent]. (meshuser.js, case 'scanamtdevice')
//
//	{"action":"scanamtdevice","range":"192.168.0.1-192.168.0.255"}
type ScanAMTDevice struct {
	Range string                     `json:"range"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "scanamtdevice".
func (*ScanAMTDevice) Action() string { return "scanamtdevice" }

func (*ScanAMTDevice) reply() *Result { return new(Result) }

// ChangeDeviceMesh moves devices to another group. Client to server. Needs [ManageDevices] on the group they go to and
// [EditGroup] on both.
//
//	{"action":"changeDeviceMesh","nodeids":["node//..."],"meshname":"lab","responseid":"x"}
//
// One answer for each device: "ok", "Device not found", "Device already in correct group", "Permission denied". Silent
// when the groups are of different types. (meshuser.js, case 'changeDeviceMesh')
type ChangeDeviceMesh struct {
	DeviceIDs []ID                       `json:"nodeids"`
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshname"` // instead of GroupID, of a group of agents
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "changeDeviceMesh".
func (*ChangeDeviceMesh) Action() string { return "changeDeviceMesh" }

func (*ChangeDeviceMesh) reply() *Result { return new(Result) }

// RemoveDevices removes devices from the server. An agent that still runs comes back. Client to server. Needs
// [UninstallAgent].
//
//	{"action":"removedevices","nodeids":["node//..."],"responseid":"x"}
//
// One answer for each device: "ok", "Denied", "Invalid nodeid", "Invalid domain". (meshuser.js, case 'removedevices')
type RemoveDevices struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "removedevices".
func (*RemoveDevices) Action() string { return "removedevices" }

func (*RemoveDevices) reply() *Result { return new(Result) }

// AddDeviceUser links accounts and user groups to one device, changes such links, and removes them. Client to server.
// Needs [ManageUsers].
//
//	{"action":"adddeviceuser","nodeid":"node//...","usernames":["ann"],"rights":49400,"responseid":"x"}
//
// Answers "ok" even if nobody was found, "Invalid nodeid", "Invalid rights" (for the rights that only groups have, full
// rights among them), "Invalid usernames", "Invalid domain". Silent when the device is unknown or the right is missing.
// (meshuser.js, serverCommandAddDeviceUser)
type AddDeviceUser struct {
	DeviceID  ID                         `json:"nodeid"`
	Usernames []string                   `json:"usernames"`
	UserIDs   []ID                       `json:"userids"` // or accounts and user groups by id
	UserID    ID                         `json:"userid"`  // or one
	Rights    Rights                     `json:"rights,keep"`
	Remove    bool                       `json:"remove"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "adddeviceuser".
func (*AddDeviceUser) Action() string { return "adddeviceuser" }

func (*AddDeviceUser) reply() *Result { return new(Result) }

// GetNotes asks for the notes on a device, a group or an account, or for a private one ("puser/DOMAIN/NAME"). Client to
// server. A device must be seen; a group takes [EditGroup], an account [SiteManageUsers]. Silent if denied.
// (meshuser.js, case 'getNotes')
//
//	{"action":"getNotes","id":"node//..."}
type GetNotes struct {
	ID    ID                         `json:"id"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "getNotes".
func (*GetNotes) Action() string { return "getNotes" }

func (*GetNotes) reply() *GetNotesReply { return new(GetNotesReply) }

// GetNotesReply holds the notes. Server to client.
//
//	{"action":"getNotes","id":"node//...","notes":null}
type GetNotesReply struct {
	ID    ID                         `json:"id"`
	Notes string                     `json:"notes,null"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "getNotes".
func (*GetNotesReply) Action() string { return "getNotes" }

// SetNotesRequest stores notes; empty ones are removed. Client to server. A device takes the right [SetNotes], else as
// [GetNotes]. No answer. (meshuser.js, case 'setNotes')
//
//	{"action":"setNotes","id":"node//...","notes":"new disk in 2026"}
type SetNotesRequest struct {
	ID    ID                         `json:"id"`
	Notes string                     `json:"notes,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "setNotes".
func (*SetNotesRequest) Action() string { return "setNotes" }

func (*SetNotesRequest) reply() *Result { return new(Result) }

// SetDeviceEvent writes a line into the log of a device. Client to server. Takes any right on it. No answer; a
// [ManualEvent] goes out. (meshuser.js, case 'setDeviceEvent')
//
//	{"action":"setDeviceEvent","nodeid":"node//...","msg":"fan%20cleaned"}
type SetDeviceEvent struct {
	DeviceID ID                         `json:"nodeid"`
	Msg      string                     `json:"msg"` // escaped as in a URL
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "setDeviceEvent".
func (*SetDeviceEvent) Action() string { return "setDeviceEvent" }

func (*SetDeviceEvent) reply() *Result { return new(Result) }

// unixMilli is the inverse of time.Time.UnixMilli, with the zero time for 0.
func unixMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
