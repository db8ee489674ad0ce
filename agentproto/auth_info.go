package agentproto

import (
	"encoding/binary"
	"math"

	"github.com/meshcentral-go/sdk/nodeid"
)

// AuthInfo (command 3) says who the agent is. The agent sends it once: after it verified the server's signature, or,
// in the short form of the login, right after its command 1.
//
//	 0  2  00 03
//	 2  4  version of this structure, 1
//	 6  4  agent id: operating system and architecture
//	10  4  version of the agent, 0 in native ones
//	14  4  platform type: the device's icon
//	18 48  device group; a 32-byte id of the SHA-256 era is zero padded
//	66  4  capabilities
//	70  2  length of the name; may be missing, with the name
//	72  *  computer name, UTF-8
//
// A name longer than what is there is cut in silence by the stock server; here it is an error.
//
// Confirmed in agentcore.c, MeshServer_SendAgentInfo, and meshagent.js, case 3.
type AuthInfo struct {
	InfoVersion  uint32
	AgentID      AgentID
	AgentVersion uint32
	Platform     PlatformType
	Group        nodeid.MeshID
	Capabilities Capabilities
	Name         []byte // aliases the message when parsed; not sanitised
}

const (
	authInfoFixed = 72
	// maxComputerName is far over the 255 bytes of native agents.
	maxComputerName = 1024
)

// Command returns [CmdAuthInfo].
func (AuthInfo) Command() Command { return CmdAuthInfo }

// AppendBinary appends the message. It fails if the name is over 1,024 bytes.
func (m AuthInfo) AppendBinary(b []byte) ([]byte, error) {
	if len(m.Name) > maxComputerName {
		return b, malformed(CmdAuthInfo, "name of %d bytes", len(m.Name))
	}
	b = appendHeader(b, CmdAuthInfo)
	b = binary.BigEndian.AppendUint32(b, m.InfoVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(m.AgentID))
	b = binary.BigEndian.AppendUint32(b, m.AgentVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(m.Platform))
	b = append(b, m.Group[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(m.Capabilities))
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.Name)))
	return append(b, m.Name...), nil
}

// ParseAuthInfo parses a command 3. The name aliases msg.
func ParseAuthInfo(msg []byte) (m AuthInfo, err error) {
	if err := checkHeader(msg, CmdAuthInfo, authInfoFixed-2, math.MaxInt); err != nil {
		return m, err
	}
	m.InfoVersion = binary.BigEndian.Uint32(msg[2:])
	m.AgentID = AgentID(binary.BigEndian.Uint32(msg[6:]))
	m.AgentVersion = binary.BigEndian.Uint32(msg[10:])
	m.Platform = PlatformType(binary.BigEndian.Uint32(msg[14:]))
	copy(m.Group[:], msg[18:66])
	m.Capabilities = Capabilities(binary.BigEndian.Uint32(msg[66:]))
	if len(msg) == authInfoFixed-2 {
		return m, nil
	}
	if len(msg) < authInfoFixed {
		return m, malformed(CmdAuthInfo, "cut in the length of the name")
	}
	n := int(binary.BigEndian.Uint16(msg[70:]))
	if name := msg[authInfoFixed:]; n != len(name) || n > maxComputerName {
		return m, malformed(CmdAuthInfo, "name of %d bytes, %d are there", n, len(name))
	}
	m.Name = msg[authInfoFixed:]
	return m, nil
}
