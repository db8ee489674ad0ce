package agentproto

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/secret"
	"github.com/meshcentral-go/sdk/nodeid"
)

// ServerAddress is a server to connect to: an entry of the MeshServer and ServerID lists of an .msh file.
type ServerAddress struct {
	// URL is a wss URL, or "local" to look for the server on the local network.
	URL string
	// ID is the server that must be found there.
	ID nodeid.ServerID
}

// String returns the URL without its query, which may hold the server's agent key.
func (a ServerAddress) String() string {
	address, _, _ := strings.Cut(a.URL, "?")
	return address
}

// GoString returns what String returns, and the ServerID.
func (a ServerAddress) GoString() string {
	return fmt.Sprintf("agentproto.ServerAddress{%q, %v}", a.String(), a.ID)
}

// Format writes what String returns.
func (a ServerAddress) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, a.String(), a.GoString())
}

// LogValue logs what String returns.
func (a ServerAddress) LogValue() slog.Value { return slog.StringValue(a.String()) }

// localServer is the URL that stands for LAN discovery.
const localServer = "local"

// TrustStore remembers over which TLS certificates a server has proved its identity, so that later logins can use the
// short form, which costs the server a sixth. It must not forget which server it was. Implementations are safe for
// concurrent use.
type TrustStore interface {
	Trusted(id nodeid.ServerID, web Hash) bool
	Trust(id nodeid.ServerID, web Hash)
}

// ClientConfig is how a [Client] works. Certificate, Signer and Servers are required, Group for a device that the server
// does not know yet; all else has a default.
type ClientConfig struct {
	// Servers are tried in their order: the server on the local network first, say, then its address outside.
	Servers []ServerAddress
	// Certificate is the agent's, in DER, with an RSA key; see certs.AgentIdentity. The key is the device: with a new
	// one it is another device.
	Certificate []byte
	// Signer is the private key. Any crypto.Signer works.
	Signer crypto.Signer
	// Group is the device group to enrol in.
	Group nodeid.MeshID

	// AgentID says what kind of agent this is. Default is the one for the operating system and architecture that the
	// program was built for.
	AgentID AgentID
	// Version is shown as the agent's version.
	Version uint32
	// Platform is the device's icon. Default desktop.
	Platform PlatformType
	// Capabilities are announced. Zero announces a console and a core.
	Capabilities Capabilities
	// Name is the computer's name, at most 1,024 bytes; PreferredName the one to be shown by, at most 255.
	Name, PreferredName string
	// CommitDate and HostInfo are sent unless empty.
	CommitDate, HostInfo string

	// Handler is called by Run for every session, and receives from it until it ends. When it returns, the session is
	// closed and Run connects anew. When Run's context ends, the session is closed and then the handler's context ends.
	// Nil receives and drops everything. A [Mux] has a method for it.
	Handler func(ctx context.Context, s *ClientSession)
	// Core and Updater let the server give this agent a core and a new executable. Nil wants neither, in the form that
	// stock servers accept at once.
	Core    CoreHost
	Updater Updater

	// Trust remembers proved servers. Nil remembers them as long as the Client lives.
	Trust TrustStore
	// TLSConfig is used for connecting. Nil accepts any certificate, as native agents do: the server proves itself
	// inside the connection by its ServerID, in a signature over the hash of the very certificate that was seen, so
	// someone in between with another certificate is found out. A TLSConfig that verifies adds to that, and replaces
	// nothing.
	TLSConfig *tls.Config
	// Proxy picks a proxy. Nil takes it from the environment, as net/http does.
	Proxy func(*http.Request) (*url.URL, error)
	// NetDialContext makes TCP connections. Nil uses a net.Dialer.
	NetDialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Discover finds the URL of the server with an id on the local network, for servers that are "local". Nil uses the
	// function of that name with DiscoveryKey, which may be nil.
	Discover     func(ctx context.Context, id nodeid.ServerID) (string, error)
	DiscoveryKey *DiscoveryKey

	// Connect makes connections in place of TLSConfig, Proxy and NetDialContext: in memory, say, or in a browser,
	// which does not show certificates. It returns the hash of the TLS certificate at the other end (certs.CertHash).
	// Nil is a WebSocket over TLS.
	Connect func(ctx context.Context, url string) (Conn, Hash, error)

	// DialTime bounds TCP, TLS and the upgrade. Default 20 s.
	DialTime time.Duration
	// Backoff is how long Run waits between attempts.
	Backoff Backoff
	// KeepAlive says how the connection is kept. Its Form is JSONPing by default.
	KeepAlive KeepAlive
	// Limits bound messages and times.
	Limits Limits
	// Lenient is as in [AgentHandshakeConfig].
	Lenient bool

	// Logger gets what an operator may want to read. Nil drops it.
	Logger *slog.Logger
	// Trace gets everything else.
	Trace *ClientTrace
}

