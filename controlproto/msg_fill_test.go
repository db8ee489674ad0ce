package controlproto

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fill sets all fields of a struct, and all that hangs on them, to something that is not zero.
func fill(v reflect.Value, depth int) {
	switch x := v.Addr().Interface().(type) {
	case *Secret:
		*x = NewSecret("00000007")
		return
	case *SecretURL:
		*x = NewSecretURL("https://example.com/x?c=secret")
		return
	case *time.Time:
		*x = time.Unix(1795333098, 0).UTC()
		return
	case *time.Duration:
		*x = 3 * time.Hour
		return
	case *json.RawMessage:
		*x = json.RawMessage(`{"a":[1]}`)
		return
	case *map[string]json.RawMessage:
		*x = map[string]json.RawMessage{"more than known": json.RawMessage(`"x"`)}
		return
	case *[]byte:
		*x = []byte("bytes")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Pointer:
		if depth < 8 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if depth < 8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), depth+1)
		}
	case reflect.Map:
		if depth < 8 {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, depth+1)
			fill(elem, depth+1)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" || f.Name == "Extra" {
				fill(v.Field(i), depth+1)
			}
		}
	default: // stays zero
	}
}

func filled(m Message) Message {
	fill(reflect.ValueOf(m).Elem(), 0)
	switch m := m.(type) {
	case *NodesReply:
		// The group is the key of the list, and no member of its devices.
		for _, list := range m.Devices {
			for i := range list {
				list[i].Group = ""
			}
		}
	case *EventsReply:
		// Logged events are told without their domain.
		for i := range m.Events {
			m.Events[i].Domain = ""
		}
	}
	return m
}

// pushes are the messages that only servers send, and no Spec names.
func pushes() []Message {
	return []Message{
		new(ServerInfo), new(UserInfo), new(Stopped), new(Notification), new(ServerWarnings), new(Trace), new(EventPush),
	}
}

// Both halves use the same structs: what one writes, the other reads, whichever members are set.
func TestFilledMessagesSurvive(t *testing.T) {
	check := func(t *testing.T, empty func() Message) {
		want := filled(empty())
		b, err := AppendMessage(nil, want, Correlation{ResponseID: json.RawMessage(`"x"`)})
		require.NoError(t, err)
		e, err := ParseRequest(b)
		require.NoError(t, err)
		require.Equal(t, `"x"`, string(e.ResponseID))
		got := empty()
		require.NoError(t, e.Decode(got))
		require.Equal(t, want, got, "%s", b)
	}
	for _, s := range Actions() {
		t.Run(s.Action, func(t *testing.T) { check(t, s.Request) })
		if s.Reply != nil {
			t.Run(s.Action+" reply", func(t *testing.T) { check(t, s.Reply) })
		}
	}
	for _, p := range pushes() {
		t.Run("push "+p.Action(), func(t *testing.T) {
			check(t, func() Message { return reflect.New(reflect.TypeOf(p).Elem()).Interface().(Message) })
		})
	}
}
