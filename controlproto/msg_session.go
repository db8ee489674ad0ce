package controlproto

import (
	"encoding/json"
)

var sessionActions = []Spec{
	{Action: "ping", Request: blank[Ping], Reply: blank[Pong]},
	{Action: "pong", Request: blank[Pong], Replies: RepliesNever},
	{Action: "close", Request: blank[Close], Replies: RepliesNever},
	{Action: "authcookie", Request: blank[AuthCookie], Reply: blank[AuthCookieReply]},
	{Action: "logincookie", Request: blank[GetLoginCookie], Reply: blank[GetLoginCookieReply]},
	{Action: "getcookie", Request: blank[GetCookie], Reply: blank[GetCookieReply], Echo: EchoRequest},
	{Action: "urlargs", Request: blank[URLArgs], Replies: RepliesNever},
	{Action: "print", Request: blank[Print], Replies: RepliesNever},
	{Action: "userWebState", Request: blank[UserWebState], Replies: RepliesNever, Settings: true},
	{Action: "uicustomevent", Request: blank[SendUICustomEvent], Replies: RepliesNever},
	{Action: "satellite", Request: blank[Satellite], Replies: RepliesNever},
	{Action: "intersession", Request: blank[InterSession], Replies: RepliesNever},
	{Action: "interuser", Request: blank[InterUser], Replies: RepliesNever},
}

// blank makes an empty message of one type.
func blank[T any, P interface {
	*T
	Message
}]() Message {
	return P(new(T))
}

// Ping asks for a [Pong], in either direction, at any time after the login. Servers ping when their setting
// browserPing says so and do not look at the answer. (meshuser.js, serverCommandPing)
//
//	{"action":"ping"}
type Ping struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "ping".
func (*Ping) Action() string { return "ping" }
func (*Ping) reply() *Pong   { return new(Pong) }

// Pong answers a [Ping], or comes unasked. (meshuser.js, serverCommandPong)
//
//	{"action":"pong"}
type Pong struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "pong".
func (*Pong) Action() string { return "pong" }
func (*Pong) reply() *Result { return new(Result) }

