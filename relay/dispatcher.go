package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Request is a tunnel request as it arrives at a device, with what the server says of the operator.
//
// Confirmed in meshcore.js, handleServerCommand, case 'tunnel'.
type Request struct {
	URL           URL    // where to open this end ("value")
	ServerTLSHash string // SHA-384 of the relay's certificate, in hexadecimal; see [Dispatcher]
	// A port instead of a protocol. Without an address it is the device's own.
	TCPPort, UDPPort uint16
	TCPAddr, UDPAddr string

	Rights          Rights
	Consent         uint32
	Usages          []Protocol // what a guest may do; nil is all ("soptions.usages")
	DesktopViewOnly bool
	UserID          string
	SessionID       string
	UserName        string
	RealName        string
	RemoteAddr      string
	GuestUserID     string
	GuestName       string
	// Value is the embedder's, for instance the message that this was made of.
	Value any
}

// counted is under which name the tunnel counts: the account, or the guest.
func (r *Request) counted() string {
	if r.GuestUserID != "" && r.GuestName != "" {
		return r.GuestUserID + "/guest:" + base64Text(r.GuestName)
	}
	return r.UserID
}

// Rights of an account on a device, as far as tunnels look at them.
type Rights uint32

// The rights, and what a full administrator has.
const (
	RightRemoteControl Rights = 0x8
	RightViewOnly      Rights = 0x100
	RightNoTerminal    Rights = 0x200
	RightNoFiles       Rights = 0x400
	RightNoDesktop     Rights = 0x10000
	RightRelay         Rights = 0x200000
	RightsFull         Rights = 0xFFFFFFFF
)

// ErrRights is an operator who may not do what he asks for.
var ErrRights = errors.New("relay: the operator has not the right")

// Permits says whether the operator may use a protocol. It is stricter than the stock agent, which lets everybody fetch a
// file or call a plugin.
//
// Confirmed in meshcore.js, onTunnelData.
func (r *Request) Permits(p Protocol) error {
	has := func(bit Rights) bool { return r.Rights == RightsFull || r.Rights&bit != 0 }
	no := func(bit Rights) bool { return r.Rights != RightsFull && r.Rights&bit != 0 }
	ok := has(RightRemoteControl)
	switch {
	case p == ProtocolDesktop:
		ok = (ok || has(RightViewOnly)) && !no(RightNoDesktop)
	case p.Terminal():
		ok = ok && !no(RightNoTerminal)
	case p == ProtocolFiles, p == ProtocolFile:
		ok = ok && !no(RightNoFiles)
	case p == ProtocolNone:
		ok = ok || has(RightRelay)
	}
	if !ok {
		return fmt.Errorf("%w: %v", ErrRights, p)
	}
	if r.Usages == nil {
		return nil
	}
	for _, u := range r.Usages {
		if u == p {
			return nil
		}
	}
	return fmt.Errorf("%w: a guest, and %v", ErrRights, p)
}

// Session is a device's end of a tunnel for which a handler was found.
type Session struct {
	*Tunnel
	Request *Request
	Options *ControlOptions // what the operator said before; nil is nothing
}

// ViewOnly says whether a desktop must take no input.
func (s *Session) ViewOnly() bool {
	r := s.Request
	return r.DesktopViewOnly || r.Rights != RightsFull && (r.Rights&RightRemoteControl == 0 || r.Rights&RightViewOnly != 0)
}

// Consent is what the user is to be told or asked: the request's bits, and those that the operator added.
func (s *Session) Consent() uint32 {
	c := s.Request.Consent
	if s.Options != nil {
		c |= s.Options.Consent
	}
	return c
}

// Handler serves one tunnel until it returns, which ends the tunnel. The context ends with the dispatcher, or when the
// tunnel is told to end.
type Handler func(ctx context.Context, s *Session) error

