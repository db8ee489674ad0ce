package wsmantest

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
)

// class is what the device knows of a class. Functions that are nil make the operation one that it does not support.
type class struct {
	name    string
	keys    []string         // the properties that a reference to an instance carries
	objects []*object        // the instances, if list is nil
	list    func() []*object // computes the instances
	of      []string         // classes whose instances are also instances of this one

	readOnly []string                                  // properties that a Put does not change
	optional []string                                  // properties that an instance may lack
	texts    []string                                  // properties that are texts, even if they look like numbers
	put      func(req *request, old, o *object) *fault // checks and applies; nil: no Put
	create   func(o *object) (*object, *fault)
	remove   func(o *object) *fault
	methods  map[string]method
	realms   []int // one of which a user needs, besides the administrator
}

// method performs one call and returns its ReturnValue.
type method func(c *call) (int, *fault)

// call is a call of a method.
type call struct {
	d      *Device
	req    *request
	object *object // the instance that it was called on, nil if the class has none
	in     *wsman.Element
	out    []wsman.Element
	silent bool // the answer is not sent
}

// class returns a class that the device has, or nil.
func (d *Device) class(name string) *class {
	if slices.Contains(d.cfg.Absent, name) {
		return nil
	}
	return d.classes[name]
}

// define adds a class with its instances.
func (d *Device) define(k *class, objects ...*object) *class {
	if k.methods == nil {
		k.methods = map[string]method{}
	}
	k.objects = append(k.objects, objects...)
	d.classes[k.name] = k
	return k
}

// fixed adds classes with one instance each that nobody changes.
func (d *Device) fixed(objects ...*object) {
	for _, o := range objects {
		if k := d.classes[o.class]; k != nil {
			k.objects = append(k.objects, o)
			continue
		}
		d.define(&class{name: o.class, keys: keysOf(o)}, o)
	}
}

// keysOf are the usual keys of an instance.
func keysOf(o *object) []string {
	for _, keys := range [][]string{
		{"InstanceID"}, {"CreationClassName", "DeviceID", "SystemCreationClassName", "SystemName"},
		{"CreationClassName", "Name", "SystemCreationClassName", "SystemName"}, {"CreationClassName", "Tag"}, {"CreationClassName", "Name"},
		{"Name"}, {"ElementName"},
	} {
		if !slices.ContainsFunc(keys, func(key string) bool { return !o.has(key) }) {
			return keys
		}
	}
	return nil
}

// instances returns those of a class, of its subclasses too.
func (d *Device) instances(k *class) []*object {
	var out []*object
	if k.list != nil {
		out = k.list()
	} else {
		out = slices.Clone(k.objects)
	}
	for _, name := range k.of {
		if sub := d.class(name); sub != nil {
			out = append(out, d.instances(sub)...)
		}
	}
	return out
}

// one returns the instance of a class that has a property of this value, or nil.
func (d *Device) one(class, name, value string) *object {
	k := d.class(class)
	if k == nil {
		return nil
	}
	for _, o := range d.instances(k) {
		if o.get(name) == value {
			return o
		}
	}
	return nil
}

// only returns the instance of a class that has just one. The class must be there.
func (d *Device) only(class string) *object { return d.classes[class].objects[0] }

// store adds an instance.
func (d *Device) store(o *object) { k := d.classes[o.class]; k.objects = append(k.objects, o) }

// discard removes an instance.
func (d *Device) discard(o *object) {
	k := d.classes[o.class]
	k.objects = slices.DeleteFunc(k.objects, func(x *object) bool { return x == o })
}

// find returns the instance that selectors name.
func (d *Device) find(k *class, selectors []wsman.Selector) (*object, *fault) {
	all := d.instances(k)
	if len(selectors) == 0 {
		switch {
		case len(all) == 0:
			return nil, unreachable()
		case len(all) > 1 && len(k.keys) > 0:
			return nil, invalidSelectors()
		}
		return all[0], nil
	}
	known := false
	for _, o := range all {
		match, names := matches(o, selectors)
		if match {
			return o, nil
		}
		known = known || names
	}
	if !known && len(all) > 0 {
		return nil, invalidSelectors()
	}
	return nil, unreachable()
}

// matches says whether an instance has what all selectors ask for, and whether it has the properties they name at all.
func matches(o *object, selectors []wsman.Selector) (match, known bool) {
	match, known = true, true
	for _, s := range selectors {
		if s.Name == "__cimnamespace" {
			continue
		}
		if !o.has(s.Name) {
			return false, false
		}
		if s.Ref != nil {
			ref, ok := o.ref(s.Name)
			match = match && ok && sameRef(ref, *s.Ref)
			continue
		}
		match = match && sameValue(s.Name, o.get(s.Name), s.Value)
	}
	return match, known
}

// sameValue compares a selector. One collection is called by two names; see the class AMT_TLSProtocolEndpointCollection.
func sameValue(name, have, want string) bool {
	if have == want {
		return true
	}
	return name == "ElementName" && strings.ReplaceAll(have, " ", "") == strings.ReplaceAll(want, " ", "")
}

