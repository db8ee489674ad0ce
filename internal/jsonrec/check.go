package jsonrec

import "math"

// Limits bounds JSON text. A zero field is no bound, but depth is never more than MaxDepth.
type Limits struct {
	Size   int // in bytes
	Depth  int // of nesting; an object in an object is 2
	Values int // objects, arrays, strings, numbers, booleans and nulls; names of members do not count
}

// Check says whether data is one JSON value within the limits, in one pass and without allocating.
func Check(data []byte, l Limits) error {
	if l.Size > 0 && len(data) > l.Size {
		return ErrLimit
	}
	depth, values := MaxDepth, math.MaxInt
	if l.Depth > 0 {
		depth = min(depth, l.Depth)
	}
	if l.Values > 0 {
		values = l.Values
	}
	end := valueEnd(data, 0, depth, values)
	if end < 0 {
		return sentinel(end)
	}
	if blanks(data, end) != len(data) {
		return at(ErrSyntax, end)
	}
	return nil
}
