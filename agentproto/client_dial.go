//go:build !js

package agentproto

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
)

// connect opens the WebSocket and returns the hash of the certificate at its other end.
func (c *Client) connect(ctx context.Context, url string) (Conn, Hash, error) {
	conn, err := msgconn.Dial(ctx, url, msgconn.DialOptions{
		TLSConfig: c.cfg.TLSConfig, Proxy: c.cfg.Proxy, NetDialContext: c.cfg.NetDialContext,
		ReadLimit: c.cfg.Limits.HandshakeMessage,
	})
	if err != nil {
		return nil, Hash{}, err
	}
	state, ok := conn.ConnectionState()
	if !ok || len(state.PeerCertificates) == 0 {
		conn.Close(0, "")
		return nil, Hash{}, errors.New("connection is not TLS: the server could not prove itself over it")
	}
	return conn, certs.CertHash(state.PeerCertificates[0].Raw), nil
}

// discoverServer looks for a server on the local network.
func discoverServer(ctx context.Context, id nodeid.ServerID, key *DiscoveryKey) (string, error) {
	return Discover(ctx, DiscoverConfig{ServerID: id, Key: key})
}
