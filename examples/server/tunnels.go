package main

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/realip"
	"github.com/meshcentral-go/sdk/relay"
)

// tunnels joins operators with devices at /meshrelay.ashx. What relay.Relay does not know it learns from the rest of the
// server: who an end is, what he may do with the device, and how the device is called.
type tunnels struct {
	*site
	records  *controlserver.Server
	channel  *controlproto.Server
	rec      *recorder
	relay    *relay.Relay
	once     controlproto.OnceGuard // of devices' cookies
	suspects suspects
	// recordings is the folder of recorded tunnels; nil: there are none.
	recordings *os.Root
}

var _ controlserver.Tunnels = (*tunnels)(nil)

// open makes the relay, once the rest is there.
func (t *tunnels) open(s *server) (err error) {
	t.records, t.channel, t.rec = s.records, s.channel, s.recorder
	t.relay, err = relay.New(relay.Config{
		Authenticate: t.authenticate,
		Record:       t.record,
		CheckOrigin:  func(*http.Request) bool { return true }, // the login does, if it is one of a page
		PingInterval: t.cfg.File.KeepAlive.Interval, Pong: t.cfg.File.KeepAlive.Form == agentproto.JSONPong,
		Trace: &relay.Trace{
			Started: func(p *relay.Pair, _ bool) {
				t.log(&relay.Stats{Pair: *p}, false)
				t.suspect(p.Node) // rights may have gone while the ends came
			},
			Ended: func(st relay.Stats, _ error) { t.log(&st, true) },
		},
		Logger: t.site.log,
	})
	return err
}

// Announce implements [controlserver.Tunnels]. Devices are sent to this server alone, and to the domain that they are in, with
// a cookie that is good for this tunnel and this device, once: what the operator has is good for asking only.
func (t *tunnels) Announce(r *controlserver.TunnelRequest) error {
	domain := t.tenants[r.Device.Domain()]
	if domain == nil {
		return errNoDomain
	}
	f := relay.Forward{
		User: string(r.User), Node: string(r.Device), Domain: strings.Trim(domain.base(), "/"),
		Rights: relay.RightsFull, // controlserver has checked them
		CookieUser: func(rauth relay.Secret) (string, error) {
			c, err := t.cookies().Decode(rauth.Reveal(), controlproto.CookieAgeRelay)
			if err == nil && !asksFor(&c, r) {
				err = relay.ErrMismatch
			}
			return string(c.RelayUserID), err
		},
		NewCookie: func(q relay.TunnelRequest) (relay.Secret, error) {
			return t.cookies().Encode(controlproto.RelayCookie(r.User).ForTunnel(r.Device, string(q.ID)))
		},
	}
	note, u, err := f.Check(r.URL)
	if err != nil {
		return err
	}
	r.URL = u
	return t.relay.Announce(note)
}

// asksFor says whether an operator's cookie for a device's end is for this request: for all of the account's, or for this one.
func asksFor(c *controlproto.Cookie, r *controlserver.TunnelRequest) bool {
	u, err := relay.ParseAgentURL(r.URL.Reveal())
	return err == nil && !c.NoUser && c.UserID == "" && (c.NodeID == "" || c.NodeID == r.Device) && (c.Tunnel == "" || c.Tunnel == string(u.Query.ID))
}

// Withdraw implements [controlserver.Tunnels].
func (t *tunnels) Withdraw(r *controlserver.TunnelRequest) {
	if u, err := relay.ParseAgentURL(r.URL.Reveal()); err == nil {
		t.relay.Withdraw(u.Query.ID, string(r.User))
	}
}

// remote is what is kept with an end: where it came from, and of an operator's what he might do with the device, if it was known
// which.
type remote struct {
	addr   netip.Addr
	rights controlproto.Rights
	guest  *controlproto.Share // the link of a guest
}

// authenticate says who an end is. A device has nothing but the cookie that the operator, or this server, gave it.
func (t *tunnels) authenticate(r *http.Request, q *relay.Query) (relay.End, error) {
	e := relay.End{ID: q.ID, Protocol: q.Protocol, Value: remote{addr: realip.From(r, t.cfg.TrustedProxies)}}
	at, ok := tenantOf(r)
	if !ok {
		return e, refusal(controlproto.CloseMsgNoDomain, errNoDomain)
	}
	if q.Node != "" {
		e.Node = string(controlproto.ID(q.Node).In(controlproto.KindDevice, at.ID))
		if id := controlproto.ID(e.Node); !id.Valid() || id.Kind() != controlproto.KindDevice || id.Domain() != at.ID {
			return e, relay.ErrUnauthorized
		}
	}
	if q.RelayAuth.Reveal() != "" && q.Auth.Reveal() == "" && q.User == "" && r.Header.Get(controlproto.MeshAuthHeader) == "" {
		return e, t.device(r.Context(), &e, q, at.ID)
	}
	return e, t.operator(r, &e, q, at.ID)
}

