// Package jsonrec reads and writes the JSON records and messages of MeshCentral's control channel as Go structs, by
// reflection. It differs from encoding/json where the peers do:
//
//   - JavaScript is loose about types: numbers come in quotes, strings as numbers, flags as 0 and 1. Reading is lenient,
//     and a member of a shape that cannot be used stays in Extra instead of failing the message.
//   - Records have members that no struct names. A field `Extra map[string]json.RawMessage` with the tag `json:"-"` takes
//     them, and writing puts them back.
//   - Secrets are sent: fields of secret.Text and secret.URL are written with their real text. encoding/json redacts them,
//     so what is logged by accident shows nothing.
//   - Replies are large and hold many small records. A record that is kept keeps only its own text in memory.
//
// # Tags
//
// The tag is `json:"name,option..."`; without a name it is the field's name, "-" leaves the field out. A field that is zero is
// not written (false, 0, "", nil, an empty time.Time). The options:
//
//	keep   written also when zero
//	null   written as null when zero
//	shown  secret.Text that is "1" is written as the number 1, by which servers show that a secret is there
//	sec    time.Time as whole seconds since 1970; 0 is the empty time
//	ms     time.Time as milliseconds since 1970; 0 is the empty time
//	iso    time.Time as text, "2006-01-02T15:04:05.000Z"
//	hours, mins, secs, msecs
//	       time.Duration as a number, to the millisecond
//
// Times and durations need one of theirs, also inside pointers, slices and maps. omitempty and omitzero, meant for
// encoding/json, change nothing.
//
// Pointers that are nil are not written, others are, whatever they point to. Slices and maps are not written when nil,
// and are when empty. Maps are written sorted. Structs embedded without a tag lend their fields; the outermost of two fields
// of one name counts, Extra included.
//
// The types: bool, integers, float64, types made of those or of string, time.Time, time.Duration, []byte as base64,
// json.RawMessage, structs, pointers, slices, maps with string keys, and those that implement Marshaler and Unmarshaler.
//
// # Reading
//
// A member of the wrong shape leaves its field zero and goes to Extra, from where it is written again; without a field Extra
// it is dropped. A name in Extra whose field is not zero is an error on writing.
//
// Strings take numbers and booleans as their text; numbers take quoted ones; integers take floats that are whole; masks
// of 32 bits take negative numbers, which JavaScript's bit operators make; booleans take 0, 1, "true" and "false"; times
// take numbers and text alike.
//
// Null counts as absent; in an array it is left out, and in one of numbers or booleans it is zero. Of a name that is there
// twice, the last one counts. Fields whose members are absent stay as they are; Extra is set anew. Bytes that are no UTF-8
// become U+FFFD. Values nested deeper than MaxDepth are an error, as is text whose Go form would be some 64 times larger, such as
// arrays of very many empty objects. Whoever reads from strangers calls Check first.
package jsonrec

import "encoding/json"

// MaxDepth is how deep values may be nested, read or written. One object in another is a depth of 2.
const MaxDepth = 64

// Marshaler is implemented by types that write themselves: they append one JSON value to b, after what b holds.
type Marshaler interface {
	AppendJSONRec(b []byte) ([]byte, error)
}

// Unmarshaler is implemented by pointers to types that read themselves. raw is one valid JSON value without blanks around it,
// never null, and must not be kept. With an error, the value counts as one of the wrong shape.
type Unmarshaler interface {
	UnmarshalJSONRec(raw []byte) error
}

// extraMap is the type of the field Extra, which takes the members that a struct does not name.
type extraMap = map[string]json.RawMessage
