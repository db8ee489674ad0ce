package jsonrec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// op is what to do with a Go type.
type op uint8

const (
	opString op = iota
	opBool
	opInt
	opUint
	opFloat
	opBytes
	opRaw
	opSecret
	opSecretURL
	opTime
	opDuration
	opOwn // implements Marshaler or Unmarshaler
	opPointer
	opSlice
	opMap
	opStruct
)

// unit is how a time or a duration is written.
type unit uint8

const (
	noUnit unit = iota
	unitSec
	unitMs
	unitISO
	unitHours
	unitMins
	unitSecs
	unitMsecs
)

var units = map[string]unit{
	"sec": unitSec, "ms": unitMs, "iso": unitISO,
	"hours": unitHours, "mins": unitMins, "secs": unitSecs, "msecs": unitMsecs,
}

// plan says how a type is read and written.
type plan struct {
	op      op
	unit    unit // of opTime and opDuration
	bits    int  // of numbers
	typ     reflect.Type
	elem    *plan        // of pointers, slices, maps
	values  reflect.Type // of maps, the slice of their values
	own     bool         // opSlice, opMap: the elements get a copy of the text of their own
	writes  bool         // opOwn: implements Marshaler
	reads   bool         // opOwn: implements Unmarshaler
	records bool         // it holds, at any depth, a slice or map with own

	// Of opStruct.
	fields []field
	names  nameTable
	extra  []int // the index of the field Extra, or nil
}

// isNumber says whether null in an array is a zero.
func (p *plan) isNumber() bool {
	return p.op == opBool || p.op == opInt || p.op == opUint || p.op == opFloat
}

// field is a field of a struct.
type field struct {
	plan  *plan
	name  string
	label string // a comma, the name as JSON, and a colon
	index []int
	at    int // index, where it is of one number, or -1
	keep  bool
	null  bool // zero is written as null
	shown bool // of secrets: "1" is written as a number
}

// of gives the field's value.
func (f *field) of(v reflect.Value) reflect.Value {
	if f.at >= 0 {
		return v.Field(f.at)
	}
	return fieldAt(v, f.index)
}

func fieldAt(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		v = v.Field(i)
	}
	return v
}

// planKey names a plan: of times and durations there is one for each unit.
type planKey struct {
	typ  reflect.Type
	unit unit
}

// plans caches what planOf finds out.
var plans sync.Map

func planOf(t reflect.Type) (*plan, error) {
	key := planKey{typ: t}
	if p, ok := plans.Load(key); ok {
		return p.(*plan), nil
	}
	b := planner{plans: make(map[planKey]*plan)}
	p, err := b.plan(key)
	if err != nil {
		return nil, err
	}
	b.markRecords()
	cached, _ := plans.LoadOrStore(key, p)
	return cached.(*plan), nil
}

// planner makes the plan of a type and of all that it holds. A type that holds itself finds the plan that is being made.
type planner struct {
	plans map[planKey]*plan
}

var (
	typeTime        = reflect.TypeFor[time.Time]()
	typeDuration    = reflect.TypeFor[time.Duration]()
	typeTexts       = reflect.TypeFor[[]string]()
	typeRaw         = reflect.TypeFor[json.RawMessage]()
	typeSecret      = reflect.TypeFor[secret.Text]()
	typeSecretURL   = reflect.TypeFor[secret.URL]()
	typeExtra       = reflect.TypeFor[extraMap]()
	typeMarshaler   = reflect.TypeFor[Marshaler]()
	typeUnmarshaler = reflect.TypeFor[Unmarshaler]()
)

func (b *planner) plan(key planKey) (*plan, error) {
	if p, ok := b.plans[key]; ok {
		return p, nil
	}
	p := &plan{typ: key.typ, unit: key.unit}
	b.plans[key] = p
	return p, b.fill(p, key.unit)
}

