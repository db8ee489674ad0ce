package wsman

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// kind is how a Go type is written.
type kind uint8

const (
	kindString kind = iota + 1
	kindBool
	kindInt
	kindUint
	kindFloat
	kindBytes
	kindTime
	kindDuration
	kindRef
	kindSecret
	kindElement
	kindStruct
	kindSlice
	kindPointer
)

// typeInfo is what is known of a Go type. Those of structs are filled in after they are known by their type, as a struct
// may hold pointers to itself.
type typeInfo struct {
	kind    kind
	goType  reflect.Type
	elem    *typeInfo // of slices and pointers
	fields  []field
	byName  map[string]int
	present int    // index of the field of type Present, or -1
	extra   int    // index of the field Extra, or -1
	space   string // namespace of a class, "" for other structs
}

type field struct {
	name      string
	index     int
	omitempty bool
	info      *typeInfo
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	refType      = reflect.TypeFor[Ref]()
	secretType   = reflect.TypeFor[Secret]()
	elementType  = reflect.TypeFor[Element]()
	presentType  = reflect.TypeFor[Present]()
	extraType    = reflect.TypeFor[[]Element]()
	classerType  = reflect.TypeFor[Classer]()
	byteType     = reflect.TypeFor[byte]()
)

// typeInfos caches what typeOf finds out.
var typeInfos sync.Map

func typeOf(t reflect.Type) (*typeInfo, error) {
	if known, ok := typeInfos.Load(t); ok {
		return known.(*typeInfo), nil
	}
	building := make(map[reflect.Type]*typeInfo)
	info, err := buildType(t, building)
	if err != nil {
		return nil, err
	}
	for t, i := range building {
		typeInfos.LoadOrStore(t, i)
	}
	return info, nil
}

func buildType(t reflect.Type, building map[reflect.Type]*typeInfo) (*typeInfo, error) {
	if known, ok := building[t]; ok {
		return known, nil
	}
	info := &typeInfo{goType: t, present: -1, extra: -1}
	building[t] = info
	switch t {
	case timeType:
		info.kind = kindTime
		return info, nil
	case durationType:
		info.kind = kindDuration
		return info, nil
	case refType:
		info.kind = kindRef
		return info, nil
	case secretType:
		info.kind = kindSecret
		return info, nil
	case elementType:
		info.kind = kindElement
		return info, nil
	}
	var err error
	switch t.Kind() {
	case reflect.String:
		info.kind = kindString
	case reflect.Bool:
		info.kind = kindBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		info.kind = kindInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		info.kind = kindUint
	case reflect.Float32, reflect.Float64:
		info.kind = kindFloat
	case reflect.Slice:
		if t.Elem() == byteType {
			info.kind = kindBytes
			return info, nil
		}
		info.kind = kindSlice
		info.elem, err = buildType(t.Elem(), building)
		if err == nil && (info.elem.kind == kindSlice || info.elem.kind == kindPointer && info.elem.elem.kind == kindSlice) {
			err = fmt.Errorf("wsman: no form in XML for %v: an array of arrays", t)
		}
	case reflect.Pointer:
		info.kind = kindPointer
		info.elem, err = buildType(t.Elem(), building)
		if err == nil && (info.elem.kind == kindPointer || info.elem.kind == kindSlice) {
			err = fmt.Errorf("wsman: no form in XML for %v", t)
		}
	case reflect.Struct:
		info.kind = kindStruct
		err = buildStruct(info, building)
	default:
		err = fmt.Errorf("wsman: no form in XML for %v", t)
	}
	return info, err
}

func buildStruct(info *typeInfo, building map[reflect.Type]*typeInfo) error {
	t := info.goType
	if p := reflect.PointerTo(t); p.Implements(classerType) {
		info.space = ResourceURI(reflect.New(t).Interface().(Classer).Class())
	}
	info.byName = make(map[string]int)
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == presentType && f.IsExported() {
			info.present = i
			continue
		}
		tag, tagged := f.Tag.Lookup("wsman")
		if !tagged {
			if f.Name == "Extra" && f.Type == extraType {
				info.extra = i
			}
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		switch {
		case !f.IsExported():
			return fmt.Errorf("wsman: %v.%s has a tag but is not exported", t, f.Name)
		case !validName(name):
			return fmt.Errorf("wsman: %v.%s: the tag %q names no property", t, f.Name, tag)
		case option != "" && option != "omitempty":
			return fmt.Errorf("wsman: %v.%s: unknown option in the tag %q", t, f.Name, tag)
		}
		if _, twice := info.byName[name]; twice {
			return fmt.Errorf("wsman: %v has two fields for %s", t, name)
		}
		fi, err := buildType(f.Type, building)
		if err != nil {
			return fmt.Errorf("%w (%v.%s)", err, t, f.Name)
		}
		info.byName[name] = len(info.fields)
		info.fields = append(info.fields, field{name: name, index: i, omitempty: option != "", info: fi})
	}
	return nil
}