func refusal(msg string, err error) error {
	return &relay.Refusal{Cause: controlproto.CloseNoAuth, Msg: msg, Err: err}
}

// cookies makes and reads cookies of logins and tunnels.
func (s *site) cookies() *controlproto.CookieCodec {
	return &controlproto.CookieCodec{Key: s.loginKey, Encoding: s.cfg.File.CookieEncoding}
}

// device checks a device's end: its cookie is one that Announce has made, for this tunnel and this device.
func (t *tunnels) device(ctx context.Context, e *relay.End, q *relay.Query, domain string) error {
	e.Role = relay.RoleAgent
	codec := t.cookies()
	codec.Once = &t.once
	c, err := codec.Decode(q.RelayAuth.Reveal(), controlproto.CookieAgeTunnel)
	if err != nil {
		return refusal(controlproto.CloseMsgNoAuthOther, err)
	}
	switch {
	case c.NoUser || c.UserID != "" || c.RelayUserID.Domain() != domain || c.NodeID == "" || c.Tunnel == "" || c.Once == "":
		return relay.ErrUnauthorized
	case c.Tunnel != string(e.ID) || e.Node != "" && e.Node != string(c.NodeID):
		return relay.ErrMismatch
	}
	u, err := t.records.User(ctx, c.RelayUserID)
	if err != nil {
		return errors.Join(relay.ErrUnauthorized, err)
	}
	if u.SiteRights.Restricted(controlproto.SiteLocked) {
		return relay.ErrUnauthorized
	}
	e.User, e.Node, e.Bound = string(u.ID), string(c.NodeID), true
	return nil
}

// tunnelRights are those of which an operator needs one. The device gets all of them with the request and decides what he
// may do.
const tunnelRights = controlproto.RemoteControl | controlproto.RemoteViewOnly | controlproto.RelayRight

// operator checks an operator's end, and calls the device if the URL or the cookie says where the tunnel leads.
func (t *tunnels) operator(r *http.Request, e *relay.End, q *relay.Query, domain string) error {
	e.Role = relay.RoleOperator
	login, err := t.channel.LoginTunnel(r.Context(), t.channel.LoginRequest(r))
	if err != nil {
		var refused *controlproto.RefusedError
		if errors.As(err, &refused) {
			return &relay.Refusal{Cause: refused.Cause, Msg: refused.Msg, Err: err}
		}
		return err
	}
	e.User = string(login.User.ID)
	to := controlserver.TunnelRequest{
		User: login.User.ID, TCPPort: q.TCPPort, TCPAddr: q.TCPAddr, UDPPort: q.UDPPort, UDPAddr: q.UDPAddr,
	}
	if c := login.Cookie; c != nil && c.SharedNode != "" {
		return t.guest(r.Context(), e, c, login.Login.RemoteAddr, domain)
	} else if c != nil {
		if err := narrow(e, &to, c); err != nil {
			return err
		}
	}
	if e.ID.Messenger() {
		return nil // no device's end but a person's
	}
	to.Device = controlproto.ID(e.Node)
	if e.Node != "" {
		rights, visible, err := t.records.DeviceRights(r.Context(), login.User.ID, to.Device)
		if err != nil {
			return err
		}
		if !visible || rights&tunnelRights == 0 {
			return relay.ErrUnauthorized
		}
		e.Value = remote{addr: e.Value.(remote).addr, rights: rights}
	}
	if to.TCPPort != 0 || to.UDPPort != 0 {
		return t.call(r.Context(), e, to, login.Login.RemoteAddr, domain)
	}
	return nil
}

