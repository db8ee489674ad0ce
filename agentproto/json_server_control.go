package agentproto

import "encoding/json"

// newServerMessage gives an empty message for an action that servers send (meshcore.js, handleServerCommand), or nil. The
// types of "msg" are in newServerMsg.
func newServerMessage(action string) JSONMessage {
	switch action {
	case "ping":
		return new(Ping)
	case "pong":
		return new(Pong)
	case "serverInfo":
		return new(ServerInfo)
	case "sysinfo":
		return new(GetSysInfo)
	case "iplocation":
		return new(GetIPLocation)
	case "errorlog":
		return new(GetErrorLog)
	case "coredump":
		return new(SetCoreDump)
	case "getcoredump":
		return new(GetCoreDump)
	case "diagnostic":
		return new(DiagnosticQuery)
	case "amtconfig":
		return new(AMTConfig)
	case "acmactivate":
		return new(ACMActivate)
	case "agentupdate":
		return new(SelfUpdate)
	case "runcommands":
		return new(RunCommands)
	case "poweraction":
		return new(PowerAction)
	case "wakeonlan":
		return new(WakeOnLAN)
	case "toast":
		return new(Toast)
	case "openUrl":
		return new(OpenURL)
	case "uninstallagent":
		return new(UninstallAgent)
	case "wget":
		return new(FetchFile)
	case "plugin":
		return new(PluginCommand)
	case "getScript":
		return new(Script)
	case "meshToolInfo":
		return new(ToolInfo)
	case "getUserImage":
		return new(UserImage)
	case "getServerImage":
		return new(ServerImage)
	case "guestShare":
		return new(GuestShare)
	}
	return nil
}

// ServerInfo tells an agent what the server is set to.
//
//	{"action":"serverInfo","termlaunchcommand":{"linux":"/bin/bash -l"},"agentSelfGuestSharing":true}
//
// Direction: server to agent, each time the core is stable, often with nothing in it. meshagent.js, agentCoreIsStable.
type ServerInfo struct {
	TermLaunchCommand     *TermLaunchCommand
	AgentSelfGuestSharing bool
	Extra                 map[string]json.RawMessage
}

// TermLaunchCommand has the program that terminals start, per platform.
type TermLaunchCommand struct {
	Linux, Darwin, FreeBSD string

	Extra map[string]json.RawMessage
}

// Action is "serverInfo".
func (*ServerInfo) Action() string { return "serverInfo" }

func (m *ServerInfo) fields(c *jsonFields) {
	objectField(c, "termlaunchcommand", &m.TermLaunchCommand, (*TermLaunchCommand).fields)
	boolField(c, "agentSelfGuestSharing", &m.AgentSelfGuestSharing, false)
	c.extra(&m.Extra)
}

func (v *TermLaunchCommand) fields(c *jsonFields) {
	textField(c, "linux", &v.Linux, rulePath)
	textField(c, "darwin", &v.Darwin, rulePath)
	textField(c, "freebsd", &v.FreeBSD, rulePath)
	c.extra(&v.Extra)
}

// GetSysInfo asks for [SysInfo], unless the agent's own hash is Hash.
//
//	{"action":"sysinfo","hash":"9f.."}
//
// Direction: server to agent, each time the core is stable; without Hash when the server has none. Never wait for the
// answer: cores that cannot collect it stay silent. meshagent.js, agentCoreIsStable and case 'sysinfocheck'.
type GetSysInfo struct {
	Hash  string
	Extra map[string]json.RawMessage
}

// Action is "sysinfo".
func (*GetSysInfo) Action() string { return "sysinfo" }

func (m *GetSysInfo) fields(c *jsonFields) {
	textField(c, "hash", &m.Hash, ruleID)
	c.extra(&m.Extra)
}

// GetIPLocation asks for [IPLocation].
//
//	{"action":"iplocation"}
//
// Direction: server to agent, where the domain wants it, at most ten times a day for the whole server.
// meshagent.js, agentCoreIsStable.
type GetIPLocation struct {
	Extra map[string]json.RawMessage
}

// Action is "iplocation".
func (*GetIPLocation) Action() string { return "iplocation" }

func (m *GetIPLocation) fields(c *jsonFields) { c.extra(&m.Extra) }

