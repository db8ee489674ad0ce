package controlproto

import "context"

// DeviceShares lists the links by which guests may use a device. The URLs of links that others made are not told.
func (c *Client) DeviceShares(ctx context.Context, device ID) ([]Share, error) {
	r, err := Do(ctx, c, &DeviceShares{DeviceID: device})
	if err != nil {
		return nil, err
	}
	return r.Shares, nil
}

// ShareDevice makes a link by which a guest may use a device.
func (c *Client) ShareDevice(ctx context.Context, share *CreateDeviceShareLink) (*CreateDeviceShareLinkReply, error) {
	return Do(ctx, c, share)
}

// RemoveShare removes such a link.
func (c *Client) RemoveShare(ctx context.Context, device ID, publicID string) error {
	return fail(Do(ctx, c, &RemoveDeviceShare{DeviceID: device, PublicID: publicID}))
}

// WebRelay returns an address under which a web page of a device, or in its network, can be opened in a browser. Do not
// ask stock servers 1.1.55 without the setting relayDNS: it ends them.
func (c *Client) WebRelay(ctx context.Context, relay *WebRelay) (SecretURL, error) {
	r, err := Do(ctx, c, relay)
	if err != nil {
		return SecretURL{}, err
	}
	return r.URL, nil
}