// narrow applies what a cookie limits its tunnel to.
func narrow(e *relay.End, to *controlserver.TunnelRequest, c *controlproto.Cookie) error {
	if c.NoUser || c.SharedNode != "" || c.PublicID != "" || c.GuestName != "" || c.GuestRights != 0 || c.ViewOnly || c.InviteGroup != "" || c.AgentNode != "" || c.AgentGroup != "" || c.PeerServer {
		return relay.ErrUnauthorized
	}
	if c.NodeID != "" {
		if e.Node != "" && e.Node != string(c.NodeID) {
			return relay.ErrMismatch
		}
		e.Node = string(c.NodeID)
	}
	if c.Tunnel != "" {
		if c.Tunnel != string(e.ID) || c.NodeID == "" {
			return relay.ErrMismatch
		}
		e.Bound = true
	}
	if c.TCPPort != 0 {
		if c.TCPPort < 0 || c.TCPPort > 65535 || c.NodeID == "" {
			return relay.ErrMismatch
		}
		to.TCPPort, to.TCPAddr, to.UDPPort, to.UDPAddr = uint16(c.TCPPort), c.TCPAddr, 0, ""
	}
	if e.Protocol == relay.ProtocolNone {
		e.Protocol = relay.Protocol(c.Protocol)
	}
	return nil
}

// guest checks the end of a guest, and calls the device. What he may do is what his link says now, not what his cookie says; the
// tunnel's id is not his to choose.
func (t *tunnels) guest(ctx context.Context, e *relay.End, c *controlproto.Cookie, from netip.Addr, domain string) error {
	if c.NoUser || c.ShareKey.Reveal() != "" {
		return relay.ErrUnauthorized
	}
	share, until, err := t.records.Guest(ctx, c.PublicID)
	if err != nil {
		return errors.Join(relay.ErrUnauthorized, err)
	}
	if share.DeviceID != c.SharedNode || string(share.UserID) != e.User || e.Node != "" && e.Node != string(share.DeviceID) {
		return relay.ErrMismatch
	}
	e.ID, e.Node, e.Expires = relay.NewID(), string(share.DeviceID), until
	e.Value = remote{addr: e.Value.(remote).addr, guest: share}
	return t.call(ctx, e, controlserver.TunnelRequest{
		User: share.UserID, Device: share.DeviceID, Guest: share, Protocol: int(e.Protocol),
	}, from, domain)
}

// call has the device come, to a port (meshrelay.js, CreateMeshRelayEx).
func (t *tunnels) call(ctx context.Context, e *relay.End, to controlserver.TunnelRequest, from netip.Addr, domain string) error {
	if to.Device == "" {
		return relay.ErrUnauthorized
	}
	if e.ID == "" {
		e.ID = relay.NewID()
	}
	if to.TCPPort != 0 && to.TCPAddr == "" {
		to.TCPAddr = "127.0.0.1"
	}
	if to.UDPPort != 0 && to.UDPAddr == "" {
		to.UDPAddr = "127.0.0.1"
	}
	rauth, err := t.cookies().Encode(controlproto.RelayCookie(to.User))
	if err != nil {
		return err
	}
	u := relay.AgentURL{
		Domain: strings.Trim(t.tenants[domain].base(), "/"), Endpoint: relay.RelayEndpoint,
		Query: relay.Query{ID: e.ID, Protocol: e.Protocol, Node: e.Node, RelayAuth: rauth},
	}
	to.URL = u.Secret()
	return t.records.RequestTunnel(ctx, to, from)
}

// log logs that a tunnel was opened or ended.
func (t *tunnels) log(st *relay.Stats, ended bool) {
	p := &st.Pair
	l := controlserver.TunnelLog{
		ID: string(p.ID), User: controlproto.ID(p.User), Device: controlproto.ID(p.Node), Protocol: int(p.Protocol),
		First: p.FirstEnd.Value.(remote).addr, Second: p.SecondEnd.Value.(remote).addr,
		Guest: guestOf(p), Ended: ended, Bytes: st.FirstBytes + st.SecondBytes, Duration: st.Duration,
	}
	key, _ := l.Device.DeviceKey() // none in chats, whose event changes no device either
	t.rec.queue <- change{key: key, apply: func(tx *controlserver.Tx) error { return tx.LogTunnel(l) }}
}

// guestOf is the name of the guest whose tunnel it is.
func guestOf(p *relay.Pair) string {
	for _, e := range []*relay.End{&p.FirstEnd, &p.SecondEnd} {
		if r, ok := e.Value.(remote); ok && r.guest != nil {
			return r.guest.GuestName
		}
	}
	return ""
}
