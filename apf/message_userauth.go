package apf

import (
	"fmt"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// The methods of a login.
const (
	MethodPassword = "password"
	MethodNone     = "none"
)

// UserAuthRequest (type 50, device to server) is the login.
//
//	0  1  32
//	1  *  string: user name
//	   *  string: "pfwd@amt.intel.com"
//	   *  string: method
//	   1  00, and
//	   *  string: password, both only if the method is "password"
//
// Stock servers must get it in one piece: they refuse, or take for the whole, what has arrived of it.
//
// Confirmed in mpsserver.js, ProcessCommand (case APFProtocol.USERAUTH_REQUEST), and amt-apfclient.js, SendUserAuthRequest.
type UserAuthRequest struct {
	User     []byte
	Service  []byte
	Method   []byte
	Password []byte // not part of the message unless Method is "password"
}

// Type returns [TypeUserAuthRequest].
func (UserAuthRequest) Type() Type { return TypeUserAuthRequest }

// Append appends the message.
func (m UserAuthRequest) Append(b []byte) []byte {
	b = appendString(append(b, byte(TypeUserAuthRequest)), m.User)
	b = appendString(b, m.Service)
	b = appendString(b, m.Method)
	if string(m.Method) == MethodPassword {
		b = appendString(append(b, 0), m.Password)
	}
	return b
}

// Format prints user and method, never the password.
func (m UserAuthRequest) Format(f fmt.State, verb rune) {
	s := fmt.Sprintf("USERAUTH_REQUEST{user %.64q, method %.16q}", m.User, m.Method)
	secret.Format(f, verb, s, s)
}

// UserAuthFailure (type 51, server to device) refuses a login. The connection ends after it.
//
//	0   1  33
//	1   *  string: methods that could go on, "password"
//	13  1  partial success, 00
//
// Stock servers send a second 00 at the end, which a [Parser] of the device's side drops.
//
// Confirmed in mpsserver.js, SendUserAuthFail, and amt-apfclient.js, ProcessData.
type UserAuthFailure struct {
	Methods        []byte
	PartialSuccess bool
}

// Type returns [TypeUserAuthFailure].
func (UserAuthFailure) Type() Type { return TypeUserAuthFailure }

// Append appends the message.
func (m UserAuthFailure) Append(b []byte) []byte {
	return appendBool(appendString(append(b, byte(TypeUserAuthFailure)), m.Methods), m.PartialSuccess)
}

// UserAuthSuccess (type 52, server to device) accepts a login.
//
//	0  1  34
//
// Confirmed in mpsserver.js, SendUserAuthSuccess, and amt-apfclient.js, ProcessData.
type UserAuthSuccess struct{}

// Type returns [TypeUserAuthSuccess].
func (UserAuthSuccess) Type() Type { return TypeUserAuthSuccess }

// Append appends the message.
func (UserAuthSuccess) Append(b []byte) []byte { return append(b, byte(TypeUserAuthSuccess)) }
