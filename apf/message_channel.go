package apf

import (
	"encoding/binary"
	"fmt"
)

// The types of channels.
const (
	// ChannelForwarded is a channel that the server opens to a forwarded port of the device.
	ChannelForwarded = "forwarded-tcpip"
	// ChannelDirect is a channel that the device opens to an address of the server's side.
	ChannelDirect = "direct-tcpip"
)

// reserved is what the place of SSH's largest packet size holds.
const reserved = 0xFFFFFFFF

// ChannelOpen (type 90, both directions) asks for a channel.
//
//	0  1  5A
//	1  *  string: type of the channel
//	   4  sender's number of the channel
//	   4  initial window of the sender
//	   4  FFFFFFFF
//	   *  string: address to connect to, may be empty
//	   4  port
//	   *  string: originator's address
//	   4  originator's port
//
// Stock servers give the originator as 1.2.3.4 and count its port up from 1024. They refuse every channel that a device opens.
//
// Confirmed in mpsserver.js, SendChannelOpen and ProcessCommand (case APFProtocol.CHANNEL_OPEN), and amt-apfclient.js, ProcessData.
type ChannelOpen struct {
	ChannelType    []byte
	Sender         uint32
	Window         uint32
	Address        []byte
	Port           uint32
	Originator     []byte
	OriginatorPort uint32
}

// Type returns [TypeChannelOpen].
func (ChannelOpen) Type() Type { return TypeChannelOpen }

// Append appends the message.
func (m ChannelOpen) Append(b []byte) []byte {
	b = appendString(append(b, byte(TypeChannelOpen)), m.ChannelType)
	b = binary.BigEndian.AppendUint32(b, m.Sender)
	b = binary.BigEndian.AppendUint32(b, m.Window)
	b = binary.BigEndian.AppendUint32(b, reserved)
	b = binary.BigEndian.AppendUint32(appendString(b, m.Address), m.Port)
	return binary.BigEndian.AppendUint32(appendString(b, m.Originator), m.OriginatorPort)
}

// ChannelOpenConfirmation (type 91, both directions) grants a [ChannelOpen].
//
//	0   1  5B
//	1   4  number of the channel that the receiver chose
//	5   4  number that the sender chose
//	9   4  initial window of the sender
//	13  4  FFFFFFFF
//
// amt-apfclient chooses the server's own number and window.
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.CHANNEL_OPEN_CONFIRMATION), and amt-apfclient.js, SendChannelOpenConfirm.
type ChannelOpenConfirmation struct {
	Recipient uint32
	Sender    uint32
	Window    uint32
}

// Type returns [TypeChannelOpenConfirmation].
func (ChannelOpenConfirmation) Type() Type { return TypeChannelOpenConfirmation }

// Append appends the message.
func (m ChannelOpenConfirmation) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(TypeChannelOpenConfirmation)), m.Recipient)
	b = binary.BigEndian.AppendUint32(b, m.Sender)
	b = binary.BigEndian.AppendUint32(b, m.Window)
	return binary.BigEndian.AppendUint32(b, reserved)
}

// OpenReason is why a channel is refused.
type OpenReason uint32

// The reasons, with the numbers of RFC 4254, section 5.1.
const (
	OpenProhibited       OpenReason = 1
	OpenConnectFailed    OpenReason = 2 // also passing troubles of firmware, which deserve a second try
	OpenUnknownType      OpenReason = 3
	OpenResourceShortage OpenReason = 4 // firmware has 8 channels
)

// String returns the meaning in words, or the number.
func (r OpenReason) String() string {
	switch r {
	case OpenProhibited:
		return "administratively prohibited"
	case OpenConnectFailed:
		return "connect failed"
	case OpenUnknownType:
		return "unknown channel type"
	case OpenResourceShortage:
		return "resource shortage"
	}
	return fmt.Sprintf("reason %d", uint32(r))
}

// ChannelOpenFailure (type 92, both directions) refuses a [ChannelOpen].
//
//	0   1  5C
//	1   4  number of the channel that the receiver chose
//	5   4  reason
//	9   8  0
//
// Confirmed in mpsserver.js, SendChannelOpenFailure, and amt-apfclient.js, SendChannelOpenFailure.
type ChannelOpenFailure struct {
	Recipient uint32
	Reason    OpenReason
}

// Type returns [TypeChannelOpenFailure].
func (ChannelOpenFailure) Type() Type { return TypeChannelOpenFailure }

// Append appends the message.
func (m ChannelOpenFailure) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(TypeChannelOpenFailure)), m.Recipient)
	b = binary.BigEndian.AppendUint32(b, uint32(m.Reason))
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
}

// WindowAdjust (type 93, both directions) lets the receiver send more.
//
//	0  1  5D
//	1  4  number of the channel that the receiver chose
//	5  4  bytes to add to the window
//
// Confirmed in mpsserver.js, SendChannelWindowAdjust, and amt-apfclient.js, SendChannelWindowAdjust.
type WindowAdjust struct {
	Recipient uint32
	Bytes     uint32
}

// Type returns [TypeChannelWindowAdjust].
func (WindowAdjust) Type() Type { return TypeChannelWindowAdjust }

// Append appends the message.
func (m WindowAdjust) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(TypeChannelWindowAdjust)), m.Recipient)
	return binary.BigEndian.AppendUint32(b, m.Bytes)
}

// ChannelData (type 94, both directions) carries bytes of a channel.
//
//	0  1  5E
//	1  4  number of the channel that the receiver chose
//	5  4  length
//	9  *  data
//
// A [Parser] does not wait for the whole of it: it returns what is there of the data as a message of its own, each with the
// Length of the whole and the Offset of its part, so that a frame needs no memory.
//
// Confirmed in mpsserver.js, SendChannelData and ProcessCommand (case APFProtocol.CHANNEL_DATA), and amt-apfclient.js, SendChannelData.
type ChannelData struct {
	Recipient uint32
	Length    uint32 // of the whole message; [ChannelData.Append] does not look at it
	Offset    uint32 // of Data in it
	Data      []byte
}

// Type returns [TypeChannelData].
func (ChannelData) Type() Type { return TypeChannelData }

// Append appends the message, whose data is all of Data.
func (m ChannelData) Append(b []byte) []byte {
	b = appendDataHeader(b, m.Recipient, uint32(len(m.Data)))
	return append(b, m.Data...)
}

// dataHeader is the size of what precedes the data of a [ChannelData].
const dataHeader = 9

func appendDataHeader(b []byte, recipient, length uint32) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(TypeChannelData)), recipient)
	return binary.BigEndian.AppendUint32(b, length)
}

// ChannelClose (type 97, both directions) ends a channel, in both directions at once. It is answered with one, unless one
// was sent already.
//
//	0  1  61
//	1  4  number of the channel that the receiver chose
//
// Confirmed in mpsserver.js, SendChannelClose, and amt-apfclient.js, SendChannelClose.
type ChannelClose struct {
	Recipient uint32
}

// Type returns [TypeChannelClose].
func (ChannelClose) Type() Type { return TypeChannelClose }

// Append appends the message.
func (m ChannelClose) Append(b []byte) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TypeChannelClose)), m.Recipient)
}
