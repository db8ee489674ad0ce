package apf

import "encoding/binary"

// KeepAliveRequest (type 208, both directions) asks whether the other side is there.
//
//	0  1  D0
//	1  4  cookie
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.KEEPALIVE_REQUEST), and amt-apfclient.js, SendKeepAliveRequest.
type KeepAliveRequest struct {
	Cookie uint32
}

// Type returns [TypeKeepAliveRequest].
func (KeepAliveRequest) Type() Type { return TypeKeepAliveRequest }

// Append appends the message.
func (m KeepAliveRequest) Append(b []byte) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TypeKeepAliveRequest)), m.Cookie)
}

// KeepAliveReply (type 209, both directions) answers a [KeepAliveRequest].
//
//	0  1  D1
//	1  4  cookie of the request
//
// Confirmed in mpsserver.js, SendKeepAliveReply, and amt-apfclient.js, SendKeepAliveReply.
type KeepAliveReply struct {
	Cookie uint32
}

// Type returns [TypeKeepAliveReply].
func (KeepAliveReply) Type() Type { return TypeKeepAliveReply }

// Append appends the message.
func (m KeepAliveReply) Append(b []byte) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TypeKeepAliveReply)), m.Cookie)
}

// KeepAliveOptionsRequest (type 210, server to device) asks firmware for other times. It is sent once the ports are
// forwarded, because the intervals of some firmware are as long as servers wait; stock agents close on it.
//
//	0  1  D2
//	1  4  interval of keep-alives in seconds
//	5  4  read timeout in seconds, 0 leaves it as it is
//
// Confirmed in mpsserver.js, SendKeepaliveOptionsRequest.
type KeepAliveOptionsRequest struct {
	Interval, Timeout uint32
}

// Type returns [TypeKeepAliveOptionsRequest].
func (KeepAliveOptionsRequest) Type() Type { return TypeKeepAliveOptionsRequest }

// Append appends the message.
func (m KeepAliveOptionsRequest) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(TypeKeepAliveOptionsRequest)), m.Interval)
	return binary.BigEndian.AppendUint32(b, m.Timeout)
}

// KeepAliveOptionsReply (type 211, device to server) says what holds from now on. Its layout is that of the request.
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.KEEPALIVE_OPTIONS_REPLY).
type KeepAliveOptionsReply struct {
	Interval, Timeout uint32
}

// Type returns [TypeKeepAliveOptionsReply].
func (KeepAliveOptionsReply) Type() Type { return TypeKeepAliveOptionsReply }

// Append appends the message.
func (m KeepAliveOptionsReply) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(TypeKeepAliveOptionsReply)), m.Interval)
	return binary.BigEndian.AppendUint32(b, m.Timeout)
}
