package apf

import "time"

// Trace is a set of hooks, in the manner of net/http/httptrace: any of them may be nil. Those of a connection are
// called one after the other, in the order in which things happen, from whatever goroutine. They must not block, and not call
// methods of the Conn that wait. Metrics hang here.
type Trace struct {
	// LoggedIn is called when a device has logged in.
	LoggedIn func(c *Conn, took time.Duration)
	// Ready is called when the ports are forwarded.
	Ready func(c *Conn)
	// ChannelOpened is called for a channel that either side opened, with the time that it took.
	ChannelOpened func(ch *Channel, took time.Duration)
	// OpenFailed is called for a channel that was not opened.
	OpenFailed func(c *Conn, err *OpenError)
	// ChannelClosed is called once for each channel that was opened, with the reason; it is io.EOF if the peer closed it and
	// ErrClosed if this side did.
	ChannelClosed func(ch *Channel, err error)
	// Probed is called for the answer to a probe, with the time that it took.
	Probed func(c *Conn, took time.Duration)
	// Violation is called for what a peer did wrong without ending the connection.
	Violation func(c *Conn, err error)
	// Closed is called once, with the reason, when the connection has ended.
	Closed func(c *Conn, err error)
}
