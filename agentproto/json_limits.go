package agentproto

import "strconv"

// Bounds of every JSON message, in either direction, checked before anything is decoded. They are well above what the real
// peers send: the largest of theirs are outputs of commands and error logs, the deepest (sysinfo) has 7 levels.
const (
	maxJSONSize   = 8 << 20
	maxJSONDepth  = 32
	maxJSONValues = 1 << 16 // values and names together, about
)

// checkJSONBounds counts without understanding: one pass, no recursion, no allocation. Whether b is JSON at all is the
// decoder's question.
func checkJSONBounds(b []byte) error {
	if len(b) > maxJSONSize {
		return &JSONError{Err: ErrJSONLimit, Detail: strconv.Itoa(len(b)) + " bytes, at most " + strconv.Itoa(maxJSONSize)}
	}
	if len(b) == 0 || b[0] != '{' {
		// A blank or a byte order mark in front makes it a binary command for the real peers.
		return &JSONError{Err: ErrJSONSyntax, Detail: "the first byte is not '{'"}
	}
	depth, values, inString := 0, 1, false
	for i := 0; i < len(b); i++ {
		c := b[i]
		if inString {
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
			continue
		}
		switch c {
		case '"':
			inString = true
		case '{', '[':
			if depth++; depth > maxJSONDepth {
				return &JSONError{Err: ErrJSONLimit, Detail: "nested deeper than " + strconv.Itoa(maxJSONDepth) + " levels"}
			}
		case '}', ']':
			depth--
		case ',', ':':
			if values++; values > maxJSONValues {
				return &JSONError{Err: ErrJSONLimit, Detail: "more than " + strconv.Itoa(maxJSONValues) + " parts"}
			}
		}
	}
	return nil
}
