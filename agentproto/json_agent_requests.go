package agentproto

import "encoding/json"

// GetScript asks for a script; the answer is [Script].
//
//	{"action":"getScript","type":1}
//
// Direction: agent to server. Type 1 sets up Intel AMT's CIRA, type 2 removes it. The core sends the number as a string.
// meshagent.js, processAgentData; meshcore.js, console command "getscript".
type GetScript struct {
	Type  int64
	Extra map[string]json.RawMessage
}

// Action is "getScript".
func (*GetScript) Action() string { return "getScript" }

func (m *GetScript) fields(c *jsonFields) {
	intField(c, "type", &m.Type, true)
	c.extra(&m.Extra)
}

// AMTConfigRequest asks for the login of an APF tunnel; the answer is [AMTConfig].
//
//	{"action":"amtconfig"}
//
// Direction: agent to server, by the console command "amtconfig". meshagent.js, processAgentData.
type AMTConfigRequest struct {
	Extra map[string]json.RawMessage
}

// Action is "amtconfig".
func (*AMTConfigRequest) Action() string { return "amtconfig" }

func (m *AMTConfigRequest) fields(c *jsonFields) { c.extra(&m.Extra) }

// ToolInfoRequest asks for version and address of a tool; the answer is [ToolInfo], or none if Hash is the current one.
//
//	{"action":"meshToolInfo","name":"MeshCentralAssistant","hash":"..","cookie":true,"pipe":true,"tag":"info","msh":true}
//
// Direction: agent to server. Name is MeshCentralRouter or MeshCentralAssistant (any other makes the stock handler throw);
// Cookie asks for an address that works without login; MSH for one with the group's settings in it; Pipe and Tag come back.
// meshagent.js, processAgentData; meshcore.js, DAIPC and console command "assistant".
type ToolInfoRequest struct {
	SessionID AgentString
	Name      AgentString
	Hash      AgentString
	Cookie    bool
	Pipe      bool
	MSH       bool
	Tag       json.RawMessage
	Extra     map[string]json.RawMessage
}

// Action is "meshToolInfo".
func (*ToolInfoRequest) Action() string { return "meshToolInfo" }

func (m *ToolInfoRequest) fields(c *jsonFields) {
	textField(c, "sessionid", &m.SessionID, ruleID)
	textField(c, "name", &m.Name, ruleName)
	textField(c, "hash", &m.Hash, ruleID)
	boolField(c, "cookie", &m.Cookie, false)
	boolField(c, "pipe", &m.Pipe, false)
	boolField(c, "msh", &m.MSH, false)
	rawField(c, "tag", &m.Tag)
	c.extra(&m.Extra)
}

// SelfUpdateRequest asks for a [SelfUpdate].
//
//	{"action":"agentupdate","sessionid":"..."}
//
// Direction: agent to server, by the console command "agentupdate". meshagent.js, processAgentData.
type SelfUpdateRequest struct {
	SessionID AgentString
	Extra     map[string]json.RawMessage
}

// Action is "agentupdate".
func (*SelfUpdateRequest) Action() string { return "agentupdate" }

func (m *SelfUpdateRequest) fields(c *jsonFields) {
	textField(c, "sessionid", &m.SessionID, ruleID)
	c.extra(&m.Extra)
}

// SelfUpdateDownloaded tells that the file of a [SelfUpdate] is there and has the right hash; the agent restarts next.
//
//	{"action":"agentupdatedownloaded"}
//
// Direction: agent to server. meshagent.js, processAgentData; meshcore.js, agentUpdate_Start.
type SelfUpdateDownloaded struct {
	Extra map[string]json.RawMessage
}

// Action is "agentupdatedownloaded".
func (*SelfUpdateDownloaded) Action() string { return "agentupdatedownloaded" }

func (m *SelfUpdateDownloaded) fields(c *jsonFields) { c.extra(&m.Extra) }

// TwoFactorAnswer is what the user of a mobile device said to a login request that was pushed there.
//
//	{"action":"2faauth","url":"2fa://auth?code=123456&c=<cookie>","approved":true}
//
// Direction: agent to server. The cookie proves what was asked. meshagent.js, processAgentData.
type TwoFactorAnswer struct {
	URL      SecretURL
	Approved bool
	Extra    map[string]json.RawMessage
}

