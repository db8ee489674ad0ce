package console

import (
	"fmt"
	"strings"
	"unicode"
)

// Escaped writes the characters that a terminal must not see, and that JSON permits inside strings, in JSON's escapes.
func Escaped(text string) string {
	if strings.IndexFunc(text, dangerousInJSON) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !dangerousInJSON(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := (r-0x10000)>>10+0xD800, (r-0x10000)&0x3FF+0xDC00
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func dangerousInJSON(r rune) bool { return r != '\n' && r != unicode.ReplacementChar && !Harmless(r) }
