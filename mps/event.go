package mps

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Phase is how far a connection has come. They follow each other in this order; where there is no proxy or no TLS these are
// left out.
type Phase uint8

const (
	PhaseAccept   Phase = iota + 1 // the connection was accepted
	PhaseProxy                     // waits for the header of a PROXY protocol
	PhaseTLS                       // the TLS handshake
	PhaseFirst                     // waits for the first byte, which tells a device from a browser
	PhaseLogin                     // APF, up to the login
	PhaseForwards                  // logged in, tells the ports
	PhaseOnline                    // the device is online
)

var phaseNames = [...]string{
	PhaseAccept: "accept", PhaseProxy: "PROXY header", PhaseTLS: "TLS handshake", PhaseFirst: "first byte", PhaseLogin: "login",
	PhaseForwards: "forwards", PhaseOnline: "online",
}

// String returns a word or two for a log.
func (p Phase) String() string {
	if int(p) < len(phaseNames) && p > 0 {
		return phaseNames[p]
	}
	return fmt.Sprintf("Phase(%d)", uint8(p))
}

// Kind is how a device is connected.
type Kind = apf.ConnType

// The kinds, in the order in which they are preferred.
const (
	// CIRA is a connection of AMT itself, which is there while the machine has power.
	CIRA = apf.ConnCIRA
	// Relay is a connection that a program on the same network passes on to AMT.
	Relay = apf.ConnRelay
	// LMS is a connection of an agent on the same machine: it is there while the system runs.
	LMS = apf.ConnLMS

	kinds = 3
)

// Peer is who is at the other end, as far as the connection tells.
type Peer struct {
	// Addr is where the device connects from, as a trusted proxy tells it if there is one, which is Proxy then.
	Addr  netip.AddrPort
	Proxy netip.AddrPort
	// WebSocket says that the connection came to Server.Handler.
	WebSocket bool
	// Domain is the domain of such a connection, see Config.Domain.
	Domain string
	// TLSVersion and Cipher are zero without TLS, or if a proxy speaks it.
	TLSVersion, Cipher uint16
	// First are up to 16 of the first bytes, of a connection that is refused.
	First []byte
}

// LogValue is what log/slog prints.
func (p Peer) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("addr", p.Addr.String())}
	if p.Proxy.IsValid() {
		attrs = append(attrs, slog.String("proxy", p.Proxy.String()))
	}
	if p.WebSocket {
		attrs = append(attrs, slog.Bool("websocket", true))
	}
	if p.TLSVersion != 0 {
		attrs = append(attrs, slog.String("tls", tls.VersionName(p.TLSVersion)))
	}
	if p.Cipher != 0 {
		attrs = append(attrs, slog.String("cipher", tls.CipherSuiteName(p.Cipher)))
	}
	if len(p.First) > 0 {
		attrs = append(attrs, slog.String("first", fmt.Sprintf("%x", p.First)))
	}
	return slog.GroupValue(attrs...)
}

// Event is that a connection has come to a phase, or, with an Err, has ended in it. A device is online with an event of
// PhaseOnline without Err, and offline in that way with one with Err. That of a connection which was replaced by another may
// come after the other is online: the larger Generation counts.
type Event struct {
	Time  time.Time
	Phase Phase
	Peer  Peer
	// Connection is there from PhaseForwards on.
	Connection *Connection
	// UUID is what the connection claims, from PhaseLogin on if it came so far. It is zero before.
	UUID nodeid.UUID
	// Ports says that nothing but the ports of a device changed that is online.
	Ports bool
	// Err is why the connection ended.
	Err error
}

// Device returns which device the event is about, if the connection had logged in.
func (e *Event) Device() (nodeid.NodeKey, bool) {
	if e.Connection == nil {
		return nodeid.NodeKey{}, false
	}
	return e.Connection.Device(), true
}
