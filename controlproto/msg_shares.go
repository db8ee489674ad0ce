package controlproto

import (
	"encoding/json"
	"time"
)

var shareActions = []Spec{
	{
		Action: "deviceShares", Request: func() Message { return new(DeviceShares) },
		Reply: func() Message { return new(DeviceSharesReply) }, Key: "nodeid",
	},
	{
		Action: "deviceMeshShares", Request: func() Message { return new(DeviceMeshShares) },
		Reply: func() Message { return new(DeviceMeshSharesReply) }, Key: "meshid", ErrorAs: []string{"deviceShares"},
	},
	{
		Action: "createDeviceShareLink", Request: func() Message { return new(CreateDeviceShareLink) },
		Reply: func() Message { return new(CreateDeviceShareLinkReply) }, Echo: EchoRequest, ErrorAs: []string{"deviceShares"},
	},
	{
		Action: "removeDeviceShare", Request: func() Message { return new(RemoveDeviceShare) }, Replies: RepliesIfAsked,
		Echo: EchoResponseID, Extra: 1, ErrorAs: []string{"deviceShares"},
	},
	{
		Action: "webrelay", Request: func() Message { return new(WebRelay) },
		Reply: func() Message { return new(WebRelayReply) }, Echo: EchoRequest,
	},
}

// All of these take full rights, or [RemoteControl] and [GuestSharing] without [LimitedInput]. They are silent where
// the domain's settings forbid guests.

// DeviceShares asks for the guest links of a device. Client to server. Errors come only to a request with "responseid":
// "Invalid node id", "Invalid domain", "Access denied". (meshuser.js, case 'deviceShares')
//
//	{"action":"deviceShares","nodeid":"node//..."}
type DeviceShares struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "deviceShares".
func (*DeviceShares) Action() string { return "deviceShares" }

func (*DeviceShares) reply() *DeviceSharesReply { return new(DeviceSharesReply) }

