package wsman

import "strings"

// Selector is one key of an instance: its name, and a text or a reference to another instance.
type Selector struct {
	Name  string
	Value string
	Ref   *Ref // in place of Value, for associations
}

// Key returns a selector with a text.
func Key(name, value string) Selector { return Selector{Name: name, Value: value} }

// RefKey returns a selector that refers to another instance.
func RefKey(name string, ref Ref) Selector { return Selector{Name: name, Ref: &ref} }

// Ref is a reference to an instance (an endpoint reference of WS-Addressing).
type Ref struct {
	Address     string // firmware ignores it; "" is written as [Anonymous]
	ResourceURI string
	Selectors   []Selector
}

// NewRef returns a reference to an instance of a class.
func NewRef(class string, selectors ...Selector) Ref {
	return Ref{ResourceURI: ResourceURI(class), Selectors: selectors}
}

// IsZero says whether the reference is empty. Firmware returns an Address alone for no instance.
func (r Ref) IsZero() bool { return r.ResourceURI == "" && len(r.Selectors) == 0 }

// Class returns the name of the class.
func (r Ref) ClassName() string { return ClassName(r.ResourceURI) }

// Selector returns the text of a selector, or "".
func (r Ref) Selector(name string) string {
	for _, s := range r.Selectors {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}

// String returns a short form for people: AMT_PublicKeyCertificate{InstanceID="Intel(r) AMT Certificate: Handle: 1"}.
func (r Ref) String() string {
	var b strings.Builder
	r.appendTo(&b, 0)
	return b.String()
}

func (r Ref) appendTo(b *strings.Builder, depth int) {
	b.WriteString(r.ClassName())
	if len(r.Selectors) == 0 {
		return
	}
	b.WriteByte('{')
	for i, s := range r.Selectors {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.Name)
		b.WriteByte('=')
		switch {
		case s.Ref == nil:
			b.WriteString(quoted(s.Value))
		case depth < 4:
			s.Ref.appendTo(b, depth+1)
		default:
			b.WriteString("...")
		}
	}
	b.WriteByte('}')
}
