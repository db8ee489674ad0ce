package console

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes one line of text that devices and other people chose fit for a terminal. Control characters could move the
// cursor, set the window's title, or make the terminal type something; format characters could turn the order of what
// is read around. Each is replaced by a mark, line breaks and tabs by a space.
func Clean(s string) string { return cleaned(s, false) }

// CleanLines is clean for several lines: line breaks and tabs stay.
func CleanLines(s string) string { return cleaned(strings.ReplaceAll(s, "\r\n", "\n"), true) }

func cleaned(s string, lines bool) string {
	if strings.IndexFunc(s, func(r rune) bool { return !Harmless(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case Harmless(r):
			b.WriteRune(r)
		case lines && (r == '\n' || r == '\t'):
			b.WriteRune(r)
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		default:
			b.WriteRune(utf8.RuneError)
		}
	}
	return b.String()
}

// Harmless is for what stays as it is. Joiners are format characters that scripts and pictures are written with.
func Harmless(r rune) bool {
	const joiner, nonJoiner = '\u200D', '\u200C'
	if r == utf8.RuneError {
		return false
	}
	return !unicode.IsControl(r) && r != '\u2028' && r != '\u2029' && (!unicode.Is(unicode.Cf, r) || r == joiner || r == nonJoiner)
}
