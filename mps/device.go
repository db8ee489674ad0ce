package mps

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Device is the way to a device: to whatever connections it has at the time of a call.
type Device struct {
	registry *Registry
	key      nodeid.NodeKey
}

// Key returns the identifier of the device.
func (d *Device) Key() nodeid.NodeKey { return d.key }

// Connections returns the connections that the device has: at most one of each kind, CIRA before relay before LMS.
func (d *Device) Connections() []*Connection {
	links := d.registry.of(d.key)
	return slices.DeleteFunc(links[:], func(c *Connection) bool { return c == nil })
}

// Reset ends all connections of the device, which comes back by itself.
func (d *Device) Reset(ctx context.Context) error { return d.registry.Reset(ctx, d.key) }

// DialContext connects to a port of the device, over the first of its connections that forwards the port, in the order of
// Connections. network is tcp; address is ":16992", or has the host that the device shall be asked for, which AMT does not
// look at. The device's own errors are those of package apf.
func (d *Device) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.DialKind(ctx, network, address, CIRA, Relay, LMS)
}

// DialKind is DialContext over connections of some kinds alone, the first of which is preferred.
func (d *Device) DialKind(ctx context.Context, network, address string, kinds ...Kind) (net.Conn, error) {
	host, port, err := splitAddress(network, address)
	if err != nil {
		return nil, err
	}
	links := d.registry.of(d.key)
	connected := false
	for _, k := range kinds {
		if int(k) >= len(links) || links[k] == nil {
			continue
		}
		connected = true
		if c := links[k]; c.Forwards(port) {
			return c.dial(ctx, host, port)
		}
	}
	if !connected {
		return nil, ErrNotConnected
	}
	return nil, fmt.Errorf("%w %d", ErrPort, port)
}

// The services of AMT, by their ports without TLS; with TLS it is the next one.
const (
	PortHTTP        uint16 = 16992 // web server and WS-Management
	PortRedirection uint16 = 16994 // serial over LAN, storage and KVM
)

// DialService connects to a service by its port without TLS if the device forwards that, or else to the next port, with TLS
// inside the tunnel: AMT from version 16.1 on forwards no others. cfg is for the latter, see [DeviceTLSConfig]; the handshake is
// over when it returns.
func (d *Device) DialService(ctx context.Context, service uint16, cfg *tls.Config) (net.Conn, error) {
	for _, c := range d.Connections() {
		if c.Forwards(service) {
			return c.dial(ctx, "", service)
		}
		if !c.Forwards(service + 1) {
			continue
		}
		conn, err := c.dial(ctx, "", service+1)
		if err != nil {
			return nil, err
		}
		inner := tls.Client(conn, cfg)
		if err := inner.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("mps: TLS with port %d of the device: %w", service+1, err)
		}
		return inner, nil
	}
	if len(d.Connections()) == 0 {
		return nil, ErrNotConnected
	}
	return nil, fmt.Errorf("%w %d, nor %d", ErrPort, service, service+1)
}

// Connection is one connection of a device.
type Connection struct {
	conn       *apf.Conn
	identity   Identity
	kind       Kind
	generation uint64
	peer       *Peer
	uuid       nodeid.UUID
	since      time.Time
	session    *session
}

// Device returns the identifier of the device.
func (c *Connection) Device() nodeid.NodeKey { return c.identity.Device }

// Identity returns what Authenticate said.
func (c *Connection) Identity() Identity { return c.identity }

// Kind returns how the device is connected.
func (c *Connection) Kind() Kind { return c.kind }

// Generation is larger for a connection that logged in later.
func (c *Connection) Generation() uint64 { return c.generation }

// Peer returns where the device connects from.
func (c *Connection) Peer() Peer { return *c.peer }

// Since returns when the connection logged in.
func (c *Connection) Since() time.Time { return c.since }

// UUID returns the system UUID that the device claims.
func (c *Connection) UUID() nodeid.UUID { return c.uuid }

// Ports returns the ports that the device forwards at this time.
func (c *Connection) Ports() []uint16 { return c.conn.Ports() }

// Forwards says whether the device forwards a port.
func (c *Connection) Forwards(port uint16) bool { return slices.Contains(c.conn.Ports(), port) }

// APF returns the connection itself, for control messages and statistics.
func (c *Connection) APF() *apf.Conn { return c.conn }

// Close ends the connection. The reason is in the errors of its channels, and in Err.
func (c *Connection) Close(reason error) { c.session.close(reason) }

// Done is closed when the connection has ended, and Err says why.
func (c *Connection) Done() <-chan struct{} { return c.conn.Done() }

// Err returns why the connection has ended, nil while it has not.
func (c *Connection) Err() error { return c.conn.Err() }

// DialContext connects to a port of the device over this connection; see [Device.DialContext].
func (c *Connection) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := splitAddress(network, address)
	if err != nil {
		return nil, err
	}
	if !c.Forwards(port) {
		return nil, fmt.Errorf("%w %d", ErrPort, port)
	}
	return c.dial(ctx, host, port)
}

func (c *Connection) dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	ch, err := c.conn.Dial(ctx, host, port)
	if err != nil {
		return nil, err // not a nil *apf.Channel in an interface
	}
	return ch, nil
}

func splitAddress(network, address string) (host string, port uint16, err error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return "", 0, fmt.Errorf("mps: dial: %w", net.UnknownNetworkError(network))
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("mps: dial: %w", err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("mps: dial: port %.16q", text)
	}
	return host, uint16(n), nil
}