// GetErrorLog asks for the [ErrorLog] after StartTime, or all of it.
//
//	{"action":"errorlog","startTime":1700000000}
//
// Direction: server to agent, each time the core is stable, if `agentErrorLog` is set. meshagent.js, agentCoreIsStable.
type GetErrorLog struct {
	StartTime *int64 // seconds since 1970
	Extra     map[string]json.RawMessage
}

// Action is "errorlog".
func (*GetErrorLog) Action() string { return "errorlog" }

func (m *GetErrorLog) fields(c *jsonFields) {
	optInt(c, "startTime", &m.StartTime)
	c.extra(&m.Extra)
}

// SetCoreDump turns memory dumps of the agent on or off.
//
//	{"action":"coredump","value":true}
//
// Direction: server to agent, each time the core is stable, if `agentCoreDump` is set. meshagent.js, agentCoreIsStable.
type SetCoreDump struct {
	Value bool
	Extra map[string]json.RawMessage
}

// Action is "coredump".
func (*SetCoreDump) Action() string { return "coredump" }

func (m *SetCoreDump) fields(c *jsonFields) {
	boolField(c, "value", &m.Value, true)
	c.extra(&m.Extra)
}

// GetCoreDump asks for [CoreDumpStatus].
//
//	{"action":"getcoredump"}
//
// Direction: server to agent, after [SetCoreDump]. meshagent.js, agentCoreIsStable.
type GetCoreDump struct {
	Extra map[string]json.RawMessage
}

// Action is "getcoredump".
func (*GetCoreDump) Action() string { return "getcoredump" }

func (m *GetCoreDump) fields(c *jsonFields) { c.extra(&m.Extra) }

// DiagnosticQuery tells a main agent of its recovery agent and the other way round.
//
//	{"action":"diagnostic","value":{"command":"query","value":"node//...","agent":true}}
//
// Direction: server to agent. To a recovery agent Value.Node is its main device, null if none, and Value.Agent tells whether
// that is connected; to a main agent it is the recovery agent. The native core does not handle it.
// meshagent.js, recoveryAgentCoreIsStable and agentCoreIsStable.
type DiagnosticQuery struct {
	Value *DiagnosticPeer
	Extra map[string]json.RawMessage
}

// DiagnosticPeer is the content of a [DiagnosticQuery].
type DiagnosticPeer struct {
	Command string
	Node    string // "value"; "" is written as null
	Agent   *bool
	Extra   map[string]json.RawMessage
}

// Action is "diagnostic".
func (*DiagnosticQuery) Action() string { return "diagnostic" }

func (m *DiagnosticQuery) fields(c *jsonFields) {
	objectField(c, "value", &m.Value, (*DiagnosticPeer).fields)
	c.extra(&m.Extra)
}

func (v *DiagnosticPeer) fields(c *jsonFields) {
	textField(c, "command", &v.Command, ruleID)
	if !c.reading && v.Node == "" {
		c.null("value")
	} else {
		textField(c, "value", &v.Node, ruleID)
	}
	optBool(c, "agent", &v.Agent)
	c.extra(&v.Extra)
}

// AMTConfig gives the login for an APF tunnel to /apf.ashx, by which the server manages the device's Intel AMT.
//
//	{"action":"amtconfig","user":"**MeshAgentApfTunnel**","pass":"<cookie>"}
//
// Direction: server to agent, when the core is stable and the group has an AMT policy, and as answer to
// [AMTConfigRequest]. meshagent.js, sendUpdatedIntelAmtPolicy; meshcore.js, case 'amtconfig'.
type AMTConfig struct {
	User  string
	Pass  Secret
	Extra map[string]json.RawMessage
}

// Action is "amtconfig".
func (*AMTConfig) Action() string { return "amtconfig" }

func (m *AMTConfig) fields(c *jsonFields) {
	textField(c, "user", &m.User, ruleID)
	secretField(c, "pass", &m.Pass, ruleURL)
	c.extra(&m.Extra)
}

// ACMActivate carries what Intel AMT needs for admin control mode.
//
//	{"action":"acmactivate","signature":"..","password":"<MD5 of user, realm, password>","nonce":"..","certs":["..",".."]}
//	{"action":"acmactivate","error":2,"errorText":"..."}
//
// Direction: server to agent. certoperations.js, signAcmRequest; meshcore.js, case 'acmactivate'.
type ACMActivate struct {
	Signature string
	Password  Secret
	Nonce     string
	Certs     []string
	Error     int64
	ErrorText string
	Extra     map[string]json.RawMessage
}

