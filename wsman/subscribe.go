package wsman

import (
	"context"
	"errors"
	"fmt"
)

// Modes of delivery of events.
const (
	deliveryPush        = NamespaceEventing + "/DeliveryModes/Push"
	deliveryPushWithAck = "http://schemas.dmtf.org/wbem/wsman/1/wsman/PushWithAck"
	profileDigest       = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/digest"
	usernameTokens      = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0" //nolint:gosec // a name
)

// maxNotifyTo is how long the URL may be for firmware.
const maxNotifyTo = 253

// Subscription says which events a device shall send where. Devices have room for nine at most and keep them until they
// are unsubscribed.
type Subscription struct {
	// Filter is the InstanceID of a CIM_FilterCollection: "" means "Intel(r) AMT:AllEvents".
	Filter string
	// NotifyTo is the URL to which events are sent, at most 253 characters; https from AMT 11 on. See [EventHandler].
	NotifyTo string
	// Ack: the device sends an event again until it is acknowledged.
	Ack bool
	// Args come back in the header of every event, and tell the receiver which device or subscription it is.
	Args []Element
	// Username and Password are what the device logs in with at the receiver, by digest. "" means none.
	Username string
	Password Secret
}

// Subscribe asks for events. It returns the reference that the answer has, if any; what names a subscription for
// [Client.Unsubscribe] is an instance of CIM_FilterCollectionSubscription.
func (c *Client) Subscribe(ctx context.Context, s Subscription) (Ref, error) {
	switch {
	case s.NotifyTo == "":
		return Ref{}, errors.New("wsman: Subscription.NotifyTo is empty")
	case len(s.NotifyTo) > maxNotifyTo:
		return Ref{}, fmt.Errorf("wsman: Subscription.NotifyTo has %d characters, firmware takes %d", len(s.NotifyTo), maxNotifyTo)
	}
	if s.Filter == "" {
		s.Filter = "Intel(r) AMT:AllEvents"
	}
	mode := deliveryPush
	if s.Ack {
		mode = deliveryPushWithAck
	}
	r := &Request{
		Action: ActionSubscribe, ResourceURI: ResourceURI("CIM_FilterCollection"),
		Selectors: []Selector{Key("InstanceID", s.Filter)}, OperationTimeout: -1,
		Body: func(w *Writer) {
			w.Start(NamespaceEventing, "Subscribe")
			w.Start(NamespaceEventing, "Delivery", Attr{Name: "Mode", Value: mode})
			w.Start(NamespaceEventing, "NotifyTo")
			w.Leaf(NamespaceAddressing, "Address", s.NotifyTo)
			if len(s.Args) > 0 {
				w.Start(NamespaceAddressing, "ReferenceParameters")
				for i := range s.Args {
					w.Element(&s.Args[i])
				}
				w.End()
			}
			w.End()
			if s.Username != "" {
				w.Leaf(NamespaceWSMan, "Auth", "", Attr{Name: "Profile", Value: profileDigest})
			}
			w.End()
			w.End()
		},
	}
	if s.Username != "" {
		r.Header = []Element{issuedTokens(s.Username, s.Password)}
	}
	resp, err := c.Do(ctx, r)
	if err != nil {
		return Ref{}, err
	}
	if manager := resp.Envelope.First().Child("SubscriptionManager"); manager != nil {
		return DecodeRef(manager)
	}
	return Ref{}, nil
}

func issuedTokens(username string, password Secret) Element {
	trust := func(name string, children ...Element) Element {
		return Element{Space: NamespaceTrust, Name: name, Children: children}
	}
	security := func(name, text string, attrs ...Attr) Element {
		return Element{Space: NamespaceSecurity, Name: name, Text: text, Attrs: attrs}
	}
	tokenType := trust("TokenType")
	tokenType.Text = usernameTokens + "#UsernameToken"
	token := security("UsernameToken", "")
	token.Children = []Element{
		security("Username", username),
		security("Password", password.Reveal(), Attr{Name: "Type", Value: usernameTokens + "#PasswordText"}),
	}
	return trust("IssuedTokens", trust("RequestSecurityTokenResponse", tokenType, trust("RequestedSecurityToken", token)))
}

// Unsubscribe ends a subscription. The references are the keys of its CIM_FilterCollectionSubscription: Filter (a
// CIM_FilterCollection) and Handler (a CIM_ListenerDestinationWSManagement).
func (c *Client) Unsubscribe(ctx context.Context, filter, handler Ref) error {
	_, err := c.Do(ctx, &Request{
		Action: ActionUnsubscribe, ResourceURI: ResourceURI("CIM_FilterCollectionSubscription"), OperationTimeout: -1,
		Selectors: []Selector{RefKey("Filter", filter), RefKey("Handler", handler)},
		Body: func(w *Writer) {
			w.Start(NamespaceEventing, "Unsubscribe")
			w.End()
		},
	})
	return err
}
