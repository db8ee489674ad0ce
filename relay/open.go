package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/tunnelask"
)

// Requester is what [Open] needs of a session on the control channel.
type Requester interface {
	// TunnelCookies returns the cookies of the two ends: that of the operator and that for the device (action
	// "authcookie"). A server that binds cookies to tunnels makes them for this one.
	TunnelCookies(ctx context.Context, r AskTunnel) (operator, device Secret, err error)
	// RequestTunnel has the server pass a tunnel request on to the device, and returns its refusal as an error (action
	// "msg" of type "tunnel", with the members "nodeid", "usage", "value", and those for ports).
	RequestTunnel(ctx context.Context, r AskTunnel) error
	// RelayURL returns the URL of the server's relay: wss://HOST[:PORT]/[DOMAIN/]meshrelay.ashx, with parameters if the
	// server wants some ("key").
	RelayURL() (URL, error)
}

// AskTunnel is a request for a tunnel, as an operator makes it: the id, the device, the protocol, the URL for the device,
// and for ports where they are.
type AskTunnel = tunnelask.Request

// Options say what [Open] opens, and how. Its zero value is no protocol: that is for ports.
type Options struct {
	Protocol Protocol
	// Options are sent before the number of the protocol, if there are any.
	Options *ControlOptions
	// OnEvent is told of what the operator shall see. It is called from Open and from reads.
	OnEvent func(Event)
	// WebRTC gets the messages about direct connections.
	WebRTC WebRTC
	// Wait is how long the device may take to come: 20 s.
	Wait time.Duration
	// ReadLimit bounds messages of the device in bytes: 16 MiB.
	ReadLimit int64
	// Dial connects to the relay. Nil does it as the fields of Net say.
	Dial func(ctx context.Context, url URL) (Conn, error)
	Net  NetOptions

	tcpPort, udpPort uint16
	tcpAddr, udpAddr string
}

// OpenError says in which step [Open] failed.
type OpenError struct {
	Op  string // "cookies", "request", "connect", "wait for the device", "start"
	Err error
}

// Error names the step.
func (e *OpenError) Error() string { return fmt.Sprintf("relay: open tunnel: %s: %v", e.Op, e.Err) }

// Unwrap returns the cause.
func (e *OpenError) Unwrap() error { return e.Err }

// ErrNoDevice is a device that did not come.
var ErrNoDevice = errors.New("relay: the device did not come")

// quote makes a peer's text fit for a line of a log.
func quote(s string) string { return strconv.Quote(s[:min(len(s), 256)]) }

// Open opens a tunnel to a device, by its full id: it gets cookies, has the device called, connects to the relay, waits until the device is
// there too, and says what the tunnel is for. What the device's user is asked, and whether the server records, comes as
// events; a user who refuses ends the tunnel, and reads return [ErrDenied].
func Open(ctx context.Context, r Requester, node string, o Options) (*Tunnel, error) {
	wait := o.Wait
	if wait == 0 {
		wait = 20 * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, ErrNoDevice)
	defer cancel()
	ask := AskTunnel{
		ID: string(NewID()), Node: node, Protocol: int(o.Protocol),
		TCPPort: o.tcpPort, TCPAddr: o.tcpAddr, UDPPort: o.udpPort, UDPAddr: o.udpAddr,
	}
	auth, rauth, err := r.TunnelCookies(ctx, ask)
	if err != nil {
		return nil, &OpenError{"cookies", err}
	}
	target, err := operatorURL(r, &ask, auth)
	if err != nil {
		return nil, &OpenError{"connect", err}
	}
	ask.URL, err = deviceURL(target, &ask, rauth)
	if err != nil {
		return nil, &OpenError{"request", err}
	}
	// Both at once: whoever comes first waits for the other.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	requested := make(chan error, 1)
	go func() {
		err := r.RequestTunnel(ctx, ask)
		if err != nil {
			fail(err)
		}
		requested <- err
	}()
	conn, dialErr := o.dial(ctx, target)
	if dialErr != nil {
		fail(dialErr)
	}
	err = <-requested
	switch {
	case dialErr != nil && (err == nil || context.Cause(ctx) == dialErr): //nolint:errorlint // which of the two came first
		return nil, &OpenError{"connect", dialErr}
	case err != nil:
		if conn != nil {
			conn.Close(0, "")
		}
		return nil, &OpenError{"request", err}
	}
	t := &Tunnel{conn: conn, id: ID(ask.ID), role: RoleOperator, protocol: o.Protocol, onEvent: o.OnEvent, webrtc: o.WebRTC}
	t.tell(Event{Kind: EventRequested})
	if t.recorded, err = hello(ctx, conn); err != nil {
		conn.Close(msgconn.CloseNormal, "")
		return nil, &OpenError{"wait for the device", err}
	}
	t.tell(Event{Kind: EventConnected, Recorded: t.recorded})
	if err := t.begin(ctx, o.Options); err != nil {
		conn.Close(0, "")
		return nil, &OpenError{"start", err}
	}
	return t, nil
}

