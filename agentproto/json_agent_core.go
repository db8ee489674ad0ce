package agentproto

import "encoding/json"

// newAgentMessage gives an empty message for an action that agents send (meshagent.js, processAgentData), or nil. The
// types of "msg" are in newAgentMsg.
func newAgentMessage(action string) JSONMessage {
	switch action {
	case "agentName":
		return new(AgentName)
	case "coreinfo":
		return new(CoreInfo)
	case "netinfo":
		return new(NetInfo)
	case "sysinfo":
		return new(SysInfo)
	case "sysinfocheck":
		return new(SysInfoCheck)
	case "smbios":
		return new(SMBIOSReport)
	case "iplocation":
		return new(IPLocation)
	case "battery":
		return new(Battery)
	case "lmsinfo":
		return new(LMSInfo)
	case "log":
		return new(LogEvent)
	case "sessions":
		return new(AgentSessions)
	case "errorlog":
		return new(ErrorLog)
	case "tunnelCloseStats":
		return new(TunnelCloseStats)
	case "openUrl":
		return new(OpenURLResult)
	case "getcoredump":
		return new(CoreDumpStatus)
	case "diagnostic":
		return new(DiagnosticReport)
	case "mc1migration":
		return new(MC1Migration)
	case "ping":
		return new(Ping)
	case "pong":
		return new(Pong)
	case "getScript":
		return new(GetScript)
	case "amtconfig":
		return new(AMTConfigRequest)
	case "meshToolInfo":
		return new(ToolInfoRequest)
	case "agentupdate":
		return new(SelfUpdateRequest)
	case "agentupdatedownloaded":
		return new(SelfUpdateDownloaded)
	case "2faauth":
		return new(TwoFactorAnswer)
	case "getUserImage":
		return new(GetUserImage)
	case "getServerImage":
		return new(GetServerImage)
	case "guestShare":
		return new(GuestShareRequest)
	case "plugin":
		return new(PluginReport)
	case "script-task":
		return new(ScriptTask)
	}
	return nil
}

// AgentName is the name an agent would like its device to have.
//
//	{"action":"agentName","value":"Front desk"}
//
// Direction: agent to server, only BEFORE authentication completes: the native agent sends it just before command 3. The
// server takes 1 to 255 characters and uses it for new devices, and for known ones in groups with flags 2 and 8.
// meshagent.js, the message handler before state 2; agentcore.c, MeshServer_SendAgentInfo.
type AgentName struct {
	Value AgentString
	Extra map[string]json.RawMessage
}

// Action is "agentName".
func (*AgentName) Action() string { return "agentName" }

func (m *AgentName) fields(c *jsonFields) {
	textField(c, "value", &m.Value, textRule{limit: 255, keep: true})
	c.extra(&m.Extra)
}

// CoreInfo describes the device and its core.
//
//	{"action":"coreinfo","caps":15,"osdesc":"Debian GNU/Linux 12 (bookworm)","root":true,"value":"Nov 21 2022, 2189501291"}
//
// Direction: agent to server, by the core as soon as the agent is connected, half a second after a change, and every 20
// minutes if something changed. Any subset of the fields may be present; a server updates what it got.
//
// Value and Caps belong together: the stock server looks at Value only when Caps is present, and Caps without Value clears
// the stored description. The bits 8 and 16 of Caps are ignored here; only command 3 sets them.
// meshagent.js, ChangeAgentCoreInfo; meshcore.js, meshCoreObj.
type CoreInfo struct {
	Caps           *Capabilities
	Value          AgentString // description of the core
	OSDesc         AgentString // of the operating system
	Root           *bool       // whether the agent runs with full rights
	Name           AgentString // renames the device
	Users          []AgentString
	LUsers         []AgentString // as Users, with the domain or the machine in front
	IntelAMT       *IntelAMT
	AV             []AntiVirus
	WSC            json.RawMessage // Windows Security Center, {"firewall","antiVirus","autoUpdate":"OK"}
	Defender       json.RawMessage // {"RealTimeProtection":true,"TamperProtected":true}
	LastBootUpTime *int64          // milliseconds since 1970
	PushToken      Secret          // Firebase token of a mobile agent ("pmt")
	Extra          map[string]json.RawMessage
}

// IntelAMT is what the management engine of a device told its agent.
type IntelAMT struct {
	Versions          map[AgentString]AgentString // such as "AMT": "15.0.22", "Sku": "16392"
	ProvisioningState *int64                      // 0 pre, 1 in, 2 activated
	Flags             *uint32
	UUID              AgentString
	Extra             map[string]json.RawMessage
}

// AntiVirus is one product known to Windows.
type AntiVirus struct {
	Product AgentString
	Updated *bool
	Enabled *bool
	Extra   map[string]json.RawMessage
}

// Action is "coreinfo".
func (*CoreInfo) Action() string { return "coreinfo" }

func (m *CoreInfo) fields(c *jsonFields) {
	c.lenient = true
	optBits(c, "caps", &m.Caps)
	textField(c, "value", &m.Value, ruleLine)
	textField(c, "osdesc", &m.OSDesc, ruleLine)
	optBool(c, "root", &m.Root)
	textField(c, "name", &m.Name, ruleName)
	textsField(c, "users", &m.Users, 4096, ruleName)
	textsField(c, "lusers", &m.LUsers, 4096, ruleName)
	objectField(c, "intelamt", &m.IntelAMT, (*IntelAMT).fields)
	objectsField(c, "av", &m.AV, 64, (*AntiVirus).fields)
	rawField(c, "wsc", &m.WSC)
	rawField(c, "defender", &m.Defender)
	optInt(c, "lastbootuptime", &m.LastBootUpTime)
	secretField(c, "pmt", &m.PushToken, textRule{limit: 4096, exact: true})
	c.extra(&m.Extra)
}

func (v *IntelAMT) fields(c *jsonFields) {
	textMapField(c, "Versions", &v.Versions, 64)
	optInt(c, "ProvisioningState", &v.ProvisioningState)
	optBits(c, "Flags", &v.Flags)
	textField(c, "UUID", &v.UUID, ruleName)
	c.extra(&v.Extra)
}

func (v *AntiVirus) fields(c *jsonFields) {
	textField(c, "product", &v.Product, ruleName)
	optBool(c, "updated", &v.Updated)
	optBool(c, "enabled", &v.Enabled)
	c.extra(&v.Extra)
}

// textMapField is an object whose members are all strings.
func textMapField(c *jsonFields, name string, p *map[AgentString]AgentString, limit int) {
	if !c.reading {
		if *p != nil {
			c.name(name)
			c.writeObject(name, func(sub *jsonFields) {
				for _, k := range sortedKeys(*p) {
					v := (*p)[k]
					textField(sub, string(k), &v, ruleLine.always())
				}
			})
		}
		return
	}
	if raw := c.members[name]; c.err == nil && len(raw) > 0 && c.agent {
		// Cleaned, two names can be one. Which member counts must not depend on whether the whole went through Extra.
		c.members[name] = c.cleanRaw(name, raw)
	}
	raw, members, ok := c.object(name, limit)
	if !ok {
		return
	}
	m := make(map[AgentString]AgentString, len(members))
	for _, k := range sortedKeys(members) {
		s := ""
		if string(members[k]) != "null" {
			var wrong *JSONError
			if s, wrong = c.decodeText(members[k], ruleLine); wrong != nil {
				c.mismatch(name, raw, wrong)
				return
			}
		}
		m[CleanAgentString(k, ruleName.limit)] = AgentString(s)
	}
	*p = m
}
