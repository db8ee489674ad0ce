package wsman

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Namespace is a prefix and what it stands for.
type Namespace struct{ Prefix, URI string }

// Writer writes XML: always escaped, every namespace declared, no self-closed tags. The first mistake is kept and returned
// by [Writer.Bytes]; what is written after it does not matter.
type Writer struct {
	b      []byte
	scopes []Namespace
	open   []openElement
	err    error
	buf    [4]openElement
}

type openElement struct {
	prefix, name string
	scopes       int // how many were there before the element
}

// NewWriter returns a writer that appends to b. The namespaces are taken to be declared outside of what it writes; others
// are declared on the element that needs them first.
func NewWriter(b []byte, declared ...Namespace) *Writer {
	w := &Writer{b: b, scopes: declared[:len(declared):len(declared)]}
	w.open = w.buf[:0]
	return w
}

// Bytes returns what was written, or the first mistake.
func (w *Writer) Bytes() ([]byte, error) {
	if w.err == nil && len(w.open) > 0 {
		w.err = fmt.Errorf("wsman: element %s was not ended", w.open[len(w.open)-1].name)
	}
	return w.b, w.err
}

// Err returns the first mistake.
func (w *Writer) Err() error { return w.err }

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Start begins an element. An empty namespace means none, which only a writer without a default namespace can express.
func (w *Writer) Start(space, name string, attrs ...Attr) {
	w.start(space, name, nil, attrs)
}

func (w *Writer) start(space, name string, declare []Namespace, attrs []Attr) {
	if !validName(name) {
		w.fail(fmt.Errorf("wsman: %s is no name of an element", quoted(name)))
		return
	}
	if len(w.open) >= maxWriteDepth {
		w.fail(fmt.Errorf("%w: elements nested deeper than %d", ErrTooLarge, maxWriteDepth))
		return
	}
	for _, a := range attrs {
		// The scanner keeps a declaration if text depends on it.
		if a.Space == namespaceXMLNS && !w.means(a.Name, a.Value) {
			if a.Name != "" && !validName(a.Name) {
				w.fail(fmt.Errorf("wsman: %s is no prefix", quoted(a.Name)))
				return
			}
			declare = append(declare[:len(declare):len(declare)], Namespace{a.Name, a.Value})
		}
	}
	o := openElement{name: name, scopes: len(w.scopes)}
	w.scopes = append(w.scopes, declare...)
	prefix, known := w.prefix(space, true)
	own := !known
	if own {
		prefix = w.freePrefix()
		w.scopes = append(w.scopes, Namespace{prefix, space})
	}
	o.prefix = prefix
	w.b = append(w.b, '<')
	w.qname(prefix, name)
	for _, ns := range declare {
		w.declaration(ns)
	}
	if own {
		w.declaration(Namespace{prefix, space})
	}
	for _, a := range attrs {
		if a.Space != namespaceXMLNS {
			w.attr(a)
		}
	}
	w.b = append(w.b, '>')
	w.open = append(w.open, o)
}

const maxWriteDepth = 64

func (w *Writer) qname(prefix, name string) {
	if prefix != "" {
		w.b = append(w.b, prefix...)
		w.b = append(w.b, ':')
	}
	w.b = append(w.b, name...)
}

func (w *Writer) declaration(ns Namespace) {
	w.b = append(w.b, " xmlns"...)
	if ns.Prefix != "" {
		w.b = append(w.b, ':')
		w.b = append(w.b, ns.Prefix...)
	}
	w.b = append(w.b, `="`...)
	w.escape(ns.URI, true)
	w.b = append(w.b, '"')
}

func (w *Writer) attr(a Attr) {
	if !validName(a.Name) || a.Space == "" && a.Name == "xmlns" {
		w.fail(fmt.Errorf("wsman: %s is no name of an attribute", quoted(a.Name)))
		return
	}
	prefix := ""
	if a.Space != "" {
		var known bool
		if prefix, known = w.prefix(a.Space, false); !known {
			prefix = w.freePrefix()
			w.scopes = append(w.scopes, Namespace{prefix, a.Space})
			w.declaration(Namespace{prefix, a.Space})
		}
	}
	w.b = append(w.b, ' ')
	w.qname(prefix, a.Name)
	w.b = append(w.b, `="`...)
	w.escape(a.Value, true)
	w.b = append(w.b, '"')
}

// prefix finds the innermost prefix of a namespace that no inner declaration hides.
func (w *Writer) prefix(space string, element bool) (string, bool) {
	if space == namespaceXML {
		return "xml", true
	}
	for i := len(w.scopes) - 1; i >= 0; i-- {
		s := w.scopes[i]
		if s.URI == space && (element || s.Prefix != "") && !w.hidden(s.Prefix, i) {
			return s.Prefix, true
		}
	}
	// Without a default namespace the empty prefix means none.
	if space == "" {
		for _, s := range w.scopes {
			if s.Prefix == "" {
				w.fail(fmt.Errorf("wsman: an element without a namespace below a default namespace"))
				break
			}
		}
		return "", true
	}
	return "", false
}

