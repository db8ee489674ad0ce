package controlproto

import "time"

// ServerTrace is a set of hooks, in the manner of net/http/httptrace: any of them may be nil. They are called from the
// goroutine in which the thing happens and must not block. Metrics and audit logs hang here.
type ServerTrace struct {
	// Refused is called for a login that did not succeed. The error is a *[RefusedError] if the client was told why.
	Refused func(r *LoginRequest, err error)
	// LoggedIn is called for a login that succeeded, with the time that it took.
	LoggedIn func(s *Session, took time.Duration)
	// Closed is called once for each session that was logged in, with the reason.
	Closed func(s *Session, err error)
	// Malformed is called for a message that is no request. Nothing else is done with it.
	Malformed func(s *Session, err error)
	// Request is called for each request that was handled or denied, with the time that its handler took and the
	// error that it returned.
	Request func(c *Call, took time.Duration, err error)
}

// orEmpty lets hooks be called without asking whether there is a ServerTrace.
func (t *ServerTrace) orEmpty() *ServerTrace {
	var full ServerTrace
	if t != nil {
		full = *t
	}
	if full.Refused == nil {
		full.Refused = func(*LoginRequest, error) {}
	}
	if full.LoggedIn == nil {
		full.LoggedIn = func(*Session, time.Duration) {}
	}
	if full.Closed == nil {
		full.Closed = func(*Session, error) {}
	}
	if full.Malformed == nil {
		full.Malformed = func(*Session, error) {}
	}
	if full.Request == nil {
		full.Request = func(*Call, time.Duration, error) {}
	}
	return &full
}
