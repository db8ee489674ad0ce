package controlproto

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Conn carries the messages of a session. See the documentation of package msgconn's Conn for what is asked of one.
type Conn = msgconn.Conn

// ClientConfig is how a [Client] works. The zero value works: it verifies certificates, waits half a minute for
// replies, and does not reconnect. In a program that runs in a browser, which makes the connections by itself, TLSConfig,
// DangerouslySkipVerify, Proxy, NetDialContext and Header have no effect, and PinnedCertificate is an error.
type ClientConfig struct {
	// URLKey is the "login key" that some domains want in the URL ("key="). It may as well be in the URL that is given.
	URLKey Secret

	// TLSConfig is used for connecting. Nil verifies the server's certificate against the system's roots.
	TLSConfig *tls.Config
	// PinnedCertificate is the hash of the server's TLS certificate (the whole of it, in DER) in hexadecimal digits,
	// SHA-384 as in "tlshash" of the server's information, or SHA-256 as elsewhere. With it, this certificate and no
	// other is accepted, and neither its name nor who signed it matters.
	PinnedCertificate string
	// DangerouslySkipVerify accepts every certificate, as meshctrl does: whoever is between client and server can then
	// take the password and do what the account may do. PinnedCertificate and [InBandLogin] are the safe ways to use
	// servers that signed their certificates themselves.
	DangerouslySkipVerify bool
	// DangerouslyAllowPlaintext permits ws URLs to other machines. To this machine itself they are always permitted.
	DangerouslyAllowPlaintext bool
	// Proxy picks a proxy for a request; http.ProxyURL makes one that picks always the same. Nil takes it from the
	// environment, as net/http does.
	Proxy func(*http.Request) (*url.URL, error)
	// NetDialContext makes TCP connections. Nil uses a net.Dialer.
	NetDialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Header is added to the request that opens the WebSocket.
	Header http.Header
	// Connect makes connections in place of all of the above, in memory, say. The URL has the login in its query.
	Connect func(ctx context.Context, url SecretURL, header http.Header) (Conn, error)

	// DialTime bounds connecting, LoginTime what follows until the server has let the client in. Default 20 s each.
	DialTime, LoginTime time.Duration
	// DefaultTimeout bounds requests whose context has no deadline. Default 30 s.
	DefaultTimeout time.Duration
	// StrayTime is how long the reply to a request that was given up may still come, for the actions whose replies name
	// no request: so long the next one of that kind waits. Default 20 s.
	StrayTime time.Duration
	// WriteTime bounds the sending of one message. Default 30 s.
	WriteTime time.Duration
	// KeepAlive says how the connection is kept.
	KeepAlive ClientKeepAlive

	// LoginLimit bounds messages before the login, in bytes. Default 64 KiB.
	LoginLimit int64
	// ReadLimit bounds messages after it. Default 128 MiB: the history of events may come as one message.
	ReadLimit int64

	// Reconnect has a connection that was lost made anew, until the server refuses the credentials.
	Reconnect bool
	// MinBackoff and MaxBackoff bound the random waits between attempts. Default 500 ms and 2 min.
	MinBackoff, MaxBackoff time.Duration

	// Logger gets what an operator may want to read. Nil drops it.
	Logger *slog.Logger
	// Trace gets everything else.
	Trace *ClientTrace
}

// ClientKeepAlive says how an idle connection is kept open and a dead one noticed: with action "ping".
type ClientKeepAlive struct {
	// Interval is the silence after which the server is asked. Default 50 s, below the 60 s after which many proxies
	// close an idle connection. Negative never asks.
	Interval time.Duration
	// Timeout is the silence after a question that ends the connection. Default 60 s. A message counts when all of it
	// is there, so this is also how long the largest may take.
	Timeout time.Duration
}

// ClientTrace is a set of hooks of a [Client]; any may be nil. They must not block, nor call the client's methods.
type ClientTrace struct {
	// Connecting is called before each attempt. Printed, the URL shows no secrets.
	Connecting func(url SecretURL)
	// Failed is called for an attempt that failed.
	Failed func(err error)
	// LoggedIn is called for a login that succeeded.
	LoggedIn func(server *ServerInfo, user *User)
	// Sent and Received are called for every message, with its size.
	Sent, Received func(action string, size int)
	// Unmatched is called for a message that nobody waited for and no [Filter] wanted, as the late reply to a request
	// that was given up.
	Unmatched func(action string, size int)
	// Malformed is called for a message that can not be read. It was dropped.
	Malformed func(err error)
	// Dropped is called when a reader of events or messages was too slow, with the number of them lost so far.
	Dropped func(total uint64)
	// Disconnected is called when a connection ended, with the reason.
	Disconnected func(err error)
	// Waiting is called before each wait between attempts.
	Waiting func(d time.Duration)
}

// Defaults of [ClientConfig].
const (
	defaultDialTime     = 20 * time.Second
	defaultCallTime     = 30 * time.Second
	defaultStrayTime    = 20 * time.Second
	defaultWriteTime    = 30 * time.Second
	defaultKeepInterval = 50 * time.Second
	defaultKeepTimeout  = time.Minute
	defaultLoginLimit   = 64 << 10
	defaultReadLimit    = 128 << 20
)

