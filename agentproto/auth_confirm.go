package agentproto

// AuthConfirm (command 4) is two bytes, 00 04, and means two things. From an agent, before its command 1: "I trust this
// TLS certificate from an earlier login; do not send your signature." From a server, once: "You are logged in."
//
// Confirmed in agentcore.c, MeshServer_ControlChannel_Connected and MeshServer_ProcessCommand, and meshagent.js, case 4
// and completeAgentConnection4.
type AuthConfirm struct{}

// Command returns [CmdAuthConfirm].
func (AuthConfirm) Command() Command { return CmdAuthConfirm }

// AppendBinary appends the message. The error is always nil.
func (AuthConfirm) AppendBinary(b []byte) ([]byte, error) {
	return appendHeader(b, CmdAuthConfirm), nil
}

// ParseAuthConfirm parses a command 4.
func ParseAuthConfirm(msg []byte) (m AuthConfirm, err error) {
	return m, checkHeader(msg, CmdAuthConfirm, 2, 2)
}
