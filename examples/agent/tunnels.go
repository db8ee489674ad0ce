package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/relay"
)

// dialTime bounds how long connecting to a port may take.
const dialTime = 20 * time.Second

// openTunnels makes what opens tunnels in a session: to what this agent offers. They end with the session.
func (a *agent) openTunnels(ctx context.Context, s *agentproto.ClientSession) *relay.Dispatcher {
	d := &relay.Dispatcher{
		Handlers: a.handlers(),
		DialTCP:  a.ports.dial("tcp"), DialUDP: a.ports.dial("udp"),
		Net: relay.NetOptions{Proxy: a.proxy},
		OnSessions: func(kind string, counts map[string]int) {
			m := &agentproto.AgentSessions{Type: agentproto.AgentString(kind), Value: map[agentproto.AgentString]json.RawMessage{}}
			for who, n := range counts {
				m.Value[agentproto.AgentString(who)] = fmt.Appendf(nil, "%d", n)
			}
			a.report(s.Send(ctx, m))
		},
		Logger: a.log,
	}
	server, err := url.Parse(s.Server().URL)
	if err != nil { // it was connected to
		a.log.Warn("tunnels are not possible", "reason", err)
		return d
	}
	d.Server = server
	if d.Net.Proxy == nil {
		d.Net.Proxy = http.ProxyFromEnvironment
	}
	return d
}

// tunnel opens a tunnel that an operator asks for.
func (a *agent) tunnel(ctx context.Context, s *agentproto.ClientSession, d *relay.Dispatcher, m *agentproto.TunnelRequest) {
	a.log.Info("tunnel", "user", m.Username, "from", m.RemoteAddr, "tcp", m.TCPPort, "udp", m.UDPPort)
	r := &relay.Request{
		URL: relay.NewURL(m.URL.Reveal()), ServerTLSHash: m.ServerTLSHash,
		TCPPort: m.TCPPort, UDPPort: m.UDPPort, TCPAddr: m.TCPAddr, UDPAddr: m.UDPAddr,
		Rights: relay.Rights(m.Rights), Consent: m.Consent, DesktopViewOnly: m.DesktopViewOnly,
		UserID: m.UserID, SessionID: m.SessionID, UserName: m.Username, RealName: m.RealName, RemoteAddr: m.RemoteAddr,
		GuestUserID: m.GuestUserID, GuestName: m.GuestName,
	}
	if r.ServerTLSHash == "" { // as from a stock server that was not asked by the operator: it is where the session is
		r.ServerTLSHash = s.WebHash().String()
	}
	if m.SOptions != nil {
		if raw, guest := m.SOptions.Extra["usages"]; guest {
			r.Usages = []relay.Protocol{}
			if err := json.Unmarshal(raw, &r.Usages); err != nil {
				a.log.Warn("what a guest may do is not known", "reason", err)
			}
		}
	}
	if err := d.Dispatch(ctx, r); err != nil {
		a.log.Warn("tunnel refused", "user", m.Username, "reason", err)
	}
}

// endTunnel ends tunnels of an account.
func (a *agent) endTunnel(d *relay.Dispatcher, m *agentproto.EndTunnel) {
	n := d.EndTunnels(m.XUserID, m.GuestName, m.Protocol, m.UserID, relay.Rights(m.Rights))
	a.log.Info("tunnels ended", "user", m.Username, "of", m.XUserID, "kind", m.Protocol, "count", n)
}
