package wsman

// QName is a name with its namespace.
type QName struct{ Space, Local string }

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
func (f *Fault) Error() string { return "wsman: fault" }

// Is says that some faults mean [ErrUnsupported].
func (f *Fault) Is(target error) bool { return false }

// Fault returns the fault that an envelope holds, or nil.
func (e *Envelope) Fault() *Fault { return nil }
