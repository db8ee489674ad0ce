package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/relay"
)

// Devices are sent to the relay of this server, in their own domain, with a cookie for this tunnel alone.
func TestTunnelURL(t *testing.T) {
	byPath, byName := &tenant{Domain: controlserver.Domain{ID: "customer1"}}, &tenant{Domain: controlserver.Domain{ID: "customer2"}, DNS: "two.example"}
	tun := &tunnels{site: &site{
		tenants:  tenants{"": {Domain: controlserver.Domain{ID: ""}}, "customer1": byPath, "customer2": byName},
		loginKey: must(controlproto.NewCookieKey(nil)),
	}}
	tun.relay = must(relay.New(relay.Config{Authenticate: tun.authenticate}))
	defer tun.relay.Close()
	encode := func(c controlproto.Cookie) string { return must(tun.cookies().Encode(c)).Reveal() }
	of := func(user controlproto.ID) controlproto.Cookie { return controlproto.RelayCookie(user) }
	narrowed := func(device controlproto.ID, id string) controlproto.Cookie {
		c := of("user//bob")
		c.NodeID, c.Tunnel = device, id
		return c
	}
	for _, c := range []struct {
		device, url string
		cookie      controlproto.Cookie
		want        string
	}{
		{"node//x", "*/meshrelay.ashx?id=a&more=1&tcpport=22", of("user//bob"), "*/meshrelay.ashx?"},
		{"node//x", "*/meshrelay.ashx?id=a", narrowed("node//x", "a"), "*/meshrelay.ashx?"},
		{"node/customer1/x", "*/customer1/meshrelay.ashx?id=a", of("user//bob"), "*/customer1/meshrelay.ashx?"},
		{"node/customer1/x", "*/meshrelay.ashx?id=a&p=5", of("user//bob"), "*/customer1/meshrelay.ashx?"},
		{"node/customer2/x", "*/meshrelay.ashx?id=a", of("user//bob"), "*/meshrelay.ashx?"},
		{"node//x", "*/customer1/meshrelay.ashx?id=a", of("user//bob"), ""},
		{"node/customer1/x", "*/customer2/meshrelay.ashx?id=a", of("user//bob"), ""},
		{"node/customer2/x", "*/customer2/meshrelay.ashx?id=a", of("user//bob"), ""},
		{"node/nowhere/x", "*/meshrelay.ashx?id=a", of("user//bob"), ""},
		{"node//x", "*/control.ashx?id=a", of("user//bob"), ""},
		{"node//x", "wss://elsewhere.example/meshrelay.ashx?id=a", of("user//bob"), ""},
		{"node//x", "*/meshrelay.ashx?nodeid=node//y&id=a", of("user//bob"), ""},
		{"node//x", "*/meshrelay.ashx?id=a", of("user//eve"), ""},
		{"node//x", "*/meshrelay.ashx?id=a", narrowed("node//x", "b"), ""},
		{"node//x", "*/meshrelay.ashx?id=a", narrowed("node//y", "a"), ""},
		{"node//x", "*/meshrelay.ashx?id=a", of("user//bob").ForTunnel("node//x", "a"), ""},
		{"node//x", "*/meshrelay.ashx?id=a", controlproto.LoginCookie("user//bob"), ""},
	} {
		asked := c.url + "&rauth=" + encode(c.cookie)
		r := &controlserver.TunnelRequest{User: "user//bob", Device: controlproto.ID(c.device), URL: controlproto.NewSecretURL(asked)}
		err := tun.Announce(r)
		if c.want == "" {
			require.Error(t, err, c)
			require.Equal(t, asked, r.URL.Reveal())
			continue
		}
		require.NoError(t, err, c)
		require.True(t, strings.HasPrefix(r.URL.Reveal(), c.want), r.URL.Reveal())
		u, err := relay.ParseAgentURL(r.URL.Reveal())
		require.NoError(t, err)
		codec := tun.cookies()
		codec.Once = new(controlproto.OnceGuard)
		got, err := codec.Decode(u.Query.RelayAuth.Reveal(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, controlproto.Cookie{
			RelayUserID: "user//bob", NodeID: controlproto.ID(c.device), Tunnel: "a", Once: got.Once, Expire: controlproto.CookieAgeTunnel, Time: got.Time,
		}, got)
		require.NotEmpty(t, got.Once)
		u.Query.RelayAuth = relay.Secret{}
		require.Equal(t, relay.Query{ID: "a", Node: c.device, Protocol: u.Query.Protocol}, u.Query, "nothing else is passed on")
		tun.Withdraw(r)
	}
	require.Error(t, tun.Announce(&controlserver.TunnelRequest{User: "user//bob", Device: "node//x", URL: controlproto.NewSecretURL("*/meshrelay.ashx?id=a")}))
	require.Error(t, tun.Announce(&controlserver.TunnelRequest{User: "user//bob", Device: "node//x"}))
}

// A cookie limits its tunnel to what it names, and what this server does not serve is refused.
func TestNarrowCookies(t *testing.T) {
	c := controlproto.LoginCookie("user//bob")
	c.NodeID, c.TCPPort, c.TCPAddr = "node//x", 22, "10.0.0.5"
	e, to := relay.End{}, controlserver.TunnelRequest{UDPPort: 53, TCPPort: 80}
	require.NoError(t, narrow(&e, &to, &c))
	require.Equal(t, "node//x", e.Node)
	require.Equal(t, controlserver.TunnelRequest{TCPPort: 22, TCPAddr: "10.0.0.5"}, to)
	require.ErrorIs(t, narrow(&relay.End{Node: "node//y"}, &to, &c), relay.ErrMismatch)

	for name, change := range map[string]func(*controlproto.Cookie){
		"guest":       func(c *controlproto.Cookie) { c.SharedNode, c.PublicID = "node//x", "p" },
		"nobody":      func(c *controlproto.Cookie) { c.NoUser = true },
		"another":     func(c *controlproto.Cookie) { c.PeerServer = true },
		"invitation":  func(c *controlproto.Cookie) { c.InviteGroup = "mesh//x" },
		"port of all": func(c *controlproto.Cookie) { c.TCPPort = 22 },
		"any device":  func(c *controlproto.Cookie) { c.Tunnel = "a" },
		"any tunnel":  func(c *controlproto.Cookie) { c.NodeID, c.Tunnel = "node//x", "a" },
		"bad port":    func(c *controlproto.Cookie) { c.NodeID, c.TCPPort = "node//x", 70000 },
	} {
		c := controlproto.LoginCookie("user//bob")
		change(&c)
		require.Error(t, narrow(&relay.End{}, &controlserver.TunnelRequest{}, &c), name)
	}
}

// Who is connected to a device is what its agent says of now.
func TestSessionsOfADevice(t *testing.T) {
	inRig(t, func(t *testing.T, r *rig) {
		a := r.online(t)
		id := controlproto.DeviceID(agentKey().node())
		sessions := func() string { return string(r.rules.online.State(id).Sessions) }
		say := func(kind agentproto.AgentString, value map[agentproto.AgentString]json.RawMessage) {
			a.send(t, &agentproto.AgentSessions{Type: kind, Value: value})
		}
		require.Empty(t, sessions())
		say("files", map[agentproto.AgentString]json.RawMessage{"user//bob": json.RawMessage("2")})
		say("kvm", map[agentproto.AgentString]json.RawMessage{"user//bob": json.RawMessage("1")})
		say("nonsense", map[agentproto.AgentString]json.RawMessage{"user//bob": json.RawMessage("1")})
		require.JSONEq(t, `{"files":{"user//bob":2},"kvm":{"user//bob":1}}`, sessions())
		say("files", nil)
		require.JSONEq(t, `{"kvm":{"user//bob":1}}`, sessions())
		a.leave()
		require.Empty(t, sessions())
		require.Empty(t, r.rules.online.busy)
		a = r.online(t)
		require.Empty(t, sessions(), "the next session begins anew")
		a.leave()
	})
}
