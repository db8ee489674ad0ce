package wsman

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// decode reads an element into v.
func (t *typeInfo) decode(el *Element, v reflect.Value) error {
	switch t.kind {
	case kindString:
		v.SetString(el.Text)
		return nil
	case kindBool:
		b, err := parseBool(el.Text)
		if err != nil {
			return t.misfit(el, err)
		}
		v.SetBool(b)
		return nil
	case kindInt, kindUint, kindFloat:
		return t.decodeNumber(el, v)
	case kindBytes:
		b, err := parseBase64(el.Text)
		if err != nil {
			return t.misfit(el, err)
		}
		v.SetBytes(b)
		return nil
	case kindTime:
		ts, err := parseTime(textOf(el, "Datetime", "Date", "Time"))
		if err != nil {
			return t.misfit(el, err)
		}
		v.Set(reflect.ValueOf(ts))
		return nil
	case kindDuration:
		d, err := parseInterval(textOf(el, "Interval", "Datetime"))
		if err != nil {
			return t.misfit(el, err)
		}
		v.SetInt(int64(d))
		return nil
	case kindRef:
		r, err := refOf(el, 0)
		if err != nil {
			return t.misfit(el, err)
		}
		*v.Addr().Interface().(*Ref) = r
		return nil
	case kindSecret:
		v.Set(reflect.ValueOf(secret.New(el.Text)))
		return nil
	case kindElement:
		*v.Addr().Interface().(*Element) = *el
		return nil
	case kindPointer:
		if v.IsNil() {
			v.Set(reflect.New(t.elem.goType))
		}
		err := t.elem.decode(el, v.Elem())
		if err == nil && absent(t.elem, v.Elem()) {
			v.SetZero()
		}
		return err
	case kindSlice:
		v.Grow(1)
		v.SetLen(v.Len() + 1)
		last := v.Index(v.Len() - 1)
		last.SetZero()
		err := t.elem.decode(el, last)
		if err == nil && absent(t.elem, last) {
			if v.SetLen(v.Len() - 1); v.Len() == 0 {
				v.SetZero() // no element is what none is written as
			}
		}
		return err
	case kindStruct:
		return t.decodeStruct(el, v)
	}
	return t.misfit(el, errors.New("unknown kind"))
}

func (t *typeInfo) decodeStruct(el *Element, v reflect.Value) error {
	var present Present
	var seen [2]uint64 // of fields that take one element: the first counts
	present.decoded = true
	next := 0
	for i := range el.Children {
		child := &el.Children[i]
		// Firmware keeps the order of the schema, mostly.
		at, known := next, next < len(t.fields) && t.fields[next].name == child.Name
		if !known {
			if next > 0 && t.fields[next-1].name == child.Name {
				at, known = next-1, true
			} else {
				at, known = t.byName[child.Name]
			}
		}
		if !known {
			if t.extra >= 0 {
				extra := v.Field(t.extra).Addr().Interface().(*[]Element)
				*extra = append(*extra, *child)
			}
			continue
		}
		next = at + 1
		if isNil(child) {
			continue
		}
		present.set(at)
		f := &t.fields[at]
		if f.info.kind != kindSlice && at < 128 {
			if seen[at/64]&(1<<(at%64)) != 0 {
				continue
			}
			seen[at/64] |= 1 << (at % 64)
		}
		if err := f.info.decode(child, v.Field(f.index)); err != nil {
			var e *DecodeError
			if errors.As(err, &e) {
				return e.within(el.Name)
			}
			return err
		}
	}
	if t.present >= 0 {
		*v.Field(t.present).Addr().Interface().(*Present) = present
	}
	return nil
}

// isNil tells xsi:nil="true", which is another way to leave a property out.
func isNil(el *Element) bool {
	for i := range el.Attrs {
		if a := &el.Attrs[i]; a.Name == "nil" && a.Space == NamespaceInstance {
			return a.Value == "true" || a.Value == "1"
		}
	}
	return false
}

func (t *typeInfo) decodeNumber(el *Element, v reflect.Value) error {
	text := strings.TrimSpace(el.Text)
	// Some properties are a boolean in one version and 0 or 1 in another.
	switch text {
	case "":
		return nil
	case "true":
		text = "1"
	case "false":
		text = "0"
	}
	bits := t.goType.Bits()
	switch t.kind {
	case kindInt:
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return t.misfit(el, err)
		}
		v.SetInt(n)
	case kindUint:
		n, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			return t.misfit(el, err)
		}
		v.SetUint(n)
	default:
		f, err := strconv.ParseFloat(text, bits)
		if err != nil {
			return t.misfit(el, err)
		}
		v.SetFloat(f)
	}
	return nil
}

func (t *typeInfo) misfit(el *Element, err error) error {
	reason := err.Error()
	var num *strconv.NumError
	if errors.As(err, &num) {
		reason = num.Err.Error() + ": " + quoted(num.Num)
	}
	return &DecodeError{Element: el.Name, Type: t.goType.String(), Reason: reason}
}

// textOf returns the text of the first child of one of the names that is there, else that of the element.
func textOf(el *Element, names ...string) string {
	for _, name := range names {
		if c := el.Child(name); c != nil {
			return c.Text
		}
	}
	return el.Text
}

func parseBool(s string) (bool, error) {
	switch s = strings.TrimSpace(s); s {
	case "true", "1", "True", "TRUE":
		return true, nil
	case "false", "0", "", "False", "FALSE":
		return false, nil
	}
	return false, errors.New("no boolean: " + quoted(s))
}

func parseBase64(s string) ([]byte, error) {
	s = strings.TrimSpace(s)
	b, err := base64.StdEncoding.DecodeString(s)
	if err == nil {
		return b, nil
	}
	// Lines may be broken, and the padding cut off.
	s = strings.TrimRight(strings.Join(strings.Fields(s), ""), "=")
	b, err = base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil, errors.New("no base64")
	}
	return b, nil
}

// DecodeRef reads a reference: Address and ReferenceParameters, with or without EndpointReference around them.
func DecodeRef(el *Element) (Ref, error) {
	if el == nil {
		return Ref{}, &DecodeError{Type: "wsman.Ref", Reason: "there is no element"}
	}
	return refOf(el, 0)
}

func refOf(el *Element, depth int) (Ref, error) {
	if depth >= maxRefDepth {
		return Ref{}, errors.New("references nested too deeply")
	}
	if inner := el.Child("EndpointReference"); inner != nil {
		el = inner
	}
	r := Ref{Address: strings.TrimSpace(el.ChildText("Address"))}
	p := el.Child("ReferenceParameters")
	if p == nil {
		return r, nil
	}
	r.ResourceURI = strings.TrimSpace(p.ChildText("ResourceURI"))
	var err error
	r.Selectors, err = selectorsOf(p.Child("SelectorSet"), depth+1)
	return r, err
}

// selectorsOf reads a SelectorSet, which may be nil.
func selectorsOf(set *Element, depth int) ([]Selector, error) {
	if set == nil || len(set.Children) == 0 {
		return nil, nil
	}
	var selectors []Selector
	for i := range set.Children {
		c := &set.Children[i]
		if c.Name != "Selector" {
			continue
		}
		s := Selector{Name: c.Attr("Name"), Value: c.Text}
		if len(c.Children) > 0 {
			ref, err := refOf(c, depth)
			if err != nil {
				return nil, err
			}
			s.Value, s.Ref = "", &ref
		}
		if selectors == nil {
			selectors = make([]Selector, 0, len(set.Children))
		}
		selectors = append(selectors, s)
	}
	return selectors, nil
}
