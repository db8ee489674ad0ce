package agentproto

import "encoding/binary"

// CoreHashRequest (command 11 from the server) asks which core the agent has. Four bytes: 00 0B and the request id 0.
//
// Confirmed in meshagent.js, completeAgentConnection4 and case 12.
type CoreHashRequest struct {
	RequestID uint16
}

// Command returns [CmdCoreHash].
func (CoreHashRequest) Command() Command { return CmdCoreHash }

// AppendBinary appends the message. The error is always nil.
func (m CoreHashRequest) AppendBinary(b []byte) ([]byte, error) {
	return appendRequestHeader(b, CmdCoreHash, m.RequestID), nil
}

// ParseCoreHashRequest parses a command 11 of a server.
func ParseCoreHashRequest(msg []byte) (m CoreHashRequest, err error) {
	m.RequestID, err = parseRequestHeader(msg, CmdCoreHash)
	return m, err
}

// CoreHash (command 11 from the agent) tells which core the agent has, when asked and after each [CoreModule].
//
//	0  2  00 0B
//	2  2  request id, echoed
//	4 48  SHA-384 of the core; zero: "my own core, leave it alone"; missing: no core
//
// Confirmed in agentcore.c, MeshServer_ProcessCommand, and meshagent.js, case 11.
type CoreHash struct {
	RequestID uint16
	HasCore   bool
	Hash      Hash
}

// Command returns [CmdCoreHash].
func (CoreHash) Command() Command { return CmdCoreHash }

// AppendBinary appends the message. The error is always nil.
func (m CoreHash) AppendBinary(b []byte) ([]byte, error) {
	b = appendRequestHeader(b, CmdCoreHash, m.RequestID)
	if m.HasCore {
		b = append(b, m.Hash[:]...)
	}
	return b, nil
}

// ParseCoreHash parses a command 11 of an agent.
func ParseCoreHash(msg []byte) (m CoreHash, err error) {
	m.RequestID, m.HasCore, m.Hash, err = parseOptionalHash(msg, CmdCoreHash)
	return m, err
}

// CoreOK (command 16 from the server) tells the agent to start the core it has. Four bytes: 00 10 and the request id 0.
//
// Confirmed in meshagent.js, case 11, and agentcore.c, MeshServer_ProcessCommand.
type CoreOK struct {
	RequestID uint16
}

// Command returns [CmdCoreOK].
func (CoreOK) Command() Command { return CmdCoreOK }

// AppendBinary appends the message. The error is always nil.
func (m CoreOK) AppendBinary(b []byte) ([]byte, error) {
	return appendRequestHeader(b, CmdCoreOK, m.RequestID), nil
}

// ParseCoreOK parses a command 16.
func ParseCoreOK(msg []byte) (m CoreOK, err error) {
	m.RequestID, err = parseRequestHeader(msg, CmdCoreOK)
	return m, err
}

// parseOptionalHash parses the form of commands 11 and 13: four bytes, or four bytes and a hash.
func parseOptionalHash(msg []byte, cmd Command) (id uint16, has bool, h Hash, err error) {
	if err := checkHeader(msg, cmd, 4, 4+len(h)); err != nil {
		return 0, false, h, err
	}
	id = binary.BigEndian.Uint16(msg[2:])
	switch len(msg) {
	case 4:
		return id, false, h, nil
	case 4 + len(h):
		copy(h[:], msg[4:])
		return id, true, h, nil
	}
	return 0, false, h, malformed(cmd, "%d bytes are neither 4 nor 52", len(msg))
}
