package agentproto

import (
	"errors"
	"fmt"
)

// Reasons to refuse a JSON message; [JSONError] wraps one of them.
var (
	// ErrJSONLimit: larger, deeper or with more parts than this package reads.
	ErrJSONLimit = errors.New("over the limit")
	// ErrJSONSyntax: not one JSON object.
	ErrJSONSyntax = errors.New("not a JSON object")
	// ErrJSONField: a field has a type or a length that the message does not allow.
	ErrJSONField = errors.New("bad field")
)

// JSONError tells why a JSON message was refused. errors.Is finds the reason: [ErrJSONLimit], [ErrJSONSyntax] or
// [ErrJSONField].
type JSONError struct {
	Action string // of the message, cleaned; "" when it was not reached
	Field  string // path of the field, such as "intelamt.Versions"; "" when the whole message is meant
	Detail string // what is wrong with it
	Err    error  // one of the sentinels
}

// Error quotes what came from the peer, cut short.
func (e *JSONError) Error() string {
	s := "agentproto: JSON message"
	if e.Action != "" {
		s += fmt.Sprintf(" %q", cutText(e.Action, 64))
	}
	if e.Field != "" {
		s += fmt.Sprintf(", field %q", cutText(e.Field, 128))
	}
	s += ": " + e.Err.Error()
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

// Unwrap gives the sentinel.
func (e *JSONError) Unwrap() error { return e.Err }
