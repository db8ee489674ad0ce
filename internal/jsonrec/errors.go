package jsonrec

import (
	"errors"
	"fmt"
)

// Errors, to be found with errors.Is.
var (
	ErrSyntax = errors.New("jsonrec: malformed JSON")
	ErrDepth  = errors.New("jsonrec: nested too deep")
	ErrLimit  = errors.New("jsonrec: too large")
	ErrShape  = errors.New("jsonrec: not the JSON value that is wanted")
	ErrType   = errors.New("jsonrec: a Go type that cannot be used")
	ErrValue  = errors.New("jsonrec: a Go value that JSON cannot hold")
	ErrExtra  = errors.New("jsonrec: a name in Extra that has a field of its own")
)

// at says where in the text an error is.
func at(err error, offset int) error { return fmt.Errorf("%w, at byte %d", err, offset) }
