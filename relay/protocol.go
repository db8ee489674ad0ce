package relay

import "fmt"

// Protocol is what goes through a tunnel: the number in the query of its URL ("p"), which is for records and accounts
// only, and the first thing an operator says in it, which decides.
type Protocol int

// Protocols. A device's agent knows 1 to 10, the others are numbers of the server for what it does itself.
//
// Confirmed in meshcore.js, onTunnelData, and meshrelay.js.
const (
	ProtocolNone           Protocol = 0 // not said: TCP and UDP tunnels
	ProtocolTerminal       Protocol = 1 // a shell of the agent's own account
	ProtocolDesktop        Protocol = 2
	ProtocolFiles          Protocol = 5
	ProtocolPowerShell     Protocol = 6 // a shell elsewhere than on Windows
	ProtocolPlugin         Protocol = 7
	ProtocolUserTerminal   Protocol = 8 // as the user who is logged in
	ProtocolUserPowerShell Protocol = 9
	ProtocolFile           Protocol = 10 // one file, to a browser; in URLs: RDP through the server
	ProtocolWebSSH         Protocol = 11
	ProtocolWebVNC         Protocol = 12
	ProtocolWebSFTP        Protocol = 13
	ProtocolWebTCP         Protocol = 14
	ProtocolAMT            Protocol = 100
	ProtocolAMTRedirection Protocol = 101
	ProtocolMessenger      Protocol = 200
)

var protocolNames = map[Protocol]string{
	ProtocolNone: "none", ProtocolTerminal: "terminal", ProtocolDesktop: "desktop", ProtocolFiles: "files",
	ProtocolPowerShell: "powershell", ProtocolPlugin: "plugin", ProtocolUserTerminal: "user terminal",
	ProtocolUserPowerShell: "user powershell", ProtocolFile: "file", ProtocolWebSSH: "web ssh", ProtocolWebVNC: "web vnc",
	ProtocolWebSFTP: "web sftp", ProtocolWebTCP: "web tcp", ProtocolAMT: "amt", ProtocolAMTRedirection: "amt redirection",
	ProtocolMessenger: "messenger",
}

// String returns a word for the protocol, or its number.
func (p Protocol) String() string {
	if s, ok := protocolNames[p]; ok {
		return s
	}
	return fmt.Sprintf("Protocol(%d)", int(p))
}

// Terminal says whether the protocol is one of the shells.
func (p Protocol) Terminal() bool {
	return p == ProtocolTerminal || p == ProtocolPowerShell || p == ProtocolUserTerminal || p == ProtocolUserPowerShell
}
