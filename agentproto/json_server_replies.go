package agentproto

import "encoding/json"

// ruleDocument is for scripts and pictures that a server sends.
var ruleDocument = textRule{limit: 6 << 20, exact: true}

// Script answers [GetScript].
//
//	{"action":"getScript","type":1,"script":"..."}
//
// Direction: server to agent. meshagent.js, case 'getScript'.
type Script struct {
	Type   int64
	Script string
	Extra  map[string]json.RawMessage
}

// Action is "getScript".
func (*Script) Action() string { return "getScript" }

func (m *Script) fields(c *jsonFields) {
	intField(c, "type", &m.Type, true)
	textField(c, "script", &m.Script, ruleDocument.always())
	c.extra(&m.Extra)
}

// ToolInfo answers [ToolInfoRequest].
//
//	{"action":"meshToolInfo","name":"MeshCentralAssistant","tag":"info","sessionid":"..","hash":"..","size":2358544,
//	 "url":"*/meshagents?id=10006&auth=<cookie>","pipe":true,"serverhash":".."}
//
// Direction: server to agent; the only message that the stock server sends as TEXT. ServerHash is the key hash of the web
// certificate. meshagent.js, case 'meshToolInfo'.
type ToolInfo struct {
	Name       string
	Tag        json.RawMessage
	SessionID  string
	Hash       string
	Size       int64
	URL        SecretURL
	Pipe       bool
	ServerHash string
	Extra      map[string]json.RawMessage
}

// Action is "meshToolInfo".
func (*ToolInfo) Action() string { return "meshToolInfo" }

func (m *ToolInfo) fields(c *jsonFields) {
	textField(c, "name", &m.Name, ruleID)
	rawField(c, "tag", &m.Tag)
	textField(c, "sessionid", &m.SessionID, ruleID)
	textField(c, "hash", &m.Hash, ruleID)
	intField(c, "size", &m.Size, false)
	urlField(c, "url", &m.URL, ruleURL)
	boolField(c, "pipe", &m.Pipe, false)
	textField(c, "serverhash", &m.ServerHash, ruleID)
	c.extra(&m.Extra)
}

// UserImage answers [GetUserImage], all of whose fields it repeats.
//
//	{"action":"getUserImage","userid":"user//admin","promise":123456,"sentDefault":true,"name":"admin","realname":"Ann",
//	 "image":"data:image/png;base64,..."}
//
// Direction: server to agent. Without a user id it is the default picture. meshagent.js, case 'getUserImage'.
type UserImage struct {
	SessionID   string
	UserID      string
	Promise     json.RawMessage
	Default     bool
	SentDefault bool
	Pipe        bool
	Tag         json.RawMessage
	Name        string
	RealName    string
	Image       string // a data URL
	Extra       map[string]json.RawMessage
}

// Action is "getUserImage".
func (*UserImage) Action() string { return "getUserImage" }

func (m *UserImage) fields(c *jsonFields) {
	textField(c, "sessionid", &m.SessionID, ruleID)
	textField(c, "userid", &m.UserID, ruleID)
	rawField(c, "promise", &m.Promise)
	boolField(c, "default", &m.Default, false)
	boolField(c, "sentDefault", &m.SentDefault, false)
	boolField(c, "pipe", &m.Pipe, false)
	rawField(c, "tag", &m.Tag)
	textField(c, "name", &m.Name, ruleLine)
	textField(c, "realname", &m.RealName, ruleLine)
	textField(c, "image", &m.Image, ruleDocument)
	c.extra(&m.Extra)
}

// ServerImage answers [GetServerImage].
//
//	{"action":"getServerImage","agent":"assistant","title":"..","subtitle":"..","image":"data:image/jpeg;base64,..."}
//
// Direction: server to agent. meshagent.js, case 'getServerImage'.
type ServerImage struct {
	Agent    string
	Title    string
	Subtitle string
	Image    string // a data URL
	Extra    map[string]json.RawMessage
}

// Action is "getServerImage".
func (*ServerImage) Action() string { return "getServerImage" }

func (m *ServerImage) fields(c *jsonFields) {
	textField(c, "agent", &m.Agent, ruleID)
	textField(c, "title", &m.Title, rulePath)
	textField(c, "subtitle", &m.Subtitle, rulePath)
	textField(c, "image", &m.Image, ruleDocument)
	c.extra(&m.Extra)
}

// GuestShare answers [GuestShareRequest].
//
//	{"action":"guestShare","url":"https://.../sharing?c=<cookie>","flags":2,"viewOnly":true}
//	{"action":"guestShare","url":null,"flags":0,"viewOnly":false}
//
// Direction: server to agent. Who has the URL has the device. meshagent.js, case 'guestShare'.
type GuestShare struct {
	URL      SecretURL
	Flags    uint32
	ViewOnly bool
	Extra    map[string]json.RawMessage
}

// Action is "guestShare".
func (*GuestShare) Action() string { return "guestShare" }

func (m *GuestShare) fields(c *jsonFields) {
	if !c.reading && m.URL.Reveal() == "" {
		c.null("url")
	} else {
		urlField(c, "url", &m.URL, ruleURL)
	}
	bitsField(c, "flags", &m.Flags, true)
	boolField(c, "viewOnly", &m.ViewOnly, true)
	c.extra(&m.Extra)
}
