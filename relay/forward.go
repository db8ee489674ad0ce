package relay

import (
	"errors"
	"fmt"
)

// Forward is how a server passes an operator's tunnel request on to a device. The operator chooses the URL that the
// device opens, and on the stock server other members of the request too; here only what was checked goes on.
//
// Confirmed in meshuser.js, case 'msg' of type 'tunnel'.
type Forward struct {
	User   string // who asks
	Node   string // for which device: node/DOMAIN/ID
	Domain string // of both, as it stands in paths; a URL without it gets it
	Rights Rights // of the account on the device
	// A port that the device is to connect to, if the request names one. The members of the message are the caller's to
	// pass on once Check has returned.
	TCPPort, UDPPort uint16
	// CookieUser returns the account of a cookie for devices ("rauth"). A cookie of another account is refused.
	CookieUser func(rauth Secret) (user string, err error)
	// NewCookie makes a cookie that is good for one tunnel and one device alone, in place of the operator's. Nil leaves
	// that one.
	NewCookie func(TunnelRequest) (Secret, error)
}

// ErrForward is a tunnel request that is not passed on.
var ErrForward = errors.New("relay: tunnel request refused")

// Check returns what is to be noted with [Relay.Announce], and the URL for the device: on the server itself, with the id,
// the protocol, the device and the cookie, and nothing else.
func (f *Forward) Check(value URL) (TunnelRequest, URL, error) {
	fail := func(format string, args ...any) (TunnelRequest, URL, error) {
		return TunnelRequest{}, URL{}, fmt.Errorf("%w: %w", ErrForward, fmt.Errorf(format, args...))
	}
	u, err := ParseAgentURL(value.Reveal())
	q := &Query{}
	switch {
	case err != nil:
		return fail("%w", err)
	case !u.Own() || u.Endpoint != RelayEndpoint || u.Domain != "" && u.Domain != f.Domain:
		return fail("%w", ErrElsewhere)
	case u.Query.ID == "" || u.Query.ID.Messenger():
		return fail("%w", ErrID)
	case u.Query.Node != "" && u.Query.Node != f.Node:
		return fail("%w: another device", ErrMismatch)
	}
	q.ID, q.Node, q.Protocol = u.Query.ID, f.Node, u.Query.Protocol
	if err := f.permits(q.Protocol); err != nil {
		return fail("%w", err)
	}
	user, err := f.CookieUser(u.Query.RelayAuth)
	if err != nil {
		return fail("cookie: %w", err)
	}
	if user != f.User {
		return fail("%w: a cookie of another account", ErrMismatch)
	}
	req := TunnelRequest{ID: q.ID, User: f.User, Node: f.Node}
	q.RelayAuth = u.Query.RelayAuth
	if f.NewCookie != nil {
		if q.RelayAuth, err = f.NewCookie(req); err != nil {
			return fail("cookie: %w", err)
		}
	}
	u.Domain, u.Query = f.Domain, *q
	return req, u.Secret(), nil
}

// permits checks the rights as far as the server knows what the tunnel is for: the number in the URL is the operator's
// word. The device checks the number in the tunnel.
func (f *Forward) permits(p Protocol) error {
	r := &Request{Rights: f.Rights}
	if f.TCPPort != 0 || f.UDPPort != 0 {
		return r.Permits(ProtocolNone)
	}
	switch {
	case p == 4: // files, as an old client calls them
		p = ProtocolFiles
	case p == ProtocolNone || p == ProtocolMessenger || p > ProtocolFile:
		if r.Permits(ProtocolDesktop) == nil || r.Permits(ProtocolNone) == nil || f.Rights&RightViewOnly != 0 {
			return nil
		}
	}
	return r.Permits(p)
}
