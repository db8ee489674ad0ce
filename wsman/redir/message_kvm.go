package redir

const kvmLen = 8

func kvmSize(from Side, b []byte) int {
	switch {
	case from == Operator && Command(b[0]) == CommandKVMOpen, from == AMT && Command(b[0]) == CommandKVMOpened:
		return kvmLen
	case from == Operator && Command(b[0]) == CommandEnd:
		return endLen
	default:
		return unknownCommand
	}
}

// KVMOpen asks to switch over to RFB. Operator to device, after the authentication; 40 and seven zeros.
//
// Confirmed in amt-redir-ws-0.1.0.js, xxOnMessage.
type KVMOpen struct{}

// Append appends the message to b.
func (KVMOpen) Append(b []byte) []byte { return append(b, byte(CommandKVMOpen), 0, 0, 0, 0, 0, 0, 0) }

// Parse reads a whole message.
func (*KVMOpen) Parse(b Message) error { return b.check(CommandKVMOpen, kvmLen) }

// KVMOpened answers KVMOpen. Device to operator; 41 and seven zeros. The next byte is RFB's.
//
// Confirmed in amt-redir-ws-0.1.0.js, xxOnMessage.
type KVMOpened struct{}

// Append appends the message to b.
func (KVMOpened) Append(b []byte) []byte {
	return append(b, byte(CommandKVMOpened), 0, 0, 0, 0, 0, 0, 0)
}

// Parse reads a whole message.
func (*KVMOpened) Parse(b Message) error { return b.check(CommandKVMOpened, kvmLen) }