// Dispatcher is the device's side: it takes tunnel requests, connects to the relay, learns what the tunnel is for, and
// calls the handler of that. Its zero value has no handlers. It is not to be copied.
type Dispatcher struct {
	// Server is the URL of the control channel, which URLs that start with "*/" are relative to.
	Server *url.URL
	// Handlers are for protocols.
	Handlers map[Protocol]Handler
	// DialTCP connects to ports that operators ask for; nil refuses them. DialUDP makes the socket for datagrams.
	DialTCP func(ctx context.Context, r *Request, address string) (net.Conn, error)
	DialUDP func(ctx context.Context, r *Request, address string) (net.Conn, error)
	// Connect opens a relay URL. Nil does so with the checks of Net: see [VerifyRelay] for the certificate.
	Connect func(ctx context.Context, u URL, r *Request) (Conn, error)
	Net     NetOptions
	// ControlCertificate is the certificate of the control channel's connection, in DER. A relay with the same certificate,
	// or the same key, is taken; another must have Request.ServerTLSHash. With neither all are refused, unlike in the
	// stock agent.
	ControlCertificate func() []byte
	// AnyURL lets the server send this device to other servers than its own.
	AnyURL bool
	// MaxTunnels bounds tunnels at one time: 64.
	MaxTunnels int
	// ReadLimit bounds messages of operators in bytes: 1 MiB.
	ReadLimit int64
	// WebRTC gets the messages about direct connections, for desktops and files. Nil leaves them to the handlers.
	WebRTC WebRTC
	// OnSessions is told how many tunnels each account has, when it changes: kind is "kvm", "terminal", "files", "tcp",
	// "udp" or "msg", as in the agent's message "sessions".
	OnSessions func(kind string, counts map[string]int)
	Logger     *slog.Logger

	mu      sync.Mutex
	closed  bool
	wg      sync.WaitGroup
	tunnels map[*openTunnel]struct{}
	counts  map[string]map[string]int
}

type openTunnel struct {
	request *Request
	kind    string
	cancel  context.CancelCauseFunc
}

var (
	errClosed = errors.New("relay: dispatcher is closed")
	errEnded  = errors.New("relay: the tunnel was ended by the server")
	// ErrElsewhere is a request for a tunnel over another server.
	ErrElsewhere = errors.New("relay: the tunnel leads to another server")
)

// Dispatch serves a request in a goroutine of its own. It does not wait.
func (d *Dispatcher) Dispatch(ctx context.Context, r *Request) error {
	ctx, o, err := d.enter(ctx, r)
	if err != nil {
		return err
	}
	go d.serve(ctx, o) //nolint:errcheck // it has logged
	return nil
}

// Serve serves a request until the tunnel ends.
func (d *Dispatcher) Serve(ctx context.Context, r *Request) error {
	ctx, o, err := d.enter(ctx, r)
	if err != nil {
		return err
	}
	return d.serve(ctx, o)
}

func (d *Dispatcher) enter(ctx context.Context, r *Request) (context.Context, *openTunnel, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	most := d.MaxTunnels
	if most == 0 {
		most = 64
	}
	if d.closed {
		return nil, nil, errClosed
	}
	if len(d.tunnels) >= most {
		return nil, nil, ErrBusy
	}
	if d.tunnels == nil {
		d.tunnels = make(map[*openTunnel]struct{})
	}
	o := &openTunnel{request: r}
	ctx, o.cancel = context.WithCancelCause(ctx)
	d.tunnels[o] = struct{}{}
	d.wg.Add(1)
	return ctx, o, nil
}

func (d *Dispatcher) serve(ctx context.Context, o *openTunnel) error {
	defer d.wg.Done()
	defer func() {
		o.cancel(nil)
		d.count(o, "")
		d.mu.Lock()
		delete(d.tunnels, o)
		d.mu.Unlock()
	}()
	err := d.tunnel(ctx, o)
	if d.Logger != nil {
		d.Logger.Info("tunnel ended", "user", o.request.UserID, "kind", o.kind, "reason", err)
	}
	return err
}

// count moves a tunnel to another kind.
func (d *Dispatcher) count(o *openTunnel, kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o.kind == kind {
		return
	}
	if d.counts == nil {
		d.counts = make(map[string]map[string]int)
	}
	who := o.request.counted()
	change := func(kind string, by int) {
		if kind == "" {
			return
		}
		c := d.counts[kind]
		if c == nil {
			c = make(map[string]int)
			d.counts[kind] = c
		}
		if c[who] += by; c[who] <= 0 {
			delete(c, who)
		}
		if d.OnSessions != nil {
			d.OnSessions(kind, maps.Clone(c)) // under the lock, so that reports come in order
		}
	}
	change(o.kind, -1)
	change(kind, 1)
	o.kind = kind
}