func (t *Tunnel) tell(e Event) {
	if t.onEvent != nil {
		t.onEvent(e)
	}
}

// begin says what the tunnel is for.
func (t *Tunnel) begin(ctx context.Context, o *ControlOptions) error {
	if o != nil {
		if err := t.SendControl(ctx, o); err != nil {
			return err
		}
	}
	if t.protocol == ProtocolNone {
		return nil
	}
	return t.conn.WriteMessage(ctx, Text, strconv.AppendInt(nil, int64(t.protocol), 10))
}

// operatorURL is what the operator's end opens.
func operatorURL(r Requester, ask *AskTunnel, auth Secret) (URL, error) {
	endpoint, err := r.RelayURL()
	if err != nil {
		return URL{}, err
	}
	base, more, _ := strings.Cut(endpoint.Reveal(), "?")
	q, err := ParseQuery(more)
	if err != nil {
		return URL{}, err
	}
	q.Browser, q.Protocol, q.Node, q.ID, q.Auth = true, Protocol(ask.Protocol), ask.Node, ID(ask.ID), auth
	q.NoPing = q.NoPing || ask.UDPPort != 0 // which would become datagrams
	return NewURL(base + "?" + q.Encode()), nil
}

// deviceURL is what the device opens: on the same server, in the same domain.
func deviceURL(operator URL, ask *AskTunnel, rauth Secret) (URL, error) {
	base, _, _ := strings.Cut(operator.Reveal(), "?")
	u, err := url.Parse(base)
	if err != nil || len(u.Path) < 2 {
		return URL{}, fmt.Errorf("%w: the relay has no path", ErrURL)
	}
	a, err := ParseAgentURL("*" + u.Path)
	if err != nil {
		return URL{}, err
	}
	a.Query = Query{ID: ID(ask.ID), Protocol: Protocol(ask.Protocol), Node: ask.Node, RelayAuth: rauth}
	return a.Secret(), nil
}

// hello reads the first message, by which the server says that both ends are there.
func hello(ctx context.Context, c Conn) (recorded bool, err error) {
	for {
		t, b, err := c.ReadMessage(ctx)
		var closed *msgconn.CloseError
		switch {
		case errors.As(err, &closed):
			return false, fmt.Errorf("%w: %w", ErrNoDevice, err)
		case err != nil:
			return false, err
		}
		if t != Text {
			continue // before "c" a server that records may let data pass; the stock clients drop it
		}
		switch string(b) {
		case Connected:
			return false, nil
		case ConnectedRecorded:
			return true, nil
		}
		if r := parseRefusal(b); r != nil {
			return false, r
		}
	}
}

// refusalMessage is the JSON of a [Refusal].
type refusalMessage struct {
	Action string `json:"action"`
	Cause  string `json:"cause,keep"`
	Msg    string `json:"msg,keep"`
}

// parseRefusal reads the server's words, if that is what b is.
func parseRefusal(b []byte) *Refusal {
	var m refusalMessage
	if len(b) > maxControl || len(b) == 0 || b[0] != '{' || jsonrec.Unmarshal(b, &m) != nil || m.Action != "close" {
		return nil
	}
	return &Refusal{Cause: m.Cause, Msg: m.Msg}
}

// NetOptions say how to connect to a relay.
type NetOptions struct {
	// NetDialContext makes the TCP connection; Proxy picks a proxy; Header is added to the request.
	NetDialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	Proxy          func(*http.Request) (*url.URL, error)
	Header         http.Header
	// TLS is for wss. It should verify what the control channel's connection verified.
	TLS TLSConfig
}
