package agentproto

import "fmt"

// Command is the number that a binary message starts with (agentcore.h, MeshCommands_Binary).
type Command uint16

// The binary commands. There are no others.
const (
	CmdAuthRequest          Command = 1  // both ways: certificate hash and nonce
	CmdAuthVerify           Command = 2  // both ways: certificate and signature
	CmdAuthInfo             Command = 3  // agent: who it is
	CmdAuthConfirm          Command = 4  // agent: skip your signature; server: you are logged in
	CmdServerID             Command = 5  // agent: the server it expects
	CmdCoreModule           Command = 10 // server: a core, or none to clear it
	CmdCoreHash             Command = 11 // server: asks; agent: tells
	CmdAgentHash            Command = 12 // server: asks; agent: tells
	CmdAgentUpdate          Command = 13 // server: start and end of an update
	CmdUpdateBlock          Command = 14 // server: a block; agent: its acknowledgement
	CmdAgentTag             Command = 15 // agent: its tag
	CmdCoreOK               Command = 16 // server: start the core you have
	CmdCompressedCoreModule Command = 20 // server: a deflated core
	CmdAgentCommitDate      Command = 30 // agent: when its source was committed
	CmdHostInfo             Command = 31 // agent: its operating system
)

var commandNames = map[Command]string{
	CmdAuthRequest: "AuthRequest", CmdAuthVerify: "AuthVerify", CmdAuthInfo: "AuthInfo", CmdAuthConfirm: "AuthConfirm",
	CmdServerID: "ServerID", CmdCoreModule: "CoreModule", CmdCoreHash: "CoreHash", CmdAgentHash: "AgentHash",
	CmdAgentUpdate: "AgentUpdate", CmdUpdateBlock: "UpdateBlock", CmdAgentTag: "AgentTag", CmdCoreOK: "CoreOK",
	CmdCompressedCoreModule: "CompressedCoreModule", CmdAgentCommitDate: "AgentCommitDate", CmdHostInfo: "HostInfo",
}

// String returns the name of a command, or its number.
func (c Command) String() string {
	if s, ok := commandNames[c]; ok {
		return s
	}
	return fmt.Sprintf("Command(%d)", uint16(c))
}

// IsJSON reports whether a message is JSON rather than a binary command: both sides look at the first byte only, in
// text and binary messages alike (meshagent.js, ws.on 'message'; agentcore.c, MeshServer_ProcessCommand).
func IsJSON(msg []byte) bool { return len(msg) > 0 && msg[0] == '{' }

// PeekCommand returns the command of a binary message. It fails on JSON and on messages under two bytes.
func PeekCommand(msg []byte) (Command, bool) {
	if len(msg) < 2 || IsJSON(msg) {
		return 0, false
	}
	return Command(msg[0])<<8 | Command(msg[1]), true
}
