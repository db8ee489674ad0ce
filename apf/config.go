package apf

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"
)

// Side is one of the two ends of a connection.
type Side uint8

// The ends.
const (
	SideServer Side = iota // the MPS
	SideDevice             // the AMT machine, or what stands for it
)

// String returns "server" or "device".
func (s Side) String() string {
	if s == SideServer {
		return "server"
	}
	return "device"
}

// ConnType is what stands at the device's end. Everything but firmware says so in a [JSONControl] before it logs in.
type ConnType uint8

// The types of connections.
const (
	ConnCIRA  ConnType = 0 // firmware
	ConnRelay ConnType = 1 // a helper in the network of the device
	ConnLMS   ConnType = 2 // an agent on the device itself, whose system must run
)

// String returns "CIRA", "relay" or "LMS".
func (t ConnType) String() string {
	switch t {
	case ConnCIRA:
		return "CIRA"
	case ConnRelay:
		return "relay"
	case ConnLMS:
		return "LMS"
	}
	return fmt.Sprintf("connection type %d", uint8(t))
}

// Login is what a device said of itself. It is untrusted until Authenticate has taken it.
type Login struct {
	UUID         UUID
	User         string
	Method       string // "password", "none", or "" from a device that skipped the login ([ServerConfig.AllowSkippedAuth])
	Password     Secret // only while Authenticate runs
	ConnType     ConnType
	Major, Minor uint32 // version of the protocol
	Trigger      Trigger
}

// OpenRequest is a channel that the other end wants.
type OpenRequest struct {
	Type           string // ChannelForwarded or ChannelDirect
	Host           string // may be empty
	Port           uint16
	Originator     string
	OriginatorPort uint32
}

// KeepAlive says how a server keeps connections alive.
type KeepAlive struct {
	// Interval is what firmware is asked for, in seconds, once its ports are forwarded. Default 30 s; negative does not ask.
	Interval time.Duration
	// Timeout is the read timeout that firmware is asked for. Zero leaves it as it is.
	Timeout time.Duration
	// Probe is the silence after which the server asks by itself whether a device is there that can be asked. Default 45 s;
	// negative does not ask.
	Probe time.Duration
}

// ServerConfig configures the server's end. It may be shared by all connections, and is not changed once in use. The zero
// value works, but lets nobody log in: see Authenticate.
type ServerConfig struct {
	// Window is how many bytes of a channel may wait to be read. Default 128 KiB. A channel is at most as fast as a
	// window for each round trip.
	Window uint32
	// MaxFrame is the most data that a message carries. Default 16375, which with its header fills a TLS record.
	MaxFrame uint32
	// SendBuffer is how much of a channel is taken from its writer before it was sent. Default 64 KiB.
	SendBuffer int
	// MaxChannels is how many channels of a device may be open. Default 8, which is what firmware has.
	MaxChannels int
	// MaxOpens is how many channels may be waiting for the device's answer. Further calls of Dial wait. Default 6.
	MaxOpens int
	// OpenTimeout bounds the wait for a free place, and then the wait for the device's answer. Default 10 s.
	OpenTimeout time.Duration
	// Limits bound what the peer can make this end hold.
	Limits Limits
	// LoginTime bounds the time from Run to the end of the login. Default 30 s.
	LoginTime time.Duration
	// IdleTime is the silence after which a connection ends; it is at least three of the intervals that firmware has
	// agreed to. Default 90 s.
	IdleTime time.Duration
	// ForwardTime is how long to wait for the next forwarded port before taking what there is for all. Default 500 ms.
	ForwardTime time.Duration
	// KeepAlive says how connections are kept alive.
	KeepAlive KeepAlive
	// Authenticate decides on a login. It may take its time: nothing else of the connection is looked at meanwhile. An
	// error refuses the device. The context is that of Run and ends with the connection. Nil refuses all.
	Authenticate func(ctx context.Context, l *Login) error
	// AllowSkippedAuth lets devices leave out the login, as firmware with a client certificate may. Authenticate is called
	// for them too, with a Login whose Method is "", and must make sure who they are by other means.
	AllowSkippedAuth bool
	// AllowPort says which ports may be forwarded; a port that may not is refused. Nil allows all.
	AllowPort func(port uint16) bool
	// Ready is called once the ports are forwarded: the device can be dialed. It is called from a goroutine of its own,
	// which Run waits for before it returns, and may come when the connection has just ended: see Conn.Done.
	Ready func(*Conn)
	// PortsChanged is called when ports come or go after Ready. It and the following are called from Run, which reads
	// nothing meanwhile: they must not wait for the connection.
	PortsChanged func(*Conn)
	// Control is called for the JSON messages of a device, once it is logged in: those that came before, then the others.
	Control func(*Conn, JSONControl)
	// UDP is called for datagrams that the device sends. They are valid during the call.
	UDP func(*Conn, *UDPSendTo)
	// Accept serves channels that the device opens (direct-tcpip). It is called in a goroutine of its own, and returns the
	// function to run with the channel, in the same goroutine, or an [OpenError] with the reason of the refusal. The
	// channel is closed when the function returns. Nil refuses all.
	Accept func(context.Context, *OpenRequest) (func(net.Conn), error)
	// Quirks is what to spare the peer. Nil is [StockClientQuirks] over WebSockets, and none otherwise.
	Quirks *Quirks
	// Trace holds hooks. Nil is none.
	Trace *Trace
	// Logger gets what an administrator wants to know. Nil discards it.
	Logger *slog.Logger
}

