package apf

import "encoding/binary"

// The names of the global requests.
const (
	RequestForward       = "tcpip-forward"
	RequestCancelForward = "cancel-tcpip-forward"
	RequestUDPSendTo     = "udp-send-to@amt.intel.com"
)

// TCPForward (type 80, device to server) offers a port of the device. Firmware sends one for each port and waits for the
// answer, in the order 16993, 16992, 664, 623, 16995, 16994, 5900, leaving out what it does not have.
//
//	0   1  50
//	1   *  string: "tcpip-forward"
//	18  1  whether a reply is wanted; servers reply in any case
//	19  *  string: the device's address, may be empty
//	    4  port
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.GLOBAL_REQUEST), and amt-apfclient.js, SendGlobalRequestPfwd.
type TCPForward struct {
	WantReply bool
	Address   []byte
	Port      uint32
}

// Type returns [TypeGlobalRequest].
func (TCPForward) Type() Type { return TypeGlobalRequest }

// Append appends the message.
func (m TCPForward) Append(b []byte) []byte {
	b = appendBool(appendString(append(b, byte(TypeGlobalRequest)), RequestForward), m.WantReply)
	return binary.BigEndian.AppendUint32(appendString(b, m.Address), m.Port)
}

// CancelTCPForward (type 80, device to server) takes a [TCPForward] back. Its layout is the same, with the name
// "cancel-tcpip-forward"; the reply to it is one byte without a port.
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.GLOBAL_REQUEST).
type CancelTCPForward struct {
	WantReply bool
	Address   []byte
	Port      uint32
}

// Type returns [TypeGlobalRequest].
func (CancelTCPForward) Type() Type { return TypeGlobalRequest }

// Append appends the message.
func (m CancelTCPForward) Append(b []byte) []byte {
	b = appendBool(appendString(append(b, byte(TypeGlobalRequest)), RequestCancelForward), m.WantReply)
	return binary.BigEndian.AppendUint32(appendString(b, m.Address), m.Port)
}

// UDPSendTo (type 80, device to server) carries a datagram, such as an alert. It is not replied to.
//
//	0   1  50
//	1   *  string: "udp-send-to@amt.intel.com"
//	30  1  whether a reply is wanted, 00
//	31  *  string: address
//	    4  port
//	    *  string: originator's address
//	    4  originator's port
//	    *  string: data
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.GLOBAL_REQUEST), which drops it.
type UDPSendTo struct {
	WantReply      bool
	Address        []byte
	Port           uint32
	Originator     []byte
	OriginatorPort uint32
	Data           []byte
}

// Type returns [TypeGlobalRequest].
func (UDPSendTo) Type() Type { return TypeGlobalRequest }

// Append appends the message.
func (m UDPSendTo) Append(b []byte) []byte {
	b = appendBool(appendString(append(b, byte(TypeGlobalRequest)), RequestUDPSendTo), m.WantReply)
	b = binary.BigEndian.AppendUint32(appendString(b, m.Address), m.Port)
	b = binary.BigEndian.AppendUint32(appendString(b, m.Originator), m.OriginatorPort)
	return appendString(b, m.Data)
}

// UnknownRequest is a global request (type 80) with another name. Nobody knows its length, so that it is the last message
// that can be read of a stream: it is refused, and the connection ends.
type UnknownRequest struct {
	WantReply bool
	Name      []byte
}

// Type returns [TypeGlobalRequest].
func (UnknownRequest) Type() Type { return TypeGlobalRequest }

// Append appends what is known of the message.
func (m UnknownRequest) Append(b []byte) []byte {
	return appendBool(appendString(append(b, byte(TypeGlobalRequest)), m.Name), m.WantReply)
}

// RequestSuccess (type 81, server to device) grants the oldest global request that was not answered.
//
//	0  1  51
//	1  4  port, only in the answer to a tcpip-forward
//
// Confirmed in mpsserver.js, SendTcpForwardSuccessReply and SendTcpForwardCancelReply, and amt-apfclient.js, ProcessData.
type RequestSuccess struct {
	HasPort bool
	Port    uint32
}

// Type returns [TypeRequestSuccess].
func (RequestSuccess) Type() Type { return TypeRequestSuccess }

// Append appends the message.
func (m RequestSuccess) Append(b []byte) []byte {
	b = append(b, byte(TypeRequestSuccess))
	if m.HasPort {
		b = binary.BigEndian.AppendUint32(b, m.Port)
	}
	return b
}

// RequestFailure (type 82, server to device) refuses the oldest global request that was not answered.
//
//	0  1  52
//
// Stock servers never send it, and stock agents close on it.
//
// Confirmed in mpsserver.js, where only its number is, and amt-lme.js, which answers udp-send-to with it.
type RequestFailure struct{}

// Type returns [TypeRequestFailure].
func (RequestFailure) Type() Type { return TypeRequestFailure }

// Append appends the message.
func (RequestFailure) Append(b []byte) []byte { return append(b, byte(TypeRequestFailure)) }
