package jsonrec

import (
	"encoding/json"
)

// Members calls f for every member of the object that data holds, in order. value has no blanks around it and aliases
// data. An error of f ends the walk and is returned as it is.
func Members(data []byte, f func(name string, value json.RawMessage) error) error {
	return walk(data, func(name []byte, value json.RawMessage) error { return f(string(name), value) })
}

// Peek gives members of the object that data holds, in the order of names, without reading the others. They alias
// data. What is absent or null is nil.
func Peek(data []byte, names ...string) ([]json.RawMessage, error) {
	found := make([]json.RawMessage, len(names))
	err := walk(data, func(name []byte, value json.RawMessage) error {
		for i, want := range names {
			if string(name) == want {
				if string(value) == "null" {
					value = nil
				}
				found[i] = value
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func walk(data []byte, f func(name []byte, value json.RawMessage) error) error {
	i := blanks(data, 0)
	if i >= len(data) {
		return at(ErrSyntax, i)
	}
	if data[i] != '{' {
		if err := Check(data, Limits{}); err != nil {
			return err
		}
		return ErrShape
	}
	if i = blanks(data, i+1); i < len(data) && data[i] == '}' {
		return ended(data, i+1)
	}
	for {
		start := blanks(data, i)
		if start >= len(data) || data[start] != '"' {
			return at(ErrSyntax, start)
		}
		end, plain := stringEnd(data, start)
		if end < 0 {
			return at(ErrSyntax, start)
		}
		name := data[start+1 : end-1]
		if !plain {
			name = unquote(nil, name)
		}
		if i = blanks(data, end); i >= len(data) || data[i] != ':' {
			return at(ErrSyntax, i)
		}
		start = blanks(data, i+1)
		if end = valueEnd(data, start, MaxDepth-1, len(data)+1); end < 0 {
			return scanError(end, start)
		}
		if err := f(name, data[start:end:end]); err != nil {
			return err
		}
		if i = blanks(data, end); i >= len(data) {
			return at(ErrSyntax, i)
		}
		switch data[i] {
		case '}':
			return ended(data, i+1)
		case ',':
			i++
		default:
			return at(ErrSyntax, i)
		}
	}
}

// ended checks that only blanks follow.
func ended(data []byte, i int) error {
	if i = blanks(data, i); i < len(data) {
		return at(ErrSyntax, i)
	}
	return nil
}
