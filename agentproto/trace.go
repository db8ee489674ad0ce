package agentproto

import "time"

// Trace is a set of hooks, in the manner of net/http/httptrace: any of them may be nil. They are called from the
// goroutine in which the thing happens and must not block. Metrics and audit logs hang here.
type Trace struct {
	// Refused is called for a connection that ended before its login did, with the reason.
	Refused func(peer Peer, err error)
	// BadWebHash is called for a login over a certificate that is not known, before it is refused: the moment to find
	// out whether a proxy has a new one.
	BadWebHash func(peer Peer, err *WebHashError)
	// LoggedIn is called for a login that succeeded, with the time it took and the part of it that signing took. It comes
	// before the Closed of the same session, but may come before that of an older one which this one replaces.
	LoggedIn func(s *Session, took, signing time.Duration)
	// Closed is called once for every session that was logged in, with the reason.
	Closed func(s *Session, err error)
}

// orEmpty lets hooks be called without asking whether there is a Trace.
func (t *Trace) orEmpty() *Trace {
	var full Trace
	if t != nil {
		full = *t
	}
	if full.Refused == nil {
		full.Refused = func(Peer, error) {}
	}
	if full.BadWebHash == nil {
		full.BadWebHash = func(Peer, *WebHashError) {}
	}
	if full.LoggedIn == nil {
		full.LoggedIn = func(*Session, time.Duration, time.Duration) {}
	}
	if full.Closed == nil {
		full.Closed = func(*Session, error) {}
	}
	return &full
}
