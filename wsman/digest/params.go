package digest

import (
	"fmt"
	"strings"
)

// Limits of a header.
const (
	maxHeader = 4096
	maxParams = 64
)

// scheme is a scheme and its parameters, whose names are in lower case.
type scheme struct {
	name   string
	params []param
}

type param struct{ name, value string }

// parse reads the value of WWW-Authenticate or Authorization: schemes, each followed by parameters with commas between.
// Values may be quoted or not.
func parse(s string) ([]scheme, error) {
	if len(s) > maxHeader {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(s))
	}
	for i := range len(s) {
		if s[i] < 0x20 && s[i] != '\t' || s[i] == 0x7F {
			return nil, fmt.Errorf("%w: a control character", ErrMalformed)
		}
	}
	var schemes []scheme
	for count := 0; ; count++ {
		s = strings.TrimLeft(s, ", \t")
		if s == "" {
			return schemes, nil
		}
		if count > maxParams {
			return nil, fmt.Errorf("%w: too many parameters", ErrMalformed)
		}
		end := strings.IndexAny(s, "=, \t\"")
		if end < 0 {
			end = len(s)
		}
		name, rest := s[:end], strings.TrimLeft(s[end:], " \t")
		if name == "" {
			return nil, fmt.Errorf("%w: a name is missing at %.40q", ErrMalformed, s)
		}
		if !strings.HasPrefix(rest, "=") {
			if i := len(schemes) - 1; i >= 0 && schemes[i].goesOn(name) {
				s = rest
				continue
			}
			schemes = append(schemes, scheme{name: name})
			s = rest
			continue
		}
		if len(schemes) == 0 {
			return nil, fmt.Errorf("%w: a parameter before the scheme", ErrMalformed)
		}
		value, rest, err := parseValue(strings.TrimLeft(rest[1:], " \t"))
		if err != nil {
			return nil, err
		}
		last := &schemes[len(schemes)-1]
		last.params = append(last.params, param{strings.ToLower(name), value})
		s = rest
	}
}

// goesOn takes the second quality of an unquoted list: qop=auth-int, auth.
func (s *scheme) goesOn(word string) bool {
	if len(s.params) == 0 || !strings.EqualFold(word, "auth") && !strings.EqualFold(word, "auth-int") {
		return false
	}
	last := &s.params[len(s.params)-1]
	if last.name != "qop" {
		return false
	}
	last.value += "," + word
	return true
}

func parseValue(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ", \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], nil
	}
	s = s[1:]
	end := strings.IndexAny(s, `"\`)
	if end >= 0 && s[end] == '"' {
		return s[:end], s[end+1:], nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", fmt.Errorf("%w: a quoted value does not end", ErrMalformed)
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", fmt.Errorf("%w: a quoted value does not end", ErrMalformed)
}

// appendQuoted quotes a value. What could end the header line becomes a question mark.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 && c != '\t' || c == 0x7F:
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
