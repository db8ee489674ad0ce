// Package tunnelask holds the request for a tunnel that package relay makes and a session on the control channel sends: a
// type of its own, so that neither package needs the other.
package tunnelask

import "github.com/meshcentral-go/sdk/internal/secret"

// Request is a request for a tunnel, as an operator makes it.
type Request struct {
	ID       string
	Node     string     // node/DOMAIN/ID
	Protocol int        // "p" and "usage"
	URL      secret.URL // what the device shall open ("value"); empty when cookies are asked for
	// For ports: the device connects to the address (itself, if that is empty).
	TCPPort, UDPPort uint16
	TCPAddr, UDPAddr string
}
