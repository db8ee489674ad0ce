package wsman

import (
	"fmt"
	"reflect"
)

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

func (p *Present) set(i int) {
	p.decoded = true
	if i < 128 {
		p.fields[i/64] |= 1 << (i % 64)
	}
}

// lacks says that an answer was decoded which did not have the field.
func (p *Present) lacks(i int) bool {
	return p.decoded && i < 128 && p.fields[i/64]&(1<<(i%64)) == 0
}

// Decode reads an element into a Go value, to which v points; it should be zero before. Elements that a struct does not name
// go to its field Extra, if it has one. Text of the result shares memory with the answer.
func Decode(el *Element, v any) error {
	if el == nil {
		return &DecodeError{Type: "nothing", Reason: "there is no element"}
	}
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return &DecodeError{Element: el.Name, Type: fmt.Sprintf("%T", v), Reason: "not a pointer to a value"}
	}
	t, err := typeOf(p.Type().Elem())
	if err != nil {
		return err
	}
	return t.decode(el, p.Elem())
}

// DecodeError is an element that is not what the Go type can hold. It is an [ErrMalformed].
type DecodeError struct {
	Element string // its name, after those of the elements around it: "AMT_BootSettingData.BIOSSetup"
	Type    string // the Go type
	Reason  string
}

// Error says which element does not fit.
func (e *DecodeError) Error() string {
	return "wsman: element " + e.Element + " does not fit " + e.Type + ": " + e.Reason
}

// Unwrap returns ErrMalformed.
func (e *DecodeError) Unwrap() error { return ErrMalformed }

func (e *DecodeError) within(name string) *DecodeError {
	e.Element = name + "." + e.Element
	return e
}
