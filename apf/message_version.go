package apf

import (
	"encoding/binary"
	"fmt"
)

// Trigger is why a device connects.
type Trigger uint32

// The triggers that are known. amt-apfclient sends 0.
const (
	TriggerUser         Trigger = 1
	TriggerAlert        Trigger = 2
	TriggerProvisioning Trigger = 3
	TriggerPeriodic     Trigger = 4
	TriggerLME          Trigger = 254
)

// String returns the meaning in words, or the number.
func (t Trigger) String() string {
	switch t {
	case TriggerUser:
		return "user"
	case TriggerAlert:
		return "alert"
	case TriggerProvisioning:
		return "provisioning"
	case TriggerPeriodic:
		return "periodic"
	case TriggerLME:
		return "LME"
	}
	return fmt.Sprintf("trigger %d", uint32(t))
}

// ProtocolVersion (type 192, device to server) starts a connection and says whose it is. Servers need not answer it, and must
// not answer a stock agent.
//
//	0   1   C0
//	1   4   major version, 1
//	5   4   minor version, 0
//	9   4   trigger
//	13  16  system UUID, its first three groups little-endian
//	29  64  0
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.PROTOCOLVERSION), and amt-apfclient.js, SendProtocolVersion.
type ProtocolVersion struct {
	Major, Minor uint32
	Trigger      Trigger
	UUID         UUID
}

// Type returns [TypeProtocolVersion].
func (ProtocolVersion) Type() Type { return TypeProtocolVersion }

// Append appends the message.
func (m ProtocolVersion) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(TypeProtocolVersion)), m.Major)
	b = binary.BigEndian.AppendUint32(b, m.Minor)
	b = binary.BigEndian.AppendUint32(b, uint32(m.Trigger))
	var zero [64]byte
	return append(m.UUID.appendWire(b), zero[:]...)
}
