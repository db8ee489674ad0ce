package wsman

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
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
	// the password is sent and requests fail with [ErrRealm]; so they do if it shows none and lets everybody in. It tells
	// devices apart, it does not prove one: who stands between sees what is said without TLS, and may pass on the realm.
	Realm string
	// RefusedPause is for how long requests fail with [ErrCredentials] without being sent, once the device has refused the
	// credentials: firmware locks accounts that are tried again and again. 0 means 20 seconds, negative 0.
	RefusedPause time.Duration

	// MaxInFlight is how many requests are with the device at once; others wait in their order. 0 means 1, which is what
	// firmware bears at all times; above 4 it runs out of sockets. Each has its own connection and nonce.
	MaxInFlight int
	// Timeout of a request, from when its turn comes to the end of its answer, other attempts included. 0 means 30 seconds.
	// [Request] and [WithCallTimeout] may say otherwise, a context may end it earlier.
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

// fresh is how long a connection may have been idle for a request that must not be sent twice: firmware closes idle ones at
// any time, and what was written to one then is not known to have been lost.
const fresh = 2 * time.Second

// Client talks to one device. It is safe for concurrent use.
type Client struct {
	cfg     Config
	tls     *tls.Config // nil without
	host    string
	log     *slog.Logger
	slots   *slots
	account account
	ids     atomic.Uint64 // of messages

	epoch atomic.Int64 // grows with each Reset

	ctx    context.Context //nolint:containedctx // ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex
	server string
	realm  string
}

// NewClient checks the configuration. It does not connect.
func NewClient(cfg Config) (*Client, error) {
	if cfg.Address == "" {
		return nil, errors.New("wsman: Config.Address is empty")
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Host == "" {
		cfg.Host = cfg.Address
	}
	if strings.ContainsFunc(cfg.Host, func(r rune) bool { return r <= ' ' || r == 0x7F }) {
		return nil, fmt.Errorf("wsman: Config.Host %s", quoted(cfg.Host))
	}
	setDefault(&cfg.MaxInFlight, 1)
	setDefault(&cfg.Attempts, 3)
	setDefault(&cfg.Timeout, 30*time.Second)
	setDefault(&cfg.IdleTimeout, 20*time.Second)
	setDefault(&cfg.RetryPause, 500*time.Millisecond)
	setDefault(&cfg.RefusedPause, 20*time.Second)
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.MaxInFlight < 1 || cfg.Attempts < 1 || cfg.Timeout < 0 || cfg.RetryPause < 0 {
		return nil, errors.New("wsman: a negative number in Config")
	}
	c := &Client{cfg: cfg, host: cfg.Host, log: cfg.Logger, slots: newSlots(cfg.MaxInFlight)}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if cfg.TLS != nil {
		var err error
		if c.tls, err = cfg.TLS.Client(cfg.Address); err != nil {
			return nil, err
		}
	}
	c.account.set(cfg.Username, cfg.Password)
	c.cfg.Password = Secret{}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Close closes the connections. Requests under way fail, later ones fail with [ErrClosed].
func (c *Client) Close() error {
	c.cancel()
	for _, s := range c.slots.close() {
		if s.conn != nil {
			s.conn.close()
		}
	}
	return nil
}

// SetCredentials changes the name and password for requests from now on, for instance before the password is changed on the
// device. Challenges are forgotten, so the next request asks for a new one.
func (c *Client) SetCredentials(username string, password Secret) { c.account.set(username, password) }

// Reset makes the next requests use new connections and new challenges. It is needed after what changes the device's state:
// setup, activation, changes of TLS or of the password.
func (c *Client) Reset() {
	c.account.renew()
	c.epoch.Add(1)
}

// Server returns what the device last said in its Server header, "Intel(R) Active Management Technology 16.1.25.1917", or "".
func (c *Client) Server() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server
}

// Realm returns the digest realm that the device last showed, or "".
func (c *Client) Realm() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.realm
}

func (c *Client) noteServer(server string) {
	if server == "" {
		return
	}
	c.mu.Lock()
	c.server = server
	c.mu.Unlock()
}