// means says whether a prefix stands for a namespace here.
func (w *Writer) means(prefix, space string) bool {
	for i := len(w.scopes) - 1; i >= 0; i-- {
		if s := w.scopes[i]; s.Prefix == prefix {
			return s.URI == space
		}
	}
	return prefix == "xml" && space == namespaceXML
}

func (w *Writer) hidden(prefix string, at int) bool {
	for _, s := range w.scopes[at+1:] {
		if s.Prefix == prefix {
			return true
		}
	}
	return false
}

// freePrefix returns one that nothing in scope has.
func (w *Writer) freePrefix() string {
	for _, p := range [...]string{"r", "s", "t", "u"} {
		if !w.hidden(p, -1) {
			return p
		}
	}
	// Those below are taken mostly, each by one that is in scope.
	for i := max(1, len(w.scopes)-6); ; i++ {
		if p := "n" + strconv.Itoa(i); !w.hidden(p, -1) {
			return p
		}
	}
}

// End ends the innermost element.
func (w *Writer) End() {
	if len(w.open) == 0 {
		w.fail(fmt.Errorf("wsman: no element to end"))
		return
	}
	o := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.scopes = w.scopes[:o.scopes]
	w.b = append(w.b, '<', '/')
	w.qname(o.prefix, o.name)
	w.b = append(w.b, '>')
}

// Text writes text. Text that XML cannot carry (control characters, broken UTF-8) is a mistake.
func (w *Writer) Text(s string) { w.escape(s, false) }

// Leaf writes an element that holds text only.
func (w *Writer) Leaf(space, name, text string, attrs ...Attr) {
	w.start(space, name, nil, attrs)
	w.escape(text, false)
	w.End()
}

// Element writes an element as it was read. Prefixes may be others.
func (w *Writer) Element(e *Element) { w.element(e, "") }

// element writes an element. One without a namespace, which some firmware forgets to declare, goes to that of what is around
// it where a default namespace leaves no other choice.
func (w *Writer) element(e *Element, space string) {
	if e.Space != "" || !w.hidden("", -1) {
		space = e.Space
	}
	w.start(space, e.Name, nil, e.Attrs)
	if w.err != nil {
		return
	}
	w.escape(e.Text, false)
	for i := range e.Children {
		w.element(&e.Children[i], space)
	}
	w.End()
}

// Ref writes what a reference consists of: Address and ReferenceParameters, as in the body of a message.
func (w *Writer) Ref(r Ref) { w.ref(&r, 0) }

// maxRefDepth is how deep references are nested at most, so that a message with them is no deeper than Limits permit.
const maxRefDepth = 6

func (w *Writer) ref(r *Ref, depth int) {
	if depth >= maxRefDepth {
		w.fail(fmt.Errorf("%w: references nested deeper than %d", ErrTooLarge, maxRefDepth))
		return
	}
	address := r.Address
	if address == "" {
		address = Anonymous
	}
	w.Leaf(NamespaceAddressing, "Address", address)
	w.Start(NamespaceAddressing, "ReferenceParameters")
	w.Leaf(NamespaceWSMan, "ResourceURI", r.ResourceURI)
	w.selectors(r.Selectors, depth+1)
	w.End()
}

// Selectors writes a SelectorSet, or nothing if there are none.
func (w *Writer) Selectors(selectors []Selector) { w.selectors(selectors, 0) }

func (w *Writer) selectors(selectors []Selector, depth int) {
	if len(selectors) == 0 {
		return
	}
	w.Start(NamespaceWSMan, "SelectorSet")
	for i := range selectors {
		s := &selectors[i]
		w.Start(NamespaceWSMan, "Selector", Attr{Name: "Name", Value: s.Name})
		if s.Ref == nil {
			w.escape(s.Value, false)
		} else {
			w.Start(NamespaceAddressing, "EndpointReference")
			w.ref(s.Ref, depth)
			w.End()
		}
		w.End()
	}
	w.End()
}

// Value writes an element with a Go value, as [AppendValue] does.
func (w *Writer) Value(space, name string, v any) { w.value(space, name, v) }

func (w *Writer) escape(s string, attr bool) {
	last := 0
	for i := 0; i < len(s); {
		c := s[i]
		var with string
		switch {
		case c == '&':
			with = "&amp;"
		case c == '<':
			with = "&lt;"
		case c == '>':
			with = "&gt;"
		case c == '"' && attr:
			with = "&quot;"
		case c == '\r':
			with = "&#xD;"
		case c == '\n' && attr:
			with = "&#xA;"
		case c == '\t' && attr:
			with = "&#x9;"
		case c < 0x20 && c != '\n' && c != '\t':
			w.fail(fmt.Errorf("wsman: XML cannot carry the control character %#x", c))
			return
		case c < utf8.RuneSelf:
			i++
			continue
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
				w.fail(fmt.Errorf("wsman: text to write is not UTF-8"))
				return
			}
			i += size
			continue
		}
		w.b = append(w.b, s[last:i]...)
		w.b = append(w.b, with...)
		i++
		last = i
	}
	w.b = append(w.b, s[last:]...)
}

// validName says whether a name may stand in a tag. It takes fewer names than XML does: those of CIM are ASCII, and other
// letters are taken as they are.
func validName(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c >= utf8.RuneSelf:
		case i > 0 && ('0' <= c && c <= '9' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}