// sessionKind is the word of the message "sessions" for a protocol.
func sessionKind(p Protocol) string {
	switch {
	case p.Terminal():
		return "terminal"
	case p == ProtocolDesktop:
		return "kvm"
	case p == ProtocolFiles:
		return "files"
	}
	return "msg"
}

// tunnel opens this end and serves it.
func (d *Dispatcher) tunnel(ctx context.Context, o *openTunnel) error {
	r := o.request
	if r.TCPPort != 0 || r.UDPPort != 0 {
		if err := r.Permits(ProtocolNone); err != nil {
			return err
		}
	}
	conn, id, err := d.connect(ctx, r)
	if err != nil {
		return err
	}
	defer conn.Close(msgconn.CloseNormal, "")
	defer context.AfterFunc(ctx, func() { conn.Close(msgconn.CloseNormal, "") })()
	t := &Tunnel{conn: conn, id: id, role: RoleAgent}
	if r.TCPPort != 0 {
		return d.tcp(ctx, o, t)
	}
	if t.recorded, err = helloAgent(ctx, conn); err != nil {
		return err
	}
	if r.UDPPort != 0 {
		return d.udp(ctx, o, t)
	}
	return d.protocol(ctx, o, t)
}

// helloTime is how long a relay may let a device wait for the operator.
const helloTime = time.Minute

func helloAgent(ctx context.Context, c Conn) (recorded bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	return hello(ctx, c)
}

// connect opens the relay's URL.
func (d *Dispatcher) connect(ctx context.Context, r *Request) (Conn, ID, error) {
	u, err := ParseAgentURL(r.URL.Reveal())
	if err != nil {
		return nil, "", err
	}
	if !u.Own() && !d.AnyURL {
		return nil, "", ErrElsewhere
	}
	if d.Server == nil {
		return nil, "", errors.New("relay: Dispatcher.Server is missing")
	}
	target := u.Resolve(d.Server)
	connect := d.Connect
	if connect == nil {
		connect = d.dial
	}
	conn, err := connect(ctx, target, r)
	if err != nil {
		return nil, "", fmt.Errorf("relay: connect back: %w", err)
	}
	return conn, u.Query.ID, nil
}

// protocol waits for the number of the protocol and calls its handler.
func (d *Dispatcher) protocol(ctx context.Context, o *openTunnel, t *Tunnel) error {
	s := &Session{Tunnel: t, Request: o.request}
	for {
		_, b, err := t.ReadMessage(ctx)
		if err != nil {
			return err
		}
		if len(b) > 3 && b[0] == '{' {
			if c, err := ParseControl(b); err == nil {
				switch c := c.(type) {
				case *ControlOptions:
					s.Options = c
				case *ControlClose:
					return nil
				}
			}
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(string(b[:min(len(b), 8)])), 10, 16)
		if err != nil {
			continue // as the stock agent, which waits for a number
		}
		p := Protocol(n)
		h := d.Handlers[p]
		if h == nil {
			continue // so does a number that it does not know
		}
		if err := o.request.Permits(p); err != nil {
			return err
		}
		t.protocol = p
		if p == ProtocolDesktop || p == ProtocolFiles {
			t.webrtc = d.WebRTC
		}
		d.count(o, sessionKind(p))
		return h(ctx, s)
	}
}

// EndTunnels ends the tunnels of an account, of a kind ("kvm", "terminal", "files", "tcp", "udp"), as the message
// "endtunnel" asks for. Only a full administrator ends those of others: by is who asks. It returns how many.
//
// Confirmed in meshcore.js, case 'endtunnel'.
func (d *Dispatcher) EndTunnels(user, guest, kind, by string, rights Rights) int {
	if rights != RightsFull && user != by {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for o := range d.tunnels {
		if o.kind == kind && o.request.UserID == user && o.request.GuestName == guest {
			o.cancel(errEnded)
			n++
		}
	}
	return n
}

// Close ends all tunnels and waits for their handlers.
func (d *Dispatcher) Close() error {
	d.mu.Lock()
	d.closed = true
	for o := range d.tunnels {
		o.cancel(errClosed)
	}
	d.mu.Unlock()
	d.wg.Wait()
	return nil
}