func (c *Client) noteRealm(realm string) {
	c.mu.Lock()
	c.realm = realm
	c.mu.Unlock()
}

// ServerVersion returns the version of the firmware in a Server header, "16.1.25.1917", or "" if it says none.
func ServerVersion(server string) string {
	_, version, _ := strings.Cut(server, "Intel(R) Active Management Technology ")
	version, _, _ = strings.Cut(version, " ")
	return version
}

// callTimeout is the key of WithCallTimeout.
type callTimeout struct{}

// WithCallTimeout returns a context in which each request has that time in place of the client's, for methods that take
// long: keys, certificates, CommitChanges and Unprovision want a minute. It is not a deadline of the context.
func WithCallTimeout(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, callTimeout{}, d)
}

// Request is one message to the device.
type Request struct {
	Action      string
	ResourceURI string
	Selectors   []Selector
	Header      []Element     // further elements of the header
	Body        func(*Writer) // writes the body; nil means an empty one
	Timeout     time.Duration // 0 means that of the context or of the client
	// OperationTimeout is what the message tells the device. 0 means 60 seconds, negative leaves it out.
	OperationTimeout time.Duration
	// Idempotent requests may be sent again.
	Idempotent bool
	// Bare leaves the header empty, as Identify has it.
	Bare bool
	// WithoutLogin sends no credentials: a device that asks for some answers with ErrCredentials.
	WithoutLogin bool
}

// Response is the answer to a request.
type Response struct {
	Envelope *Envelope
	Status   int    // of HTTP
	Server   string // the Server header
}

// Do sends a request and waits for the answer. A fault is returned as [*Fault].
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	s, err := c.slots.acquire(ctx)
	if err != nil {
		return nil, &callError{r.Action, r.ResourceURI, err}
	}
	defer c.giveBack(s)
	if !r.WithoutLogin && c.account.blocked(c.cfg.RefusedPause) {
		return nil, &callError{r.Action, r.ResourceURI, fmt.Errorf("%w: a moment ago", ErrCredentials)}
	}
	timeout := c.cfg.Timeout
	if r.Timeout > 0 {
		timeout = r.Timeout
	} else if d, ok := ctx.Value(callTimeout{}).(time.Duration); ok && d > 0 {
		timeout = d
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stop := context.AfterFunc(c.ctx, cancel)
	defer stop()
	x := exchange{c: c, s: s, r: r, begin: time.Now()}
	resp, err := x.run(ctx)
	if err != nil {
		var fault *Fault
		var failed *HTTPError
		if !errors.As(err, &fault) && !errors.As(err, &failed) {
			err = &callError{r.Action, r.ResourceURI, err}
		}
		c.log.Debug("wsman: request failed", "action", ClassName(r.Action), "class", ClassName(r.ResourceURI), "error", err)
		return nil, err
	}
	c.log.Debug("wsman: answered", "action", ClassName(r.Action), "class", ClassName(r.ResourceURI), "status", resp.Status,
		"duration", time.Since(x.begin))
	return resp, nil
}

// callError says in which request something failed.
type callError struct {
	Action, ResourceURI string
	err                 error
}

func (e *callError) Error() string {
	name := ClassName(e.Action)
	if e.ResourceURI != "" {
		name += " " + ClassName(e.ResourceURI)
	}
	return "wsman: " + name + ": " + strings.TrimPrefix(e.err.Error(), "wsman: ")
}

func (e *callError) Unwrap() error { return e.err }

// keptBuffer is how much room a slot keeps for its next request.
const keptBuffer = 32 << 10

func (c *Client) giveBack(s *slot) {
	for _, b := range []*[]byte{&s.body, &s.wire, &s.resp} {
		clear(*b) // passwords may have been in it
		if cap(*b) > keptBuffer {
			*b = nil
		}
	}
	cn := s.conn
	if c.slots.release(s) && cn != nil {
		cn.close() // closed meanwhile, when this slot was in use
	}
}
