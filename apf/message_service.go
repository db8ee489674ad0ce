package apf

import "encoding/binary"

// The names of the two services.
const (
	// ServiceAuth is the login.
	ServiceAuth = "auth@amt.intel.com"
	// ServiceForward is port forwarding.
	ServiceForward = "pfwd@amt.intel.com"
)

// ServiceRequest (type 5, device to server) asks for a service: [ServiceAuth] first, [ServiceForward] after the login.
//
//	0  1  05
//	1  *  string: name
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.SERVICE_REQUEST), and amt-apfclient.js, SendServiceRequest.
type ServiceRequest struct {
	Name []byte
}

// Type returns [TypeServiceRequest].
func (ServiceRequest) Type() Type { return TypeServiceRequest }

// Append appends the message.
func (m ServiceRequest) Append(b []byte) []byte {
	return appendString(append(b, byte(TypeServiceRequest)), m.Name)
}

// ServiceAccept (type 6, server to device) grants a service.
//
//	0  1  06
//	1  *  string: name, as it was requested
//
// The stock agent's client reads one byte more than the name, so nothing may follow in the same WebSocket message.
//
// Confirmed in mpsserver.js, SendServiceAccept, and amt-apfclient.js, ProcessData.
type ServiceAccept struct {
	Name []byte
}

// Type returns [TypeServiceAccept].
func (ServiceAccept) Type() Type { return TypeServiceAccept }

// Append appends the message.
func (m ServiceAccept) Append(b []byte) []byte {
	return appendString(append(b, byte(TypeServiceAccept)), m.Name)
}

// appendString appends the length of s and s.
func appendString[T []byte | string](b []byte, s T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
