package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/relay"
)

// Devices are sent to the relay of this server, in their own domain.
func TestTunnelURL(t *testing.T) {
	byPath, byName := &tenant{Domain: controlserver.Domain{ID: "customer1"}}, &tenant{Domain: controlserver.Domain{ID: "customer2"}, DNS: "two.example"}
	tun := &tunnels{site: &site{tenants: tenants{"": {}, "customer1": byPath, "customer2": byName}}}
	for _, c := range []struct{ device, url, want string }{
		{"node//x", "*/meshrelay.ashx?id=a", "*/meshrelay.ashx?id=a"},
		{"node/customer1/x", "*/customer1/meshrelay.ashx?id=a", "*/customer1/meshrelay.ashx?id=a"},
		{"node/customer1/x", "*/meshrelay.ashx?p=5&id=a&rauth=B@$=", "*/customer1/meshrelay.ashx?p=5&id=a&rauth=B@$="},
		{"node/customer2/x", "*/meshrelay.ashx?id=a", "*/meshrelay.ashx?id=a"},
		{"node//x", "*/customer1/meshrelay.ashx?id=a", ""},
		{"node/customer1/x", "*/customer2/meshrelay.ashx?id=a", ""},
		{"node/customer2/x", "*/customer2/meshrelay.ashx?id=a", ""},
		{"node/nowhere/x", "*/meshrelay.ashx?id=a", ""},
		{"node//x", "*/control.ashx?id=a", ""},
		{"node//x", "wss://elsewhere.example/meshrelay.ashx?id=a", ""},
		{"node//x", "", ""},
	} {
		r := &controlserver.TunnelRequest{Device: controlproto.ID(c.device), URL: controlproto.NewSecretURL(c.url)}
		_, err := tun.agentURL(r)
		if c.want == "" {
			require.Error(t, err, c)
			continue
		}
		require.NoError(t, err, c)
		require.Equal(t, c.want, r.URL.Reveal())
	}
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
