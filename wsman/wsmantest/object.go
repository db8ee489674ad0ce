package wsmantest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
)

// object is one instance of a class: its properties in order, each an element in the namespace of the class. A property
// with several values is several elements.
type object struct {
	class string
	props []wsman.Element
}

// newObject makes an instance from names and values in turn; see elements for what a value may be.
func newObject(class string, pairs ...any) *object {
	o := &object{class: class, props: make([]wsman.Element, 0, len(pairs)/2)}
	uri := wsman.ResourceURI(class) // one text for all of them
	for i := 0; i+1 < len(pairs); i += 2 {
		o.props = append(o.props, elements(uri, pairs[i].(string), pairs[i+1])...)
	}
	o.props = slices.Clip(o.props)
	return o
}

// elements writes a value: texts, booleans, integers, times and durations, bytes as base64, references, embedded
// objects, and slices of texts, integers and references. Nil and empty slices give no element.
func elements(space, name string, v any) []wsman.Element {
	leaf := func(text string) []wsman.Element { return []wsman.Element{{Space: space, Name: name, Text: text}} }
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return leaf(v)
	case bool:
		return leaf(strconv.FormatBool(v))
	case int:
		return leaf(strconv.Itoa(v))
	case uint32:
		return leaf(strconv.FormatUint(uint64(v), 10))
	case int64:
		return leaf(strconv.FormatInt(v, 10))
	case uint64:
		return leaf(strconv.FormatUint(v, 10))
	case PowerState:
		return leaf(strconv.Itoa(int(v)))
	case []byte:
		return leaf(base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return []wsman.Element{{Space: space, Name: name, Children: []wsman.Element{
			{Space: wsman.NamespaceCommon, Name: "Datetime", Text: v.UTC().Format("2006-01-02T15:04:05Z")},
		}}}
	case time.Duration:
		return []wsman.Element{{Space: space, Name: name, Children: []wsman.Element{
			{Space: wsman.NamespaceCommon, Name: "Interval", Text: interval(v)},
		}}}
	case wsman.Ref:
		return []wsman.Element{refElement(space, name, v)}
	case *object:
		return []wsman.Element{{Space: space, Name: name, Children: v.props}}
	case []string:
		return repeat(space, name, v)
	case []int:
		return repeat(space, name, v)
	case []wsman.Ref:
		return repeat(space, name, v)
	case [][]byte:
		return repeat(space, name, v)
	case []wsman.Element: // as it came from outside
		out := slices.Clone(v)
		for i := range out {
			out[i].Space, out[i].Name, out[i].Attrs = space, name, nil
		}
		return out
	}
	panic(fmt.Sprintf("wsmantest: property %s of type %T", name, v))
}

func repeat[T any](space, name string, values []T) []wsman.Element {
	var out []wsman.Element
	for _, v := range values {
		out = append(out, elements(space, name, v)...)
	}
	return out
}

// interval writes a duration as the firmware does, in days, hours and minutes.
func interval(d time.Duration) string {
	minutes := int64(d / time.Minute)
	return fmt.Sprintf("P%dDT%dH%dM", minutes/1440, minutes/60%24, minutes%60)
}

func refElement(space, name string, r wsman.Ref) wsman.Element {
	return wsman.Element{Space: space, Name: name, Children: []wsman.Element{
		{Space: wsman.NamespaceAddressing, Name: "Address", Text: wsman.Anonymous},
		{Space: wsman.NamespaceAddressing, Name: "ReferenceParameters", Children: []wsman.Element{
			{Space: wsman.NamespaceWSMan, Name: "ResourceURI", Text: r.ResourceURI},
			{Space: wsman.NamespaceWSMan, Name: "SelectorSet", Children: selectorElements(r.Selectors)},
		}},
	}}
}

func selectorElements(selectors []wsman.Selector) []wsman.Element {
	var out []wsman.Element
	for _, s := range selectors {
		e := wsman.Element{Space: wsman.NamespaceWSMan, Name: "Selector", Attrs: []wsman.Attr{{Name: "Name", Value: s.Name}}, Text: s.Value}
		if s.Ref != nil {
			e.Text, e.Children = "", []wsman.Element{refElement(wsman.NamespaceAddressing, "EndpointReference", *s.Ref)}
		}
		out = append(out, e)
	}
	return out
}