func (b *planner) fill(p *plan, u unit) error {
	t := p.typ
	switch t {
	case typeTime:
		p.op = opTime
		if u != unitSec && u != unitMs && u != unitISO {
			return fmt.Errorf("%w: a time.Time needs one of the options sec, ms, iso", ErrType)
		}
		return nil
	case typeDuration:
		p.op = opDuration
		if u < unitHours {
			return fmt.Errorf("%w: a time.Duration needs one of the options hours, mins, secs, msecs", ErrType)
		}
		return nil
	case typeRaw:
		p.op = opRaw
		return nil
	case typeSecret:
		p.op = opSecret
		return nil
	case typeSecretURL:
		p.op = opSecretURL
		return nil
	}
	// A pointer to such a type is an opPointer, so that nil is absent.
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		p.writes, p.reads = reflect.PointerTo(t).Implements(typeMarshaler), reflect.PointerTo(t).Implements(typeUnmarshaler)
		if p.writes != p.reads {
			return fmt.Errorf("%w: %v implements only one of Marshaler and Unmarshaler", ErrType, t)
		}
		if p.writes {
			p.op = opOwn
			return nil
		}
	}
	switch t.Kind() {
	case reflect.String:
		p.op = opString
	case reflect.Bool:
		p.op = opBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.op, p.bits = opInt, t.Bits()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.op, p.bits = opUint, t.Bits()
		if t.Kind() == reflect.Uint {
			p.bits = 64 // so that 32-bit machines do not take it for a mask
		}
	case reflect.Float64:
		p.op = opFloat
	case reflect.Struct:
		p.op = opStruct
		return b.fillStruct(p)
	case reflect.Pointer:
		p.op = opPointer
		if t.Elem().Kind() == reflect.Pointer {
			return fmt.Errorf("%w: %v", ErrType, t)
		}
		return b.fillElem(p, u)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			p.op = opBytes
			return nil
		}
		p.op = opSlice
		return b.fillElem(p, u)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return fmt.Errorf("%w: %v", ErrType, t)
		}
		p.op, p.values = opMap, reflect.SliceOf(t.Elem())
		return b.fillElem(p, u)
	default:
		return fmt.Errorf("%w: %v", ErrType, t)
	}
	return nil
}

func (b *planner) fillElem(p *plan, u unit) (err error) {
	if p.elem, err = b.plan(planKey{p.typ.Elem(), u}); err != nil {
		return err
	}
	if p.op != opPointer {
		t := p.typ.Elem()
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		p.own = t.Kind() == reflect.Struct && t != typeTime && t != typeSecret && t != typeSecretURL
	}
	return nil
}

// markRecords finds the plans that hold records, through types that hold themselves too.
func (b *planner) markRecords() {
	for changed := true; changed; {
		changed = false
		for _, p := range b.plans {
			if p.records {
				continue
			}
			p.records = p.own || p.elem != nil && p.elem.records ||
				slices.ContainsFunc(p.fields, func(f field) bool { return f.plan.records })
			changed = changed || p.records
		}
	}
}

func (b *planner) fillStruct(p *plan) error {
	depth := make(map[string]int) // of the structs that the fields come from
	if err := b.addFields(p, p.typ, nil, depth); err != nil {
		return err
	}
	// In the order of the source, also where structs are embedded.
	slices.SortFunc(p.fields, func(x, y field) int { return slices.Compare(x.index, y.index) })
	p.names = newNameTable(p.fields)
	return nil
}

func (b *planner) addFields(p *plan, t reflect.Type, index []int, depth map[string]int) error {
	var inner []reflect.StructField
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, tagged := sf.Tag.Lookup("json")
		if sf.Anonymous && !tagged && sf.Type.Kind() == reflect.Struct {
			inner = append(inner, sf)
			continue
		}
		if sf.Name == "Extra" && sf.Type == typeExtra && tag == "-" {
			if p.extra == nil {
				p.extra = append(slices.Clone(index), i)
			}
			continue
		}
		if !sf.IsExported() || tag == "-" {
			continue
		}
		f := field{name: sf.Name, index: append(slices.Clone(index), i), at: -1}
		if len(index) == 0 {
			f.at = i
		}
		name, options, _ := strings.Cut(tag, ",")
		if name != "" {
			f.name = name
		}
		u := noUnit
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "keep":
				f.keep = true
			case "null":
				f.keep, f.null = true, true
			case "shown":
				if f.shown = sf.Type == typeSecret; !f.shown {
					return fmt.Errorf("%w: %v.%s: the option %q is for secrets", ErrType, t, sf.Name, option)
				}
			case "", "omitempty", "omitzero":
			default:
				var ok bool
				if u, ok = units[option]; !ok {
					return fmt.Errorf("%w: %v.%s: the option %q", ErrType, t, sf.Name, option)
				}
			}
		}
		if d, there := depth[f.name]; there {
			if d == len(index) {
				return fmt.Errorf("%w: %v: two fields are named %q", ErrType, p.typ, f.name)
			}
			continue
		}
		depth[f.name] = len(index)
		f.label = string(AppendString([]byte{','}, f.name)) + ":"
		var err error
		if f.plan, err = b.plan(planKey{sf.Type, u}); err != nil {
			return fmt.Errorf("%w (field %s of %v)", err, sf.Name, t)
		}
		p.fields = append(p.fields, f)
	}
	for _, sf := range inner {
		if err := b.addFields(p, sf.Type, append(slices.Clone(index), sf.Index[0]), depth); err != nil {
			return err
		}
	}
	return nil
}