// DeviceConfig configures the device's end: a simulated machine, or a helper for a real one. It may be shared by connections
// of the same device, and is not changed once in use.
type DeviceConfig struct {
	// UUID is the system UUID.
	UUID UUID
	// User and Password are the login. A stock server wants the first 16 characters of the group's id as User.
	User     string
	Password Secret
	// Method is "password" (the default) or "none".
	Method string
	// SkipAuth leaves the login out, for servers that know the device by its certificate.
	SkipAuth bool
	// Ports are forwarded in this order.
	Ports []uint16
	// Host is the device's address, sent with each port.
	Host string
	// ConnType is what this end is; ConnCIRA is firmware.
	ConnType ConnType
	// MEIState is the state of the management engine, a JSON object that is sent before the login if ConnType is not
	// ConnCIRA. It may hold the credentials of AMT, so it is not printed.
	MEIState Secret
	// Trigger is why the device connects. Default TriggerPeriodic.
	Trigger Trigger
	// Window is how many bytes of a channel may wait to be read. Default 32 KiB.
	Window uint32
	// MaxFrame is the most data that a message carries. Default 16375.
	MaxFrame uint32
	// SendBuffer is how much of a channel is taken from its writer before it was sent. Default 64 KiB.
	SendBuffer int
	// Slots is how many channels can be open. Default 8.
	Slots int
	// KeepAlive is the interval of keep-alives until the server asks for another. Default 30 s; negative sends none.
	KeepAlive time.Duration
	// LoginTime bounds the login. Default 30 s.
	LoginTime time.Duration
	// IdleTime is the silence after which the connection ends; at least three intervals of keep-alives. Default 120 s.
	IdleTime time.Duration
	// Limits bound what the peer can make this end hold.
	Limits Limits
	// Dial connects to what serves an opened channel. It is called in a goroutine of its own. An [OpenError] tells the
	// server its reason, other errors are OpenConnectFailed. Both ends are closed when one is. The context ends with
	// the connection.
	Dial func(context.Context, *OpenRequest) (io.ReadWriteCloser, error)
	// Accept is used instead of Dial if it is set: it returns a function to run with the channel, in the same goroutine.
	// The channel is closed when the function returns.
	Accept func(context.Context, *OpenRequest) (func(net.Conn), error)
	// Ready is called once, from a goroutine of its own, when all ports are forwarded.
	Ready func(*Conn)
	// Control is called from Run for the JSON messages of the server.
	Control func(*Conn, JSONControl)
	// Quirks is what to spare the server. Nil is [StockServerQuirks].
	Quirks *Quirks
	// Firmware is how to be like real devices, which are not as neat.
	Firmware Firmware
	// Trace holds hooks. Nil is none.
	Trace *Trace
	// Logger gets what an administrator wants to know. Nil discards it.
	Logger *slog.Logger
}