// all returns the elements of a property.
func (o *object) all(name string) []wsman.Element {
	var out []wsman.Element
	for _, p := range o.props {
		if p.Name == name {
			out = append(out, p)
		}
	}
	return out
}

// get returns the text of a property, of the first value if it has several.
func (o *object) get(name string) string {
	for _, p := range o.props {
		if p.Name == name {
			return p.Text
		}
	}
	return ""
}

// texts returns all values of a property.
func (o *object) texts(name string) []string {
	var out []string
	for _, p := range o.all(name) {
		out = append(out, p.Text)
	}
	return out
}

// flag returns a boolean property, in either of its forms.
func (o *object) flag(name string) bool {
	b, _ := parseBool(o.get(name))
	return b
}

// num returns an integer property, 0 if it is none or does not fit.
func (o *object) num(name string) int {
	n, err := strconv.Atoi(o.get(name))
	if err != nil {
		return 0
	}
	return n
}

// ref returns a reference property.
func (o *object) ref(name string) (wsman.Ref, bool) {
	for i := range o.props {
		if o.props[i].Name == name {
			return parseRef(&o.props[i])
		}
	}
	return wsman.Ref{}, false
}

// set replaces a property where it stands, or appends it in the order of names.
func (o *object) set(name string, v any) {
	uri := wsman.ResourceURI(o.class)
	if len(o.props) > 0 {
		uri = o.props[0].Space // the same text once more would take its own room
	}
	fresh := elements(uri, name, v)
	at := slices.IndexFunc(o.props, func(p wsman.Element) bool { return p.Name == name })
	if at < 0 {
		at = len(o.props)
		for i, p := range o.props {
			if p.Name > name {
				at = i
				break
			}
		}
	}
	kept := slices.DeleteFunc(slices.Clone(o.props), func(p wsman.Element) bool { return p.Name == name })
	o.props = slices.Insert(kept, min(at, len(kept)), fresh...)
}

func (o *object) has(name string) bool {
	return slices.ContainsFunc(o.props, func(p wsman.Element) bool { return p.Name == name })
}

// clone copies the instance. Elements are never changed in place, so that the copy is shallow.
func (o *object) clone() *object {
	return &object{class: o.class, props: slices.Clone(o.props)}
}

// element is the instance as it stands in a body.
func (o *object) element() wsman.Element {
	return wsman.Element{Space: wsman.ResourceURI(o.class), Name: o.class, Children: o.props}
}

// key gives a reference to the instance by the properties that name it.
func (o *object) key(names ...string) wsman.Ref {
	r := wsman.Ref{Address: wsman.Anonymous, ResourceURI: wsman.ResourceURI(o.class)}
	for _, name := range names {
		s := wsman.Selector{Name: name, Value: o.get(name)}
		if ref, ok := o.ref(name); ok {
			s.Value, s.Ref = "", &ref
		}
		r.Selectors = append(r.Selectors, s)
	}
	return r
}

// refTo is a reference to an instance by one or more selectors, names and values in turn.
func refTo(class string, pairs ...string) wsman.Ref {
	r := wsman.Ref{Address: wsman.Anonymous, ResourceURI: wsman.ResourceURI(class)}
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Selectors = append(r.Selectors, wsman.Selector{Name: pairs[i], Value: pairs[i+1]})
	}
	return r
}

func parseBool(text string) (value, ok bool) {
	switch strings.TrimSpace(text) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// parseRef reads a reference: Address and ReferenceParameters, with or without an EndpointReference around them.
func parseRef(e *wsman.Element) (wsman.Ref, bool) {
	if inner := e.Child("EndpointReference"); inner != nil {
		e = inner
	}
	params := e.Child("ReferenceParameters")
	uri := params.Child("ResourceURI")
	if uri == nil {
		return wsman.Ref{}, false
	}
	return wsman.Ref{
		Address: wsman.Anonymous, ResourceURI: strings.TrimSpace(uri.Text), Selectors: parseSelectors(params.Child("SelectorSet")),
	}, true
}

func parseSelectors(set *wsman.Element) []wsman.Selector {
	if set == nil {
		return nil
	}
	var out []wsman.Selector
	for i := range set.Children {
		e := &set.Children[i]
		if e.Name != "Selector" {
			continue
		}
		s := wsman.Selector{Name: e.Attr("Name"), Value: e.Text}
		if r, ok := parseRef(e); ok {
			s.Value, s.Ref = "", &r
		}
		out = append(out, s)
	}
	return out
}
