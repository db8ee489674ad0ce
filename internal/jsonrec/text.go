package jsonrec

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendString appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func AppendString(b []byte, s string) []byte {
	// Nearly all texts need no change. It is found out on the copy, as only bytes can be looked at eight at a time.
	b = append(b, '"')
	from := len(b)
	b = append(b, s...)
	if i := plainPrefix(b[from:]); i < len(s) {
		return appendEscaped(b[:from+i], s[i:])
	}
	return append(b, '"')
}

// plainPrefix tells how much of text is ASCII that needs no escapes.
func plainPrefix(text []byte) int {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		if special(binary.LittleEndian.Uint64(text[i:])) != 0 {
			break
		}
	}
	for i < len(text) && text[i] >= ' ' && text[i] < utf8.RuneSelf && text[i] != '"' && text[i] != '\\' {
		i++
	}
	return i
}

// appendEscaped appends s and the quote after it.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, s[start:i]...)
			b = append(b, "\ufffd"...)
			start = i + n
		case r == '\u2028' || r == '\u2029':
			// Valid in JSON, but not where JSON is put into old JavaScript.
			b = append(b, s[start:i]...)
			b = append(b, '\\', 'u', '2', '0', '2', hex[r&15])
			start = i + n
		}
		i += n
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// unquote appends the text of a valid JSON string, of which raw is what stands between the quotes. Bytes that are no UTF-8
// and halves of surrogate pairs become U+FFFD.
func unquote(b, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			if c < utf8.RuneSelf {
				b = append(b, c)
				i++
				continue
			}
			r, n := utf8.DecodeRune(raw[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		c = raw[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(raw[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(raw)-i >= 6 && raw[i] == '\\' && raw[i+1] == 'u' {
					low = hex4(raw[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
			continue
		}
		b = append(b, c)
	}
	return b
}

func hex4(raw []byte) rune {
	return hexDigit(raw[0])<<12 | hexDigit(raw[1])<<8 | hexDigit(raw[2])<<4 | hexDigit(raw[3])
}

// appendCompact appends valid JSON without blanks, and with U+FFFD for bytes that are no UTF-8.
func appendCompact(b, raw []byte) []byte {
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			end, plain := stringEnd(raw, i)
			if end < 0 {
				return b // cannot happen: raw is valid
			}
			if plain || utf8.Valid(raw[i:end]) {
				b = append(b, raw[i:end]...)
				i = end
			}
			for i < end {
				r, n := utf8.DecodeRune(raw[i:])
				b = utf8.AppendRune(b, r)
				i += n
			}
		default:
			b = append(b, c)
			i++
		}
	}
	return b
}