// DeviceSharesReply lists them. Server to client.
//
//	{"action":"deviceShares","nodeid":"node//...","deviceShares":[{"publicid":"...","guestName":"bob","p":2, ...}]}
type DeviceSharesReply struct {
	DeviceID ID                         `json:"nodeid"`
	Shares   []Share                    `json:"deviceShares,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "deviceShares".
func (*DeviceSharesReply) Action() string { return "deviceShares" }

// DeviceMeshShares asks for the guest links of all devices of a group. Client to server. Errors come as "deviceShares".
// (meshuser.js, case 'deviceMeshShares')
//
//	{"action":"deviceMeshShares","meshid":"mesh//..."}
type DeviceMeshShares struct {
	GroupID ID                         `json:"meshid"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "deviceMeshShares".
func (*DeviceMeshShares) Action() string { return "deviceMeshShares" }

func (*DeviceMeshShares) reply() *DeviceMeshSharesReply { return new(DeviceMeshSharesReply) }

// DeviceMeshSharesReply lists them, each with its device. Server to client.
//
//	{"action":"deviceMeshShares","meshid":"mesh//...","deviceShares":[{"nodeid":"node//...","publicid":"...", ...}]}
type DeviceMeshSharesReply struct {
	GroupID ID                         `json:"meshid"`
	Shares  []Share                    `json:"deviceShares,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "deviceMeshShares".
func (*DeviceMeshSharesReply) Action() string { return "deviceMeshShares" }

// Recurring says how often the time of a share begins again.
type Recurring int

// Values of [Recurring].
const (
	RecurringNever  Recurring = 0
	RecurringDaily  Recurring = 1
	RecurringWeekly Recurring = 2
)

// CreateDeviceShareLink makes a link for a guest. Client to server. One of: Expire from now on, Start and End, or
// Recurring with Start and Expire as the duration.
//
//	{"action":"createDeviceShareLink","nodeid":"node//...","guestname":"bob","p":2,"consent":1,"start":1795333113,
//	 "end":1795333713,"viewOnly":false,"port":null,"responseid":"x"}
//
// Errors come as "createDeviceShareLink" ("Invalid guest name", "Invalid expire time", "Invalid flags", "Invalid
// protocol", "No time specified") and as "deviceShares" ("Invalid node id", "Access denied"). An
// [AddedDeviceShareEvent] and a [DeviceShareUpdateEvent] go out. (meshuser.js, case 'createDeviceShareLink')
type CreateDeviceShareLink struct {
	DeviceID  ID                         `json:"nodeid"`
	GuestName string                     `json:"guestname"` // at most 128 characters
	Kind      ShareKind                  `json:"p"`
	Consent   Consent                    `json:"consent,keep"`
	Expire    *time.Duration             `json:"expire,mins"` // 0: for ever
	Start     time.Time                  `json:"start,sec"`
	End       time.Time                  `json:"end,sec"`
	Recurring Recurring                  `json:"recurring"`
	Port      uint16                     `json:"port,null"` // for ShareHTTP and ShareHTTPS
	ViewOnly  bool                       `json:"viewOnly,keep"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "createDeviceShareLink".
func (*CreateDeviceShareLink) Action() string { return "createDeviceShareLink" }

func (*CreateDeviceShareLink) reply() *CreateDeviceShareLinkReply {
	return new(CreateDeviceShareLinkReply)
}

// CreateDeviceShareLinkReply is the request again with the link. "start" and "expire" are milliseconds since 1970 here
// for limited shares, except that a recurring one keeps its duration in minutes; "expire" is missing for unlimited
// ones. Server to client.
//
//	{"action":"createDeviceShareLink","nodeid":"node//...","guestname":"bob","p":2,"consent":1,"start":1795333113000,"end":1795333713,
//	 "viewOnly":false,"port":null,"responseid":"x","expire":1795333713000,"url":"https://...","publicid":"...","result":"OK"}
type CreateDeviceShareLinkReply struct {
	DeviceID  ID                         `json:"nodeid"`
	GuestName string                     `json:"guestname"`
	Kind      ShareKind                  `json:"p"`
	Consent   Consent                    `json:"consent,keep"`
	Start     time.Time                  `json:"start,ms"`
	End       time.Time                  `json:"end,sec"`
	Expire    int64                      `json:"expire"` // see Expires
	Recurring Recurring                  `json:"recurring"`
	Port      uint16                     `json:"port,null"`
	ViewOnly  bool                       `json:"viewOnly,keep"`
	URL       SecretURL                  `json:"url"`
	PublicID  string                     `json:"publicid"`
	Result    string                     `json:"result"` // "OK", to a request with "responseid"
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "createDeviceShareLink".
func (*CreateDeviceShareLinkReply) Action() string { return "createDeviceShareLink" }

// Expires is when the link ends to be good; zero for links without end and recurring ones.
func (r *CreateDeviceShareLinkReply) Expires() time.Time {
	if r.Recurring != RecurringNever {
		return time.Time{}
	}
	return unixMilli(r.Expire)
}

// RemoveDeviceShare takes a link back. Client to server. Two answers: a [RemovedDeviceShare], then the [Result], "OK"
// or "Invalid device share identifier.". Some errors come as "deviceShares". (meshuser.js, case 'removeDeviceShare')
//
//	{"action":"removeDeviceShare","nodeid":"node//...","publicid":"...","responseid":"x"}
type RemoveDeviceShare struct {
	DeviceID ID                         `json:"nodeid"`
	PublicID string                     `json:"publicid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "removeDeviceShare".
func (*RemoveDeviceShare) Action() string { return "removeDeviceShare" }

func (*RemoveDeviceShare) reply() *Result { return new(Result) }

// RemovedDeviceShare is the first of two answers to [RemoveDeviceShare]. Server to client.
//
//	{"action":"removeDeviceShare","responseid":"x","nodeid":"node//...","publicid":"...","removed":null}
type RemovedDeviceShare struct {
	DeviceID ID                         `json:"nodeid"`
	PublicID string                     `json:"publicid"`
	Removed  *Share                     `json:"removed,null"` // nil: there was none
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "removeDeviceShare".
func (*RemovedDeviceShare) Action() string { return "removeDeviceShare" }

// AppID is the protocol of a [WebRelay].
type AppID int

// Protocols.
const (
	AppHTTP  AppID = 1
	AppHTTPS AppID = 2
)

// WebRelay asks for a URL under which a web server on a device is reached. Client to server. The device must be seen;
// [RemoteControl] or [RelayRight] is asked for when the URL is opened.
//
//	{"action":"webrelay","nodeid":"node//...","port":80,"appid":1,"responseid":"x"}
//
// Errors: "Invalid node id", "Invalid domain", "Invalid port value", "WebRelay Disabled". (meshuser.js, case
// 'webrelay')
type WebRelay struct {
	DeviceID ID                         `json:"nodeid"`
	Port     uint16                     `json:"port"`
	AppID    AppID                      `json:"appid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "webrelay".
func (*WebRelay) Action() string { return "webrelay" }

func (*WebRelay) reply() *WebRelayReply { return new(WebRelayReply) }

// WebRelayReply is the request again with the URL. Server to client.
//
//	{"action":"webrelay","nodeid":"node//...","port":80,"appid":1,"responseid":"x","url":"https://...","result":"OK"}
type WebRelayReply struct {
	DeviceID ID                         `json:"nodeid"`
	Port     uint16                     `json:"port"`
	AppID    AppID                      `json:"appid"`
	URL      SecretURL                  `json:"url"`
	Result   string                     `json:"result"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "webrelay".
func (*WebRelayReply) Action() string { return "webrelay" }
