package apf

import "fmt"

// Type is the first byte of a message.
type Type uint8

// The types of messages.
const (
	TypeDisconnect              Type = 1
	TypeServiceRequest          Type = 5
	TypeServiceAccept           Type = 6
	TypeUserAuthRequest         Type = 50
	TypeUserAuthFailure         Type = 51
	TypeUserAuthSuccess         Type = 52
	TypeGlobalRequest           Type = 80
	TypeRequestSuccess          Type = 81
	TypeRequestFailure          Type = 82
	TypeChannelOpen             Type = 90
	TypeChannelOpenConfirmation Type = 91
	TypeChannelOpenFailure      Type = 92
	TypeChannelWindowAdjust     Type = 93
	TypeChannelData             Type = 94
	TypeChannelClose            Type = 97
	TypeProtocolVersion         Type = 192
	TypeKeepAliveRequest        Type = 208
	TypeKeepAliveReply          Type = 209
	TypeKeepAliveOptionsRequest Type = 210
	TypeKeepAliveOptionsReply   Type = 211
	TypeJSONControl             Type = 250
)

// String returns the name that the type has in Intel's manual.
func (t Type) String() string {
	switch t {
	case TypeDisconnect:
		return "DISCONNECT"
	case TypeServiceRequest:
		return "SERVICE_REQUEST"
	case TypeServiceAccept:
		return "SERVICE_ACCEPT"
	case TypeUserAuthRequest:
		return "USERAUTH_REQUEST"
	case TypeUserAuthFailure:
		return "USERAUTH_FAILURE"
	case TypeUserAuthSuccess:
		return "USERAUTH_SUCCESS"
	case TypeGlobalRequest:
		return "GLOBAL_REQUEST"
	case TypeRequestSuccess:
		return "REQUEST_SUCCESS"
	case TypeRequestFailure:
		return "REQUEST_FAILURE"
	case TypeChannelOpen:
		return "CHANNEL_OPEN"
	case TypeChannelOpenConfirmation:
		return "CHANNEL_OPEN_CONFIRMATION"
	case TypeChannelOpenFailure:
		return "CHANNEL_OPEN_FAILURE"
	case TypeChannelWindowAdjust:
		return "CHANNEL_WINDOW_ADJUST"
	case TypeChannelData:
		return "CHANNEL_DATA"
	case TypeChannelClose:
		return "CHANNEL_CLOSE"
	case TypeProtocolVersion:
		return "PROTOCOLVERSION"
	case TypeKeepAliveRequest:
		return "KEEPALIVE_REQUEST"
	case TypeKeepAliveReply:
		return "KEEPALIVE_REPLY"
	case TypeKeepAliveOptionsRequest:
		return "KEEPALIVE_OPTIONS_REQUEST"
	case TypeKeepAliveOptionsReply:
		return "KEEPALIVE_OPTIONS_REPLY"
	case TypeJSONControl:
		return "JSON_CONTROL"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Message is a message in its parsed form. All types are plain values; byte slices in messages that a [Parser] returned are
// valid until its next call.
type Message interface {
	// Type returns the first byte of the message.
	Type() Type
	// Append appends the message in its wire form.
	Append(b []byte) []byte
}
