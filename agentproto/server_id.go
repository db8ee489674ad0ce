package agentproto

import "github.com/meshcentral-go/sdk/nodeid"

// ServerID (command 5) names the server that the agent was set up for: the ServerID of its .msh file. The agent sends
// it before its command 1. A server with several identities picks the one to prove by it.
//
//	0  2  00 05
//	2 48  key hash of the agent server certificate; a 32-byte one of the SHA-256 era is zero padded
//
// Confirmed in agentcore.c, MeshServer_ControlChannel_Connected, and meshagent.js, case 5.
type ServerID struct {
	ID nodeid.ServerID
}

const serverIDSize = 50

// Command returns [CmdServerID].
func (ServerID) Command() Command { return CmdServerID }

// AppendBinary appends the message. The error is always nil.
func (m ServerID) AppendBinary(b []byte) ([]byte, error) {
	return append(appendHeader(b, CmdServerID), m.ID[:]...), nil
}

// ParseServerID parses a command 5.
func ParseServerID(msg []byte) (m ServerID, err error) {
	if err := checkHeader(msg, CmdServerID, serverIDSize, serverIDSize); err != nil {
		return m, err
	}
	copy(m.ID[:], msg[2:])
	return m, nil
}
