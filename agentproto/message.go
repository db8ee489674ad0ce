package agentproto

import "encoding/binary"

// Message is a binary message. Its types are values; none keeps a connection or a clock.
type Message interface {
	// Command returns the number that the message starts with.
	Command() Command
	// AppendBinary appends the message in its wire form, as encoding.BinaryAppender does.
	AppendBinary(b []byte) ([]byte, error)
}

// ParseFromAgent parses any binary message that an agent sends. What it returns may alias msg. Commands that no agent
// sends are an [ErrProtocol].
func ParseFromAgent(msg []byte) (Message, error) {
	cmd, ok := PeekCommand(msg)
	if !ok {
		return nil, notBinary(msg)
	}
	switch cmd {
	case CmdAuthRequest:
		return message(ParseAuthRequest(msg))
	case CmdAuthVerify:
		return message(ParseAuthVerify(msg))
	case CmdAuthInfo:
		return message(ParseAuthInfo(msg))
	case CmdAuthConfirm:
		return message(ParseAuthConfirm(msg))
	case CmdServerID:
		return message(ParseServerID(msg))
	case CmdCoreHash:
		return message(ParseCoreHash(msg))
	case CmdAgentHash:
		return message(ParseAgentHash(msg))
	case CmdUpdateBlock:
		return message(ParseUpdateAck(msg))
	case CmdAgentTag:
		return message(ParseAgentTag(msg))
	case CmdAgentCommitDate:
		return message(ParseAgentCommitDate(msg))
	case CmdHostInfo:
		return message(ParseHostInfo(msg))
	default:
		return nil, unexpected(cmd, "an agent does not send it")
	}
}

// ParseFromServer parses any binary message that a server sends. What it returns may alias msg. Commands that no server
// sends are an [ErrProtocol].
func ParseFromServer(msg []byte) (Message, error) {
	cmd, ok := PeekCommand(msg)
	if !ok {
		return nil, notBinary(msg)
	}
	switch cmd {
	case CmdAuthRequest:
		return message(ParseAuthRequest(msg))
	case CmdAuthVerify:
		return message(ParseAuthVerify(msg))
	case CmdAuthConfirm:
		return message(ParseAuthConfirm(msg))
	case CmdCoreModule:
		return message(ParseCoreModule(msg))
	case CmdCoreHash:
		return message(ParseCoreHashRequest(msg))
	case CmdAgentHash:
		return message(ParseAgentHashRequest(msg))
	case CmdAgentUpdate:
		return message(ParseAgentUpdate(msg))
	case CmdUpdateBlock:
		return message(ParseUpdateBlock(msg))
	case CmdCoreOK:
		return message(ParseCoreOK(msg))
	case CmdCompressedCoreModule:
		return message(ParseCompressedCoreModule(msg))
	default:
		return nil, unexpected(cmd, "a server does not send it")
	}
}

// message turns a typed result into an interface that is nil on failure.
func message[M Message](m M, err error) (Message, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

func notBinary(msg []byte) error {
	if IsJSON(msg) {
		return malformed(0, "JSON where a binary command was expected")
	}
	return malformed(0, "%d bytes are no command", len(msg))
}

// appendHeader appends the two bytes that every binary message starts with.
func appendHeader(b []byte, cmd Command) []byte {
	return binary.BigEndian.AppendUint16(b, uint16(cmd))
}

// appendRequestHeader appends the header of commands 10 to 20: command and request id.
func appendRequestHeader(b []byte, cmd Command, id uint16) []byte {
	return binary.BigEndian.AppendUint16(appendHeader(b, cmd), id)
}

// parseRequestHeader parses a message that is a header with a request id and nothing else.
func parseRequestHeader(msg []byte, cmd Command) (id uint16, err error) {
	if err := checkHeader(msg, cmd, 4, 4); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(msg[2:]), nil
}

// checkHeader checks that msg is of cmd and between min and max bytes long.
func checkHeader(msg []byte, cmd Command, min, max int) error {
	got, ok := PeekCommand(msg)
	switch {
	case !ok:
		return notBinary(msg)
	case got != cmd:
		return malformed(cmd, "is %v", got)
	case len(msg) < min:
		return malformed(cmd, "%d bytes, at least %d are needed", len(msg), min)
	case len(msg) > max:
		return malformed(cmd, "%d bytes, at most %d are allowed", len(msg), max)
	}
	return nil
}
