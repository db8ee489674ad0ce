package controlproto

import "encoding/json"

var runActions = []Spec{
	{
		Action: "runcommands", Request: func() Message { return new(RunCommands) }, Replies: RepliesIfAsked,
		Echo: EchoResponseID, PerDevice: true,
	},
}

// CommandType is what runs the text of [RunCommands].
type CommandType int

// Values of [CommandType].
const (
	ShellDefault    CommandType = 0 // what is usual on the device's system
	ShellCmd        CommandType = 1 // cmd.exe
	ShellPowerShell CommandType = 2
	ShellUnix       CommandType = 3 // /bin/sh
	ShellAgent      CommandType = 4 // the console of the agent
)

// RunAs says as whom commands run.
type RunAs int

// Values of [RunAs].
const (
	RunAsAgent    RunAs = 0
	RunAsUser     RunAs = 1 // who is logged in, else the agent
	RunAsUserOnly RunAs = 2 // who is logged in, else not at all, and without an answer
)

// RunCommands runs commands on devices. Client to server. Needs [RemoteCommand], for [ShellAgent] both [RemoteControl]
// and [AgentConsole].
//
//	{"action":"runcommands","nodeids":["node//..."],"type":0,"cmds":"uname -s","runAsUser":0,"reply":true,"responseid":"x"}
//
// "responseid" must be a string. One answer for each device. Without Reply it is a [Result] with "OK" at once, and the
// output comes as [MsgConsole] to every session that may see the device, with "Run commands completed." at the end.
// With Reply it is a [MsgRunCommands] at the end, to all of those sessions too: a "responseid" that nobody guesses
// tells whose it is. Nothing comes from an agent that is busy with other commands, or that has no user to run as.
// Errors come as a [Result]: "Invalid nodeid", "Invalid domain", "Access denied", "Invalid command type", "Agent not
// connected". (meshuser.js, case 'runcommands')
type RunCommands struct {
	DeviceIDs []ID                       `json:"nodeids"`
	Preset    *int                       `json:"presetcmd"` // number of a script of the server's settings, instead of the rest
	Type      CommandType                `json:"type,keep"`
	Commands  string                     `json:"cmds"`    // at most 65535 characters
	Path      string                     `json:"cmdpath"` // or a file on the server
	RunAs     RunAs                      `json:"runAsUser,keep"`
	Reply     bool                       `json:"reply,keep"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "runcommands".
func (*RunCommands) Action() string { return "runcommands" }

func (*RunCommands) reply() *Result { return new(Result) }

// MsgRunCommands is all output of commands on one device, standard output and error mixed. Its "responseid" is that of
// the request. Device to operator. (meshcore.js, case 'runcommands')
//
//	{"action":"msg","type":"runcommands","result":"Linux\n","responseid":"x","nodeid":"node//..."}
type MsgRunCommands struct {
	DeviceID ID                         `json:"nodeid"`
	Result   string                     `json:"result,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*MsgRunCommands) Action() string { return "msg" }

// MsgType is "runcommands".
func (*MsgRunCommands) MsgType() string { return "runcommands" }
