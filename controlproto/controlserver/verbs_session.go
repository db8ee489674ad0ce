package controlserver

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
)

// sessionVerbs concern the session itself, and others of the same account.
func (s *Server) sessionVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.authCookie)
	controlproto.On(m, s.loginCookie)
	controlproto.On(m, s.getCookie)
	controlproto.On(m, s.interSession)
	controlproto.On(m, s.interUser)
}

// loginCodec makes and reads cookies of logins and tunnels.
func (s *Server) loginCodec() *controlproto.CookieCodec {
	return &controlproto.CookieCodec{Key: *s.cfg.LoginKey, Encoding: s.cfg.CookieEncoding, Now: s.cfg.Now, Rand: s.cfg.Rand}
}

// maxTunnelID bounds ids of tunnels in cookies.
const maxTunnelID = 512

// authCookie gives the cookies for tunnels: one for the operator's end, bound to its address, and one for the device's. Both
// are bound to a tunnel and a device if these are named. What the account may do with the device is not asked here: it is when
// the cookies are used.
func (s *Server) authCookie(ctx context.Context, c *controlproto.Call, req *controlproto.AuthCookie) error {
	login := controlproto.LoginCookie(c.Session.UserID())
	login.Address = c.Session.Login().RemoteAddr
	if c.Session.Login().TokenName != "" {
		// A login token's session must not turn itself into one without its limits: with this the cookie opens tunnels only.
		login.RelayUserID = c.Session.UserID()
	}
	device := controlproto.RelayCookie(c.Session.UserID())
	if req.TunnelID != "" {
		node := req.DeviceID.In(controlproto.KindDevice, c.Session.Domain())
		if !node.Valid() || node.Kind() != controlproto.KindDevice || node.Domain() != c.Session.Domain() || len(req.TunnelID) > maxTunnelID {
			return refused("Invalid nodeid")
		}
		login = login.ForTunnel(node, req.TunnelID)
		device.NodeID, device.Tunnel, device.Expire = node, req.TunnelID, controlproto.CookieAgeTunnel
	}
	cookie, err := s.plainCookie(login)
	if err != nil {
		return err
	}
	relay, err := s.loginCodec().Encode(device)
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.AuthCookieReply{Cookie: cookie, RelayCookie: relay})
}

// plainCookie makes a cookie without "$$". meshctrl.js puts it into a URL as the replacement of String.replace, where that
// stands for "$" alone: every 30th of its tunnels would not open.
func (s *Server) plainCookie(c controlproto.Cookie) (cookie controlproto.Secret, err error) {
	const tries = 16
	for range tries {
		if cookie, err = s.loginCodec().Encode(c); err != nil || !strings.Contains(cookie.Reveal(), "$$") {
			break
		}
	}
	return cookie, err
}

// loginCookie gives a cookie that logs in to the pages, if the domain says so. A session of a login token gets none: the
// cookie would outlive the token.
func (s *Server) loginCookie(ctx context.Context, c *controlproto.Call, _ *controlproto.GetLoginCookie) error {
	if !s.domains[c.Session.Domain()].LoginCookies || c.Session.Login().TokenName != "" {
		return nil
	}
	cookie, err := s.loginCodec().Encode(controlproto.LoginTokenCookie(c.Session.UserID()))
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.GetLoginCookieReply{Cookie: cookie})
}

// getCookie gives a cookie for a tunnel to a port of a device, or through it. It says nothing to who may not.
func (s *Server) getCookie(ctx context.Context, c *controlproto.Call, req *controlproto.GetCookie) error {
	d, rights, err := s.deviceFor(ctx, c.Session, req.DeviceID)
	if errors.Is(err, ErrNotFound) || err == nil && !rights.Has(controlproto.RemoteControl) {
		return nil
	}
	if err != nil {
		return err
	}
	ck := controlproto.LoginCookie(c.Session.UserID())
	ck.NodeID, ck.TCPAddr, ck.TCPPort, ck.Local = d.ID, req.TCPAddr, int(req.TCPPort), d.MeshType == controlproto.GroupLocal
	if req.Tag == "novnc" {
		ck.Protocol = 12
	}
	cookie, err := s.loginCodec().Encode(ck)
	if err != nil {
		return err
	}
	trusted := s.cfg.Info(c.Session.Domain()).Features&controlproto.FeatureUntrustedCert == 0
	return c.Reply(ctx, &controlproto.GetCookieReply{
		DeviceID: req.DeviceID, TCPAddr: req.TCPAddr, TCPPort: req.TCPPort, Tag: req.Tag, Name: req.Name, IP: req.IP,
		Protocol: req.Protocol, LocalPort: req.LocalPort, Cookie: cookie, TrustedCert: trusted,
		LocalRelay: d.MeshType == controlproto.GroupLocal,
	})
}

// interSession passes a message on to the other sessions of the account.
func (s *Server) interSession(_ context.Context, c *controlproto.Call, _ *controlproto.InterSession) error {
	message := slices.Clone(c.Raw)
	for _, o := range s.sessionsOf(c.Session.UserID()) {
		if o != c.Session {
			o.Push(message)
		}
	}
	return nil
}

// interUser passes data on to sessions of any account, if one of both sides may do so.
func (s *Server) interUser(_ context.Context, c *controlproto.Call, req *controlproto.InterUser) error {
	if len(req.Data) == 0 || req.SessionID == "" && req.UserID == "" {
		return nil
	}
	m := &controlproto.InterUser{SessionID: c.Session.ID(), Data: req.Data, Scope: "user"}
	to := req.UserID.In(controlproto.KindUser, c.Session.Domain())
	if req.SessionID != "" {
		m.Scope = "session"
		to = controlproto.ID(req.SessionID[:max(strings.LastIndexByte(req.SessionID, '/'), 0)])
	}
	if !to.Valid() || to.Kind() != controlproto.KindUser || to.Domain() != c.Session.Domain() || !s.mayTalk(c.Session.UserID()) && !s.mayTalk(to) {
		return nil
	}
	return s.pushTo(m, s.sessionsWhere(func(o *controlproto.Session) bool {
		return o != c.Session && o.UserID() == to && (req.SessionID == "" || o.ID() == req.SessionID)
	}))
}

func (s *Server) mayTalk(id controlproto.ID) bool {
	return slices.Contains(s.cfg.InterUser, "*") || slices.Contains(s.cfg.InterUser, id)
}
