package wsman

import "errors"

// AppendValue appends an element with a Go value in it: a struct of a class, the input of a method, or any other type that
// the package comment lists. Elements of a struct are in the namespace, which may be given as the name of a class.
func AppendValue(b []byte, namespace, name string, v any) ([]byte, error) {
	w := NewWriter(b)
	w.value(ResourceURI(namespace), name, v)
	return w.Bytes()
}

// Present says which properties the answer had that a struct was decoded from. A struct with a field of this type is
// written back without those it lacked, unless they are set now. The zero value stands for a struct that was not decoded.
type Present struct {
	decoded bool
	fields  [2]uint64
}

// Equal is always true: which properties were there is not part of a struct's value for tests that compare structs.
func (Present) Equal(Present) bool { return true }

// Decode reads an element into a Go value, to which v points. Elements that a struct does not name go to its field Extra, if
// it has one. Text of the result shares memory with the answer.
func Decode(el *Element, v any) error { return errors.ErrUnsupported }

func (w *Writer) value(space, name string, v any) { w.fail(errors.ErrUnsupported) }
