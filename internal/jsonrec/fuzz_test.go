package jsonrec

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// FuzzRoundTrip: what is read, written and read again is the same, and written the same.
func FuzzRoundTrip(f *testing.F) {
	for _, c := range exact {
		f.Add([]byte(c.json))
	}
	f.Add([]byte(`{"int":{},"int":"7","sec":"2023-11-14T22:13:20Z","mins":0.1,"odd":[ ]}`))
	blank := bytes.Repeat([]byte{' '}, ownCopies)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(all), new(device), new(nodes)} {
			if err := Unmarshal(data, v); err != nil {
				if json.Valid(data) && !errors.Is(err, ErrShape) && !errors.Is(err, ErrDepth) && !errors.Is(err, ErrLimit) {
					t.Fatalf("%q: %v", data, err)
				}
				continue
			}
			if !json.Valid(data) {
				t.Fatalf("%q was read", data)
			}
			// As a large text, where strings are copied otherwise.
			large := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			if err := Unmarshal(append(bytes.Clone(data), blank...), large); err != nil || !reflect.DeepEqual(v, large) {
				t.Fatalf("%q: %+v, as a large text %+v, %v", data, v, large, err)
			}
			b, err := Append(nil, v)
			if err != nil {
				t.Fatalf("%q: %v", data, err)
			}
			if !json.Valid(b) {
				t.Fatalf("%q gave %q", data, b)
			}
			again := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			if err := Unmarshal(b, again); err != nil {
				t.Fatalf("%q gave %q: %v", data, b, err)
			}
			if b2, err := Append(nil, again); err != nil || !bytes.Equal(b, b2) {
				t.Fatalf("%q gave %q, and then %q, %v", data, b, b2, err)
			}
			if !reflect.DeepEqual(v, again) {
				t.Fatalf("%q gave %q: %+v, %+v", data, b, v, again)
			}
		}
	})
}

// FuzzCheck: Check is of one mind with encoding/json, and Members walks what Check lets pass.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(` {"a":[1,-0.5e+1,true,null,"\u00e9"]} `))
	f.Add([]byte(`[[],{},[{}]]`))
	f.Add([]byte("\"\xff\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Check(data, Limits{})
		if errors.Is(err, ErrDepth) {
			return
		}
		if valid := json.Valid(data); valid != (err == nil) {
			t.Fatalf("%q: encoding/json says %v, Check %v", data, valid, err)
		}
		object := err == nil && bytes.TrimLeft(data, " \t\r\n")[0] == '{'
		last := make(map[string]string)
		err = Members(data, func(name string, value json.RawMessage) error {
			last[name] = string(value)
			return Check(value, Limits{})
		})
		if object != (err == nil) {
			t.Fatalf("%q: %v", data, err)
		}
		if !object {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if len(want) != len(last) {
			t.Fatalf("%q: %d members, want %d", data, len(last), len(want))
		}
		for name, value := range want {
			if last[name] != string(value) {
				t.Fatalf("%q: %q is %q, want %q", data, name, last[name], value)
			}
		}
	})
}
