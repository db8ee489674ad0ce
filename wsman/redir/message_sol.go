package redir

import (
	"encoding/binary"
	"strings"
)

const (
	signalLen     = 8
	solOpenLen    = 24
	solOpenedLen  = 23
	solControlLen = 14
	solStatusLen  = 10
	solDataLen    = 10 // and data
)

func solSize(from Side, b []byte) int {
	switch Command(b[0]) {
	case CommandSOLPing, CommandSOLPong, CommandSOLHeartbeat:
		return signalLen
	case CommandSOLOpen, CommandSOLClose, CommandSOLControls, CommandSOLToHost, CommandEnd:
		if from != Operator {
			return unknownCommand
		}
	case CommandSOLOpened, CommandSOLClosed, CommandSOLStatus, CommandSOLFromHost:
		if from != AMT {
			return unknownCommand
		}
	default:
		return unknownCommand
	}
	switch Command(b[0]) {
	case CommandEnd:
		return endLen
	case CommandSOLOpen:
		return solOpenLen
	case CommandSOLOpened:
		return solOpenedLen
	case CommandSOLControls:
		return solControlLen
	case CommandSOLStatus:
		return solStatusLen
	case CommandSOLToHost, CommandSOLFromHost:
		return withLength16(b, 8, solDataLen)
	default:
		return signalLen // close, closed
	}
}

func appendHeader(b []byte, c Command, attributes byte, sequence uint32) []byte {
	b = append(b, byte(c), 0, 0, attributes)
	return binary.LittleEndian.AppendUint32(b, sequence)
}

// SOLOpen starts serial over LAN. Operator to device, after the authentication. Times are in milliseconds.
//
//	20 00 00 00 <sequence> <MaxTransmit> <TransmitTimeout> <OverflowTimeout> <ReceiveTimeout> <FlushTimeout> <Heartbeat> 00 00 00 00
//
// Confirmed in amt-redir-ws-0.1.0.js, xxOnMessage.
type SOLOpen struct {
	Sequence        uint32
	MaxTransmit     uint16 // bytes of the serial port that the device gathers before it must send them
	TransmitTimeout uint16 // sends what it has gathered after this time
	OverflowTimeout uint16 // waits so long for the operator before it drops characters; 0 is for ever
	ReceiveTimeout  uint16 // ends the session if the operator sends nothing, not even a heartbeat, for so long
	FlushTimeout    uint16 // drops what the operator sent and the host did not fetch for so long
	Heartbeat       uint16 // between heartbeats of the device; 0 is none
}

// Append appends the message to b.
func (m SOLOpen) Append(b []byte) []byte {
	b = appendHeader(b, CommandSOLOpen, 0, m.Sequence)
	for _, v := range [...]uint16{m.MaxTransmit, m.TransmitTimeout, m.OverflowTimeout, m.ReceiveTimeout, m.FlushTimeout, m.Heartbeat} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return append(b, 0, 0, 0, 0)
}

// Parse reads a whole message.
func (m *SOLOpen) Parse(b Message) error {
	if err := b.check(CommandSOLOpen, solOpenLen); err != nil {
		return err
	}
	m.Sequence = b.Sequence()
	for i, v := range [...]*uint16{&m.MaxTransmit, &m.TransmitTimeout, &m.OverflowTimeout, &m.ReceiveTimeout, &m.FlushTimeout, &m.Heartbeat} {
		*v = binary.LittleEndian.Uint16(b[signalLen+2*i:])
	}
	return nil
}

// SOLOpenReply answers SOLOpen. Device to operator; 23 bytes, of which stock MeshCentral reads none but the first.
//
//	21 <status> 00 00 <sequence> <15 bytes>
//
// Confirmed in amt-redir-ws-0.1.0.js, xxOnMessage.
type SOLOpenReply struct {
	Sequence uint32
	Status   uint8 // 0 is success
	Info     [15]byte
}

// Append appends the message to b.
func (m SOLOpenReply) Append(b []byte) []byte {
	b = append(b, byte(CommandSOLOpened), m.Status, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, m.Sequence)
	return append(b, m.Info[:]...)
}

// Parse reads a whole message.
func (m *SOLOpenReply) Parse(b Message) error {
	if err := b.check(CommandSOLOpened, solOpenedLen); err != nil {
		return err
	}
	*m = SOLOpenReply{Sequence: b.Sequence(), Status: b[1], Info: [15]byte(b[signalLen:])}
	return nil
}

// SOLControls sets the lines of the serial port. Operator to device, once after SOLOpenReply; the session is connected then.
//
//	27 00 00 00 <sequence> <6 bytes>
//
// Confirmed in amt-redir-ws-0.1.0.js, xxOnMessage.
type SOLControls struct {
	Sequence uint32
	Lines    [6]byte // DefaultLines is the only value that is known to be sent
}

// DefaultLines is what stock MeshCentral sends.
var DefaultLines = [6]byte{0, 0, 0x1B, 0, 0, 0}

