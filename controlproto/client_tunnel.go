package controlproto

import (
	"context"

	"github.com/meshcentral-go/sdk/internal/tunnelask"
)

// A Client is what package relay needs of a session to open tunnels: its relay.Requester.

// TunnelCookies returns the cookies for the two ends of a tunnel, that of the operator and that for the device. It names
// the tunnel and its device: a server of this module makes cookies for these alone. Those of MeshCentral's are good for all
// tunnels of the account.
func (c *Client) TunnelCookies(ctx context.Context, r tunnelask.Request) (operator, device Secret, err error) {
	reply, err := Do(ctx, c, &AuthCookie{DeviceID: c.device(ID(r.Node)), TunnelID: r.ID})
	if err != nil {
		return Secret{}, Secret{}, err
	}
	return reply.Cookie, reply.RelayCookie, nil
}

// RequestTunnel has the server pass a tunnel request on to a device. [ResultError] "Unable to route" is an agent that is not
// connected or a right that is missing.
func (c *Client) RequestTunnel(ctx context.Context, r tunnelask.Request) error {
	return fail(Do(ctx, c, &MsgTunnel{
		DeviceID: c.device(ID(r.Node)), Usage: r.Protocol, URL: r.URL,
		TCPPort: r.TCPPort, TCPAddr: r.TCPAddr, UDPPort: r.UDPPort, UDPAddr: r.UDPAddr,
	}))
}

// RelayURL returns where tunnels of this session's server meet, with the parameters that were given to [Dial].
func (c *Client) RelayURL() (SecretURL, error) {
	return NewSecretURL(c.addr.beside("/meshrelay.ashx").String()), nil
}