// Quirks is what a peer does not bear.
type Quirks struct {
	// OneMessage writes every message on its own, into a WebSocket message of its own if it is one.
	OneMessage bool
	// MaxFrame is the most data that the peer takes in a message. Zero is no limit.
	MaxFrame uint32
	// NoOptions sends no KEEPALIVE_OPTIONS_REQUEST.
	NoOptions bool
	// NoDisconnect sends no DISCONNECT: the connection just closes.
	NoDisconnect bool
	// NoFailure sends neither REQUEST_FAILURE nor CHANNEL_OPEN_FAILURE: a request that would get one is dropped.
	NoFailure bool
	// NoWindow takes up to four windows from a peer that does not look at windows, instead of ending the channel.
	NoWindow bool
}

// StockClientQuirks is what amt-apfclient.js needs, which runs in MeshCentral's agents: it closes the connection on messages
// it does not know, finds only one message in what it receives at once, is slow with large ones, and ignores windows.
func StockClientQuirks() Quirks {
	return Quirks{OneMessage: true, MaxFrame: 1 << 10, NoOptions: true, NoDisconnect: true, NoFailure: true, NoWindow: true}
}

// StockServerQuirks is what MeshCentral's server needs, and other servers too: every message in one write, as they cut the
// login wrong otherwise.
func StockServerQuirks() Quirks {
	return Quirks{OneMessage: true}
}

// Firmware is how a device's end behaves like firmware. The zero value behaves well.
type Firmware struct {
	// AdjustStep returns credit in steps of so many bytes, 499 for some firmware. Zero returns it by halves of the window.
	AdjustStep uint32
	// ReuseSlots numbers channels from 0 to Slots-1 and uses a number again at once.
	ReuseSlots bool
	// SplitWrites cuts what is sent into writes of so many bytes. Zero does not.
	SplitWrites int
	// Coalesce sends the whole login without waiting for answers, in one write.
	Coalesce bool
	// IgnoreOptions does not change the interval of keep-alives when asked to, and does not answer.
	IgnoreOptions bool
	// MuteOpens never answers a channel that the server opens.
	MuteOpens bool
	// RefuseOpens refuses so many of the first channels with RefuseReason.
	RefuseOpens  int
	RefuseReason OpenReason
}

// Limits bound what a peer can make an end hold and wait for. Zero fields have the defaults that are named.
type Limits struct {
	// LoginMessages is how many messages a login may have. Default 16.
	LoginMessages int
	// LoginBytes bounds a message during the login, and all JSON messages during it together. Default 16 KiB.
	LoginBytes int
	// JSON bounds a JSON message after the login. Default 256 KiB.
	JSON int
	// Data bounds the data of a channel in one message. Default 1 MiB.
	Data int
	// UDP bounds the data of a datagram. Default 1500.
	UDP int
	// Ports is how many ports can be forwarded. Default 32. Each may come or go four times at once, and all together once
	// a second in the long run.
	Ports int
	// QueuedDials is how many calls of Dial may wait for a place. Default 64.
	QueuedDials int
	// QueueBytes bounds what waits to be sent beside the data of channels: answers to a peer that does not take them.
	// Default 64 KiB.
	QueueBytes int
	// WriteTimeout is how long a write may take. Default 30 s.
	WriteTimeout time.Duration
	// FlushTime is how long the data of a closed channel, or a connection's last words, may take to be sent. Default 5 s.
	FlushTime time.Duration
}
