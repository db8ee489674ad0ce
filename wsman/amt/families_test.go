package amt_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// The tests here are about the classes of all three packages: amt is the one that may import the others.

// family is one of the packages, by the functions that each has.
type family struct {
	prefix    string
	classes   func() []string
	create    func(string) wsman.Classer
	methods   func(string) []string
	newInput  func(class, method string) any
	newOutput func(class, method string) any
}

var families = []family{
	{"AMT_", amt.Classes, amt.New, amt.Methods, amt.NewInput, amt.NewOutput},
	{"CIM_", cim.Classes, cim.New, cim.Methods, cim.NewInput, cim.NewOutput},
	{"IPS_", ips.Classes, ips.New, ips.Methods, ips.NewInput, ips.NewOutput},
}

// message is a struct that goes over the wire: a class, or the input or output of a method.
type message struct {
	class   string
	element string // "AMT_GeneralSettings", "AddMpServer_INPUT"
	value   any    // a pointer to it
}

func (m message) name() string {
	if m.class == m.element {
		return m.class
	}
	return m.class + "." + m.element
}

// fresh returns another zero value.
func (m message) fresh() any { return reflect.New(reflect.TypeOf(m.value).Elem()).Interface() }

func messages() []message {
	var all []message
	for _, f := range families {
		for _, class := range f.classes() {
			all = append(all, message{class, class, f.create(class)})
			for _, method := range f.methods(class) {
				all = append(all, message{class, method + "_INPUT", f.newInput(class, method)},
					message{class, method + "_OUTPUT", f.newOutput(class, method)})
			}
		}
	}
	return all
}

// fill sets all fields to values that are not zero and, as far as their types permit, differ.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 6, 0, *n%60, 0, time.UTC)))
		return
	case time.Duration:
		v.SetInt(int64(time.Duration(*n) * time.Minute))
		return
	case wsman.Secret:
		v.Set(reflect.ValueOf(wsman.NewSecret("s<e&cret " + strings.Repeat("x", *n%7))))
		return
	case wsman.Ref:
		v.Set(reflect.ValueOf(wsman.Ref{Address: wsman.Anonymous, ResourceURI: wsman.ResourceURI("CIM_ManagedElement"), Selectors: []wsman.Selector{
			wsman.Key("Name", `<&"'>`), wsman.RefKey("Scope", wsman.Ref{Address: "/wsman", ResourceURI: wsman.ResourceURI("AMT_X"), Selectors: []wsman.Selector{wsman.Key("k", "v")}}),
		}}))
		return
	case wsman.Present:
		return
	case []wsman.Element:
		v.Set(reflect.ValueOf([]wsman.Element{
			{Space: "urn:oem", Name: "OEMThing", Attrs: []wsman.Attr{{Name: "a", Value: `<"&`}}, Children: []wsman.Element{{Space: "urn:oem2", Name: "Inner", Text: "1 < 2"}}},
			{Space: "urn:oem", Name: "OEMThing", Text: "again"},
		}))
		return
	case []byte:
		v.SetBytes([]byte{0, 255, byte(*n)})
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("t€xt <" + strings.Repeat("y", *n%5) + "&>")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(1 + *n%250))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(-1 - *n%100))
	case reflect.Float32:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("a field of type " + v.Type().String())
	}
}

// encode writes a message and reads it back as an element.
func encode(t *testing.T, m message, value any) ([]byte, *wsman.Element) {
	t.Helper()
	b, err := wsman.AppendValue(nil, m.class, m.element, value)
	require.NoError(t, err)
	el, err := wsman.ParseElement(b, wsman.Limits{})
	require.NoError(t, err, "%s", b)
	return b, el
}

func TestRoundTrip(t *testing.T) {
	all := messages()
	require.Greater(t, len(all), 400)
	for _, m := range all {
		t.Run(m.name(), func(t *testing.T) {
			n := 0
			fill(reflect.ValueOf(m.value).Elem(), &n)
			b, el := encode(t, m, m.value)
			back := m.fresh()
			require.NoError(t, wsman.Decode(el, back))
			require.Empty(t, cmp.Diff(m.value, back))
			again, _ := encode(t, m, back)
			require.Equal(t, string(b), string(again))
		})
	}
}

// Nothing is set: what is written must be readable, and give nothing that was not there.
func TestRoundTripZero(t *testing.T) {
	for _, m := range messages() {
		t.Run(m.name(), func(t *testing.T) {
			_, el := encode(t, m, m.value)
			back := m.fresh()
			require.NoError(t, wsman.Decode(el, back))
			require.Empty(t, cmp.Diff(m.value, back))
		})
	}
}

// Firmware's empty answer: what it lacks is not written back.
func TestAbsentStaysAbsent(t *testing.T) {
	for _, f := range families {
		for _, class := range f.classes() {
			v := f.create(class)
			require.NoError(t, wsman.Decode(&wsman.Element{Name: class, Children: []wsman.Element{{Name: "NotKnown", Text: "1"}}}, v))
			_, el := encode(t, message{class, class, v}, v)
			require.Len(t, el.Children, 1, class)
			require.Equal(t, "NotKnown", el.Children[0].Name, class)
		}
	}
}

// Properties are in the namespace of their class, also those of an instance inside of a method's input.
func TestNamespaces(t *testing.T) {
	for _, m := range messages() {
		n := 0
		fill(reflect.ValueOf(m.value).Elem(), &n)
		_, el := encode(t, m, m.value)
		uri := wsman.ResourceURI(m.class)
		require.True(t, strings.HasSuffix(uri, "/"+m.class) && strings.HasPrefix(uri, "http://"), uri)
		require.Equal(t, uri, el.Space, m.name())
		require.Equal(t, m.element, el.Name)
		for _, c := range el.Children {
			if c.Name != "OEMThing" {
				require.Equal(t, uri, c.Space, "%s.%s", m.name(), c.Name)
			}
		}
	}
}

// Firmware sorts properties by name, but for those of classes whose order is fixed.
func TestOrder(t *testing.T) {
	fixed := map[string]bool{"CIM_WiFiEndpointSettings": true, "CIM_IEEE8021xSettings": true, "IPS_IEEE8021xSettings": true, "IPS_AlarmClockOccurrence": true}
	for _, f := range families {
		for _, class := range f.classes() {
			if fixed[class] {
				continue
			}
			v := f.create(class)
			n := 0
			fill(reflect.ValueOf(v).Elem(), &n)
			_, el := encode(t, message{class, class, v}, v)
			last := ""
			for _, c := range el.Children {
				if c.Name != "OEMThing" {
					require.LessOrEqual(t, last, c.Name, class)
					last = c.Name
				}
			}
		}
	}
}
