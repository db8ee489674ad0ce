package agentproto

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/nodeid"
)

// connect can not work in a browser: it does not show the certificate that a login is bound to. Whoever knows the
// certificate's hash from elsewhere sets [ClientConfig.Connect].
func (c *Client) connect(context.Context, string) (Conn, Hash, error) {
	return nil, Hash{}, errors.New("a browser does not show TLS certificates; set ClientConfig.Connect")
}

// discoverServer can not work in a browser either.
func discoverServer(context.Context, nodeid.ServerID, *DiscoveryKey) (string, error) {
	return "", errors.New("a browser does not send UDP")
}
