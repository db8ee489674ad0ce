package jsonrec

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// Append appends v, a struct or any other of the types of this package, or a pointer to one, as compact JSON. With an
// error it returns b as it was.
func Append(b []byte, v any) ([]byte, error) {
	val := reflect.ValueOf(v)
	if !val.IsValid() {
		return append(b, "null"...), nil
	}
	p, err := planOf(val.Type())
	if err != nil {
		return b, err
	}
	if p.op != opPointer {
		// The fields must be addressable.
		ptr := reflect.New(p.typ)
		ptr.Elem().Set(val)
		val = ptr.Elem()
	} else if val.IsNil() {
		return append(b, "null"...), nil
	} else {
		p, val = p.elem, val.Elem()
	}
	var e encoder
	out := e.value(b, p, val)
	if e.err != nil {
		return b, e.err
	}
	return out, nil
}

// encoder writes one value.
type encoder struct {
	depth int
	err   error
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) enter() bool {
	if e.depth++; e.depth > MaxDepth {
		e.fail(ErrDepth)
	}
	return e.err == nil
}

// absent says whether a field with this value is left out.
func absent(p *plan, v reflect.Value) bool {
	switch p.op {
	case opString, opRaw:
		return v.Len() == 0
	case opBytes, opPointer, opSlice, opMap:
		return v.IsNil()
	case opBool:
		return !v.Bool()
	case opInt, opDuration:
		return v.Int() == 0
	case opUint:
		return v.Uint() == 0
	case opFloat:
		return v.Float() == 0
	case opTime:
		return v.Addr().Interface().(*time.Time).IsZero()
	case opSecret:
		return v.Addr().Interface().(*secret.Text).Reveal() == ""
	case opSecretURL:
		return v.Addr().Interface().(*secret.URL).Reveal() == ""
	default:
		return v.IsZero()
	}
}

func (e *encoder) value(b []byte, p *plan, v reflect.Value) []byte {
	switch p.op {
	case opString:
		return AppendString(b, v.String())
	case opBool:
		return strconv.AppendBool(b, v.Bool())
	case opInt:
		return strconv.AppendInt(b, v.Int(), 10)
	case opUint:
		return strconv.AppendUint(b, v.Uint(), 10)
	case opFloat:
		return e.float(b, v.Float())
	case opBytes:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case opRaw:
		return e.raw(b, v.Bytes())
	case opSecret:
		return AppendString(b, v.Addr().Interface().(*secret.Text).Reveal())
	case opSecretURL:
		return AppendString(b, v.Addr().Interface().(*secret.URL).Reveal())
	case opTime:
		return e.time(b, p.unit, *v.Addr().Interface().(*time.Time))
	case opDuration:
		ms := float64(time.Duration(v.Int()).Round(time.Millisecond) / time.Millisecond)
		return e.float(b, ms/float64(durations[p.unit]/time.Millisecond))
	case opOwn:
		out, err := v.Addr().Interface().(Marshaler).AppendJSONRec(b)
		if err != nil {
			e.fail(fmt.Errorf("jsonrec: %v: %w", p.typ, err))
			return b
		}
		if len(out) < len(b) || e.check(out[len(b):]) != nil {
			e.fail(fmt.Errorf("%w: %v wrote no JSON", ErrValue, p.typ))
			return b
		}
		return out
	case opPointer:
		if v.IsNil() {
			return append(b, "null"...)
		}
		return e.value(b, p.elem, v.Elem())
	case opSlice:
		return e.slice(b, p, v)
	case opMap:
		return e.mapping(b, p, v)
	case opStruct:
		return e.object(b, p, v)
	}
	return b
}