// AuthCookie asks for the cookies with which this account opens further sockets to the server. No rights needed; always
// answered. (meshuser.js, serverCommandAuthCookie)
//
// The stock server looks at nothing in the request, and gives cookies that are good for all tunnels of the account. A server
// of this module gives those that are good for the named tunnel to the named device, once, if both are named: the cookie for
// the operator's end, and one for the device's that is taken in the request for this tunnel ([MsgTunnel]) and nowhere else.
//
//	{"action":"authcookie"}
//	{"action":"authcookie","nodeid":"node//...","tunnelid":"x"}
type AuthCookie struct {
	DeviceID ID                         `json:"nodeid"`
	TunnelID string                     `json:"tunnelid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "authcookie".
func (*AuthCookie) Action() string          { return "authcookie" }
func (*AuthCookie) reply() *AuthCookieReply { return new(AuthCookieReply) }

// AuthCookieReply answers [AuthCookie].
//
//	{"action":"authcookie","cookie":"...","rcookie":"..."}
type AuthCookieReply struct {
	Cookie      Secret                     `json:"cookie"`  // for "auth=", 60 minutes, may be bound to the client's address
	RelayCookie Secret                     `json:"rcookie"` // for "rauth=", 240 minutes
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "authcookie".
func (*AuthCookieReply) Action() string { return "authcookie" }

// GetLoginCookie, action "logincookie", asks for a cookie that logs this account in by URL. Silence unless the server's
// setting allowLoginToken is true. (meshuser.js, serverCommandLoginCookie)
//
//	{"action":"logincookie"}
type GetLoginCookie struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "logincookie".
func (*GetLoginCookie) Action() string              { return "logincookie" }
func (*GetLoginCookie) reply() *GetLoginCookieReply { return new(GetLoginCookieReply) }

// GetLoginCookieReply answers [GetLoginCookie].
//
//	{"action":"logincookie","cookie":"..."}
type GetLoginCookieReply struct {
	Cookie Secret                     `json:"cookie"` // for "login=" and "auth="
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "logincookie".
func (*GetLoginCookieReply) Action() string { return "logincookie" }

// GetCookie asks for a cookie that opens a tunnel to one device: for port forwarding, remote desktop and shells in
// pages. It takes [RemoteControl] on a visible device; refused in silence. The reply repeats the request. Tag is a
// member of this action with a meaning, so the request's [Correlation] must carry no tag. (meshuser.js,
// serverCommandGetCookie)
//
//	{"action":"getcookie","nodeid":"node//...","tcpport":3389,"tag":"mstsc","name":"pc1"}
type GetCookie struct {
	DeviceID  ID                         `json:"nodeid"` // with prefix and domain
	TCPAddr   string                     `json:"tcpaddr"`
	TCPPort   uint16                     `json:"tcpport"`
	Tag       string                     `json:"tag"` // "novnc", "mstsc", "ssh", "MCRouter": the part that asks
	Name      string                     `json:"name"`
	IP        string                     `json:"ip"`        // of the router tool, for itself
	Protocol  json.RawMessage            `json:"protocol"`  // of the router tool, for itself
	LocalPort json.RawMessage            `json:"localport"` // of the router tool, for itself
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "getcookie".
func (*GetCookie) Action() string         { return "getcookie" }
func (*GetCookie) reply() *GetCookieReply { return new(GetCookieReply) }

// GetCookieReply answers [GetCookie]: the request and these members.
//
//	{"action":"getcookie","nodeid":"node//...","tcpport":3389,"tag":"mstsc","cookie":"...","trustedCert":false}
type GetCookieReply struct {
	DeviceID    ID                         `json:"nodeid"`
	TCPAddr     string                     `json:"tcpaddr"`
	TCPPort     uint16                     `json:"tcpport"`
	Tag         string                     `json:"tag"`
	Name        string                     `json:"name"`
	IP          string                     `json:"ip"`
	Protocol    json.RawMessage            `json:"protocol"`
	LocalPort   json.RawMessage            `json:"localport"`
	Cookie      Secret                     `json:"cookie"`
	TrustedCert bool                       `json:"trustedCert,keep"` // the certificate of the server is not of its own making
	LocalRelay  bool                       `json:"localRelay"`       // the device has no agent: the server itself connects
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "getcookie".
func (*GetCookieReply) Action() string { return "getcookie" }

// URLArgs carries what else would stand in the query of the socket's address, credentials too, as the first message
// after "?moreargs=1". Later it is only printed on the server's console. (webserver.js, control.ashx; meshuser.js,
// serverCommandUrlArgs)
//
//	{"action":"urlargs","args":{"user":"admin","pass":"..."}}
type URLArgs struct {
	Args  map[string]Secret          `json:"args"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "urlargs".
func (*URLArgs) Action() string { return "urlargs" }
func (*URLArgs) reply() *Result { return new(Result) }

// Print has the server print a text on its console. No rights needed, no answer. (meshuser.js, serverCommandPrint)
//
//	{"action":"print","value":"hello"}
type Print struct {
	Value string                     `json:"value"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "print".
func (*Print) Action() string { return "print" }
func (*Print) reply() *Result { return new(Result) }

// UserWebState stores what the web pages remember about an account. Refused in silence with [SiteLockSettings]. The
// other sessions of the account get the event "userWebState". (meshuser.js, case 'userWebState')
//
//	{"action":"userWebState","state":"{\"webPageFullScreen\":true}"}
type UserWebState struct {
	State string                     `json:"state"` // JSON text, 1 to 30,000 characters
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "userWebState".
func (*UserWebState) Action() string { return "userWebState" }
func (*UserWebState) reply() *Result { return new(Result) }

// SendUICustomEvent, action "uicustomevent", tells the other sessions of the account, and plugins, of something that
// happened in a page, by the event "uicustomevent". Devices that the account does not see are left out; with none left
// there is no event. (meshuser.js, case 'uicustomevent')
//
//	{"action":"uicustomevent","section":"customicons","element":"0","src":{"selectedDevices":["node//..."]}}
type SendUICustomEvent struct {
	Section         string                     `json:"section"`
	Element         json.RawMessage            `json:"element"`
	Source          *UICustomSource            `json:"src"`
	SelectedDevices json.RawMessage            `json:"selectedDevices"`
	Values          json.RawMessage            `json:"values"`
	LogMsg          string                     `json:"logmsg"` // with one, the event is kept
	Extra           map[string]json.RawMessage `json:"-"`
}

// UICustomSource is where a [SendUICustomEvent] comes from.
type UICustomSource struct {
	SelectedDevices []ID                       `json:"selectedDevices"`
	Extra           map[string]json.RawMessage `json:"-"`
}

// Action is "uicustomevent".
func (*SendUICustomEvent) Action() string { return "uicustomevent" }
func (*SendUICustomEvent) reply() *Result { return new(Result) }

// Satellite declares a session of MeshCentral Satellite (SetFlags), or carries the answer of one to something the
// server asked. The server asks with the same action, only sessions that declared a matching flag. (meshuser.js, case
// 'satellite')
//
//	{"action":"satellite","setFlags":1}
//	{"action":"satellite","subaction":"802.1x-ProFile-Request","satelliteFlags":2,"nodeid":"node//...","reqid":"..."}
//	{"action":"satellite","subaction":"802.1x-ProFile-Completed","satelliteFlags":2,"nodeid":"node//...",
//	 "reqid":"...","response":{}}
type Satellite struct {
	SetFlags  *int                       `json:"setFlags"`
	SubAction string                     `json:"subaction"`
	Flags     *int                       `json:"satelliteFlags"`
	DeviceID  ID                         `json:"nodeid"`
	RequestID json.RawMessage            `json:"reqid"`
	Response  json.RawMessage            `json:"response"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "satellite".
func (*Satellite) Action() string { return "satellite" }
func (*Satellite) reply() *Result { return new(Result) }

// InterSession is sent on as it is to the other sessions of the same account; all of its members are the sender's. A
// server passes on the message, not this struct, so that "tag" and "responseid" stay too. (meshuser.js,
// serverCommandInterSession)
//
//	{"action":"intersession","anything":1}
type InterSession struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "intersession".
func (*InterSession) Action() string { return "intersession" }
func (*InterSession) reply() *Result { return new(Result) }

// InterUser sends data to a session (SessionID) or to all sessions (UserID) of an account, if the server's setting
// interUserMessaging lets one of the two; otherwise silence. Receivers get the same action with the sender's SessionID
// and Scope; the sender gets nothing. (meshuser.js, serverCommandInterUser)
//
//	client: {"action":"interuser","userid":"bob","data":{"hello":1}}
//	server: {"action":"interuser","sessionid":"user//ann/0123...","data":{"hello":1},"scope":"user"}
type InterUser struct {
	SessionID string                     `json:"sessionid"` // USERID/40 hex
	UserID    ID                         `json:"userid"`    // or the name alone
	Data      json.RawMessage            `json:"data"`
	Scope     string                     `json:"scope"` // "user" or "session": how it was addressed
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "interuser".
func (*InterUser) Action() string { return "interuser" }
func (*InterUser) reply() *Result { return new(Result) }
