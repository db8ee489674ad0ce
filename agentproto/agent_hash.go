package agentproto

import "encoding/binary"

// AgentHashRequest (command 12 from the server) asks for the hash of the agent's executable. Four bytes: 00 0C and the
// request id 0.
//
// Confirmed in meshagent.js, completeAgentConnection4.
type AgentHashRequest struct {
	RequestID uint16
}

// Command returns [CmdAgentHash].
func (AgentHashRequest) Command() Command { return CmdAgentHash }

// AppendBinary appends the message. The error is always nil.
func (m AgentHashRequest) AppendBinary(b []byte) ([]byte, error) {
	return appendRequestHeader(b, CmdAgentHash, m.RequestID), nil
}

// ParseAgentHashRequest parses a command 12 of a server.
func ParseAgentHashRequest(msg []byte) (m AgentHashRequest, err error) {
	m.RequestID, err = parseRequestHeader(msg, CmdAgentHash)
	return m, err
}

// AgentHash (command 12 from the agent) answers an [AgentHashRequest].
//
//	0  2  00 0C
//	2  2  request id, echoed
//	4 48  hash of the executable; zero: never update me; all ones: update me
//
// Confirmed in agentcore.c, MeshServer_ProcessCommand, and meshagent.js, case 12.
type AgentHash struct {
	RequestID uint16
	Hash      Hash
}

const agentHashSize = 52

// Command returns [CmdAgentHash].
func (AgentHash) Command() Command { return CmdAgentHash }

// AppendBinary appends the message. The error is always nil.
func (m AgentHash) AppendBinary(b []byte) ([]byte, error) {
	return append(appendRequestHeader(b, CmdAgentHash, m.RequestID), m.Hash[:]...), nil
}

// ParseAgentHash parses a command 12 of an agent.
func ParseAgentHash(msg []byte) (m AgentHash, err error) {
	if err := checkHeader(msg, CmdAgentHash, agentHashSize, agentHashSize); err != nil {
		return m, err
	}
	m.RequestID = binary.BigEndian.Uint16(msg[2:])
	copy(m.Hash[:], msg[4:])
	return m, nil
}

// NeverUpdate reports whether the agent wants to be left as it is.
func (m AgentHash) NeverUpdate() bool { return m.Hash == Hash{} }

// ForceUpdate reports whether the agent asks to be updated.
func (m AgentHash) ForceUpdate() bool {
	for _, c := range m.Hash {
		if c != 0xFF {
			return false
		}
	}
	return true
}