func (e *encoder) object(b []byte, p *plan, v reflect.Value) []byte {
	if !e.enter() {
		return b
	}
	var extra extraMap
	if p.extra != nil {
		extra = *fieldAt(v, p.extra).Addr().Interface().(*extraMap)
	}
	b = append(b, '{')
	empty := len(b)
	for i := range p.fields {
		f := &p.fields[i]
		fv := f.of(v)
		null := false
		if absent(f.plan, fv) {
			if !f.keep {
				continue
			}
			null = f.null
			if _, there := extra[f.name]; there {
				continue
			}
		} else if len(extra) > 0 {
			if _, there := extra[f.name]; there {
				e.fail(fmt.Errorf("%w: %q of %v", ErrExtra, f.name, p.typ))
				return b
			}
		}
		if len(b) > empty {
			b = append(b, f.label...)
		} else {
			b = append(b, f.label[1:]...)
		}
		if null {
			b = append(b, "null"...)
			continue
		}
		if f.shown && fv.Addr().Interface().(*secret.Text).Reveal() == "1" {
			b = append(b, '1')
			continue
		}
		b = e.value(b, f.plan, fv)
	}
	if len(extra) == 0 {
		e.depth--
		return append(b, '}')
	}
	for _, name := range sortedKeys(extra) {
		if len(b) > empty {
			b = append(b, ',')
		}
		b = AppendString(b, name)
		b = append(b, ':')
		b = e.raw(b, extra[name])
	}
	e.depth--
	return append(b, '}')
}

func sortedKeys(m extraMap) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// check says whether data is JSON that may stand here. A depth of zero is no bound of Check, so it is not used.
func (e *encoder) check(data []byte) error {
	end := valueEnd(data, 0, MaxDepth-e.depth, len(data)+1)
	if end < 0 {
		return scanError(end, 0)
	}
	return ended(data, end)
}

// raw writes JSON that the caller gave.
func (e *encoder) raw(b, raw []byte) []byte {
	if len(raw) == 0 {
		return append(b, "null"...)
	}
	if err := e.check(raw); err != nil {
		e.fail(fmt.Errorf("%w: a json.RawMessage", err))
		return b
	}
	return appendCompact(b, raw)
}

func (e *encoder) slice(b []byte, p *plan, v reflect.Value) []byte {
	if !e.enter() {
		return b
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.value(b, p.elem, v.Index(i))
	}
	e.depth--
	return append(b, ']')
}

// entry is a member of a map.
type entry struct {
	key   string
	index int // of its value
}

func (e *encoder) mapping(b []byte, p *plan, v reflect.Value) []byte {
	if !e.enter() {
		return b
	}
	n := v.Len()
	if n == 0 {
		e.depth--
		return append(b, "{}"...)
	}
	// The values of a map are not addressable, and asking for them key by key would copy each to memory of its own.
	values := reflect.MakeSlice(p.values, n, n)
	var few [8]entry
	entries := few[:0]
	for it := v.MapRange(); it.Next(); {
		values.Index(len(entries)).SetIterValue(it)
		entries = append(entries, entry{it.Key().String(), len(entries)})
	}
	slices.SortFunc(entries, func(x, y entry) int { return strings.Compare(x.key, y.key) })
	b = append(b, '{')
	for i := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, entries[i].key)
		b = append(b, ':')
		b = e.value(b, p.elem, values.Index(entries[i].index))
	}
	e.depth--
	return append(b, '}')
}

// float writes a number as JavaScript does.
func (e *encoder) float(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		e.fail(fmt.Errorf("%w: %v", ErrValue, f))
		return b
	}
	if f == 0 {
		return append(b, '0') // also for -0
	}
	if a := math.Abs(f); a < 1e-6 || a >= 1e21 {
		b = strconv.AppendFloat(b, f, 'e', -1, 64)
		if n := len(b); b[n-2] == '0' && b[n-4] == 'e' {
			b = append(b[:n-2], b[n-1]) // e-7, not e-07
		}
		return b
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

func (e *encoder) time(b []byte, u unit, t time.Time) []byte {
	if u == unitISO {
		if t.IsZero() {
			return append(b, `""`...)
		}
		t = t.UTC()
		if y := t.Year(); !isISOYear(y) {
			e.fail(fmt.Errorf("%w: a time in the year %d", ErrValue, y))
			return b
		}
		b = append(b, '"')
		b = t.AppendFormat(b, "2006-01-02T15:04:05.000Z")
		return append(b, '"')
	}
	n := int64(0)
	if !t.IsZero() {
		if n = t.UnixMilli(); t.Year() > 275760 || t.Year() < -271821 {
			e.fail(fmt.Errorf("%w: a time in the year %d", ErrValue, t.Year()))
			return b
		}
		if u == unitSec {
			n = t.Unix()
		}
	}
	return strconv.AppendInt(b, n, 10)
}
