package redir

import "fmt"

// The ports of a device. The streams are the same but for TLS.
const (
	Port    = 16994
	TLSPort = 16995
)

// Command is the first byte of a message. The numbers of KVM's hand-over are those of two IDE-R messages: which is meant
// depends on the type of the session.
type Command uint8

// The commands; the messages say who sends them and when.
const (
	CommandStart     Command = 0x10 // StartSession
	CommandStarted   Command = 0x11 // StartReply
	CommandEnd       Command = 0x12 // EndSession
	CommandAuth      Command = 0x13 // AuthRequest
	CommandAuthReply Command = 0x14 // AuthReply

	CommandSOLOpen      Command = 0x20 // SOLOpen
	CommandSOLOpened    Command = 0x21 // SOLOpenReply
	CommandSOLClose     Command = 0x22 // SOLSignal
	CommandSOLClosed    Command = 0x23 // SOLSignal
	CommandSOLPing      Command = 0x24 // SOLSignal
	CommandSOLPong      Command = 0x25 // SOLSignal
	CommandSOLControls  Command = 0x27 // SOLControls
	CommandSOLToHost    Command = 0x28 // SOLData
	CommandSOLStatus    Command = 0x29 // SOLStatus
	CommandSOLFromHost  Command = 0x2A // SOLData
	CommandSOLHeartbeat Command = 0x2B // SOLSignal

	CommandKVMOpen   Command = 0x40 // KVMOpen
	CommandKVMOpened Command = 0x41 // KVMOpened

	CommandIDEROpen          Command = 0x40 // IDEROpen
	CommandIDEROpened        Command = 0x41 // IDEROpenReply
	CommandIDERClose         Command = 0x42 // IDERSignal
	CommandIDERClosed        Command = 0x43 // IDERSignal
	CommandIDERPing          Command = 0x44 // IDERSignal
	CommandIDERPong          Command = 0x45 // IDERSignal
	CommandIDERReset         Command = 0x46 // IDERReset
	CommandIDERResetDone     Command = 0x47 // IDERSignal
	CommandIDERFeatures      Command = 0x48 // IDERFeatures
	CommandIDERFeaturesReply Command = 0x49 // IDERFeaturesReply
	CommandIDERError         Command = 0x4A // IDERError
	CommandIDERHeartbeat     Command = 0x4B // IDERSignal
	CommandIDERCommand       Command = 0x50 // IDERCommand
	CommandIDEREnd           Command = 0x51 // IDERCommandEnd
	CommandIDERGetData       Command = 0x52 // IDERGetData
	CommandIDERFromHost      Command = 0x53 // IDERDataFromHost
	CommandIDERToHost        Command = 0x54 // IDERDataToHost
)

// Side is one of the two ends of a session.
type Side uint8

const (
	// Operator is the end that starts the session.
	Operator Side = iota + 1
	// AMT is the device.
	AMT
)

// String names the side.
func (s Side) String() string {
	switch s {
	case Operator:
		return "operator"
	case AMT:
		return "device"
	default:
		return fmt.Sprintf("side %d", uint8(s))
	}
}

// SessionType is what a session is for: the four letters of StartSession as a little-endian number, so that unknown ones can
// be told too.
type SessionType uint32

// The session types.
const (
	SOL  SessionType = 'S' | 'O'<<8 | 'L'<<16 | ' '<<24
	KVM  SessionType = 'K' | 'V'<<8 | 'M'<<16 | 'R'<<24
	IDER SessionType = 'I' | 'D'<<8 | 'E'<<16 | 'R'<<24
)

// String names the type.
func (t SessionType) String() string {
	switch t {
	case SOL:
		return "SOL"
	case KVM:
		return "KVM"
	case IDER:
		return "IDE-R"
	default:
		return fmt.Sprintf("%q", []byte{byte(t), byte(t >> 8), byte(t >> 16), byte(t >> 24)})
	}
}

// StartStatus is how the device answers the start of a session.
type StartStatus uint8

// The statuses of StartReply.
const (
	StartOK          StartStatus = 0
	StartUnknownType StartStatus = 1
	StartBusy        StartStatus = 2
	StartUnsupported StartStatus = 3
	StartFailed      StartStatus = 0xFF
)

// String names the status.
func (s StartStatus) String() string {
	switch s {
	case StartOK:
		return "ok"
	case StartUnknownType:
		return "unknown type"
	case StartBusy:
		return "busy"
	case StartUnsupported:
		return "not supported"
	case StartFailed:
		return "error"
	default:
		return fmt.Sprintf("status %d", uint8(s))
	}
}

// AuthType is a kind of authentication. AMT 12 and newer offer digest alone, and this package speaks nothing else.
type AuthType uint8

// The kinds of authentication.
const (
	AuthQuery     AuthType = 0 // asks which there are
	AuthPassword  AuthType = 1 // user and password in the clear
	AuthKerberos  AuthType = 2
	AuthOldDigest AuthType = 3 // without client nonce, count and qop
	AuthDigest    AuthType = 4
)

// String names the kind.
func (t AuthType) String() string {
	switch t {
	case AuthQuery:
		return "query"
	case AuthPassword:
		return "password"
	case AuthKerberos:
		return "Kerberos"
	case AuthOldDigest:
		return "old digest"
	case AuthDigest:
		return "digest"
	default:
		return fmt.Sprintf("authentication type %d", uint8(t))
	}
}

// AuthStatus is how the device answers an authentication.
type AuthStatus uint8

// The statuses of AuthReply.
const (
	AuthOK           AuthStatus = 0
	AuthFailed       AuthStatus = 1 // or: continue, with the data
	AuthNotSupported AuthStatus = 2
)

// String names the status.
func (s AuthStatus) String() string {
	switch s {
	case AuthOK:
		return "ok"
	case AuthFailed:
		return "failure"
	case AuthNotSupported:
		return "not supported"
	default:
		return fmt.Sprintf("status %d", uint8(s))
	}
}
