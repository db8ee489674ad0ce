package controlproto

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// LoginTokens returns the login tokens of the own account, without their secrets.
func (c *Client) LoginTokens(ctx context.Context) ([]LoginTokenRecord, error) {
	r, err := Do(ctx, c, &GetLoginTokens{})
	if err != nil {
		return nil, err
	}
	return r.Tokens, nil
}

// CreateLoginToken makes a login token for the own account, good for a [TokenLogin] until the lifetime is over, in
// whole minutes; zero is for ever. Its secret is in the result and never told again.
func (c *Client) CreateLoginToken(ctx context.Context, name string, lifetime time.Duration) (*CreateLoginTokenReply, error) {
	return Do(ctx, c, &CreateLoginToken{Name: name, Expire: lifetime})
}

// RemoveLoginTokens revokes login tokens by their TokenUser and returns those that are left. Unknown ones are passed
// over. On stock servers, sessions that logged in with one go on.
func (c *Client) RemoveLoginTokens(ctx context.Context, tokenUsers ...string) ([]LoginTokenRecord, error) {
	r, err := Do(ctx, c, &GetLoginTokens{Remove: tokenUsers})
	if err != nil {
		return nil, err
	}
	return r.Tokens, nil
}

// LoginCookie asks for a cookie that logs the own account in: as a [CookieLogin], or in the address of the pages.
// Servers without the setting allowLoginToken do not answer.
func (c *Client) LoginCookie(ctx context.Context) (Secret, error) {
	r, err := Do(ctx, c, &GetLoginCookie{})
	if err != nil {
		return Secret{}, err
	}
	return r.Cookie, nil
}

// TrustedDeviceCookie asks for a cookie for [TrustedDeviceLogin].
func (c *Client) TrustedDeviceCookie(ctx context.Context) (Secret, error) {
	r, err := Do(ctx, c, &GetTwoFactorCookie{})
	if err != nil {
		return Secret{}, err
	}
	return r.Cookie, nil
}

// TunnelKind is what goes through a tunnel to a device ("p").
type TunnelKind int

// Kinds of tunnels to an agent.
const (
	TunnelTerminal TunnelKind = 1
	TunnelDesktop  TunnelKind = 2
	TunnelFiles    TunnelKind = 5
)

// OpenTunnel has the agent of a device open its end of a tunnel, for a shell ([TunnelTerminal]) or for files, and
// returns the URL of the operator's end: a WebSocket to be opened at once, as the server holds the agent's end for 15
// seconds. [ResultError] "Unable to route" is an agent that is not connected or a right that is missing.
func (c *Client) OpenTunnel(ctx context.Context, device ID, kind TunnelKind) (SecretURL, error) {
	cookies, err := Do(ctx, c, &AuthCookie{})
	if err != nil {
		return SecretURL{}, err
	}
	device = c.device(device)
	id := newTunnelID()
	agent := fmt.Sprintf("*/meshrelay.ashx?p=%d&nodeid=%s&id=%s&rauth=%s", kind, device, id, cookies.RelayCookie.Reveal())
	if _, err := Do(ctx, c, &MsgTunnel{DeviceID: device, Usage: int(kind), URL: NewSecretURL(agent)}); err != nil {
		return SecretURL{}, err
	}
	u := c.addr.beside("/meshrelay.ashx")
	q := u.Query()
	for name, value := range map[string]string{
		"browser": "1", "p": fmt.Sprint(int(kind)), "nodeid": string(device), "id": id, "auth": cookies.Cookie.Reveal(),
	} {
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	return NewSecretURL(u.String()), nil
}

// newTunnelID makes the id by which the two ends of a tunnel find each other.
func newTunnelID() string { return newID()[1:25] }

// beside is the URL of another path of the same domain, with the parameters that were given to Dial.
func (a address) beside(path string) *url.URL {
	u := a.u
	u.Path = u.Path[:len(u.Path)-len(controlPath)] + path
	return &u
}
