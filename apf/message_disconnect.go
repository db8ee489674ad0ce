package apf

import (
	"encoding/binary"
	"fmt"
)

// DisconnectReason is why a side ends the connection.
type DisconnectReason uint32

// The reasons, with the numbers of RFC 4253, section 11.1.
const (
	DisconnectHostNotAllowed     DisconnectReason = 1
	DisconnectProtocolError      DisconnectReason = 2
	DisconnectKeyExchangeFailed  DisconnectReason = 3
	DisconnectReserved           DisconnectReason = 4
	DisconnectMACError           DisconnectReason = 5
	DisconnectCompressionError   DisconnectReason = 6
	DisconnectNoService          DisconnectReason = 7
	DisconnectVersion            DisconnectReason = 8
	DisconnectHostKey            DisconnectReason = 9
	DisconnectConnectionLost     DisconnectReason = 10
	DisconnectByApplication      DisconnectReason = 11
	DisconnectTooManyConnections DisconnectReason = 12
	DisconnectAuthCancelled      DisconnectReason = 13
	DisconnectNoMoreAuth         DisconnectReason = 14
	DisconnectInvalidCredentials DisconnectReason = 15
	DisconnectTimedOut           DisconnectReason = 16
	DisconnectByPolicy           DisconnectReason = 17
	DisconnectUnavailable        DisconnectReason = 18
)

var disconnectReasons = [...]string{
	1: "host not allowed", 2: "protocol error", 3: "key exchange failed", 4: "reserved", 5: "MAC error",
	6: "compression error", 7: "service not available", 8: "protocol version not supported", 9: "host key not verifiable",
	10: "connection lost", 11: "by application", 12: "too many connections", 13: "authentication cancelled by user",
	14: "no more authentication methods", 15: "invalid credentials", 16: "timed out", 17: "by policy",
	18: "temporarily unavailable",
}

// String returns the meaning in words, or the number.
func (r DisconnectReason) String() string {
	if r > 0 && int64(r) < int64(len(disconnectReasons)) {
		return disconnectReasons[r]
	}
	return fmt.Sprintf("reason %d", uint32(r))
}

// Disconnect (type 1, both directions) announces that its sender closes the stream. It is not answered.
//
//	0  1  01
//	1  4  reason
//	5  2  0
//
// Some servers send only the first 5 bytes. A stock server keeps the stream open when it receives one, and never sends one;
// stock agents close on it as on any message that they do not know.
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.DISCONNECT), and amt-apfclient.js.
type Disconnect struct {
	Reason DisconnectReason
}

// Type returns [TypeDisconnect].
func (Disconnect) Type() Type { return TypeDisconnect }

// Append appends the message.
func (m Disconnect) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(TypeDisconnect)), uint32(m.Reason))
	return append(b, 0, 0)
}
