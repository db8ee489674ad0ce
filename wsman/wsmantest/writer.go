package wsmantest

import (
	"fmt"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
)

// xmlStyle is how answers are written. The zero value is the firmware's: nothing between elements, no short forms, all
// namespaces on the envelope under prefixes of one letter.
type xmlStyle struct {
	short    bool // <x/> for empty elements
	pretty   bool // line breaks and blanks between elements
	comments bool // a comment and a CDATA section here and there
	local    bool // namespaces of the body are declared where they are used
}

// xmlWriter writes one envelope.
type xmlWriter struct {
	xmlStyle
	b        []byte
	prefixes map[string]string // by namespace
	declared map[string]bool   // with local: the namespaces of the envelope
	order    []string          // namespaces as they get their prefixes
}

// prefixes of normal envelopes and of faults: the firmware uses other letters in the latter.
var (
	replyPrefixes = []string{wsman.NamespaceSOAP, "a", wsman.NamespaceAddressing, "b", wsman.NamespaceWSMan, "c"}
	faultPrefixes = []string{wsman.NamespaceSOAP, "a", wsman.NamespaceAddressing, "b", wsman.NamespaceEnumeration, "c", wsman.NamespaceTransfer, "d", wsman.NamespaceWSMan, "e", wsman.NamespaceEventing, "f"}
)

// xmlNamespace is that of xml:lang, which needs no declaration.
const xmlNamespace = "http://www.w3.org/XML/1998/namespace"

// xmlnsNamespace is that of declarations, which the parser keeps for some texts.
const xmlnsNamespace = "http://www.w3.org/2000/xmlns/"

// writeEnvelope writes header and body elements as an envelope.
func writeEnvelope(style xmlStyle, prefixes []string, header, body []wsman.Element) []byte {
	w := &xmlWriter{xmlStyle: style, prefixes: map[string]string{}, declared: map[string]bool{}}
	for i := 0; i+1 < len(prefixes); i += 2 {
		w.name(prefixes[i], prefixes[i+1])
		w.declared[prefixes[i]] = true
	}
	for i := range header {
		w.collect(&header[i])
	}
	for _, ns := range w.order {
		w.declared[ns] = true
	}
	for i := range body {
		w.collect(&body[i])
	}
	if !w.local {
		for _, ns := range w.order {
			w.declared[ns] = true
		}
	}
	w.b = append(w.b, `<?xml version="1.0" encoding="UTF-8"?>`...)
	w.newline(0)
	w.b = append(w.b, "<a:Envelope"...)
	for _, ns := range w.order {
		if w.declared[ns] {
			w.declare(ns)
		}
	}
	w.b = append(w.b, ` xmlns:xsi="`+wsman.NamespaceInstance+`">`...)
	w.comment(" an answer ")
	w.section("Header", header)
	w.section("Body", body)
	w.newline(0)
	w.b = append(w.b, "</a:Envelope>"...)
	return w.b
}

// section writes Header or Body, which are never in the short form.
func (w *xmlWriter) section(name string, children []wsman.Element) {
	w.newline(1)
	w.b = append(w.b, "<a:"+name+">"...)
	for i := range children {
		w.element(&children[i], 2)
	}
	if len(children) > 0 {
		w.newline(1)
	}
	w.b = append(w.b, "</a:"+name+">"...)
}

func (w *xmlWriter) name(ns, prefix string) {
	w.prefixes[ns] = prefix
	w.order = append(w.order, ns)
}

// collect gives every namespace of an element and of what is in it a prefix: g, h, i and so on.
func (w *xmlWriter) collect(e *wsman.Element) {
	if _, ok := w.prefixes[e.Space]; !ok && e.Space != "" {
		n := 0
		for _, p := range w.prefixes {
			if p >= "g" {
				n++
			}
		}
		prefix := string(rune('g' + n))
		if n > 'z'-'g' {
			prefix = fmt.Sprintf("g%d", n)
		}
		w.name(e.Space, prefix)
	}
	for i := range e.Children {
		w.collect(&e.Children[i])
	}
}

func (w *xmlWriter) declare(ns string) {
	w.b = append(w.b, " xmlns:"+w.prefixes[ns]+`="`...)
	w.escape(ns)
	w.b = append(w.b, '"')
}

func (w *xmlWriter) element(e *wsman.Element, depth int) {
	w.newline(depth)
	tag := e.Name
	if p := w.prefixes[e.Space]; p != "" {
		tag = p + ":" + tag
	}
	w.b = append(append(w.b, '<'), tag...)
	if w.local && e.Space != "" && !w.declared[e.Space] {
		w.declare(e.Space)
		w.declared[e.Space] = true
		defer delete(w.declared, e.Space)
	}
	for _, a := range e.Attrs {
		if a.Space == xmlnsNamespace {
			continue // what a prefix in a text stood for in the request
		}
		w.b = append(w.b, ' ')
		if p := w.prefixes[a.Space]; p != "" {
			w.b = append(append(w.b, p...), ':')
		} else if a.Space == xmlNamespace {
			w.b = append(w.b, "xml:"...)
		}
		w.b = append(append(w.b, a.Name...), `="`...)
		w.escape(a.Value)
		w.b = append(w.b, '"')
	}
	if w.short && e.Text == "" && len(e.Children) == 0 {
		w.b = append(w.b, "/>"...)
		return
	}
	w.b = append(w.b, '>')
	if len(e.Children) == 0 {
		w.text(e.Text)
	}
	for i := range e.Children {
		w.element(&e.Children[i], depth+1)
	}
	if len(e.Children) > 0 {
		w.comment(" " + e.Name + " ")
		w.newline(depth)
	}
	w.b = append(append(append(w.b, "</"...), tag...), '>')
}

func (w *xmlWriter) text(text string) {
	if w.comments && text != "" && !strings.Contains(text, "]]>") {
		w.b = append(append(append(w.b, "<![CDATA["...), text...), "]]>"...)
		return
	}
	w.escape(text)
}

func (w *xmlWriter) comment(text string) {
	if w.comments {
		w.b = append(append(append(w.b, "<!--"...), text...), "-->"...)
	}
}

func (w *xmlWriter) newline(depth int) {
	if w.pretty {
		w.b = append(append(w.b, '\n'), strings.Repeat("  ", depth)...)
	}
}

func (w *xmlWriter) escape(text string) {
	for _, r := range text {
		switch {
		case r == '&':
			w.b = append(w.b, "&amp;"...)
		case r == '<':
			w.b = append(w.b, "&lt;"...)
		case r == '>':
			w.b = append(w.b, "&gt;"...)
		case r == '"':
			w.b = append(w.b, "&quot;"...)
		case r == '\r' || r == '\n' || r == '\t':
			w.b = fmt.Appendf(w.b, "&#%d;", r)
		case r < ' ' || r == 0xFFFE || r == 0xFFFF: // XML has no way to write these
			w.b = append(w.b, "\uFFFD"...)
		default:
			w.b = append(w.b, string(r)...)
		}
	}
}

// el is an element with children, textEl one with text.
func el(space, name string, children ...wsman.Element) wsman.Element {
	return wsman.Element{Space: space, Name: name, Children: children}
}

func textEl(space, name, text string) wsman.Element {
	return wsman.Element{Space: space, Name: name, Text: text}
}
