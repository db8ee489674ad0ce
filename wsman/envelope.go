package wsman

import (
	"fmt"
	"strings"
	"time"
)

// Envelope is a message: what its header says, and its body.
type Envelope struct {
	Action      string
	To          string
	ResourceURI string
	MessageID   string
	RelatesTo   string // of answers
	ReplyTo     string // of requests: an address
	Timeout     time.Duration
	Selectors   []Selector
	Header      []Element // other elements of the header, in their order
	Body        []Element // one, or none

	// WriteBody, if not nil, writes the body in place of Body.
	WriteBody func(*Writer)
	// Namespaces are declared on the envelope when it is written, in this order. Nil means what clients declare: SOAP as
	// the default namespace, a for addressing and w for WS-Management.
	Namespaces []Namespace
}

// First returns the first element of the body, or nil.
func (e *Envelope) First() *Element {
	if len(e.Body) == 0 {
		return nil
	}
	return &e.Body[0]
}

// xmlDeclaration is what messages begin with.
const xmlDeclaration = `<?xml version="1.0" encoding="utf-8"?>`

// AppendEnvelope appends a message. Requests have their header in the order Action, To, ResourceURI, MessageID, ReplyTo,
// OperationTimeout, SelectorSet; answers, which have RelatesTo, in the order To, RelatesTo, Action, MessageID, ResourceURI.
// What is empty is left out.
func AppendEnvelope(b []byte, e *Envelope) ([]byte, error) {
	declare := e.Namespaces
	if declare == nil {
		declare = []Namespace{{"", NamespaceSOAP}, {"a", NamespaceAddressing}, {"w", NamespaceWSMan}}
	}
	w := NewWriter(append(b, xmlDeclaration...))
	w.start(NamespaceSOAP, "Envelope", declare, nil)
	w.Start(NamespaceSOAP, "Header")
	leaf := func(space, name, text string) {
		if text != "" {
			w.Leaf(space, name, text)
		}
	}
	if e.RelatesTo == "" {
		leaf(NamespaceAddressing, "Action", e.Action)
		leaf(NamespaceAddressing, "To", e.To)
		leaf(NamespaceWSMan, "ResourceURI", e.ResourceURI)
		leaf(NamespaceAddressing, "MessageID", e.MessageID)
		if e.ReplyTo != "" {
			w.Start(NamespaceAddressing, "ReplyTo")
			w.Leaf(NamespaceAddressing, "Address", e.ReplyTo)
			w.End()
		}
	} else {
		leaf(NamespaceAddressing, "To", e.To)
		leaf(NamespaceAddressing, "RelatesTo", e.RelatesTo)
		leaf(NamespaceAddressing, "Action", e.Action)
		leaf(NamespaceAddressing, "MessageID", e.MessageID)
		leaf(NamespaceWSMan, "ResourceURI", e.ResourceURI)
	}
	if e.Timeout > 0 {
		w.Start(NamespaceWSMan, "OperationTimeout")
		// Whole seconds, as everybody writes it: PT60S.
		w.Text(fmt.Sprintf("PT%dS", max(1, int64(e.Timeout/time.Second))))
		w.End()
	}
	w.Selectors(e.Selectors)
	for i := range e.Header {
		w.Element(&e.Header[i])
	}
	w.End()
	w.Start(NamespaceSOAP, "Body")
	if e.WriteBody != nil {
		e.WriteBody(w)
	} else {
		for i := range e.Body {
			w.Element(&e.Body[i])
		}
	}
	w.End()
	w.End()
	return w.Bytes()
}

// ParseEnvelope reads a message. Elements are told by their local names, so whatever prefixes and namespaces it has. A fault
// is an envelope like others: see [Envelope.Fault].
func ParseEnvelope(b []byte, limits Limits) (*Envelope, error) {
	root, err := scan(string(b), limits.withDefaults())
	if err != nil {
		return nil, err
	}
	if root.Name != "Envelope" {
		return nil, fmt.Errorf("%w: the root is %s and no Envelope", ErrMalformed, quoted(root.Name))
	}
	e := new(Envelope)
	body := false
	for i := range root.Children {
		switch c := &root.Children[i]; c.Name {
		case "Header":
			if err := e.header(c); err != nil {
				return nil, err
			}
		case "Body":
			if !body {
				e.Body, body = c.Children, true
			}
		}
	}
	if !body {
		return nil, fmt.Errorf("%w: an envelope without a Body", ErrMalformed)
	}
	return e, nil
}

func (e *Envelope) header(h *Element) error {
	for i := range h.Children {
		c := &h.Children[i]
		text := strings.TrimSpace(c.Text)
		switch c.Name {
		case "Action":
			e.Action = text
		case "To":
			e.To = text
		case "ResourceURI":
			e.ResourceURI = text
		case "MessageID":
			e.MessageID = text
		case "RelatesTo":
			e.RelatesTo = text
		case "ReplyTo":
			e.ReplyTo = strings.TrimSpace(c.ChildText("Address"))
		case "OperationTimeout":
			// A hint: what cannot be read is as good as none.
			e.Timeout, _ = parseInterval(text)
		case "SelectorSet":
			selectors, err := selectorsOf(c, 0)
			if err != nil {
				return fmt.Errorf("%w: SelectorSet: %w", ErrMalformed, err)
			}
			e.Selectors = selectors
		default:
			e.Header = append(e.Header, *c)
		}
	}
	return nil
}
