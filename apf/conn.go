package apf

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Stream is what a connection runs over: a [net.Conn], or a WebSocket ([NewWebSocketStream]).
type Stream interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Conn is one APF connection, either side of it.
type Conn struct{}

// NewServerConn makes the MPS's end of a connection. A nil configuration is the zero one.
func NewServerConn(s Stream, cfg *ServerConfig) *Conn { return &Conn{} }

// NewDeviceConn makes the device's end of a connection.
func NewDeviceConn(s Stream, cfg *DeviceConfig) *Conn { return &Conn{} }

// Run logs in and serves the connection until it ends, and returns the reason. It is called once.
func (c *Conn) Run(ctx context.Context) error { return ErrClosed }

// Close ends the connection, with the reason DisconnectByApplication.
func (c *Conn) Close() error { return nil }

// CloseWith tells the peer the reason, if it bears that, and ends the connection.
func (c *Conn) CloseWith(reason DisconnectReason) error { return nil }

// Done returns a channel that is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return nil }

// Err returns why the connection has ended, or nil while it has not.
func (c *Conn) Err() error { return nil }

// Dial opens a channel to a port.
func (c *Conn) Dial(ctx context.Context, host string, port uint16) (*Channel, error) {
	return nil, ErrClosed
}

// Ports returns the forwarded ports in force, in the order in which they came.
func (c *Conn) Ports() []uint16 { return nil }

// Login returns what the device said of itself, without the password. It is the zero Login before the login.
func (c *Conn) Login() Login { return Login{} }

// SendControl sends a JSON message. It fails on connections with firmware, which does not bear it.
func (c *Conn) SendControl(ctx context.Context, j JSONControl) error { return ErrClosed }

// SendUDP sends a datagram, from the device's end.
func (c *Conn) SendUDP(ctx context.Context, m *UDPSendTo) error { return ErrClosed }

// Stats returns the counters of the connection.
func (c *Conn) Stats() Stats { return Stats{} }

// Side returns which end this is.
func (c *Conn) Side() Side { return SideServer }

// Stats counts what happened on a connection.
type Stats struct {
	BytesIn, BytesOut       uint64 // of the stream
	MessagesIn, MessagesOut uint64
	DataIn, DataOut         uint64 // of channels
	Channels                int    // open now
	Opened, OpenFailed      uint64 // channels, by either side
	Violations              uint64 // what the peer did wrong without ending the connection
	Connected               time.Time
	LastRead                time.Time
	RoundTrip               time.Duration // of the last probe
}

// Channel is an open channel, a [net.Conn]. There is no half-close.
type Channel struct{ net.Conn }

// NewWebSocketStream makes a stream of the messages of a WebSocket. What it is given to write leaves as one binary message;
// binary messages are read as they are, and text messages one byte a character, as the stock agent sends them.
func NewWebSocketStream(c msgconn.Conn) Stream { return nil }
