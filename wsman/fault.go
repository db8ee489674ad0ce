package wsman

import (
	"strconv"
	"strings"
)

// QName is a name with its namespace.
type QName struct{ Space, Local string }

// String returns the local name.
func (q QName) String() string { return q.Local }

// Fault is the answer of a device that refused a request.
type Fault struct {
	Code       QName // Sender or Receiver
	Subcode    QName // what it is about: DestinationUnreachable, InvalidSelectors, AccessDenied, ...
	Reason     string
	Detail     []Element
	HTTPStatus int // 400 or 500 mostly
	// What was asked for.
	Action      string
	ResourceURI string
}

// Error says what was refused and why, without the detail.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString("wsman: ")
	if f.Action != "" {
		b.WriteString(ClassName(f.Action))
		b.WriteByte(' ')
	}
	if f.ResourceURI != "" {
		b.WriteString(ClassName(f.ResourceURI))
		b.WriteByte(' ')
	}
	b.WriteString("fault ")
	switch {
	case f.Subcode.Local != "":
		b.WriteString(bare(f.Subcode.Local))
	case f.Code.Local != "":
		b.WriteString(bare(f.Code.Local))
	}
	if f.HTTPStatus != 0 {
		b.WriteString(" (status " + strconv.Itoa(f.HTTPStatus) + ")")
	}
	if f.Reason != "" {
		b.WriteString(": " + quoted(f.Reason))
	}
	return b.String()
}

// bare is a name of a peer as it is, or quoted if it is none.
func bare(name string) string {
	if len(name) <= 64 && validName(name) {
		return name
	}
	return quoted(name)
}

// Is says that some faults mean [ErrUnsupported].
func (f *Fault) Is(target error) bool {
	if target != ErrUnsupported { //nolint:errorlint // this is what errors.Is calls
		return false
	}
	switch f.Subcode.Local {
	case "DestinationUnreachable", "ActionNotSupported", "UnsupportedFeature":
		return true
	}
	return false
}

// Fault returns the fault that an envelope holds, or nil.
func (e *Envelope) Fault() *Fault {
	el := e.First()
	if el == nil || el.Name != "Fault" {
		return nil
	}
	code := el.Child("Code")
	f := &Fault{
		Code:    qnameOf(code.Child("Value")),
		Subcode: qnameOf(code.Path("Subcode", "Value")),
		Reason:  strings.TrimSpace(el.Path("Reason").ChildText("Text")),
	}
	if detail := el.Child("Detail"); detail != nil {
		f.Detail = detail.Children
	}
	return f
}

// qnameOf reads the name in a Value of a fault. The scanner kept what its prefix stands for.
func qnameOf(el *Element) QName {
	if el == nil {
		return QName{}
	}
	text := strings.TrimSpace(el.Text)
	prefix, local, prefixed := strings.Cut(text, ":")
	if !prefixed {
		prefix, local = "", text
	}
	q := QName{Local: local}
	for _, a := range el.Attrs {
		if a.Space == namespaceXMLNS && a.Name == prefix {
			q.Space = a.Value
		}
	}
	return q
}

// Fault writes a fault, as the body of a message. Its names get the prefixes that are in force, or are declared.
func (w *Writer) Fault(f *Fault) {
	w.Start(NamespaceSOAP, "Fault")
	w.Start(NamespaceSOAP, "Code")
	w.qnameLeaf("Value", f.Code)
	if f.Subcode.Local != "" {
		w.Start(NamespaceSOAP, "Subcode")
		w.qnameLeaf("Value", f.Subcode)
		w.End()
	}
	w.End()
	w.Start(NamespaceSOAP, "Reason")
	w.Leaf(NamespaceSOAP, "Text", f.Reason, Attr{namespaceXML, "lang", "en-US"})
	w.End()
	w.Start(NamespaceSOAP, "Detail")
	for i := range f.Detail {
		w.Element(&f.Detail[i])
	}
	w.End()
	w.End()
}

// qnameLeaf writes an element of SOAP whose text is a name.
func (w *Writer) qnameLeaf(element string, q QName) {
	prefix, known := w.prefix(q.Space, true)
	if known {
		w.Start(NamespaceSOAP, element)
	} else {
		prefix = w.freePrefix()
		w.start(NamespaceSOAP, element, []Namespace{{prefix, q.Space}}, nil)
	}
	if prefix != "" {
		w.escape(prefix, false)
		w.escape(":", false)
	}
	w.escape(q.Local, false)
	w.End()
}