func (c ClientConfig) withDefaults() ClientConfig {
	orElse(&c.DialTime, defaultDialTime)
	orElse(&c.LoginTime, defaultDialTime)
	orElse(&c.DefaultTimeout, defaultCallTime)
	orElse(&c.StrayTime, defaultStrayTime)
	orElse(&c.WriteTime, defaultWriteTime)
	orElse(&c.KeepAlive.Interval, defaultKeepInterval)
	orElse(&c.KeepAlive.Timeout, defaultKeepTimeout)
	orElse(&c.LoginLimit, defaultLoginLimit)
	orElse(&c.ReadLimit, defaultReadLimit)
	if c.MinBackoff <= 0 { // no wait at all would be a flood
		c.MinBackoff = defaultMinBackoff
	}
	if c.MaxBackoff <= 0 {
		c.MaxBackoff = max(defaultMaxBackoff, c.MinBackoff)
	}
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Trace == nil {
		c.Trace = &ClientTrace{}
	}
	return c
}

// orElse sets v to a default if it is zero.
func orElse[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Client is an operator's session on the control channel, and after a reconnect the next one. Its methods may be called
// from several goroutines. Close ends it.
//
// Requests are made with the methods, with [Do] for every request type of this package, and with [Client.Call] for what
// the package has no type for.
type Client struct {
	cfg   ClientConfig
	creds Credentials
	addr  address
	log   *slog.Logger
	trace ClientTrace

	ctx    context.Context //nolint:containedctx // the lifetime of the client's own goroutines
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	link    *clientLink   // the present connection; nil while there is none
	last    *clientLink   // the last there was
	changed chan struct{} // closed and replaced when link or gone changes
	gone    error         // why there will be none again
	subs    map[*subscription]struct{}
	running map[string]chan struct{} // by device, closed when a command is over
}

// Dial connects to a server and logs in. ctx bounds that alone; [Client.Close] ends the client.
//
// The URL is the server's address: wss://host, with a port, a domain as path, and "?key=" where they are needed. https,
// no scheme at all, and the whole path to control.ashx are understood, too.
//
// Errors are a [ClientError], which tells the phase. Refused credentials match [ErrBadCredentials], a missing second
// factor [ErrTokenRequired].
func Dial(ctx context.Context, url string, credentials Credentials, cfg ClientConfig) (*Client, error) {
	cfg = cfg.withDefaults()
	if credentials == nil {
		return nil, &ClientError{Phase: PhaseAuth, Err: errors.New("no credentials")}
	}
	addr, err := parseAddress(url, cfg)
	if err != nil {
		return nil, &ClientError{Phase: PhaseDial, Err: err}
	}
	c := &Client{
		cfg: cfg, creds: credentials, addr: addr, log: cfg.Logger, trace: *cfg.Trace,
		changed: make(chan struct{}), subs: make(map[*subscription]struct{}), running: make(map[string]chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	link, err := c.connect(ctx)
	if err != nil {
		c.cancel(nil)
		return nil, err
	}
	c.setLink(link)
	c.wg.Go(func() { c.run(link) })
	return c, nil
}

// Close logs out. Requests under way fail with [ErrClientClosed], and iterators end. It may be called again.
func (c *Client) Close() error {
	c.shut(ErrClientClosed)
	c.wg.Wait()
	return nil
}

// Done is closed when the client has ended: by Close, or because the connection was lost and is not made anew.
func (c *Client) Done() <-chan struct{} { return c.ctx.Done() }

// Err returns why the client has ended, or nil.
func (c *Client) Err() error {
	if c.ctx.Err() == nil {
		return nil
	}
	return context.Cause(c.ctx)
}

// ServerInfo returns what the server said of itself at the last login. It must not be changed.
func (c *Client) ServerInfo() *ServerInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.serverInfo
}

// UserInfo returns the own account as it was at the last login. It must not be changed.
func (c *Client) UserInfo() *User {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.user
}

// shut ends the client for good.
func (c *Client) shut(why error) {
	c.mu.Lock()
	link := c.link
	if c.gone == nil {
		c.gone = why
		close(c.changed)
		c.changed = make(chan struct{})
	}
	subs := c.subs
	c.subs = nil
	c.mu.Unlock()
	c.cancel(why)
	for s := range subs {
		s.end(why)
	}
	if link != nil {
		link.end(why)
	}
}

// setLink makes l the present connection.
func (c *Client) setLink(l *clientLink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	close(c.changed)
	c.changed = make(chan struct{})
	if l == nil {
		return
	}
	c.last = l
	if c.gone != nil { // closed in the meantime
		l.end(c.gone)
	}
}

// current returns the connection. Between connections it waits for the next.
func (c *Client) current(ctx context.Context) (*clientLink, error) {
	for {
		c.mu.Lock()
		link, gone, changed := c.link, c.gone, c.changed
		c.mu.Unlock()
		switch {
		case gone != nil:
			return nil, goneError(gone)
		case link != nil && !link.over():
			return link, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, &notSentError{why: "no connection", err: context.Cause(ctx)}
		}
	}
}

// goneError is what requests of a client that has ended fail with.
func goneError(why error) error {
	if errors.Is(why, ErrClientClosed) {
		return why
	}
	return &joined{ErrClientClosed, why}
}

// joined is an error and its cause, in one line.
type joined struct{ what, why error }

func (e *joined) Error() string   { return e.what.Error() + ": " + e.why.Error() }
func (e *joined) Unwrap() []error { return []error{e.what, e.why} }