// sameRef says whether two references name the same instance: one may carry more selectors than the other.
func sameRef(a, b wsman.Ref) bool {
	if a.ClassName() != b.ClassName() {
		return false
	}
	common := 0
	for _, s := range a.Selectors {
		for _, t := range b.Selectors {
			if s.Name != t.Name {
				continue
			}
			common++
			if (s.Ref == nil) != (t.Ref == nil) || s.Ref == nil && !sameValue(s.Name, s.Value, t.Value) || s.Ref != nil && !sameRef(*s.Ref, *t.Ref) {
				return false
			}
		}
	}
	return common > 0 || len(a.Selectors) == 0 || len(b.Selectors) == 0
}

// resolve returns the instance that a reference names, or nil.
func (d *Device) resolve(ref wsman.Ref) *object {
	k := d.class(ref.ClassName())
	if k == nil {
		return nil
	}
	o, f := d.find(k, ref.Selectors)
	if f != nil {
		return nil
	}
	return o
}

// ref is the reference to an instance, by the keys of its class.
func (d *Device) ref(o *object) wsman.Ref {
	k := d.classes[o.class]
	if k == nil || len(k.keys) == 0 {
		return o.key(keysOf(o)...)
	}
	return o.key(k.keys...)
}

// invoke calls a method.
func (d *Device) invoke(req *request, k *class) (*result, *fault) {
	m := k.methods[req.op]
	for _, name := range k.of { // called through a base class
		if sub := d.class(name); m == nil && sub != nil {
			m = sub.methods[req.op]
		}
	}
	if m == nil {
		return nil, actionNotSupported()
	}
	c := &call{d: d, req: req, in: req.First()}
	if len(d.instances(k)) > 0 {
		o, f := d.find(k, req.Selectors)
		if f != nil && len(req.Selectors) > 0 {
			return nil, f
		}
		c.object = o
	}
	value, f := m(c)
	if f != nil {
		return nil, f
	}
	return c.result(value), nil
}

// result writes the output of a method.
func (c *call) result(value int) *result {
	space := c.req.ResourceURI
	out := append(c.out, textEl(space, "ReturnValue", strconv.Itoa(value)))
	return &result{value: value, silent: c.silent, body: []wsman.Element{el(space, c.req.op+"_OUTPUT", out...)}}
}

// set adds an output parameter.
func (c *call) set(name string, v any) {
	c.out = append(c.out, elements(c.req.ResourceURI, name, v)...)
}

// text is an input parameter, "" if it is not there.
func (c *call) text(name string) string { return c.in.ChildText(name) }

// num is an integer parameter. ok is false if it is missing or none.
func (c *call) num(name string) (n int, ok bool) {
	n, err := strconv.Atoi(strings.TrimSpace(c.in.ChildText(name)))
	return n, err == nil
}

// nums are the values of a repeated integer parameter.
func (c *call) nums(name string) (out []int, ok bool) {
	for i := range c.in.Children {
		if c.in.Children[i].Name != name {
			continue
		}
		v, err := strconv.Atoi(strings.TrimSpace(c.in.Children[i].Text))
		if err != nil {
			return nil, false
		}
		out = append(out, v)
	}
	return out, true
}

// flag is a boolean parameter.
func (c *call) flag(name string) bool {
	b, _ := parseBool(c.in.ChildText(name))
	return b
}

// bytes is a parameter in base64. ok is false if it is missing, empty or none.
func (c *call) bytes(name string) (b []byte, ok bool) { return decodeBase64(c.in.ChildText(name)) }

func decodeBase64(text string) ([]byte, bool) {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	return b, err == nil && len(b) > 0
}

// ref is the instance that a reference parameter names. given says whether there is such a parameter.
func (c *call) ref(name string) (o *object, given bool) {
	e := c.in.Child(name)
	if e == nil {
		return nil, false
	}
	r, ok := parseRef(e)
	if !ok {
		return nil, len(e.Children) > 0 || e.Text != ""
	}
	return c.d.resolve(r), true
}

// embedded is an embedded instance.
func (c *call) embedded(name, class string) *object {
	e := c.in.Child(name)
	if e == nil || len(e.Children) == 0 {
		return nil
	}
	return objectFrom(class, e)
}

// objectFrom reads an instance, whatever namespaces its properties were sent in.
func objectFrom(class string, e *wsman.Element) *object {
	o := &object{class: class}
	for i := range e.Children {
		p := e.Children[i]
		p.Space, p.Attrs = wsman.ResourceURI(class), nil
		o.props = append(o.props, p)
	}
	return o
}

// reference is a reference parameter as it was sent.
func (c *call) reference(name string) (r wsman.Ref, given bool) {
	e := c.in.Child(name)
	if e == nil {
		return wsman.Ref{}, false
	}
	r, _ = parseRef(e)
	return r, true
}