// Append appends the message to b.
func (m SOLControls) Append(b []byte) []byte {
	return append(appendHeader(b, CommandSOLControls, 0, m.Sequence), m.Lines[:]...)
}

// Parse reads a whole message.
func (m *SOLControls) Parse(b Message) error {
	if err := b.check(CommandSOLControls, solControlLen); err != nil {
		return err
	}
	*m = SOLControls{Sequence: b.Sequence(), Lines: [6]byte(b[signalLen:])}
	return nil
}

// SOLStatus tells of the host's serial port. Device to operator, first after SOLControls and then on each change.
//
//	29 00 00 00 <sequence> <lines> <state>
//
// Confirmed in amt-redir-ws-0.1.0.js, xxOnMessage (its length); the bits are those of amtterm, RedirectionConstants.h.
type SOLStatus struct {
	Sequence uint32
	Lines    SOLLines
	State    SOLState
}

// Append appends the message to b.
func (m SOLStatus) Append(b []byte) []byte {
	return append(appendHeader(b, CommandSOLStatus, 0, m.Sequence), byte(m.Lines), byte(m.State))
}

// Parse reads a whole message.
func (m *SOLStatus) Parse(b Message) error {
	if err := b.check(CommandSOLStatus, solStatusLen); err != nil {
		return err
	}
	*m = SOLStatus{b.Sequence(), SOLLines(b[8]), SOLState(b[9])}
	return nil
}

// SOLLines are the lines of the serial port that the host has set.
type SOLLines uint8

// The lines.
const (
	LineRTS   SOLLines = 1 << iota // the host is clear to send
	LineDTR                        // the host's terminal is ready
	LineBreak                      // the host sends a break
)

// String lists the lines that are set.
func (l SOLLines) String() string { return flags(uint8(l), "RTS", "DTR", "break") }

// SOLState is what the device says of the session.
type SOLState uint8

// The states.
const (
	StateOverflow SOLState = 1 << iota // output of the host was lost
	StateLoopback                      // the port is looped back: what is sent may not reach the host
	StatePowered                       // the host is switched on
	StateFlushed                       // input for the host was dropped, because it did not fetch it
	StateTest                          // the port is in a test mode
)

// String lists the states that are set.
func (s SOLState) String() string {
	return flags(uint8(s), "overflow", "loopback", "powered", "flushed", "test")
}

func flags(v uint8, names ...string) string {
	var set []string
	for i, name := range names {
		if v&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	if len(set) == 0 {
		return "none"
	}
	return strings.Join(set, "+")
}

// SOLData is what goes through the serial port: keys to the host (28), screen from the host (2A).
//
//	28 or 2A 00 00 00 <sequence> <length, 2 bytes> <data>
//
// Confirmed in amt-redir-ws-0.1.0.js, Send and xxOnMessage.
type SOLData struct {
	From     Side
	Sequence uint32
	Data     []byte // at most 65535 bytes
}

// Append appends the message to b. Data beyond 65535 bytes is cut.
func (m SOLData) Append(b []byte) []byte {
	c := CommandSOLToHost
	if m.From == AMT {
		c = CommandSOLFromHost
	}
	data := m.Data[:min(len(m.Data), 0xFFFF)]
	b = appendHeader(b, c, 0, m.Sequence)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data))) //nolint:gosec // cut above
	return append(b, data...)
}

// Parse reads a whole message. Data is a part of b.
func (m *SOLData) Parse(b Message) error {
	m.From = Operator
	if b.Command() == CommandSOLFromHost {
		m.From = AMT
		if err := b.check(CommandSOLFromHost, solDataLen); err != nil {
			return err
		}
	} else if err := b.check(CommandSOLToHost, solDataLen); err != nil {
		return err
	}
	m.Sequence = b.Sequence()
	m.Data = b[solDataLen:]
	return nil
}

// SOLSignal is a message without content: closing (22, answered by 23), pinging (24, answered by 25) and the heartbeat (2B),
// which the operator sends every two seconds and the device as often as SOLOpen asks for.
//
//	<command> 00 00 00 <sequence>
//
// Confirmed in amt-redir-ws-0.1.0.js, xxSendAmtKeepAlive (2B); the others are those of amtterm, RedirectionConstants.h.
type SOLSignal struct {
	Command  Command
	Sequence uint32
}

// Append appends the message to b.
func (m SOLSignal) Append(b []byte) []byte { return appendHeader(b, m.Command, 0, m.Sequence) }

// Parse reads a whole message.
func (m *SOLSignal) Parse(b Message) error {
	switch b.Command() {
	case CommandSOLClose, CommandSOLClosed, CommandSOLPing, CommandSOLPong, CommandSOLHeartbeat:
	default:
		return protocolError("command %02X is no signal of SOL", uint8(b.Command()))
	}
	if err := b.check(b.Command(), signalLen); err != nil {
		return err
	}
	*m = SOLSignal{b.Command(), b.Sequence()}
	return nil
}
