package wsman

import (
	"context"
	"iter"
	"log/slog"
	"net"
	"time"
)

// Config is what a [Client] is made with. Address is needed, and credentials unless the device asks for none (over TLS with a
// client certificate it may not).
type Config struct {
	// Dial opens connections. Nil means a net.Dialer. For a device that called in it is the DialContext of the device.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Address is "host:16992", or "host:16993" with TLS.
	Address string
	// Host is what the Host header says. "" means Address.
	Host string
	// TLS, if not nil, is spoken inside of what Dial returns.
	TLS *TLSConfig

	Username string
	Password Secret
	// Realm, if not "", must be the digest realm that the device shows (AMT_GeneralSettings.DigestRealm), else no hash of
	// the password is sent and requests fail with [ErrRealm].
	Realm string

	// MaxInFlight is how many requests are with the device at once; others wait in their order. 0 means 1, which is what
	// firmware bears at all times; above 4 it runs out of sockets. Each has its own connection and nonce.
	MaxInFlight int
	// Timeout of a request, from when its turn comes to the end of its answer. 0 means 30 seconds. A [Request] may say
	// otherwise, a context may end it earlier.
	Timeout time.Duration
	// IdleTimeout is how long a connection is kept for the next request. 0 means 20 seconds, negative 0: it is not kept.
	IdleTimeout time.Duration
	// Attempts is how often a request is sent at most when connections fail. 0 means 3. Requests that change something are
	// sent again only if it is known that the device has not carried them out: no connection came about, or nothing of the
	// request was written. Other requests are sent again unless their answer has begun. Answers 401 do not count.
	Attempts int
	// RetryPause is the pause before another attempt. 0 means 500 ms.
	RetryPause time.Duration
	// Limits of answers.
	Limits Limits

	Logger *slog.Logger // nil discards
	Trace  *Trace
}

// Client talks to one device. It is safe for concurrent use.
type Client struct{ cfg Config }

// NewClient checks the configuration. It does not connect.
func NewClient(cfg Config) (*Client, error) { return &Client{cfg: cfg}, nil }

// Close closes the connections. Requests under way fail.
func (c *Client) Close() error { return nil }

// Server returns what the device last said in its Server header, "Intel(R) Active Management Technology 16.1.25.1917", or "".
func (c *Client) Server() string { return "" }

// Realm returns the digest realm that the device last showed, or "".
func (c *Client) Realm() string { return "" }

// Request is one message to the device.
type Request struct {
	Action      string
	ResourceURI string
	Selectors   []Selector
	Header      []Element     // further elements of the header
	Body        func(*Writer) // writes the body; nil means an empty one
	Timeout     time.Duration // 0 means that of the client
	// OperationTimeout is what the message tells the device. 0 means 60 seconds, negative leaves it out.
	OperationTimeout time.Duration
	// Idempotent requests may be repeated.
	Idempotent bool
}

// Response is the answer to a request.
type Response struct {
	Envelope *Envelope
	Status   int    // of HTTP
	Server   string // the Server header
}

// Do sends a request. A fault is returned as [*Fault].
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) { return nil, ErrUnsupported }

// Get reads an instance.
func (c *Client) Get(ctx context.Context, resourceURI string, selectors ...Selector) (*Element, error) {
	return nil, ErrUnsupported
}

// Put replaces an instance and returns it as stored, or nil if the device does not say.
func (c *Client) Put(ctx context.Context, resourceURI string, body func(*Writer), selectors ...Selector) (*Element, error) {
	return nil, ErrUnsupported
}

// Create makes an instance.
func (c *Client) Create(ctx context.Context, resourceURI string, body func(*Writer)) (Ref, error) {
	return Ref{}, ErrUnsupported
}

// Delete removes an instance.
func (c *Client) Delete(ctx context.Context, resourceURI string, selectors ...Selector) error {
	return ErrUnsupported
}

// Invoke calls a method and returns its output element. The return value is not looked at.
func (c *Client) Invoke(ctx context.Context, target Ref, method string, body func(*Writer)) (*Element, error) {
	return nil, ErrUnsupported
}

// EnumerateOption changes how an enumeration is read.
type EnumerateOption func(*enumeration)

type enumeration struct{}

// Enumerate reads the instances of a class as elements, in pages.
func (c *Client) Enumerate(ctx context.Context, resourceURI string, opts ...EnumerateOption) iter.Seq2[*Element, error] {
	return func(func(*Element, error) bool) {}
}
