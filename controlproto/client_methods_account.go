package controlproto

import (
	"context"
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

// beside is the URL of another path of the same domain, with the parameters that were given to Dial.
func (a address) beside(path string) *url.URL {
	u := a.u
	u.Path = u.Path[:len(u.Path)-len(controlPath)] + path
	return &u
}
