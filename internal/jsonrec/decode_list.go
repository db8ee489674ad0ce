package jsonrec

import (
	"reflect"
	"slices"
	"strings"
)

// slice reads an array.
func (d *decoder) slice(p *plan, v reflect.Value) bool {
	if d.peek() != '[' || !d.enter() {
		return false
	}
	// The number of elements is found out first, as growing a slice of large structs costs more, in memory above all.
	base := len(d.elements)
	var ok bool
	if d.elements, ok = elements(d.elements, d.data, d.pos); !ok {
		return d.syntax(d.pos)
	}
	n := len(d.elements) - base
	if !d.spend(n, p.elem.typ.Size()) {
		return false
	}
	d.pos = blanks(d.data, d.pos+1)
	if n == 0 {
		if d.peek() != ']' {
			return d.syntax(d.pos)
		}
		d.pos++
		d.depth--
		v.Set(reflect.MakeSlice(p.typ, 0, 0))
		return true
	}
	if p.typ == typeTexts {
		return d.texts(v.Addr().Interface().(*[]string), n)
	}
	v.SetZero()
	v.Grow(n)
	v.SetLen(n)
	used := 0
	for i := range n {
		if d.pos = blanks(d.data, d.pos); d.peek() == 'n' && p.elem.op != opRaw {
			if !d.null() {
				return false
			}
			if p.elem.isNumber() {
				used++
			}
		} else {
			if !d.record(p, v.Index(used), d.elements[base+i].text) {
				return false
			}
			used++
		}
		if !d.past(base + i) {
			return false
		}
	}
	d.elements = d.elements[:base]
	v.SetLen(used)
	d.depth--
	return true
}

// texts reads the n elements of an array of strings, as a slice does, but without reflection.
func (d *decoder) texts(p *[]string, n int) bool {
	base := len(d.elements) - n
	list := make([]string, 0, n)
	for i := range n {
		if d.pos = blanks(d.data, d.pos); d.peek() == 'n' {
			if !d.null() {
				return false
			}
		} else if s, ok := d.string(); ok {
			list = append(list, s)
		} else {
			return false
		}
		if !d.past(base + i) {
			return false
		}
	}
	d.elements = d.elements[:base]
	*p = list
	d.depth--
	return true
}

// past goes past the comma or the bracket after element i.
func (d *decoder) past(i int) bool {
	if d.pos = blanks(d.data, d.pos); d.pos != d.elements[i].end {
		return d.syntax(d.pos)
	}
	d.pos++
	return true
}

// null reads null, of which the first letter is there.
func (d *decoder) null() bool {
	end := word(d.data, d.pos, "null")
	if end < 0 {
		return d.syntax(d.pos)
	}
	d.pos = end
	return true
}

// record reads an element of a slice or a map; in a record, text is how much text the strings hold.
func (d *decoder) record(p *plan, v reflect.Value, text int) bool {
	if !p.own || !d.each || d.arena != nil {
		return d.value(p.elem, v)
	}
	d.arena = new(strings.Builder)
	d.arena.Grow(text)
	ok := d.value(p.elem, v)
	d.arena = nil
	return ok
}

// mapping reads an object as a map.
func (d *decoder) mapping(p *plan, v reflect.Value) bool {
	if d.peek() != '{' || !d.enter() || !d.spend(1, mapBase) {
		return false
	}
	m := reflect.MakeMap(p.typ)
	member := d.member(p)
	key, elem := member.key, member.elem
	for i := 0; ; i++ {
		name, more := d.name(i == 0)
		if !more {
			break
		}
		key.SetString(d.copyOf(name))
		if d.peek() == 'n' && p.elem.op != opRaw {
			if !d.null() {
				return false
			}
			m.SetMapIndex(key, reflect.Value{})
			continue
		}
		if !d.spend(1, p.elem.typ.Size()) {
			return false
		}
		elem.SetZero()
		text := 0
		if p.own && d.each && d.arena == nil {
			text = textOf(d.data, d.pos)
		}
		if !d.record(p, elem, text) {
			return false
		}
		m.SetMapIndex(key, elem)
	}
	if d.err != nil {
		return false
	}
	v.Set(m)
	elem.SetZero()
	d.members = append(d.members, member)
	d.depth--
	return true
}

// member is a place to read the members of a map to, before they are put into it.
type member struct {
	plan      *plan // of the map
	key, elem reflect.Value
}

// member gives one that an earlier map of the type has left, or a new one.
func (d *decoder) member(p *plan) member {
	for i, m := range d.members {
		if m.plan == p {
			d.members = slices.Delete(d.members, i, i+1)
			return m
		}
	}
	return member{p, reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()}
}
