package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
	"github.com/meshcentral-go/sdk/wsman"
)

// Kinds of tunnels, the parameter p of webrelay.ashx. In the first two the server may put in stored credentials.
const (
	tunnelHTTP        = "1"
	tunnelRedirection = "2"
	tunnelPlain       = "3" // to the same port as the first one, bytes as they are
)

// server is a session on a MeshCentral server, and the device on it.
type server struct {
	*session
	control *controlproto.Client
	tls     *tls.Config // of the server's connections
	proxy   func(*http.Request) (*url.URL, error)
	device  controlproto.ID
}

// throughServer logs in to the server and has tunnels made for connections.
func (s *session) throughServer(ctx context.Context, cfg *wsman.Config) error {
	v := &server{session: s, proxy: http.ProxyFromEnvironment}
	login, err := v.login(ctx)
	if err != nil {
		return err
	}
	if err := v.trustServer(); err != nil {
		return err
	}
	if s.flags.proxy != "" {
		u, err := url.Parse(s.flags.proxy)
		if err != nil || u.Host == "" {
			return usageError("--proxy must be http://HOST:PORT") // it may hold a password, so it is not shown
		}
		v.proxy = http.ProxyURL(u)
	}
	v.control, err = controlproto.Dial(ctx, s.flags.url, login, controlproto.ClientConfig{
		TLSConfig: v.tls, Proxy: v.proxy, DialTime: s.flags.wait, LoginTime: s.flags.wait, DefaultTimeout: s.flags.wait,
	})
	if err != nil {
		return err
	}
	if v.device, err = v.find(ctx, s.flags.device); err != nil {
		v.control.Close()
		return err
	}
	s.close = func() { v.control.Close() }
	kind := tunnelPlain
	if s.flags.stored {
		kind = tunnelHTTP
	}
	// TLS with devices that have nothing else is the server's business.
	cfg.Address = "device:16992"
	cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return v.open(ctx, kind) }
	s.dialRedirection = func(ctx context.Context) (net.Conn, error) { return v.open(ctx, tunnelRedirection) }
	return nil
}

// login makes a login of the flags and the environment.
func (v *server) login(ctx context.Context) (controlproto.Credentials, error) {
	g := &v.flags
	orElse(&g.loginUser, v.getenv("AMTCTL_LOGINUSER"))
	orElse(&g.loginUser, "admin")
	if g.loginKeyFile != "" {
		b, err := readSmall(g.loginKeyFile)
		if err != nil {
			return nil, usageError("--loginkeyfile: %v", err)
		}
		key, err := controlproto.ParseCookieKey(string(b))
		if err != nil {
			return nil, usageError("--loginkeyfile: %v", err)
		}
		return controlproto.KeyLogin{Key: key, User: strings.ToLower(g.loginUser), Domain: g.domain}, nil
	}
	password, err := v.secret(ctx, secretSource{
		what: "login password of " + g.loginUser, env: "AMTCTL_LOGINPASS", file: g.loginPassFile, flag: "loginpass-file",
	})
	if err != nil {
		return nil, err
	}
	token := controlproto.NewSecret(g.token)
	switch {
	case strings.HasPrefix(g.loginUser, "~t:"):
		return controlproto.TokenLogin{Name: g.loginUser, Secret: password}, nil
	case g.token == "email":
		return controlproto.EmailCodeRequest{User: g.loginUser, Password: password}, nil
	case g.token == "sms":
		return controlproto.SMSCodeRequest{User: g.loginUser, Password: password}, nil
	case g.token == "messaging":
		return controlproto.MessagingCodeRequest{User: g.loginUser, Password: password}, nil
	case g.serverID != "":
		id, err := nodeid.ParseServerID(g.serverID)
		if err != nil {
			return nil, usageError("--server-id: %v", err)
		}
		return controlproto.InBandLogin{ServerID: id, User: g.loginUser, Password: password, Token: token}, nil
	}
	return controlproto.PasswordLogin{User: g.loginUser, Password: password, Token: token}, nil
}

// trustServer says which certificates of the server are accepted, by the control channel and by tunnels: those that the system
// trusts, the pinned one, or with --server-id the one over which the server has proved itself.
func (v *server) trustServer() error {
	g := &v.flags
	v.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case g.pin != "":
		pin, err := hex.DecodeString(strings.ReplaceAll(g.pin, ":", ""))
		if err != nil || len(pin) != sha256.Size && len(pin) != sha512.Size384 {
			return usageError("--pin of a server: want 96 hexadecimal digits (SHA-384) or 64 (SHA-256)")
		}
		v.accept(func(raw []byte) bool {
			long, short := sha512.Sum384(raw), sha256.Sum256(raw)
			return bytes.Equal(pin, long[:]) || bytes.Equal(pin, short[:])
		})
	case g.insecure:
		v.tls.InsecureSkipVerify = true
	case g.serverID != "":
		if g.loginKeyFile != "" || strings.HasPrefix(g.loginUser, "~t:") {
			return usageError("--server-id goes with a password: use --pin with login tokens and keys")
		}
		var mu sync.Mutex
		var first []byte // the control channel's
		v.accept(func(raw []byte) bool {
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = raw
			}
			return bytes.Equal(first, raw)
		})
	}
	return nil
}

