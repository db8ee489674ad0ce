package agentproto

import (
	"bytes"
	"math"
	"strings"
)

// AgentTag (command 15 from the agent) is the tag that the agent was installed with. Native agents send it right after
// the login, without text if they have none.
//
//	0  2  00 0F
//	2  *  text; native agents end it with a NUL
//
// Unlike the other commands from 10 to 20 it has no request id.
//
// Confirmed in agentcore.c, MeshServer_ProcessCommand case 4, and meshagent.js, case 15.
type AgentTag struct {
	Text []byte // without trailing NULs; aliases the message when parsed; not sanitised
}

// Command returns [CmdAgentTag].
func (AgentTag) Command() Command { return CmdAgentTag }

// AppendBinary appends the message. The error is always nil.
func (m AgentTag) AppendBinary(b []byte) ([]byte, error) {
	return append(appendHeader(b, CmdAgentTag), m.Text...), nil
}

// ParseAgentTag parses a command 15. The text aliases msg.
func ParseAgentTag(msg []byte) (m AgentTag, err error) {
	if err := checkHeader(msg, CmdAgentTag, 2, math.MaxInt); err != nil {
		return m, err
	}
	m.Text = bytes.TrimRight(msg[2:], "\x00")
	return m, nil
}

// TagInfo is what the lines of an [AgentTag] say.
type TagInfo struct {
	Tag         AgentString // the first line that does not start with ~
	ServerName  AgentString // ~ServerName:x, the device name that the agent asks for
	ServerDesc  AgentString // ~ServerDesc:x, its description
	ServerTags  []AgentString
	HasSettings bool // whether any of the ~ lines was there
}

// Limits on what a tag may hold.
const (
	maxTagText  = 512
	maxTagCount = 64
)

// Info reads the lines of the tag. Text is taken as UTF-8; the stock server takes it as Latin-1.
func (m AgentTag) Info() TagInfo {
	var t TagInfo
	for line := range strings.FieldsFuncSeq(string(m.Text), func(r rune) bool { return r == '\r' || r == '\n' }) {
		if !strings.HasPrefix(line, "~") {
			if t.Tag == "" {
				t.Tag = CleanAgentString(line, maxTagText)
			}
			continue
		}
		key, value, ok := strings.Cut(line[1:], ":")
		if !ok {
			continue
		}
		switch key {
		case "ServerName":
			t.ServerName, t.HasSettings = CleanAgentString(value, maxTagText), true
		case "ServerDesc":
			t.ServerDesc, t.HasSettings = CleanAgentString(value, maxTagText), true
		case "ServerTags":
			t.ServerTags, t.HasSettings = nil, true
			for tag := range strings.SplitSeq(value, ",") {
				if s := CleanAgentString(strings.TrimSpace(tag), maxTagText); s != "" && len(t.ServerTags) < maxTagCount {
					t.ServerTags = append(t.ServerTags, s)
				}
			}
		}
	}
	return t
}