// Action is "2faauth".
func (*TwoFactorAnswer) Action() string { return "2faauth" }

func (m *TwoFactorAnswer) fields(c *jsonFields) {
	urlField(c, "url", &m.URL, ruleURL)
	boolField(c, "approved", &m.Approved, true)
	c.extra(&m.Extra)
}

// GetUserImage asks for the picture of a user, to show who is about to connect; the answer is [UserImage] with all fields
// of this one.
//
//	{"action":"getUserImage","userid":"user//admin","promise":123456,"sentDefault":true}
//
// Direction: agent to server. Only users with rights to the device are answered. meshagent.js, processAgentData;
// meshcore.js, server_getUserImage.
type GetUserImage struct {
	SessionID   AgentString
	UserID      AgentString
	Promise     json.RawMessage
	Default     bool // send a default picture if there is none
	SentDefault bool // the same; this is what the core sends
	Pipe        bool
	Tag         json.RawMessage
	Extra       map[string]json.RawMessage
}

// Action is "getUserImage".
func (*GetUserImage) Action() string { return "getUserImage" }

func (m *GetUserImage) fields(c *jsonFields) {
	textField(c, "sessionid", &m.SessionID, ruleID)
	textField(c, "userid", &m.UserID, ruleID)
	rawField(c, "promise", &m.Promise)
	boolField(c, "default", &m.Default, false)
	boolField(c, "sentDefault", &m.SentDefault, false)
	boolField(c, "pipe", &m.Pipe, false)
	rawField(c, "tag", &m.Tag)
	c.extra(&m.Extra)
}

// GetServerImage asks for the branding of the server; the answer is [ServerImage], or none without branding.
//
//	{"action":"getServerImage","agent":"assistant"}
//
// Direction: agent to server, by MeshCentral Assistant ("assistant") and the Android agent ("android").
// meshagent.js, processAgentData.
type GetServerImage struct {
	Agent AgentString
	Extra map[string]json.RawMessage
}

// Action is "getServerImage".
func (*GetServerImage) Action() string { return "getServerImage" }

func (m *GetServerImage) fields(c *jsonFields) {
	textField(c, "agent", &m.Agent, ruleName)
	c.extra(&m.Extra)
}

// GuestShareRequest starts or ends a share of the device by its own user; the answer is [GuestShare].
//
//	{"action":"guestShare","flags":2,"viewOnly":true}
//
// Direction: agent to server. Flags: 1 terminal, 2 desktop, 4 files; 0 ends the share. Needs the domain's
// agentSelfGuestSharing. meshagent.js, processAgentData.
type GuestShareRequest struct {
	Flags    uint32
	ViewOnly *bool
	Extra    map[string]json.RawMessage
}

// Action is "guestShare".
func (*GuestShareRequest) Action() string { return "guestShare" }

func (m *GuestShareRequest) fields(c *jsonFields) {
	bitsField(c, "flags", &m.Flags, true)
	optBool(c, "viewOnly", &m.ViewOnly)
	c.extra(&m.Extra)
}

// PluginReport is for the server half of a plugin; everything but the name is the plugin's own.
//
//	{"action":"plugin","plugin":"eventlog",...}
//
// Direction: agent to server. meshagent.js, processAgentData.
type PluginReport struct {
	Plugin    AgentString
	SessionID AgentString
	Extra     map[string]json.RawMessage
}

// Action is "plugin".
func (*PluginReport) Action() string { return "plugin" }

func (m *PluginReport) fields(c *jsonFields) {
	textField(c, "plugin", &m.Plugin, ruleName)
	textField(c, "sessionid", &m.SessionID, ruleID)
	c.extra(&m.Extra)
}

// ScriptTask is for the server's task manager; all of it is the task manager's own.
//
//	{"action":"script-task",...}
//
// Direction: agent to server. meshagent.js, processAgentData.
type ScriptTask struct {
	Extra map[string]json.RawMessage
}

// Action is "script-task".
func (*ScriptTask) Action() string { return "script-task" }

func (m *ScriptTask) fields(c *jsonFields) { c.extra(&m.Extra) }
