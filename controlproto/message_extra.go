package controlproto

import (
	"encoding/json"
	"reflect"
)

// extraOf finds the Extra of a message or of another struct, or nil.
func extraOf(m any) *map[string]json.RawMessage {
	v := reflect.ValueOf(m)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	f := v.Elem().FieldByName("Extra")
	if !f.IsValid() || !f.CanAddr() {
		return nil
	}
	x, _ := f.Addr().Interface().(*map[string]json.RawMessage)
	return x
}