// ClientTrace is a set of hooks of a [Client]; any may be nil. They must not block.
type ClientTrace struct {
	// Connecting is called before each attempt.
	Connecting func(addr ServerAddress)
	// Failed is called for an attempt that failed.
	Failed func(addr ServerAddress, err error)
	// LoggedIn is called for a login that succeeded.
	LoggedIn func(s *ClientSession)
	// Command is called for every binary command that the server sends after a login, with the size of the message:
	// questions about core and executable, cores, updates.
	Command func(s *ClientSession, cmd Command, size int)
	// Closed is called once for every session, with the reason.
	Closed func(s *ClientSession, err error)
	// Waiting is called before each wait between attempts.
	Waiting func(d time.Duration)
}

// Client is an agent: it keeps a session with a server for as long as Run runs. Several can live in one process.
type Client struct {
	cfg   ClientConfig
	log   *slog.Logger
	trace ClientTrace
	node  nodeid.NodeID
}

// NewClient returns a client. It fails if the configuration lacks what is required or contradicts itself.
func NewClient(cfg ClientConfig) (*Client, error) {
	if len(cfg.Servers) == 0 {
		return nil, errors.New("agentproto: client without a server")
	}
	for _, s := range cfg.Servers {
		if s.ID.IsZero() {
			return nil, fmt.Errorf("agentproto: server %.128q has no ServerID, so it could be anyone", s)
		}
	}
	if cfg.Signer == nil {
		return nil, errors.New("agentproto: client without a key")
	}
	key, err := peerKey(cfg.Certificate)
	if err != nil {
		return nil, fmt.Errorf("agentproto: client certificate: %w", err)
	}
	if !key.Equal(cfg.Signer.Public()) {
		return nil, errors.New("agentproto: client key does not belong to its certificate")
	}
	node, err := nodeid.FromPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("agentproto: client certificate: %w", err)
	}
	if err := cfg.Limits.check(); err != nil {
		return nil, err
	}
	id, _ := AgentIDFor(runtime.GOOS, runtime.GOARCH)
	def(&cfg.AgentID, id)
	def(&cfg.Platform, PlatformDesktop)
	def(&cfg.Capabilities, CapConsole|CapCore)
	def(&cfg.DialTime, 20*time.Second)
	def(&cfg.KeepAlive.Form, JSONPing)
	cfg.KeepAlive = cfg.KeepAlive.withDefaults()
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Trust == nil {
		cfg.Trust = &memoryTrust{}
	}
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyFromEnvironment
	}
	if cfg.TLSConfig == nil {
		cfg.TLSConfig = &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // see ClientConfig.TLSConfig: the proof is command 2
			MinVersion:         tls.VersionTLS12,
			// No ClientSessionCache: a resumed connection shows the certificate of the first one, so after a renewal
			// the login would be bound to one that the server has no more.
		}
	}
	c := &Client{cfg: cfg, log: cfg.Logger, node: node}
	if cfg.Trace != nil {
		c.trace = *cfg.Trace
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// NodeID returns the device's id, which follows from its key.
func (c *Client) NodeID() nodeid.NodeID { return c.node }

// Run connects, serves and connects again until ctx ends, and returns the reason that ctx ended for.
func (c *Client) Run(ctx context.Context) error {
	backoff := c.cfg.Backoff
	for {
		wait := c.round(ctx, &backoff)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.trace.Waiting != nil {
			c.trace.Waiting(wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// settled is how long a session must have lasted to begin the waits anew. Two agents that share a key, or a server that
// closes right after the login, would otherwise make this one come back every second for ever.
const settled = 30 * time.Second

// round tries every server in turn, and serves the first that logs this agent in until that session ends. It returns
// how long to wait before the next round.
func (c *Client) round(ctx context.Context, backoff *Backoff) (wait time.Duration) {
	var hint time.Duration
	for _, addr := range c.cfg.Servers {
		s, err := c.Dial(ctx, addr)
		if ctx.Err() != nil {
			if err == nil {
				s.Close("")
			}
			return 0
		}
		if err != nil {
			c.log.Warn("not connected", "server", addr, "reason", err)
			hint = max(hint, retryAfter(err))
			continue
		}
		begun := time.Now()
		c.serve(ctx, s)
		if time.Since(begun) >= settled {
			return backoff.Reset()
		}
		break
	}
	return backoff.Next(hint)
}

// busyWait is the least wait after a server said that it is busy without saying for how long.
const busyWait = 10 * time.Second

// retryAfter returns how long a server asked to be left alone.
func retryAfter(err error) time.Duration {
	var refused *msgconn.HandshakeError
	if errors.As(err, &refused) {
		if refused.RetryAfter == 0 && refused.StatusCode == http.StatusTooManyRequests {
			return busyWait
		}
		return min(refused.RetryAfter, time.Hour)
	}
	var closed *msgconn.CloseError
	if errors.As(err, &closed) && closed.Code == msgconn.CloseTryAgain {
		return busyWait
	}
	return 0
}

// serve runs the handler. When ctx ends the session is closed before the handler's context ends: a handler receives with
// it, and a connection whose reader gives up is dropped without a word.
func (c *Client) serve(ctx context.Context, s *ClientSession) {
	defer s.Close("")
	outer := ctx
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(outer))
	defer cancel(nil)
	defer context.AfterFunc(outer, func() {
		s.Close("agent is shutting down")
		cancel(context.Cause(outer))
	})()
	if c.cfg.Handler != nil {
		c.cfg.Handler(ctx, s)
		return
	}
	for range s.Events(ctx) { // drop everything, until the session ends
		continue
	}
}

// Dial makes one attempt to log in to a server. ctx bounds the attempt alone; the caller receives from the session and
// closes it.
func (c *Client) Dial(ctx context.Context, addr ServerAddress) (*ClientSession, error) {
	if c.trace.Connecting != nil {
		c.trace.Connecting(addr)
	}
	s, err := c.dial(ctx, addr)
	if err != nil && c.trace.Failed != nil {
		c.trace.Failed(addr, err)
	}
	return s, err
}

func (c *Client) dial(ctx context.Context, addr ServerAddress) (*ClientSession, error) {
	dialCtx, cancel := context.WithTimeout(ctx, c.cfg.DialTime)
	defer cancel()
	if addr.URL == localServer {
		found, err := c.discover(dialCtx, addr.ID)
		if err != nil {
			return nil, &Error{Phase: PhaseDial, Err: err}
		}
		addr.URL = found
	}
	conn, web, err := c.Connect(dialCtx, addr.URL)
	if err != nil {
		return nil, &Error{Phase: PhaseDial, Err: err}
	}
	return c.Handshake(ctx, conn, addr, web)
}

// Connect opens a connection to a URL and says nothing on it: the first half of Dial, of which Handshake is the second. It
// returns the hash of the TLS certificate at the other end.
func (c *Client) Connect(ctx context.Context, url string) (Conn, Hash, error) {
	if c.cfg.Connect != nil {
		return c.cfg.Connect(ctx, url)
	}
	return c.connect(ctx, url)
}

func (c *Client) discover(ctx context.Context, id nodeid.ServerID) (string, error) {
	if c.cfg.Discover != nil {
		return c.cfg.Discover(ctx, id)
	}
	return discoverServer(ctx, id, c.cfg.DiscoveryKey)
}

// Handshake logs in over a connection that exists already, of whatever kind. web is the hash of the TLS certificate at its
// other end, as this side sees it (certs.CertHash). ctx bounds the login; the connection is closed if it fails.
func (c *Client) Handshake(ctx context.Context, conn Conn, addr ServerAddress, web Hash) (*ClientSession, error) {
	s := &ClientSession{client: c, addr: addr, web: web}
	s.receiver = CoreReceiver{Host: c.cfg.Core, Updater: c.cfg.Updater}
	if l, ok := conn.(msgconn.Limiter); ok {
		l.SetReadLimit(c.cfg.Limits.HandshakeMessage)
	}
	trusted := c.cfg.Trust.Trusted(addr.ID, web)
	hs, err := NewAgentHandshake(AgentHandshakeConfig{
		Certificate: c.cfg.Certificate, ServerID: addr.ID, WebHash: web, TrustServer: trusted,
		Info: AuthInfo{
			AgentID: c.cfg.AgentID, AgentVersion: c.cfg.Version, Platform: c.cfg.Platform,
			Group: c.cfg.Group, Capabilities: c.cfg.Capabilities, Name: []byte(c.cfg.Name),
		},
		PreferredName: c.cfg.PreferredName, CommitDate: c.cfg.CommitDate, HostInfo: c.cfg.HostInfo,
		Lenient: c.cfg.Lenient,
	})
	if err == nil {
		err = c.login(ctx, conn, hs)
	}
	if err != nil {
		conn.Close(refusal(err))
		return nil, &Error{Phase: PhaseHandshake, Err: err}
	}
	s.shortForm = !hs.ServerProved()
	if !s.shortForm {
		c.cfg.Trust.Trust(addr.ID, web)
	}
	s.start(conn)
	c.log.Info("logged in", "server", addr, "node", c.node, "short", s.shortForm)
	if c.trace.LoggedIn != nil {
		c.trace.LoggedIn(s)
	}
	return s, nil
}

// login drives the handshake.
func (c *Client) login(ctx context.Context, conn Conn, hs *AgentHandshake) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Limits.HandshakeTime, errHandshakeTime)
	defer cancel()
	out, err := hs.Start()
	for {
		if err == nil {
			err = writeAll(ctx, conn, out)
		}
		if errors.Is(err, errHandshakeTime) {
			err = fmt.Errorf("%w after %v: %s", err, c.cfg.Limits.HandshakeTime, hs.Waiting())
		}
		if err != nil {
			return err
		}
		out = nil
		switch hs.Need() {
		case Complete:
			return nil
		case NeedSignature:
			digest := hs.Digest()
			var sig []byte
			if sig, err = c.cfg.Signer.Sign(rand.Reader, digest[:], crypto.SHA384); err == nil {
				out, err = hs.SetSignature(sig)
			}
		default:
			var msg []byte
			if _, msg, err = conn.ReadMessage(ctx); err == nil {
				out, err = hs.Handle(msg)
			}
		}
	}
}

func writeAll(ctx context.Context, conn Conn, msgs [][]byte) error {
	for _, m := range msgs {
		typ := msgconn.Binary
		if IsJSON(m) {
			typ = msgconn.Text // a stock server reads JSON in binary messages as Latin-1
		}
		if err := conn.WriteMessage(ctx, typ, m); err != nil {
			return whyClosed(ctx, conn, err)
		}
	}
	return nil
}

// whyClosed looks for the server's reason after a write failed: the server may have closed, and said why, before this
// side was done.
func whyClosed(ctx context.Context, conn Conn, err error) error {
	ctx, cancel := context.WithTimeout(ctx, readerGrace)
	defer cancel()
	for {
		_, _, readErr := conn.ReadMessage(ctx)
		var closed *msgconn.CloseError
		switch {
		case errors.As(readErr, &closed):
			return closed
		case readErr != nil:
			return err
		}
	}
}

// ClientSession is a login at a server, as seen from the agent. Its methods may be called at any time from any goroutine,
// but only one goroutine receives.
type ClientSession struct {
	link
	pulse
	client    *Client
	addr      ServerAddress
	web       Hash
	shortForm bool
	receiver  CoreReceiver

	timerMu sync.Mutex
	timer   *time.Timer // of the keep-alive; nil once the session has ended
}

func (s *ClientSession) start(conn Conn) {
	s.init(conn, msgconn.Text, s.client.cfg.Limits)
	s.onFail = s.end
	s.begin()
	if ctl, ok := conn.(msgconn.Controller); ok {
		ctl.OnControl(s.heard)
	}
	if l, ok := conn.(msgconn.Limiter); ok {
		l.SetReadLimit(s.client.cfg.Limits.Message)
	}
	s.timerMu.Lock()
	defer s.timerMu.Unlock()
	s.timer = time.AfterFunc(s.client.cfg.KeepAlive.tick(), s.keepAlive)
}

// keepAlive is called by the timer, which costs less than a goroutine in programs that are many agents.
func (s *ClientSession) keepAlive() {
	k := s.client.cfg.KeepAlive
	if k.dead(&s.pulse) {
		s.end(0, "", &Error{Phase: PhaseSession, Err: ErrIdle})
		return
	}
	if k.silent(&s.pulse) && !s.busy() {
		s.asked()
		_ = k.ask(&s.link) // failing, it shows as silence
	}
	s.timerMu.Lock()
	defer s.timerMu.Unlock()
	if s.timer != nil {
		s.timer.Reset(k.tick())
	}
}

// Server returns where this session is.
func (s *ClientSession) Server() ServerAddress { return s.addr }

// WebHash returns the hash of the server's TLS certificate.
func (s *ClientSession) WebHash() Hash { return s.web }

// ShortForm reports whether the server was not asked for its signature, as an earlier login had proved it.
func (s *ClientSession) ShortForm() bool { return s.shortForm }

// Close ends the session. A reason, if any, is told to the server. What is still queued is dropped; Flush first if it
// matters.
func (s *ClientSession) Close(reason string) {
	s.end(msgconn.CloseNormal, reason, &Error{Phase: PhaseSession, Err: fmt.Errorf("%w: closed here", net.ErrClosed)})
}

func (s *ClientSession) end(code int, reason string, cause error) {
	s.timerMu.Lock()
	first := s.timer != nil
	if first {
		s.timer.Stop()
		s.timer = nil
	}
	s.timerMu.Unlock()
	s.close(code, reason, cause)
	if !first {
		return
	}
	err := s.Err()
	s.client.log.Info("disconnected", "server", s.addr, "reason", err)
	if s.client.trace.Closed != nil {
		s.client.trace.Closed(s, err)
	}
}

// Receive returns what the server did next. It answers pings and everything about cores and updates on the way. One
// goroutine calls it, until it fails; a ctx that ends, ends the session.
func (s *ClientSession) Receive(ctx context.Context) (Event, error) {
	for {
		s.read(true)
		_, msg, err := s.conn.ReadMessage(ctx)
		s.read(false)
		if err != nil {
			return nil, s.receiveFailed(err)
		}
		ev, err := s.handle(ctx, msg)
		if err != nil {
			return nil, s.receiveFailed(err)
		}
		if ev != nil {
			return ev, nil
		}
	}
}

// Events calls Receive until the session ends. The last pair holds the error that ended it.
func (s *ClientSession) Events(ctx context.Context) iter.Seq2[Event, error] {
	return receiveAll(ctx, s.Receive)
}

func (s *ClientSession) receiveFailed(err error) error {
	s.end(sessionFailure(err))
	return s.Err()
}

func (s *ClientSession) handle(ctx context.Context, msg []byte) (Event, error) {
	if len(msg) < 2 {
		return nil, nil
	}
	if IsJSON(msg) {
		m, err := ParseServerMessage(msg)
		if err != nil {
			return BadMessageEvent{err}, nil
		}
		return answerPing(ctx, &s.link, m)
	}
	cmd, _ := PeekCommand(msg)
	if s.client.trace.Command != nil {
		s.client.trace.Command(s, cmd, len(msg))
	}
	if !s.receiver.Handles(cmd) {
		return BadMessageEvent{unexpected(cmd, "after the login")}, nil
	}
	out, failed := s.receiver.Handle(msg)
	if err := s.sendAll(ctx, out); err != nil {
		return nil, err
	}
	if failed != nil {
		return BadMessageEvent{failed}, nil
	}
	return nil, nil
}

// memoryTrust is the TrustStore of a client that has none.
type memoryTrust struct {
	mu    sync.Mutex
	known map[nodeid.ServerID]Hash
}

func (t *memoryTrust) Trusted(id nodeid.ServerID, web Hash) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.known[id]
	return ok && h == web
}

func (t *memoryTrust) Trust(id nodeid.ServerID, web Hash) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = make(map[nodeid.ServerID]Hash)
	}
	t.known[id] = web
}
