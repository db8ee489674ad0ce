package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes one line of text that devices and other people chose fit for a terminal. Control characters could move the
// cursor, set the window's title, or make the terminal type something; format characters could turn the order of what
// is read around. Each is replaced by a mark, line breaks and tabs by a space.
func clean(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !harmless(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case harmless(r):
			b.WriteRune(r)
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		default:
			b.WriteRune(utf8.RuneError)
		}
	}
	return b.String()
}

// harmless is for what stays as it is. Joiners are format characters that scripts and pictures are written with.
func harmless(r rune) bool {
	const joiner, nonJoiner = '\u200D', '\u200C'
	if r == utf8.RuneError {
		return false
	}
	return !unicode.IsControl(r) && r != '\u2028' && r != '\u2029' && (!unicode.Is(unicode.Cf, r) || r == joiner || r == nonJoiner)
}
