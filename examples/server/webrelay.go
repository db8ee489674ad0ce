package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/realip"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// webRelay passes an operator's WebSocket on to the AMT of a device: /webrelay.ashx?host=DEVICE&p=N, where 1 is the web
// server, 2 redirection, and every other protocol the web server, too. With 1 and 2 the credentials in the device's record are
// put in, if there are some, so that the operator need not know them; else all bytes are left as they are (webserver.js,
// handleRelayWebSocket).
type webRelay struct {
	*site
	records *controlserver.Server
	channel *controlproto.Server
	rec     *recorder
	devices *mps.Registry
	// logins are what devices have asked for, and how they took the stored credentials.
	logins redir.Memory
}

// dialTime is how long a device has for its answer, TLS included.
const dialTime = 20 * time.Second

// The protocols in the URL: the web server with WS-Management, and serial over LAN, storage redirection and KVM.
const (
	webPages    = "1"
	redirection = "2"
)

// ServeHTTP answers with a status what a stock server answers by closing.
func (h *webRelay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	user, device, status, err := h.operator(r)
	if err != nil {
		h.log.Warn("no relay to Intel AMT", "device", device, "reason", err)
		http.Error(w, http.StatusText(status), status)
		return
	}
	q, service := r.URL.Query(), mps.PortHTTP
	if q.Get("p") == redirection {
		service = mps.PortRedirection
	}
	key, err := device.DeviceKey()
	if err != nil {
		http.Error(w, http.StatusText(http.StatusNotFound), http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), dialTime)
	defer cancel()
	d, ok := h.devices.Device(key)
	if !ok {
		http.Error(w, "the device is not connected", http.StatusNotFound)
		return
	}
	conn, err := d.DialService(ctx, service, mps.DeviceTLSConfig(nil))
	if err != nil {
		h.log.Warn("no relay to Intel AMT", "device", device, "port", service, "reason", err)
		http.Error(w, "the device does not answer", http.StatusBadGateway)
		return
	}
	if conn, err = h.withCredentials(r.Context(), conn, device, q.Get("p")); err != nil {
		h.log.Error("no relay to Intel AMT", "device", device, "reason", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	l := controlserver.TunnelLog{
		ID: string(relay.NewID()), User: user, Device: device, Protocol: logProtocol(service),
		First: realip.From(r, h.cfg.TrustedProxies), Second: deviceAddr(d),
	}
	if service == mps.PortRedirection { // for the other a browser makes hundreds
		h.logTunnel(l)
	}
	// The login says whose page it is, and the handler around this looks at where it comes from.
	sent, err := mps.ServeOperator(w, r, conn, mps.OperatorOptions{CheckOrigin: func(*http.Request) bool { return true }})
	h.log.Debug("relay to Intel AMT ended", "device", device, "port", service, "from device", sent.FromDevice, "from operator", sent.FromOperator, "reason", err)
	if service == mps.PortRedirection {
		l.Ended, l.Bytes, l.Duration = true, sent.FromDevice+sent.FromOperator, time.Since(began)
		h.logTunnel(l)
	}
}

// withCredentials puts the stored credentials of a device into what goes through a connection. It closes it on failure.
func (h *webRelay) withCredentials(ctx context.Context, conn net.Conn, device controlproto.ID, p string) (net.Conn, error) {
	if p != webPages && p != redirection {
		return conn, nil
	}
	var stored redir.Credentials
	err := h.store.View(ctx, func(tx controlserver.StoreTx) error {
		d, err := deviceRecord(tx, device)
		if err == nil && d.AMT != nil {
			stored = redir.Credentials{Username: d.AMT.User, Password: d.AMT.Password, Realm: d.AMT.Realm}
		}
		return err
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	if stored.Password.Reveal() == "" {
		return conn, nil
	}
	if p == redirection {
		return &interceptedConn{Conn: conn, through: redir.NewRedirInterceptor(redir.RedirInterceptorConfig{
			Credentials: stored, Memory: &h.logins, Key: string(device),
		})}, nil
	}
	return &interceptedConn{Conn: conn, through: redir.NewHTTPInterceptor(redir.HTTPInterceptorConfig{
		Credentials: stored, Memory: &h.logins, Key: string(device),
	})}, nil
}

// interceptedConn is a connection to a device with an interceptor on the operator's side of it. One goroutine may read
// while another writes.
type interceptedConn struct {
	net.Conn
	through redir.Interceptor

	in, passed []byte // of Read
	rest       []byte // of passed, not yet read
	err        error  // what follows it
	out        []byte // of Write
}

// Read gives what the interceptor makes of what the device sends.
func (c *interceptedConn) Read(p []byte) (int, error) {
	if c.in == nil {
		c.in = make([]byte, 32<<10)
	}
	for len(c.rest) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		n, err := c.Conn.Read(c.in)
		var refused error
		c.passed, refused = c.through.FromDevice(c.passed[:0], c.in[:n])
		if c.rest, c.err = c.passed, err; refused != nil {
			c.err = refused
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Write sends what the interceptor makes of what the operator sends.
func (c *interceptedConn) Write(p []byte) (int, error) {
	var refused error
	c.out, refused = c.through.FromOperator(c.out[:0], p)
	if len(c.out) > 0 {
		if _, err := c.Conn.Write(c.out); err != nil {
			return 0, err
		}
	}
	if refused != nil {
		return 0, refused
	}
	return len(p), nil
}

// Protocols of the log, as a stock server's recordings have them.
func logProtocol(service uint16) int {
	if service == mps.PortRedirection {
		return 101
	}
	return 100
}

func deviceAddr(d *mps.Device) netip.Addr {
	for _, c := range d.Connections() {
		return c.Peer().Addr.Addr()
	}
	return netip.Addr{}
}

func (h *webRelay) logTunnel(l controlserver.TunnelLog) {
	key, err := l.Device.DeviceKey()
	if err == nil {
		h.rec.queue <- change{key: key, apply: func(tx *controlserver.Tx) error { return tx.LogTunnel(l) }}
	}
}

// operator says who asks for which device, if he may.
func (h *webRelay) operator(r *http.Request) (user, device controlproto.ID, status int, err error) {
	at, ok := tenantOf(r)
	if !ok {
		return "", "", http.StatusNotFound, errNoDomain
	}
	login, err := h.channel.LoginTunnel(r.Context(), h.channel.LoginRequest(r))
	if err != nil {
		return "", "", http.StatusUnauthorized, err
	}
	device = controlproto.ID(r.URL.Query().Get("host")).In(controlproto.KindDevice, at.ID)
	if c := login.Cookie; c != nil {
		if err := webRelayCookie(c, device); err != nil {
			return "", device, http.StatusUnauthorized, err
		}
	}
	if !device.Valid() || device.Kind() != controlproto.KindDevice || device.Domain() != at.ID {
		return "", "", http.StatusNotFound, errors.New("no device is named")
	}
	rights, visible, err := h.records.DeviceRights(r.Context(), login.User.ID, device)
	switch {
	case errors.Is(err, controlserver.ErrNotFound), err == nil && !visible:
		return "", device, http.StatusNotFound, controlserver.ErrNotFound
	case err != nil:
		return "", device, http.StatusInternalServerError, err
	case rights&controlproto.RemoteControl == 0:
		return "", device, http.StatusForbidden, errors.New("no right to control the device")
	}
	return login.User.ID, device, 0, nil
}

// errGuestWebRelay keeps guests' links, which are for tunnels to agents, away from Intel AMT.
var errGuestWebRelay = errors.New("guests have no Intel AMT")

// webRelayCookie refuses cookies that are for something else than a login, or for another device.
func webRelayCookie(c *controlproto.Cookie, device controlproto.ID) error {
	if c.NoUser || c.SharedNode != "" || c.PublicID != "" || c.GuestName != "" || c.GuestRights != 0 || c.ViewOnly {
		return errGuestWebRelay
	}
	if c.InviteGroup != "" || c.AgentNode != "" || c.AgentGroup != "" || c.PeerServer || c.TCPPort != 0 ||
		c.NodeID != "" && c.NodeID != device {
		return relay.ErrUnauthorized
	}
	return nil
}
