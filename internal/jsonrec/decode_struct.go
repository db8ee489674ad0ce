package jsonrec

import "reflect"

// object reads a struct. Members of the wrong shape do not make it one of the wrong shape.
func (d *decoder) object(p *plan, v reflect.Value) bool {
	if d.peek() != '{' {
		return false
	}
	if !d.enter() {
		return false
	}
	depth, list := d.depth, len(d.elements)
	var extra extraMap
	odd := false // a named member is in extra
	for i := 0; ; i++ {
		name, more := d.name(i == 0)
		if !more {
			break
		}
		f := p.names.find(name)
		start := d.pos
		if f == nil {
			if p.extra == nil {
				if !d.skip(start) {
					return false
				}
			} else if extra = d.addExtra(extra, name, start); extra == nil {
				return false
			}
			continue
		}
		if odd {
			delete(extra, f.name)
		}
		fv := f.of(v)
		if d.peek() == 'n' {
			if !d.null() {
				return false
			}
			fv.SetZero()
			continue
		}
		if f.plan.op == opStruct {
			fv.SetZero() // of two members with one name, nothing of the first shall be left
		}
		if d.value(f.plan, fv) {
			continue
		}
		if d.err != nil {
			return false
		}
		fv.SetZero()
		d.depth, d.elements = depth, d.elements[:list]
		if p.extra == nil {
			if !d.skip(start) {
				return false
			}
			continue
		}
		odd = true
		if extra = d.addExtra(extra, []byte(f.name), start); extra == nil {
			return false
		}
	}
	if d.err != nil {
		return false
	}
	if p.extra != nil {
		if len(extra) == 0 {
			extra = nil // also where a later member of the right shape has emptied it
		}
		*fieldAt(v, p.extra).Addr().Interface().(*extraMap) = extra
	}
	d.depth--
	return true
}

// name reads, in an object, up to the next value. more is false at the end of the object and with an error.
func (d *decoder) name(first bool) (name []byte, more bool) {
	i := d.pos
	if first {
		i = blanks(d.data, i+1)
		if i < len(d.data) && d.data[i] == '}' {
			d.pos = i + 1
			return nil, false
		}
	} else {
		i = blanks(d.data, i)
		if i < len(d.data) && d.data[i] == '}' {
			d.pos = i + 1
			return nil, false
		}
		if i >= len(d.data) || d.data[i] != ',' {
			return nil, d.syntax(i)
		}
		i = blanks(d.data, i+1)
	}
	if i >= len(d.data) || d.data[i] != '"' {
		return nil, d.syntax(i)
	}
	end, plain := stringEnd(d.data, i)
	if end < 0 {
		return nil, d.syntax(i)
	}
	name = d.data[i+1 : end-1]
	if !plain {
		name = unquote(nil, name)
	}
	if i = blanks(d.data, end); i >= len(d.data) || d.data[i] != ':' {
		return nil, d.syntax(i)
	}
	if d.pos = blanks(d.data, i+1); d.pos >= len(d.data) {
		return nil, d.syntax(d.pos)
	}
	return name, true
}

// addExtra keeps the value at start, of whatever shape. nil means an error.
func (d *decoder) addExtra(extra extraMap, name []byte, start int) extraMap {
	if !d.skip(start) {
		return nil
	}
	if extra == nil {
		if !d.spend(1, mapBase) {
			return nil
		}
		extra = make(extraMap)
	}
	extra[string(name)] = appendCompact(make([]byte, 0, d.pos-start), d.data[start:d.pos])
	return extra
}
