package jsonrec

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/internal/secret"
)

const (
	// ownCopies is from which size on records get copies of their text of their own. Below, all share one.
	ownCopies = 4 << 10

	// The Go form of a text may be budgetPerByte times its size, and budgetBase. A real record needs two to three times.
	budgetPerByte = 64
	budgetBase    = 1 << 20

	// mapBase is about what a map with one member takes.
	mapBase = 400
)

// Unmarshal reads one JSON value, as a rule an object, into what v points to, as a rule a struct. It does not retain
// data. After an error v holds nothing of use.
//
// Strings alias one copy of data. Where data is larger than 4 KB and v holds slices or maps of structs, each such struct
// has a copy of its own text instead, so that keeping one of many does not keep the text of all.
func Unmarshal(data []byte, v any) error {
	ptr := reflect.ValueOf(v)
	if ptr.Kind() != reflect.Pointer || ptr.IsNil() {
		return fmt.Errorf("%w: Unmarshal into %T", ErrType, v)
	}
	p, err := planOf(ptr.Type().Elem())
	if err != nil {
		return err
	}
	d := decoder{data: data, budget: budgetBase + budgetPerByte*int64(len(data))}
	d.each = p.records && len(data) > ownCopies
	d.pos = blanks(data, 0)
	start := d.pos
	ok := d.value(p, ptr.Elem())
	if d.err != nil {
		return d.err
	}
	if !ok {
		if end := valueEnd(data, start, MaxDepth, len(data)+1); end < 0 {
			return scanError(end, start)
		}
		return fmt.Errorf("%w for a %v", ErrShape, p.typ)
	}
	return ended(data, d.pos)
}

// decoder reads one text.
type decoder struct {
	data   []byte
	pos    int
	depth  int
	budget int64 // how many bytes of Go values may still be made
	err    error

	// Where strings go. Small texts and those without records are copied once, on demand: strings are parts of text. Else,
	// with each, strings in a record go to its arena, and those outside are copies one by one.
	each   bool
	copied bool
	text   string
	arena  *strings.Builder

	elements []element // of the arrays that are being read
	members  []member  // of maps, for use again
	scratch  []byte    // for strings with escapes
}

// fail notes the first error; the result is that of a value that was not read.
func (d *decoder) fail(err error) bool {
	if d.err == nil {
		d.err = err
	}
	return false
}

func (d *decoder) syntax(offset int) bool { return d.fail(at(ErrSyntax, offset)) }

// spend takes n values of so many bytes from the budget.
func (d *decoder) spend(n int, size uintptr) bool {
	if d.budget -= int64(n) * int64(size); d.budget < 0 {
		return d.fail(at(ErrLimit, d.pos))
	}
	return true
}

// part gives data[from:to] as a string.
func (d *decoder) part(from, to int) string {
	if d.each {
		return d.copyOf(d.data[from:to])
	}
	if !d.copied {
		d.copied, d.text = true, string(d.data)
	}
	return d.text[from:to]
}

// copyOf gives text as a string that keeps no more than its record.
func (d *decoder) copyOf(text []byte) string {
	if a := d.arena; a != nil && len(text) <= a.Cap()-a.Len() {
		from := a.Len()
		a.Write(text)
		return a.String()[from:] // the arena does not grow, so this stays its buffer
	}
	return string(text)
}

// peek gives the first byte of the value, 0 at the end.
func (d *decoder) peek() byte {
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return 0
}

// skip passes over a value.
func (d *decoder) skip(start int) bool {
	end := valueEnd(d.data, start, MaxDepth-d.depth, len(d.data)+1)
	if end < 0 {
		return d.fail(scanError(end, start))
	}
	d.pos = end
	return true
}

func (d *decoder) enter() bool {
	if d.depth++; d.depth > MaxDepth {
		return d.fail(at(ErrDepth, d.pos))
	}
	return true
}

// value reads the value at d.pos. false means that it has the wrong shape, or that d.err is set; where d.pos is, and
// what v holds, is then open.
func (d *decoder) value(p *plan, v reflect.Value) bool {
	switch p.op {
	case opString:
		s, ok := d.string()
		if ok {
			v.SetString(s)
		}
		return ok
	case opBool:
		b, ok := d.bool()
		if ok {
			v.SetBool(b)
		}
		return ok
	case opInt:
		n, ok := d.int()
		if !ok || v.OverflowInt(n) {
			return false
		}
		v.SetInt(n)
		return true
	case opUint:
		n, ok := d.uint(p.bits)
		if !ok || v.OverflowUint(n) {
			return false
		}
		v.SetUint(n)
		return true
	case opFloat:
		f, ok := d.float()
		if ok {
			v.SetFloat(f)
		}
		return ok
	case opBytes:
		return d.bytes(v)
	case opRaw:
		start := d.pos
		if !d.skip(start) {
			return false
		}
		v.SetBytes(appendCompact(make([]byte, 0, d.pos-start), d.data[start:d.pos]))
		return true
	case opSecret:
		s, ok := d.string()
		if ok {
			*v.Addr().Interface().(*secret.Text) = secret.New(strings.Clone(s))
		}
		return ok
	case opSecretURL:
		s, ok := d.string()
		if ok {
			*v.Addr().Interface().(*secret.URL) = secret.NewURL(strings.Clone(s))
		}
		return ok
	case opTime:
		return d.time(p.unit, v)
	case opDuration:
		return d.duration(p.unit, v)
	case opOwn:
		start := d.pos
		if !d.skip(start) {
			return false
		}
		v.SetZero()
		return v.Addr().Interface().(Unmarshaler).UnmarshalJSONRec(d.data[start:d.pos:d.pos]) == nil
	case opPointer:
		if !d.spend(1, p.elem.typ.Size()) {
			return false
		}
		e := reflect.New(p.elem.typ)
		if !d.value(p.elem, e.Elem()) {
			return false
		}
		v.Set(e)
		return true
	case opSlice:
		return d.slice(p, v)
	case opMap:
		return d.mapping(p, v)
	case opStruct:
		return d.object(p, v)
	}
	return false
}

// string reads text; numbers and booleans count as their text, as they do in JavaScript.
func (d *decoder) string() (string, bool) {
	start := d.pos
	switch d.peek() {
	case '"':
		end, plain := stringEnd(d.data, start)
		if end < 0 {
			return "", d.syntax(start)
		}
		d.pos = end
		if plain {
			return d.part(start+1, end-1), true
		}
		d.scratch = unquote(slices.Grow(d.scratch[:0], end-start), d.data[start+1:end-1])
		return d.copyOf(d.scratch), true
	case '{', '[', 'n':
		return "", false
	}
	end := scalarEnd(d.data, start)
	if end < 0 {
		return "", d.syntax(start)
	}
	d.pos = end
	return d.part(start, end), true
}

// bytes reads base64.
func (d *decoder) bytes(v reflect.Value) bool {
	if d.peek() != '"' {
		return false
	}
	s, ok := d.string()
	if !ok {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return false
	}
	v.SetBytes(b)
	return true
}
