package mpstest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/secret"
)

// Secret is text that no log shows.
type Secret = secret.Text

// NewSecret wraps text.
func NewSecret(text string) Secret { return secret.New(text) }

// Config is what a device is made with. Server, or Connect, is needed.
type Config struct {
	// Server is the server's address: HOST:PORT for TLS as firmware speaks it; tcp://HOST:PORT without TLS, for a server
	// that has it done by a proxy; wss://HOST/apf.ashx or ws:// for a WebSocket, as MeshCentral's agents.
	Server string
	// Connect makes the connection instead. It replaces Server, Trust, TLS, Certificate and NetDialContext. Writes to what
	// is not a net.Conn can not be split.
	Connect func(context.Context) (apf.Stream, error)
	// NetDialContext makes TCP connections. Nil is a net.Dialer.
	NetDialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Trust says which server is taken.
	Trust Trust
	// TLS has versions and cipher suites. Nil are those of crypto/tls. What concerns trust and certificates is replaced.
	TLS *tls.Config
	// Certificate is what the device logs in with, by its key. Without a User it sends nothing else that says who it is.
	Certificate *tls.Certificate

	// UUID is the system's, which identifies the device unless its certificate does.
	UUID apf.UUID
	// User and Password are what the set-up has given the firmware. For MeshCentral the user is the first 16 characters of
	// the id of a device group.
	User     string
	Password Secret
	// Host is the name or address that the device says is its own, with each port. It may be empty.
	Host string

	// ConnType is 0 for firmware (CIRA). MeshCentral's agents make connections for the Intel AMT of another machine (relay)
	// or of their own (LMS).
	ConnType apf.ConnType
	// MEIState is told to the server on those connections, when it asks too. It is a JSON object, and may hold the credentials
	// of AMT, so it is not printed.
	MEIState Secret

	// Ports has what is behind each forwarded port. Nil is [Echo] behind the seven of Intel AMT ([AMTPorts]), or behind
	// 16992 and 16993, which are all that MeshCentral's agents have.
	Ports map[uint16]Handler

	// Quirks are what this firmware does differently. The zero value is a well-behaved device.
	Quirks Quirks
	// Backoff is when it calls again. The zero value is that of firmware, which is patient.
	Backoff Backoff
	// LoginTime bounds a call, from the first packet until the device is online. Default 30 s.
	LoginTime time.Duration

	// Changed is called at each change of state, one call after the other. It must not block, and must not call Close.
	Changed func(Event)
	// Control is called with each JSON control message of the server, and must not wait for the connection. Nil sends
	// MEIState when asked to, and ends the device when told to.
	Control func(*Device, apf.JSONControl)

	// Trace is told what happens on the connection.
	Trace *apf.Trace
	// Logger gets what happens. Nil logs nothing.
	Logger *slog.Logger

	// calls holds a place for each call that may be made at once, in a fleet.
	calls chan struct{}
}

// AMTPorts returns the ports of full Intel AMT in the order in which it forwards them: web services with and without TLS,
// the same for DASH, redirection with and without TLS, and VNC.
func AMTPorts() []uint16 { return []uint16{16993, 16992, 664, 623, 16995, 16994, 5900} }

// ports returns the ports in firmware's order, those it does not know before the last, or in that of agents.
func (c *Config) ports() []uint16 {
	if c.ConnType != apf.ConnCIRA {
		return slices.Sorted(maps.Keys(c.Ports))
	}
	var known, others []uint16
	for _, p := range AMTPorts() {
		if c.Ports[p] != nil {
			known = append(known, p)
		}
	}
	for p := range c.Ports {
		if !slices.Contains(known, p) {
			others = append(others, p)
		}
	}
	slices.Sort(others)
	if i := slices.Index(known, 5900); i >= 0 { // the last: servers take it as the sign that all are there
		return slices.Insert(known, i, others...)
	}
	return append(known, others...)
}

// transport is how a device reaches its server.
type transport uint8

const (
	overTLS transport = iota
	overTCP
	overWebSocket
)

// target takes Server apart.
func (c *Config) target() (how transport, host, addr string, err error) {
	if !strings.Contains(c.Server, "://") {
		how, addr = overTLS, c.Server
	} else {
		u, err := url.Parse(c.Server)
		if err != nil {
			return 0, "", "", fmt.Errorf("mpstest: server address: %w", err)
		}
		switch u.Scheme {
		case "wss", "ws":
			return overWebSocket, u.Hostname(), u.Host, nil
		case "tcp":
			how, addr = overTCP, u.Host
		case "tls":
			how, addr = overTLS, u.Host
		default:
			return 0, "", "", fmt.Errorf("mpstest: server address: it is HOST:PORT, tcp://HOST:PORT, or a wss URL, and not %.80q", c.Server)
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "" || port == "") {
		err = errors.New("host or port is missing")
	}
	if err != nil {
		return 0, "", "", fmt.Errorf("mpstest: server address %.80q: %w", c.Server, err)
	}
	return how, host, addr, nil
}

// check finds what no device can be made with, and sets what was left out.
func (c *Config) check() error {
	if c.Connect == nil {
		how, _, _, err := c.target()
		if err != nil {
			return err
		}
		if c.Certificate != nil && how == overTCP {
			return errors.New("mpstest: a certificate needs TLS")
		}
	}
	if c.Ports == nil {
		c.Ports = make(map[uint16]Handler)
		ports := AMTPorts()
		if c.ConnType != apf.ConnCIRA {
			ports = []uint16{16992, 16993}
		}
		for _, p := range ports {
			c.Ports[p] = Echo
		}
	}
	if err := c.checkPorts(); err != nil {
		return err
	}
	if state := c.MEIState.Reveal(); state != "" && !json.Valid([]byte(state)) {
		return errors.New("mpstest: the MEI state is not JSON")
	}
	if err := c.Quirks.check(); err != nil {
		return err
	}
	def(&c.LoginTime, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (c *Config) checkPorts() error {
	for p, h := range c.Ports {
		if p == 0 || h == nil {
			return fmt.Errorf("mpstest: port %d: a port has a number above zero and a handler", p)
		}
	}
	return nil
}
