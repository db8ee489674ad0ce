package jsonrec

import (
	"encoding/binary"
	"math/bits"
)

// The functions of this file look at data from index i on and return the index after what they found, or a negative
// number, one of those below.
const (
	badSyntax = -1 - iota
	badDepth
	badCount
)

func scanError(code, offset int) error { return at(sentinel(code), offset) }

func sentinel(code int) error {
	switch code {
	case badDepth:
		return ErrDepth
	case badCount:
		return ErrLimit
	}
	return ErrSyntax
}

// blanks skips white space.
func blanks(data []byte, i int) int {
	for i < len(data) && data[i] <= ' ' {
		switch data[i] {
		case ' ', '\n', '\r', '\t':
			i++
		default:
			return i
		}
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, in the high bit of each byte, the bytes of x that are not plain characters of a string: quotes,
// backslashes, control characters, and all that is not ASCII. Bits above the lowest one that is set may be wrong.
func special(x uint64) uint64 {
	quote := x ^ ones*'"'
	slash := x ^ ones*'\\'
	return ((x - ones*' ') | (quote - ones) | (slash - ones) | x) & highs
}

// stringEnd finds the end of a string. data[i] is the opening quote; plain says that the text between the quotes is
// ASCII without escapes.
func stringEnd(data []byte, i int) (end int, plain bool) {
	plain = true
	for i++; ; {
		for i+8 <= len(data) {
			if m := special(binary.LittleEndian.Uint64(data[i:])); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(data) {
			return badSyntax, false
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, plain
		case c == '\\':
			plain = false
			if i = escapeEnd(data, i); i < 0 {
				return badSyntax, false
			}
		case c < ' ':
			return badSyntax, false
		default:
			if c >= 0x80 {
				plain = false
			}
			i++
		}
	}
}

// escapeEnd checks an escape sequence; data[i] is the backslash.
func escapeEnd(data []byte, i int) int {
	if i++; i >= len(data) {
		return badSyntax
	}
	switch data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(data)-i < 5 {
			return badSyntax
		}
		for _, c := range data[i+1 : i+5] {
			if hexDigit(c) < 0 {
				return badSyntax
			}
		}
		return i + 5
	}
	return badSyntax
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// numberEnd finds the end of a number; whole says that it has neither fraction nor exponent.
func numberEnd(data []byte, i int) (end int, whole bool) {
	whole = true
	if i < len(data) && data[i] == '-' {
		i++
	}
	start := i
	i = digitsEnd(data, i)
	if i == start || data[start] == '0' && i > start+1 {
		return badSyntax, false
	}
	if i < len(data) && data[i] == '.' {
		whole = false
		start = i + 1
		if i = digitsEnd(data, start); i == start {
			return badSyntax, false
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		whole = false
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		start = i
		if i = digitsEnd(data, i); i == start {
			return badSyntax, false
		}
	}
	return i, whole
}

func digitsEnd(data []byte, i int) int {
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	return i
}

// word checks for true, false or null.
func word(data []byte, i int, want string) int {
	if len(data)-i < len(want) || string(data[i:i+len(want)]) != want {
		return badSyntax
	}
	return i + len(want)
}

// scalarEnd finds the end of a value that is neither object nor array.
func scalarEnd(data []byte, i int) int {
	if i >= len(data) {
		return badSyntax
	}
	switch data[i] {
	case '"':
		end, _ := stringEnd(data, i)
		return end
	case 't':
		return word(data, i, "true")
	case 'f':
		return word(data, i, "false")
	case 'n':
		return word(data, i, "null")
	}
	end, _ := numberEnd(data, i)
	return end
}

// valueEnd finds the end of a value that starts at i, and checks it. depth is how deep it may be nested, up to MaxDepth;
// values, how many values it may hold, itself included.
func valueEnd(data []byte, i, depth, values int) int {
	var (
		objects uint64 // a bit for each level that is open: an object, or an array
		level   int
	)
value:
	i = blanks(data, i)
	if values--; values < 0 {
		return badCount
	}
	if i < len(data) && data[i]|0x20 == '{' {
		if level++; level > depth {
			return badDepth
		}
		objects <<= 1
		if data[i] == '{' {
			objects |= 1
			if i = blanks(data, i+1); i < len(data) && data[i] == '}' {
				i++
				goto closed
			}
			goto name
		}
		if i = blanks(data, i+1); i < len(data) && data[i] == ']' {
			i++
			goto closed
		}
		goto value
	}
	if i = scalarEnd(data, i); i < 0 {
		return i
	}
after:
	if level == 0 {
		return i
	}
	if i = blanks(data, i); i >= len(data) {
		return badSyntax
	}
	switch c := data[i]; {
	case c == ',':
		i++
		if objects&1 == 0 {
			goto value
		}
	case c == '}' && objects&1 == 1, c == ']' && objects&1 == 0:
		i++
		goto closed
	default:
		return badSyntax
	}
name:
	if i = blanks(data, i); i >= len(data) || data[i] != '"' {
		return badSyntax
	}
	if i, _ = stringEnd(data, i); i < 0 {
		return i
	}
	if i = blanks(data, i); i >= len(data) || data[i] != ':' {
		return badSyntax
	}
	i++
	goto value
closed:
	objects >>= 1
	level--
	goto after
}

// element is what is known of an element of an array before it is read.
type element struct {
	end  int // index of the comma or bracket after it
	text int // how many bytes its strings have, names of members not counted
}

// elements appends the elements of an array; data[i] is its bracket. It only counts brackets: that the JSON is right is
// checked when the elements are read. false means that the array does not end with a bracket of its kind.
func elements(list []element, data []byte, i int) ([]element, bool) {
	level, empty, text := 0, true, 0
	if list == nil {
		list = make([]element, 0, 8)
	}
	for i++; i < len(data); {
		switch c := data[i]; c {
		case '"':
			empty = false
			end, _ := stringEnd(data, i)
			if end < 0 {
				return list, false
			}
			if end < len(data) && data[end] != ':' {
				text += end - i - 2
			}
			i = end
			continue
		case '{', '[':
			empty = false
			level++
		case '}', ']':
			if level == 0 {
				if !empty {
					list = append(list, element{i, text})
				}
				return list, c == ']'
			}
			level--
		case ',':
			if level == 0 {
				list = append(list, element{i, text})
				text = 0
			}
		case ' ', '\n', '\r', '\t':
		default:
			empty = false
		}
		i++
	}
	return list, false
}

// textOf counts the bytes of the strings in an object, at most: it stops where the object ends or is malformed.
func textOf(data []byte, i int) int {
	text, level := 0, 0
	for i < len(data) {
		switch data[i] {
		case '"':
			end, _ := stringEnd(data, i)
			if end < 0 {
				return text
			}
			if end < len(data) && data[end] != ':' {
				text += end - i - 2
			}
			i = end
			continue
		case '{', '[':
			level++
		case '}', ']':
			level--
		}
		if i++; level <= 0 {
			return text
		}
	}
	return text
}
