package redir

// Trace is a set of hooks, in the manner of net/http/httptrace: any of them may be nil. They are called from the goroutine in
// which the thing happens and must not block.
type Trace struct {
	// LoggedIn is called when the device has accepted, or the operator has shown, the credentials.
	LoggedIn func(SessionType, string)
	// Ended is called when a session that was logged in has ended, with the reason.
	Ended func(SessionType, error)
	// SerialStatus is called when the device tells of the host's serial port.
	SerialStatus func(SOLStatus)
	// Media is what happens to the drives. Operator's end only.
	Media MediaEvents
}

func (t *Trace) orEmpty() *Trace {
	var full Trace
	if t != nil {
		full = *t
	}
	if full.LoggedIn == nil {
		full.LoggedIn = func(SessionType, string) {}
	}
	if full.Ended == nil {
		full.Ended = func(SessionType, error) {}
	}
	if full.SerialStatus == nil {
		full.SerialStatus = func(SOLStatus) {}
	}
	return &full
}
