package wsman

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

func (w *Writer) value(space, name string, v any) {
	if w.err != nil {
		return
	}
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer && !r.IsNil() {
		r = r.Elem()
	}
	if !r.IsValid() || r.Kind() == reflect.Pointer {
		w.fail(fmt.Errorf("wsman: %s: nothing to write", name))
		return
	}
	t, err := typeOf(r.Type())
	if err != nil {
		w.fail(err)
		return
	}
	w.field(space, name, t, r)
}

// field writes an element, or several, or none for what is absent.
func (w *Writer) field(space, name string, t *typeInfo, v reflect.Value) {
	if w.err != nil {
		return
	}
	switch t.kind {
	case kindPointer:
		if !v.IsNil() {
			w.field(space, name, t.elem, v.Elem())
		}
		return
	case kindSlice:
		for i := range v.Len() {
			w.field(space, name, t.elem, v.Index(i))
		}
		return
	default:
	}
	if absent(t, v) {
		return
	}
	if t.kind == kindElement {
		w.element(at[Element](v), space)
		return
	}
	var declare []Namespace
	if t.kind == kindStruct && t.space != "" && t.space != space {
		// An embedded instance: its namespace is declared once, not on each of its properties.
		if _, known := w.prefix(t.space, true); !known {
			declare = []Namespace{{w.freePrefix(), t.space}}
			if _, known := w.prefix(space, true); !known {
				declare = nil // the element's own comes first
			}
		}
	}
	w.start(space, name, declare, nil)
	if w.err != nil {
		return
	}
	w.content(space, t, v)
	w.End()
}

// absent says whether a value is one that no element stands for.
func absent(t *typeInfo, v reflect.Value) bool {
	switch t.kind {
	case kindPointer:
		return v.IsNil() || absent(t.elem, v.Elem())
	case kindElement:
		return at[Element](v).Name == ""
	case kindTime:
		return at[time.Time](v).Unix() == time.Time{}.Unix() // whole seconds are written
	case kindBytes:
		return v.IsNil()
	case kindRef:
		r := at[Ref](v)
		return r.IsZero() && r.Address == ""
	default:
		return false
	}
}

// at returns a pointer to a value, without a copy if it lies in memory that Go can address.
func at[T any](v reflect.Value) *T {
	if v.CanAddr() {
		if p, ok := v.Addr().Interface().(*T); ok {
			return p
		}
	}
	t, _ := v.Interface().(T)
	return &t
}

func (w *Writer) content(space string, t *typeInfo, v reflect.Value) {
	switch t.kind {
	case kindString:
		w.escape(v.String(), false)
	case kindBool:
		w.b = strconv.AppendBool(w.b, v.Bool())
	case kindInt:
		w.b = strconv.AppendInt(w.b, v.Int(), 10)
	case kindUint:
		w.b = strconv.AppendUint(w.b, v.Uint(), 10)
	case kindFloat:
		f := v.Float()
		if math.IsInf(f, 0) || math.IsNaN(f) {
			w.fail(fmt.Errorf("wsman: %v is no number that XML can carry", f))
			return
		}
		w.b = strconv.AppendFloat(w.b, f, 'g', -1, t.goType.Bits())
	case kindBytes:
		w.b = base64.StdEncoding.AppendEncode(w.b, v.Bytes())
	case kindTime:
		w.start(NamespaceCommon, "Datetime", nil, nil)
		ts := at[time.Time](v).UTC()
		if !writableYear(ts) {
			w.fail(fmt.Errorf("wsman: the year %d has no four digits", ts.Year()))
		}
		w.b = ts.AppendFormat(w.b, "2006-01-02T15:04:05Z")
		w.End()
	case kindDuration:
		w.start(NamespaceCommon, "Interval", nil, nil)
		d := time.Duration(v.Int())
		if d < 0 {
			w.fail(fmt.Errorf("wsman: an interval of %v", d))
		}
		w.b = appendInterval(w.b, d)
		w.End()
	case kindRef:
		w.ref(at[Ref](v), 0)
	case kindSecret:
		w.escape(at[Secret](v).Reveal(), false)
	case kindStruct:
		w.fields(space, t, v)
	case kindElement, kindSlice, kindPointer: // see field
	}
}

func (w *Writer) fields(space string, t *typeInfo, v reflect.Value) {
	if t.space != "" {
		space = t.space
	}
	var present Present
	if t.present >= 0 {
		present = *at[Present](v.Field(t.present))
	}
	for i := range t.fields {
		f := &t.fields[i]
		fv := v.Field(f.index)
		if (f.omitempty || present.lacks(i)) && isZero(f.info, fv) {
			continue
		}
		w.field(space, f.name, f.info, fv)
	}
	if t.extra >= 0 {
		extra := *at[[]Element](v.Field(t.extra))
		for i := range extra {
			w.element(&extra[i], space)
		}
	}
}

// isZero says whether a value is none.
func isZero(t *typeInfo, v reflect.Value) bool {
	switch t.kind {
	case kindSlice, kindBytes:
		return v.Len() == 0
	case kindSecret:
		return at[Secret](v).Reveal() == ""
	default:
		return v.IsZero()
	}
}
