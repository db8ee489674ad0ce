// Package relay carries tunnels: the connections between an operator and a device through which terminals, files, desktops
// and ports are reached.
//
// Both ends of a tunnel open a WebSocket to /meshrelay.ashx of a server and name the same id. The server joins the two, says
// "c" to both ("cr" if the tunnel is recorded), and from then on passes every message on as it came. What goes through a
// tunnel is told by a number that the operator sends first ([Protocol]); TCP and UDP tunnels have none, as the device was
// told the port when it was asked to come.
//
// The server side is [Rendezvous], which decides who meets whom and knows neither connections nor clocks, and [Relay], the
// http.Handler around it. The operator's side is [Open], and [DialTCP] and [DialUDP] for ports; the device's side is
// [Dispatcher]. What goes through a tunnel beside its data, JSON objects in text messages, is [Control].
//
// The package needs nothing of the control channel or the agent channel but small interfaces: [Requester] on the operator's
// side, and a [Request] on the device's.
package relay

import "github.com/meshcentral-go/sdk/internal/msgconn"

// Conn carries whole messages. See [Type].
type Conn = msgconn.Conn

// Type tells text messages from binary ones, a difference that is part of every protocol in a tunnel.
type Type = msgconn.Type

// The types of messages.
const (
	Text   = msgconn.Text
	Binary = msgconn.Binary
)
