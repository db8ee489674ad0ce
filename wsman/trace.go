package wsman

import (
	"crypto/tls"
	"time"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// Trace has functions that are called when something happens. Nil ones are skipped. They are called from the goroutines that
// make requests and shall return soon. What they are given holds no credentials.
type Trace struct {
	// Dial is called when a connection came about, or did not.
	Dial func(DialInfo)
	// Request is called before a message is written, for each time it is.
	Request func(RequestInfo)
	// Response is called when an answer was read, 401 included.
	Response func(ResponseInfo)
	// Challenge is called with what a 401 asks for.
	Challenge func(digest.Challenge)
	// Retry is called before a request is sent again after a failure.
	Retry func(RetryInfo)
}

// DialInfo is for [Trace].
type DialInfo struct {
	Address  string
	Duration time.Duration
	TLS      *tls.ConnectionState // nil without TLS
	Err      error
}

// RequestInfo is for [Trace].
type RequestInfo struct {
	Action      string
	ResourceURI string
	MessageID   string
	Attempt     int    // from 1
	Reused      bool   // a connection that was kept
	Authorized  bool   // with an Authorization header
	XML         string // the message, its secrets redacted
}

// ResponseInfo is for [Trace].
type ResponseInfo struct {
	Action      string // of the request
	ResourceURI string
	MessageID   string // of the request
	Status      int
	Server      string
	Duration    time.Duration
	XML         string // the message, its secrets redacted; "" if there is none
}

// RetryInfo is for [Trace].
type RetryInfo struct {
	Action      string
	ResourceURI string
	MessageID   string
	Attempt     int // the next one
	Err         error
}
