package controlproto

import "encoding/json"

// Plugins are for full administrators of servers that have them switched on; all of this is silent otherwise.
var pluginActions = []Spec{
	{
		Action: "plugins", Request: func() Message { return new(Plugins) },
		Reply: func() Message { return new(PluginList) }, Full: true,
	},
	{
		Action: "pluginLatestCheck", Request: func() Message { return new(PluginLatestCheck) },
		Reply: func() Message { return new(PluginVersionsAvailable) }, Full: true, ErrorAs: []string{"pluginError"},
	},
	{
		Action: "addplugin", Request: func() Message { return new(AddPlugin) }, Replies: RepliesNever, Full: true,
		ErrorAs: []string{"pluginError"},
	},
	{
		Action: "installplugin", Request: func() Message { return new(InstallPlugin) },
		Reply: func() Message { return new(PluginList) }, Full: true,
	},
	{
		Action: "disableplugin", Request: func() Message { return new(DisablePlugin) },
		Reply: func() Message { return new(PluginList) }, Full: true,
	},
	{
		Action: "removeplugin", Request: func() Message { return new(RemovePlugin) },
		Reply: func() Message { return new(PluginList) }, Full: true,
	},
	{
		Action: "getpluginversions", Request: func() Message { return new(GetPluginVersions) },
		Reply: func() Message { return new(DowngradePluginVersions) }, Full: true, ErrorAs: []string{"pluginError"},
	},
	{Action: "plugin", Request: func() Message { return new(Plugin) }, Replies: RepliesNever},
}

// Plugins asks which plugins there are. Client to server. (meshuser.js, case 'plugins')
//
//	{"action":"plugins"}
type Plugins struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "plugins".
func (*Plugins) Action() string { return "plugins" }

func (*Plugins) reply() *PluginList { return new(PluginList) }

// PluginList lists them, after a change too. Server to client.
//
//	{"action":"updatePluginList","list":[{"_id":"...","name":"...","version":"1.0.0","status":1}],"result":null}
type PluginList struct {
	Plugins []PluginRecord             `json:"list"`
	Result  json.RawMessage            `json:"result"` // an error of the database
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "updatePluginList".
func (*PluginList) Action() string { return "updatePluginList" }

// PluginRecord is one of a [PluginList].
type PluginRecord struct {
	ID          string                     `json:"_id"`
	Name        string                     `json:"name"`
	ShortName   string                     `json:"shortName"`
	Version     string                     `json:"version"`
	Description string                     `json:"description"`
	Homepage    string                     `json:"homepage"`
	ConfigURL   string                     `json:"configUrl"`
	Status      int                        `json:"status,keep"` // 1 enabled
	Extra       map[string]json.RawMessage `json:"-"`
}

// PluginLatestCheck asks which plugins have newer versions. Client to server. (meshuser.js, case 'pluginLatestCheck')
//
//	{"action":"pluginLatestCheck"}
type PluginLatestCheck struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "pluginLatestCheck".
func (*PluginLatestCheck) Action() string { return "pluginLatestCheck" }

func (*PluginLatestCheck) reply() *PluginVersionsAvailable { return new(PluginVersionsAvailable) }

// PluginVersionsAvailable lists newer versions. Server to client.
//
//	{"action":"pluginVersionsAvailable","list":[{"id":"...","installedVersion":"1.0.0","version":"1.1.0","hasUpdate":true}]}
type PluginVersionsAvailable struct {
	List  []json.RawMessage          `json:"list"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "pluginVersionsAvailable".
func (*PluginVersionsAvailable) Action() string { return "pluginVersionsAvailable" }

// AddPlugin adds a plugin by the URL of its description. Client to server. An [UpdatePluginListEvent] or a
// [PluginError] follows. (meshuser.js, case 'addplugin')
//
//	{"action":"addplugin","url":"https://.../config.json"}
type AddPlugin struct {
	URL   string                     `json:"url"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "addplugin".
func (*AddPlugin) Action() string { return "addplugin" }

func (*AddPlugin) reply() *Result { return new(Result) }

// InstallPlugin installs a plugin. Client to server. (meshuser.js, case 'installplugin')
//
//	{"action":"installplugin","id":"..."}
type InstallPlugin struct {
	ID      string                     `json:"id"`
	Version json.RawMessage            `json:"version_only"` // one of DowngradePluginVersions; nil: the newest
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "installplugin".
func (*InstallPlugin) Action() string { return "installplugin" }

func (*InstallPlugin) reply() *PluginList { return new(PluginList) }

// DisablePlugin switches a plugin off. Client to server. (meshuser.js, case 'disableplugin')
//
//	{"action":"disableplugin","id":"..."}
type DisablePlugin struct {
	ID    string                     `json:"id"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "disableplugin".
func (*DisablePlugin) Action() string { return "disableplugin" }

func (*DisablePlugin) reply() *PluginList { return new(PluginList) }

// RemovePlugin removes a plugin. Client to server. (meshuser.js, case 'removeplugin')
//
//	{"action":"removeplugin","id":"..."}
type RemovePlugin struct {
	ID    string                     `json:"id"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "removeplugin".
func (*RemovePlugin) Action() string { return "removeplugin" }

func (*RemovePlugin) reply() *PluginList { return new(PluginList) }

// GetPluginVersions asks for the older versions of a plugin. Client to server. (meshuser.js, case 'getpluginversions')
//
//	{"action":"getpluginversions","id":"..."}
type GetPluginVersions struct {
	ID    string                     `json:"id"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "getpluginversions".
func (*GetPluginVersions) Action() string { return "getpluginversions" }

func (*GetPluginVersions) reply() *DowngradePluginVersions { return new(DowngradePluginVersions) }

// DowngradePluginVersions lists the versions of a plugin. Server to client.
//
//	{"action":"downgradePluginVersions","info":{"id":"...","name":"...","versionList":[...]},"error":null}
type DowngradePluginVersions struct {
	Info  json.RawMessage            `json:"info"`
	Error json.RawMessage            `json:"error"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "downgradePluginVersions".
func (*DowngradePluginVersions) Action() string { return "downgradePluginVersions" }

// PluginError tells what went wrong with a plugin. Server to client.
//
//	{"action":"pluginError","msg":"..."}
type PluginError struct {
	Msg   string                     `json:"msg"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "pluginError".
func (*PluginError) Action() string { return "pluginError" }

// Plugin is a message to a plugin's code on the server, or on a device's agent with RouteToDevice; and from there. What
// else is in it is the plugin's own matter and in Extra. Both directions; any account. (meshuser.js, case 'plugin')
//
//	{"action":"plugin","plugin":"name","routeToNode":true,"nodeid":"node//...","pluginaction":"x"}
type Plugin struct {
	Name          string                     `json:"plugin"`
	RouteToDevice bool                       `json:"routeToNode"`
	DeviceID      ID                         `json:"nodeid"`
	Extra         map[string]json.RawMessage `json:"-"`
}

// Action is "plugin".
func (*Plugin) Action() string { return "plugin" }

func (*Plugin) reply() *Plugin { return new(Plugin) }