// Action is "acmactivate".
func (*ACMActivate) Action() string { return "acmactivate" }

func (m *ACMActivate) fields(c *jsonFields) {
	textField(c, "signature", &m.Signature, ruleURL)
	secretField(c, "password", &m.Password, ruleID)
	textField(c, "nonce", &m.Nonce, ruleID)
	textsField(c, "certs", &m.Certs, 16, ruleURL)
	intField(c, "error", &m.Error, false)
	textField(c, "errorText", &m.ErrorText, rulePath)
	c.extra(&m.Extra)
}

// SelfUpdate makes the core replace the agent's program.
//
//	{"action":"agentupdate","url":"*/meshagents?id=6","hash":"<96 digits>","servertlshash":"<96 digits>","sessionid":".."}
//
// Direction: server to agent. "*" is the server of the control channel. Hash is the SHA-384 of the file; on a mismatch the
// core tries three more times, a minute apart. It accepts the TLS certificate of the control channel, or ServerTLSHash. The
// answer is [SelfUpdateDownloaded]. meshagent.js, cases 'coreinfo' and 'agentupdate'; meshcore.js, agentUpdate_Start.
type SelfUpdate struct {
	URL           SecretURL
	Hash          string
	SessionID     string
	ServerTLSHash string
	Extra         map[string]json.RawMessage
}

// Action is "agentupdate".
func (*SelfUpdate) Action() string { return "agentupdate" }

func (m *SelfUpdate) fields(c *jsonFields) {
	urlField(c, "url", &m.URL, ruleURL)
	textField(c, "hash", &m.Hash, ruleID)
	textField(c, "sessionid", &m.SessionID, ruleID)
	textField(c, "servertlshash", &m.ServerTLSHash, ruleID)
	c.extra(&m.Extra)
}

// ShellType says which program runs the text of a [RunCommands].
type ShellType int64

// The shells. The stock server takes the agents 1 to 4 for Windows and all others, even 42 and 43, for not.
const (
	ShellCmd        ShellType = 1
	ShellPowerShell ShellType = 2
	ShellUnix       ShellType = 3
)

// RunAs says as whom a [RunCommands] runs.
type RunAs int64

// The users.
const (
	RunAsAgent       RunAs = 0
	RunAsUserOrAgent RunAs = 1 // the user at the console, if there is one
	RunAsUser        RunAs = 2 // that user, or nobody
)

