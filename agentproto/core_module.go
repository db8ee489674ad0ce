package agentproto

import (
	"encoding/binary"
	"math"
)

// CoreModule (command 10) gives the agent a core, or takes it away. The server sends it after the login when the
// agent's hash differs from the one it wants.
//
//	 0  2  00 0A
//	 2  2  request id, 0
//	 4 48  SHA-384 of the core
//	52  *  the core: four zero bytes, then UTF-8 JavaScript
//
// A message of four bytes clears the core. The agent answers with a [CoreHash].
//
// Confirmed in meshagent.js, case 11, and agentcore.c, MeshServer_ProcessCommand.
type CoreModule struct {
	RequestID uint16
	Hash      Hash
	Core      []byte // nil clears; aliases the message when parsed
}

// Command returns [CmdCoreModule].
func (CoreModule) Command() Command { return CmdCoreModule }

// AppendBinary appends the message. The error is always nil.
func (m CoreModule) AppendBinary(b []byte) ([]byte, error) {
	return appendCore(b, CmdCoreModule, m.RequestID, m.Hash, m.Core), nil
}

// ParseCoreModule parses a command 10. The core aliases msg.
func ParseCoreModule(msg []byte) (m CoreModule, err error) {
	m.RequestID, m.Hash, m.Core, err = parseCore(msg, CmdCoreModule)
	return m, err
}

// CompressedCoreModule (command 20) is a [CoreModule] whose core is raw DEFLATE data (RFC 1951, without zlib's header).
// The hash is that of the inflated core. Only agents with the capability [CapCompression] take it; the stock server
// never sends it.
//
// Confirmed in agentcore.c, MeshServer_ProcessCommand.
type CompressedCoreModule struct {
	RequestID uint16
	Hash      Hash
	Deflated  []byte // nil clears; aliases the message when parsed
}

// Command returns [CmdCompressedCoreModule].
func (CompressedCoreModule) Command() Command { return CmdCompressedCoreModule }

// AppendBinary appends the message. The error is always nil.
func (m CompressedCoreModule) AppendBinary(b []byte) ([]byte, error) {
	return appendCore(b, CmdCompressedCoreModule, m.RequestID, m.Hash, m.Deflated), nil
}

// ParseCompressedCoreModule parses a command 20. The data aliases msg.
func ParseCompressedCoreModule(msg []byte) (m CompressedCoreModule, err error) {
	m.RequestID, m.Hash, m.Deflated, err = parseCore(msg, CmdCompressedCoreModule)
	return m, err
}

const coreHeader = 52

func appendCore(b []byte, cmd Command, id uint16, h Hash, core []byte) []byte {
	b = appendRequestHeader(b, cmd, id)
	if core == nil {
		return b
	}
	b = append(b, h[:]...)
	return append(b, core...)
}

func parseCore(msg []byte, cmd Command) (id uint16, h Hash, core []byte, err error) {
	if err := checkHeader(msg, cmd, 4, math.MaxInt); err != nil {
		return 0, h, nil, err
	}
	id = binary.BigEndian.Uint16(msg[2:])
	if len(msg) == 4 {
		return id, h, nil, nil
	}
	if len(msg) <= coreHeader {
		return 0, h, nil, malformed(cmd, "%d bytes are no core", len(msg))
	}
	copy(h[:], msg[4:])
	return id, h, msg[coreHeader:], nil
}
