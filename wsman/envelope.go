package wsman

import "time"

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

// AppendEnvelope appends a message. Requests have their header in the order Action, To, ResourceURI, MessageID, ReplyTo,
// OperationTimeout, SelectorSet; answers, which have RelatesTo, in the order To, RelatesTo, Action, MessageID, ResourceURI.
// What is empty is left out.
func AppendEnvelope(b []byte, e *Envelope) ([]byte, error) { return b, ErrUnsupported }

// ParseEnvelope reads a message. Elements are told by their local names, so whatever prefixes and namespaces it has. A fault
// is an envelope like others: see [Envelope.Fault].
func ParseEnvelope(b []byte, limits Limits) (*Envelope, error) { return nil, ErrUnsupported }

// ParseElement reads XML that is no envelope: a document, or part of one.
func ParseElement(b []byte, limits Limits) (*Element, error) { return nil, ErrUnsupported }