// RunCommands runs commands in a shell.
//
//	{"action":"runcommands","type":3,"cmds":"uname -s","runAsUser":0,"reply":true,"responseid":"meshctrl"}
//
// Direction: server to agent. With Reply the answer is one [RunCommandsResult] at the end; the output goes to the consoles as
// [ConsoleOutput] in any case. One at a time: a busy core says so on the console and does not answer.
// meshuser.js, case 'runcommands'; meshcore.js, case 'runcommands'.
type RunCommands struct {
	Type       ShellType
	Cmds       string
	RunAsUser  RunAs
	Reply      bool
	ResponseID string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "runcommands".
func (*RunCommands) Action() string { return "runcommands" }

func (m *RunCommands) fields(c *jsonFields) {
	intField(c, "type", &m.Type, true)
	textField(c, "cmds", &m.Cmds, ruleInner.always())
	intField(c, "runAsUser", &m.RunAsUser, true)
	boolField(c, "reply", &m.Reply, true)
	textField(c, "responseid", &m.ResponseID, ruleID)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// PowerActionType is what a [PowerAction] does.
type PowerActionType int64

// The actions that reach agents. 302, 308 and 310 are done by the server, by Intel AMT.
const (
	PowerOff   PowerActionType = 2
	PowerReset PowerActionType = 3
	PowerSleep PowerActionType = 4
)

// PowerAction turns the device off, restarts it or puts it to sleep.
//
//	{"action":"poweraction","actiontype":3,"forced":1,"userid":"user//admin","username":"admin","remoteaddr":"127.0.0.1"}
//
// Direction: server to agent; there is no answer. meshuser.js, case 'poweraction'; meshcore.js, case 'poweraction'.
type PowerAction struct {
	Type   PowerActionType
	Forced bool
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "poweraction".
func (*PowerAction) Action() string { return "poweraction" }

func (m *PowerAction) fields(c *jsonFields) {
	intField(c, "actiontype", &m.Type, true)
	if c.reading || m.Forced { // the core compares with the number 1
		var forced int64
		if m.Forced {
			forced = 1
		}
		if raw := string(c.members["forced"]); raw == "true" || raw == "false" {
			boolField(c, "forced", &m.Forced, false)
		} else {
			intField(c, "forced", &forced, false)
			m.Forced = forced == 1
		}
	}
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// WakeOnLAN makes the agent send magic packets on all its interfaces, three times.
//
//	{"action":"wakeonlan","macs":["02FC00000001"]}
//
// Direction: server to agent; there is no answer. meshuser.js, case 'wakedevices'; meshcore.js, case 'wakeonlan'.
type WakeOnLAN struct {
	MACs  []string // hexadecimal, with or without colons
	Extra map[string]json.RawMessage
}

// Action is "wakeonlan".
func (*WakeOnLAN) Action() string { return "wakeonlan" }

func (m *WakeOnLAN) fields(c *jsonFields) {
	textsField(c, "macs", &m.MACs, 4096, ruleName)
	c.extra(&m.Extra)
}

// Toast shows a notice on the device.
//
//	{"action":"toast","title":"..","msg":"..","sessionid":"..","username":"admin","userid":"user//admin"}
//
// Direction: server to agent; there is no answer. meshuser.js, case 'toast'; meshcore.js, case 'toast'.
type Toast struct {
	Title string
	Msg   string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "toast".
func (*Toast) Action() string { return "toast" }

func (m *Toast) fields(c *jsonFields) {
	textField(c, "title", &m.Title, ruleInner)
	textField(c, "msg", &m.Msg, ruleInner)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// OpenURL opens a page in the local user's browser; the answer is [OpenURLResult].
//
//	{"action":"openUrl","url":"https://example.com","userid":"user//admin","username":"admin",...}
//
// Direction: server to agent. meshuser.js, routeCommandToNode; meshcore.js, case 'openUrl'.
type OpenURL struct {
	URL string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "openUrl".
func (*OpenURL) Action() string { return "openUrl" }

func (m *OpenURL) fields(c *jsonFields) {
	textField(c, "url", &m.URL, ruleURL)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// UninstallAgent makes an agent that runs as a service remove itself.
//
//	{"action":"uninstallagent"}
//
// Direction: server to agent; there is no answer. meshuser.js, case 'uninstallagent'; meshcore.js, case 'uninstallagent'.
type UninstallAgent struct {
	Extra map[string]json.RawMessage
}

// Action is "uninstallagent".
func (*UninstallAgent) Action() string { return "uninstallagent" }

func (m *UninstallAgent) fields(c *jsonFields) { c.extra(&m.Extra) }

// FetchFile makes the agent get a file from the server and store it: an upload to many devices at once.
//
//	{"action":"wget","userid":"user//admin",...,"overwrite":true,"createFolder":true,
//	 "urlpath":"/agentdownload.ashx?c=<cookie>","path":"/tmp/f.txt","folder":"/tmp","servertlshash":"cc1e.."}
//
// Direction: server to agent; there is no answer. At most five are under way at once. webserver.js, the upload handler of
// several devices; meshcore.js, serverFetchFile.
type FetchFile struct {
	URLPath       SecretURL // on the server of the control channel
	Path          string
	Folder        string
	ServerTLSHash string
	Overwrite     bool
	CreateFolder  bool
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "wget".
func (*FetchFile) Action() string { return "wget" }

func (m *FetchFile) fields(c *jsonFields) {
	boolField(c, "overwrite", &m.Overwrite, false)
	boolField(c, "createFolder", &m.CreateFolder, false)
	urlField(c, "urlpath", &m.URLPath, ruleURL)
	textField(c, "path", &m.Path, ruleURL)
	textField(c, "folder", &m.Folder, ruleURL)
	textField(c, "servertlshash", &m.ServerTLSHash, ruleID)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}

// PluginCommand is for the agent half of a plugin; everything but the name is the plugin's own.
//
//	{"action":"plugin","plugin":"eventlog",...}
//
// Direction: server to agent. meshcore.js, case 'plugin'.
type PluginCommand struct {
	Plugin string
	UserContext
	Extra map[string]json.RawMessage
}

// Action is "plugin".
func (*PluginCommand) Action() string { return "plugin" }

func (m *PluginCommand) fields(c *jsonFields) {
	textField(c, "plugin", &m.Plugin, ruleID)
	m.UserContext.fields(c)
	c.extra(&m.Extra)
}
