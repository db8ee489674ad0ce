package wsman

import (
	"fmt"
	"strconv"
	"strings"
)

// ReturnNames names the return values of a method; "" for those it does not know. The same number means different things
// in different methods: those of the classes have tables of their own beside them, or [PTStatus].
type ReturnNames func(value uint32) string

// ReturnValueError is a method that was called and failed.
type ReturnValueError struct {
	Class  string
	Method string
	Value  uint32
	Name   string // "" if not known
}

// Error says which method failed, and how.
func (e *ReturnValueError) Error() string {
	s := "wsman: " + e.Class + "." + e.Method + ": return value " + strconv.FormatUint(uint64(e.Value), 10)
	if e.Name != "" {
		s += " (" + e.Name + ")"
	}
	return s
}

// CheckReturnValue looks at ReturnValue in the output of a method. An output without one counts as success.
func CheckReturnValue(out *Element, class, method string, names ReturnNames) error {
	el := out.Child("ReturnValue")
	if el == nil {
		return nil
	}
	text := strings.TrimSpace(el.Text)
	if text == "" || text == "0" {
		return nil
	}
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		// Some firmware writes what is not 32 bits without a sign; -1 is the same number.
		i, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("%w: %s.%s returned %s", ErrMalformed, class, method, quoted(text))
		}
		v = uint64(uint32(i)) //nolint:gosec // two's complement, see above
	}
	if v == 0 {
		return nil
	}
	e := &ReturnValueError{Class: class, Method: method, Value: uint32(v)}
	if names != nil {
		e.Name = names(e.Value)
	}
	return e
}
