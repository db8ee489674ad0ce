package agentproto

import (
	"encoding/binary"
	"math"
)

// AgentUpdate (command 13 from the server) frames an update of the agent's executable.
//
//	0  2  00 0D
//	2  2  request id, 0
//	4 48  hash of the new executable; missing: the update starts
//
// Confirmed in meshagent.js, case 12 and case 14, and agentcore.c, MeshServer_ProcessCommand.
type AgentUpdate struct {
	RequestID uint16
	End       bool // the update ends, and Hash is what the agent must have received
	Hash      Hash
}

// Command returns [CmdAgentUpdate].
func (AgentUpdate) Command() Command { return CmdAgentUpdate }

// AppendBinary appends the message. The error is always nil.
func (m AgentUpdate) AppendBinary(b []byte) ([]byte, error) {
	b = appendRequestHeader(b, CmdAgentUpdate, m.RequestID)
	if m.End {
		b = append(b, m.Hash[:]...)
	}
	return b, nil
}

// ParseAgentUpdate parses a command 13.
func ParseAgentUpdate(msg []byte) (m AgentUpdate, err error) {
	m.RequestID, m.End, m.Hash, err = parseOptionalHash(msg, CmdAgentUpdate)
	return m, err
}

// MaxUpdateBlock is the most data that one [UpdateBlock] carries: with its header 65,535 bytes.
const MaxUpdateBlock = math.MaxUint16 - 4

// UpdateBlock (command 14 from the server) is a part of the new executable. The server waits for the [UpdateAck] of
// each before it sends the next.
//
//	0  2  00 0E
//	2  2  request id, 1
//	4  *  data, up to 65,531 bytes
//
// Confirmed in meshagent.js, case 14, and agentcore.c, MeshServer_ProcessCommand.
type UpdateBlock struct {
	RequestID uint16
	Data      []byte // aliases the message when parsed
}

// Command returns [CmdUpdateBlock].
func (UpdateBlock) Command() Command { return CmdUpdateBlock }

// AppendBinary appends the message. It fails if there is no data or more than [MaxUpdateBlock].
func (m UpdateBlock) AppendBinary(b []byte) ([]byte, error) {
	if len(m.Data) == 0 || len(m.Data) > MaxUpdateBlock {
		return b, malformed(CmdUpdateBlock, "%d bytes of data", len(m.Data))
	}
	return append(appendRequestHeader(b, CmdUpdateBlock, m.RequestID), m.Data...), nil
}

// ParseUpdateBlock parses a command 14 of a server. The data aliases msg.
func ParseUpdateBlock(msg []byte) (m UpdateBlock, err error) {
	if err := checkHeader(msg, CmdUpdateBlock, 5, 4+MaxUpdateBlock); err != nil {
		return m, err
	}
	m.RequestID = binary.BigEndian.Uint16(msg[2:])
	m.Data = msg[4:]
	return m, nil
}

// UpdateAck (command 14 from the agent) acknowledges an [UpdateBlock]. Four bytes: 00 0E and the block's request id; any
// id but 1 is no acknowledgement to the stock server.
//
// Confirmed in agentcore.c, MeshServer_ProcessCommand, and meshagent.js, case 14.
type UpdateAck struct {
	RequestID uint16
}

// Command returns [CmdUpdateBlock].
func (UpdateAck) Command() Command { return CmdUpdateBlock }

// AppendBinary appends the message. The error is always nil.
func (m UpdateAck) AppendBinary(b []byte) ([]byte, error) {
	return appendRequestHeader(b, CmdUpdateBlock, m.RequestID), nil
}

// ParseUpdateAck parses a command 14 of an agent.
func ParseUpdateAck(msg []byte) (m UpdateAck, err error) {
	m.RequestID, err = parseRequestHeader(msg, CmdUpdateBlock)
	return m, err
}
