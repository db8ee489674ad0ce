package wsman

import (
	"context"
	"errors"
	"fmt"
)

// Get reads an instance.
func (c *Client) Get(ctx context.Context, resourceURI string, selectors ...Selector) (*Element, error) {
	resp, err := c.Do(ctx, &Request{Action: ActionGet, ResourceURI: resourceURI, Selectors: selectors, Idempotent: true})
	if err != nil {
		return nil, err
	}
	return resp.first(ActionGet)
}

// Put replaces an instance and returns it as stored, or nil if the device does not say.
func (c *Client) Put(ctx context.Context, resourceURI string, body func(*Writer), selectors ...Selector) (*Element, error) {
	resp, err := c.Do(ctx, &Request{Action: ActionPut, ResourceURI: resourceURI, Selectors: selectors, Body: body})
	if err != nil {
		return nil, err
	}
	return resp.Envelope.First(), nil
}

// Create makes an instance and returns a reference to it.
func (c *Client) Create(ctx context.Context, resourceURI string, body func(*Writer)) (Ref, error) {
	resp, err := c.Do(ctx, &Request{Action: ActionCreate, ResourceURI: resourceURI, Body: body})
	if err != nil {
		return Ref{}, err
	}
	el, err := resp.first(ActionCreate)
	if err != nil {
		return Ref{}, err
	}
	return DecodeRef(el)
}

// Delete removes an instance.
func (c *Client) Delete(ctx context.Context, resourceURI string, selectors ...Selector) error {
	_, err := c.Do(ctx, &Request{Action: ActionDelete, ResourceURI: resourceURI, Selectors: selectors})
	return err
}

// Invoke calls a method and returns its output element. The return value is not looked at: see [CheckReturnValue].
func (c *Client) Invoke(ctx context.Context, target Ref, method string, body func(*Writer)) (*Element, error) {
	action := target.ResourceURI + "/" + method
	resp, err := c.Do(ctx, &Request{Action: action, ResourceURI: target.ResourceURI, Selectors: target.Selectors, Body: body})
	if err != nil {
		return nil, err
	}
	return resp.first(action)
}

// first returns the first element of the body, which must be there.
func (r *Response) first(action string) (*Element, error) {
	if el := r.Envelope.First(); el != nil {
		return el, nil
	}
	return nil, fmt.Errorf("%w: the answer to %s has an empty body", ErrMalformed, ClassName(action))
}

// Identity is what a device says of itself.
type Identity struct {
	ProtocolVersion  string   `wsman:"ProtocolVersion"`
	ProductVendor    string   `wsman:"ProductVendor"`
	ProductVersion   string   `wsman:"ProductVersion"`
	SecurityProfiles []string `wsman:"SecurityProfiles"`
	Extra            []Element
}

// Identify asks what the device is (DSP0226, Identify). Whether firmware answers it, with or without login, is not known of
// all versions; the Server header says more: see [Client.Probe].
func (c *Client) Identify(ctx context.Context) (*Identity, error) {
	resp, err := c.Do(ctx, &Request{
		Action: NamespaceIdentity + "/Identify", Bare: true, Idempotent: true,
		Body: func(w *Writer) {
			w.Start(NamespaceIdentity, "Identify")
			w.End()
		},
	})
	if err != nil {
		return nil, err
	}
	el, err := resp.first("Identify")
	if err != nil {
		return nil, err
	}
	id := new(Identity)
	if err := Decode(el, id); err != nil {
		return nil, err
	}
	return id, nil
}

// Probe is what a device says to who has no password.
type Probe struct {
	Server string // the Server header, see [ServerVersion]
	Realm  string // the digest realm, "" if it asks for no login
}

// Probe asks who the device is, without credentials: the answer 401 says it.
func (c *Client) Probe(ctx context.Context) (*Probe, error) {
	resp, err := c.Do(ctx, &Request{
		Action: ActionGet, ResourceURI: ResourceURI("AMT_GeneralSettings"), Idempotent: true, WithoutLogin: true,
	})
	var failed *HTTPError
	var fault *Fault
	switch {
	case err == nil:
		return &Probe{Server: resp.Server}, nil
	case errors.Is(err, ErrCredentials):
		return &Probe{Server: c.Server(), Realm: c.Realm()}, nil
	case errors.As(err, &failed), errors.As(err, &fault):
		return &Probe{Server: c.Server()}, nil
	}
	return nil, err
}
