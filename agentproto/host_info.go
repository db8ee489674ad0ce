package agentproto

import (
	"bytes"
	"math"
	"time"
)

// AgentCommitDate (command 30 from the agent) is when the agent's source was committed, such as
// 2022-Nov-2 23:01:45-0700. Native agents send it first of all.
//
//	0  2  00 1E
//	2  *  text, then a NUL
//
// Confirmed in agentcore.c, MeshServer_ControlChannel_Connected, and meshagent.js, case 30.
type AgentCommitDate struct {
	Text []byte // without trailing NULs; aliases the message when parsed; not sanitised
}

// Command returns [CmdAgentCommitDate].
func (AgentCommitDate) Command() Command { return CmdAgentCommitDate }

// AppendBinary appends the message. The error is always nil.
func (m AgentCommitDate) AppendBinary(b []byte) ([]byte, error) {
	b = append(appendHeader(b, CmdAgentCommitDate), m.Text...)
	return append(b, 0), nil
}

// ParseAgentCommitDate parses a command 30. The text aliases msg.
func ParseAgentCommitDate(msg []byte) (m AgentCommitDate, err error) {
	m.Text, err = parseText(msg, CmdAgentCommitDate)
	return m, err
}

// Time reads the date in the form of native agents, with or without a zone.
func (m AgentCommitDate) Time() (time.Time, error) {
	t, err := time.Parse("2006-Jan-2 15:04:05-0700", string(m.Text))
	if err != nil {
		t, err = time.Parse("2006-Jan-2 15:04:05", string(m.Text))
	}
	if err != nil {
		return time.Time{}, malformed(CmdAgentCommitDate, "%.64q is no date", m.Text)
	}
	return t, nil
}

// HostInfo (command 31 from the agent) is its operating system and architecture, such as
// "Debian GNU/Linux 12 (bookworm) - x64". Native agents send it before their command 1.
//
//	0  2  00 1F
//	2  *  UTF-8 text
//
// Confirmed in agentcore.c, MeshServer_ControlChannel_Connected; the stock server ignores it.
type HostInfo struct {
	Text []byte // aliases the message when parsed; not sanitised
}

// Command returns [CmdHostInfo].
func (HostInfo) Command() Command { return CmdHostInfo }

// AppendBinary appends the message. The error is always nil.
func (m HostInfo) AppendBinary(b []byte) ([]byte, error) {
	return append(appendHeader(b, CmdHostInfo), m.Text...), nil
}

// ParseHostInfo parses a command 31. The text aliases msg.
func ParseHostInfo(msg []byte) (m HostInfo, err error) {
	m.Text, err = parseText(msg, CmdHostInfo)
	return m, err
}

// parseText parses a header and text, without the NULs that end it.
func parseText(msg []byte, cmd Command) ([]byte, error) {
	if err := checkHeader(msg, cmd, 2, math.MaxInt); err != nil {
		return nil, err
	}
	return bytes.TrimRight(msg[2:], "\x00"), nil
}
