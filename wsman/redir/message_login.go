package redir

import "encoding/binary"

const (
	startLen      = 8
	startReplyLen = 13 // and OEM data
	refusedLen    = 4
	endLen        = 4
	authLen       = 9 // and data
	// maxAuthData is more than the eight fields of a digest, of at most 255 bytes each, can take.
	maxAuthData = 4096
)

// StartSession asks for a session. Operator to device, the first message of a stream.
//
//	10 <KVM 1, else 0> 00 00 <type, 4 letters>
//
// Confirmed in amt-redir-mesh.js, RedirectStartSol and its neighbours.
type StartSession struct {
	Type SessionType
}

// Append appends the message to b.
func (m StartSession) Append(b []byte) []byte {
	var kvm byte
	if m.Type == KVM {
		kvm = 1
	}
	b = append(b, byte(CommandStart), kvm, 0, 0)
	return binary.LittleEndian.AppendUint32(b, uint32(m.Type))
}

// Parse reads a whole message.
func (m *StartSession) Parse(b Message) error {
	if err := b.check(CommandStart, startLen); err != nil {
		return err
	}
	m.Type = SessionType(binary.LittleEndian.Uint32(b[4:]))
	return nil
}

// StartReply answers StartSession. Device to operator. After any status but ok it ends after the fourth byte.
//
//	11 <status> 00 00 <info, 8 bytes> <OEM length> <OEM data>
//
// Confirmed in amt-redir-mesh.js, xxOnSocketData, which reads the status and the length.
type StartReply struct {
	Status StartStatus
	Info   [8]byte // version numbers of the firmware's; nobody looks at them
	OEM    []byte  // at most 255 bytes
}

// Append appends the message to b. OEM data beyond 255 bytes is cut.
func (m StartReply) Append(b []byte) []byte {
	b = append(b, byte(CommandStarted), byte(m.Status), 0, 0)
	if m.Status != StartOK {
		return b
	}
	oem := m.OEM[:min(len(m.OEM), 255)]
	b = append(b, m.Info[:]...)
	b = append(b, byte(len(oem)))
	return append(b, oem...)
}

// Parse reads a whole message. OEM is a part of b.
func (m *StartReply) Parse(b Message) error {
	if err := b.check(CommandStarted, refusedLen); err != nil {
		return err
	}
	*m = StartReply{Status: StartStatus(b[1])}
	if m.Status != StartOK {
		return nil
	}
	if err := b.check(CommandStarted, startReplyLen); err != nil {
		return err
	}
	m.Info = [8]byte(b[4:12])
	m.OEM = b[startReplyLen:]
	return nil
}

// EndSession ends a session. Operator to device; 12 00 00 00.
//
// Confirmed in interceptor.js, processBrowserDataEx.
type EndSession struct{}

// Append appends the message to b.
func (EndSession) Append(b []byte) []byte { return append(b, byte(CommandEnd), 0, 0, 0) }

// Parse reads a whole message.
func (*EndSession) Parse(b Message) error { return b.check(CommandEnd, endLen) }

// AuthRequest authenticates the operator, or asks how that can be done. Operator to device, after StartReply.
//
//	13 00 00 00 <type> <data length, 4 bytes> <data>
//
// Confirmed in amt-redir-mesh.js, xxOnSocketData.
type AuthRequest struct {
	Type AuthType
	Data []byte // of type digest: a DigestResponse
}

// Append appends the message to b.
func (m AuthRequest) Append(b []byte) []byte {
	b = append(b, byte(CommandAuth), 0, 0, 0, byte(m.Type))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Data)))
	return append(b, m.Data...)
}

// Parse reads a whole message. Data is a part of b.
func (m *AuthRequest) Parse(b Message) error {
	if err := b.check(CommandAuth, authLen); err != nil {
		return err
	}
	m.Type = AuthType(b[4])
	m.Data = b[authLen:]
	return nil
}

// AuthReply answers AuthRequest. Device to operator.
//
//	14 <status> 00 00 <type> <data length, 4 bytes> <data>
//
// The data is, for a query, the types that there are, one byte each; for a failed digest a DigestChallenge.
//
// Confirmed in amt-redir-mesh.js, xxOnSocketData.
type AuthReply struct {
	Status AuthStatus
	Type   AuthType
	Data   []byte
}

// Append appends the message to b.
func (m AuthReply) Append(b []byte) []byte {
	b = append(b, byte(CommandAuthReply), byte(m.Status), 0, 0, byte(m.Type))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Data)))
	return append(b, m.Data...)
}

// Parse reads a whole message. Data is a part of b.
func (m *AuthReply) Parse(b Message) error {
	if err := b.check(CommandAuthReply, authLen); err != nil {
		return err
	}
	m.Status = AuthStatus(b[1])
	m.Type = AuthType(b[4])
	m.Data = b[authLen:]
	return nil
}
