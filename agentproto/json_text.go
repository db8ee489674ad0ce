package agentproto

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// AgentString is one line of text that an agent sent: a device name, an operating system description, a volume name.
// Agents lie, and whoever owns one device can send anything, so it is a type of its own and not a string:
//
//   - it is valid UTF-8 (what was not becomes U+FFFD);
//   - it holds no control characters (C0, DEL, C1), no line separators, no byte order mark and none of the
//     characters that override the direction of text; tabs and line ends have become spaces;
//   - it is no longer than the limit of the field it was read from, cut at a character, counted in bytes.
//
// It is NOT safe as HTML, as a file name or as an argument of a command: `<script>` is valid text. html/template
// escapes it like any string; never turn it into template.HTML. (Versions of MeshCentral before 1.1.60 put such text
// into pages unescaped, which let one rogue agent take an administrator's session.)
type AgentString string

// AgentText is text of several lines that an agent sent, such as the output of a command. It is cleaned like
// [AgentString], except that tabs, line feeds and carriage returns stay. Escape sequences of terminals do not survive,
// because ESC is a control character.
type AgentText string

// maxDecodedText bounds strings that are decoded by encoding/json into a caller's own types.
const maxDecodedText = 64 << 10

// CleanAgentString cleans s as described at [AgentString] and cuts it to at most limit bytes.
func CleanAgentString(s string, limit int) AgentString {
	return AgentString(cleanText(s, limit, false))
}

// CleanAgentText cleans s as described at [AgentText] and cuts it to at most limit bytes.
func CleanAgentText(s string, limit int) AgentText {
	return AgentText(cleanText(s, limit, true))
}

// String returns the text. It is not escaped for any purpose.
func (s AgentString) String() string { return string(s) }

// UnmarshalText cleans b, so that a caller's own struct with AgentString fields stays clean when it is decoded from an
// opaque part of a message. At most 64 KiB are kept.
func (s *AgentString) UnmarshalText(b []byte) error {
	*s = CleanAgentString(string(b), maxDecodedText)
	return nil
}

// String returns the text. It is not escaped for any purpose.
func (s AgentText) String() string { return string(s) }

// UnmarshalText cleans b like [AgentString.UnmarshalText] does, keeping line ends.
func (s *AgentText) UnmarshalText(b []byte) error {
	*s = AgentText(cleanText(string(b), maxJSONSize, true))
	return nil
}

// cleanText implements both cleanings; cleaning twice changes nothing more.
func cleanText(s string, limit int, lines bool) string {
	if isCleanText(s, lines) {
		return cutText(s, limit)
	}
	var b strings.Builder
	b.Grow(min(len(s), limit))
	for _, r := range s { // invalid bytes come as U+FFFD
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			if !lines {
				r = ' '
			}
		case r == '\u2028' || r == '\u2029' || r == '\u0085': // other line ends
			if r = ' '; lines {
				r = '\n'
			}
		case isHarmful(r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isCleanText(s string, lines bool) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			ascii = false
		case c < ' ' && (!lines || c != '\t' && c != '\n' && c != '\r'), c == 0x7f:
			return false
		}
	}
	if ascii {
		return true
	}
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r >= utf8.RuneSelf && (r == '\u2028' || r == '\u2029' || isHarmful(r)) {
			return false
		}
	}
	return true
}

// isHarmful tells control characters and the invisible ones that make text look like other text.
func isHarmful(r rune) bool {
	switch {
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069': // direction embeddings, overrides, isolates
		return true
	case r == '\ufeff':
		return true
	}
	return unicode.IsControl(r)
}

// cutText shortens s to at most limit bytes without splitting a character.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
