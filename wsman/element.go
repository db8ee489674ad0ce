package wsman

// Attr is an attribute of an element. Declarations of namespaces are not among them, but for that of the prefix in the code
// of a fault, whose text is a name.
type Attr struct {
	Space string // the namespace, "" for most
	Name  string
	Value string
}

// Element is an XML element as it was read, in the order it had: what has no Go struct, or more than the struct knows.
// Comments are gone. Where text and elements alternate, the text is joined.
type Element struct {
	Space    string // the namespace, not the prefix
	Name     string
	Attrs    []Attr
	Text     string // of an element without children, else usually ""
	Children []Element
}

// Child returns the first child of that name in whatever namespace, or nil. It may be called on nil.
func (e *Element) Child(name string) *Element {
	if e == nil {
		return nil
	}
	for i := range e.Children {
		if e.Children[i].Name == name {
			return &e.Children[i]
		}
	}
	return nil
}

// Path follows children by their names.
func (e *Element) Path(names ...string) *Element {
	for _, name := range names {
		e = e.Child(name)
	}
	return e
}

// ChildText returns the text of the first child of that name, or "".
func (e *Element) ChildText(name string) string {
	if c := e.Child(name); c != nil {
		return c.Text
	}
	return ""
}

// Attr returns the value of the attribute of that name in whatever namespace, or "".
func (e *Element) Attr(name string) string {
	for i := range e.Attrs {
		if e.Attrs[i].Name == name {
			return e.Attrs[i].Value
		}
	}
	return ""
}