// accept replaces the verification of certificates.
func (v *server) accept(is func(raw []byte) bool) {
	v.tls.InsecureSkipVerify = true
	v.tls.VerifyConnection = func(state tls.ConnectionState) error {
		if !is(state.PeerCertificates[0].Raw) {
			return controlproto.ErrPinnedCertificate
		}
		return nil
	}
}

// find returns the id of a device, which may be given as it is, or by a name that only one has.
func (v *server) find(ctx context.Context, name string) (controlproto.ID, error) {
	if id := controlproto.ID(name); strings.HasPrefix(name, "node/") {
		if !id.Valid() {
			return "", usageError("--device: %.80q is no id", name)
		}
		return id, nil
	}
	devices, err := v.control.Devices(ctx, controlproto.DeviceFilter{})
	if err != nil {
		return "", err
	}
	var found []controlproto.Device
	for _, d := range devices {
		if d.ID.Name() == name {
			return d.ID, nil
		}
		if strings.EqualFold(d.Name, name) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("device %.80q: %w", name, controlproto.ErrNotFound)
	case 1:
		return found[0].ID, nil
	}
	return "", usageError("%d devices have the name %.80q: use the id of one", len(found), name)
}

// maxMessage bounds what the server sends at once.
const maxMessage = 1 << 20

// open makes a tunnel to the device.
func (v *server) open(ctx context.Context, kind string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, v.flags.wait)
	defer cancel()
	target, err := v.tunnelURL(ctx, kind)
	if err != nil {
		return nil, err
	}
	conn, err := msgconn.Dial(ctx, target, msgconn.DialOptions{TLSConfig: v.tls, Proxy: v.proxy, ReadLimit: maxMessage, Bulk: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoTunnel, err)
	}
	return &tunnelConn{Stream: apf.NewWebSocketStream(conn), server: v, marked: kind != tunnelRedirection}, nil
}

// tunnelURL asks for a cookie and returns the address of a tunnel, in which that is.
func (v *server) tunnelURL(ctx context.Context, kind string) (string, error) {
	cookies, err := controlproto.Do(ctx, v.control, &controlproto.AuthCookie{})
	if err != nil {
		return "", err
	}
	relay, err := v.control.RelayURL()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(relay.Reveal())
	if err != nil {
		return "", errors.New("the server's address is malformed")
	}
	u.Path = strings.TrimSuffix(u.Path, "meshrelay.ashx") + "webrelay.ashx"
	q := u.Query()
	q.Set("host", string(v.device))
	q.Set("p", kind)
	q.Set("auth", cookies.Cookie.Reveal())
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// tunnelConn is a tunnel as a connection. The server's messages are binary, or text in which each character is a byte.
type tunnelConn struct {
	apf.Stream
	server *server
	marked bool // it is not, or not any more, to be seen whether the server records
	came   bool // something did
}

// recordingMark is what the server sends first in a tunnel for redirection that it records. No message of a device begins so.
const recordingMark = 0xF0

// Read implements [net.Conn].
func (c *tunnelConn) Read(b []byte) (int, error) {
	n, err := c.Stream.Read(b)
	if n > 0 && !c.marked {
		c.marked = true
		if b[0] == recordingMark {
			c.server.note("this session is recorded by the server")
			if n = copy(b, b[1:n]); n == 0 {
				n, err = c.Stream.Read(b)
			}
		}
	}
	c.came = c.came || n > 0
	if errors.Is(err, io.EOF) && !c.came {
		err = errNoTunnel // and no EOF, behind which clients would not show it
	}
	return n, err
}

// SetDeadline implements [net.Conn].
func (c *tunnelConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// LocalAddr implements [net.Conn].
func (c *tunnelConn) LocalAddr() net.Addr { return tunnelAddr("operator") }

// RemoteAddr implements [net.Conn].
func (c *tunnelConn) RemoteAddr() net.Addr { return tunnelAddr(c.server.device) }

type tunnelAddr string

func (tunnelAddr) Network() string  { return "tunnel" }
func (a tunnelAddr) String() string { return string(a) }
