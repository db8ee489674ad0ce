package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
	"github.com/meshcentral-go/sdk/relay"
)

func (h *here) tls() *tls.Config { return &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"} }

// testDevice is a device of the default group whose shells send back what they get.
type testDevice struct {
	*agenttest.Agent
	id       controlproto.ID
	requests chan *agentproto.TunnelRequest
	deaf     chan bool // takes requests, and does not come
	ended    chan error
}

// device brings one online. Operators see it: that the agent is logged in does not say that its device was stored.
func (h *here) device(t *testing.T) *testDevice {
	t.Helper()
	admin := h.admin(t)
	groups, err := admin.DeviceGroups(t.Context())
	require.NoError(t, err)
	d := &testDevice{requests: make(chan *agentproto.TunnelRequest, 16), deaf: make(chan bool, 1), ended: make(chan error, 16)}
	d.Agent = agenttest.NewAgent(
		agentproto.ServerAddress{URL: "wss://" + h.address + "/agent.ashx", ID: h.identity.serverID}, agenttest.For(t),
		agenttest.ConfigureAgent(func(c *agentproto.ClientConfig) { c.Group = must(groups[0].ID.DeviceGroupKey()).ID }),
	)
	dispatcher := &relay.Dispatcher{
		Logger: h.server.log,
		Server: &url.URL{Scheme: "wss", Host: h.address, Path: "/agent.ashx"},
		Handlers: map[relay.Protocol]relay.Handler{relay.ProtocolTerminal: func(ctx context.Context, s *relay.Session) error {
			for {
				typ, b, err := s.ReadMessage(ctx)
				if err == nil {
					err = s.WriteMessage(ctx, typ, b)
				}
				if err != nil {
					d.ended <- err
					return err
				}
			}
		}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); dispatcher.Close() })
	agentproto.Handle(&d.Mux, func(_ context.Context, _ *agentproto.ClientSession, m *agentproto.TunnelRequest) {
		d.requests <- m
		select {
		case <-d.deaf:
			return
		default:
		}
		_ = dispatcher.Dispatch(ctx, &relay.Request{
			URL: m.URL, ServerTLSHash: m.ServerTLSHash, Rights: relay.Rights(m.Rights), UserID: m.UserID,
			GuestName: m.GuestName, GuestUserID: m.GuestUserID, DesktopViewOnly: m.DesktopViewOnly, Consent: m.Consent,
		})
	})
	d.Start()
	wait, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	_, err = d.WaitOnline(wait)
	require.NoError(t, err)
	d.id = controlproto.DeviceID(nodeid.NodeKey{ID: d.NodeID()})
	waitDevice(t, admin, d.id, withConn(controlproto.ConnAgent))
	return d
}

// open opens a shell, which works.
func (h *here) open(t *testing.T, c *controlproto.Client, device controlproto.ID) *relay.Tunnel {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tun, err := relay.Open(ctx, c, string(device), relay.Options{Protocol: relay.ProtocolTerminal, Net: relay.NetOptions{TLS: h.tls()}})
	require.NoError(t, err)
	t.Cleanup(func() { tun.Close(msgconn.CloseNormal, "") })
	require.NoError(t, tun.WriteMessage(ctx, relay.Binary, []byte("hello")))
	_, b, err := tun.ReadMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
	return tun
}

// end opens one end by itself, and returns what the server says first.
func (h *here) end(t *testing.T, q relay.Query) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := msgconn.Dial(ctx, "wss://"+h.address+"/meshrelay.ashx?"+q.Encode(), msgconn.DialOptions{TLSConfig: h.tls(), ReadLimit: 1 << 20})
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { conn.Close(msgconn.CloseNormal, "") })
	_, b, err := conn.ReadMessage(ctx)
	return string(b), err
}

// asked asks for a tunnel, with cookies for it alone or as a stock client does. The device does not come by itself: its cookie is
// returned, and the operator's.
func (h *here) asked(t *testing.T, c *controlproto.Client, d *testDevice, id string, bound bool) (auth, rauth relay.Secret) {
	t.Helper()
	ask := relay.AskTunnel{ID: id, Node: string(d.id), Protocol: 1}
	cookies := must(controlproto.Do(t.Context(), c, &controlproto.AuthCookie{}))
	auth, mine := cookies.Cookie, cookies.RelayCookie
	if bound {
		var err error
		auth, mine, err = c.TunnelCookies(t.Context(), ask)
		require.NoError(t, err)
	}
	d.deaf <- true
	u := relay.AgentURL{Endpoint: relay.RelayEndpoint, Query: relay.Query{ID: relay.ID(id), Node: string(d.id), Protocol: 1, RelayAuth: mine}}
	ask.URL = u.Secret()
	require.NoError(t, c.RequestTunnel(t.Context(), ask))
	got, err := relay.ParseAgentURL((<-d.requests).URL.Reveal())
	require.NoError(t, err)
	return auth, got.Query.RelayAuth
}

// The cookies of both ends are good for one tunnel to one device, once. A client that does not say which tunnel it is for has an
// operator's cookie for all of the account's, and its device's end is bound all the same.
func TestBoundCookies(t *testing.T) {
	h := startHere(t, "")
	d := h.device(t)
	c := h.admin(t)
	h.open(t, c, d.id)
	<-d.requests
	other := controlproto.ID("node//" + d.id.Name()[1:] + "A")

	ask := func(id string) (auth, rauth relay.Secret) {
		auth, rauth, err := c.TunnelCookies(t.Context(), relay.AskTunnel{ID: id, Node: string(d.id)})
		require.NoError(t, err)
		return auth, rauth
	}
	operator := func(id string, node controlproto.ID, auth relay.Secret) relay.Query {
		return relay.Query{Browser: true, ID: relay.ID(id), Node: string(node), Protocol: 1, Auth: auth}
	}
	refused := func(q relay.Query, why string) {
		t.Helper()
		said, err := h.end(t, q)
		if err == nil {
			require.Contains(t, said, `"action":"close"`, why)
			return
		}
		var closed *msgconn.CloseError
		require.ErrorAs(t, err, &closed, why)
		require.Equal(t, msgconn.ClosePolicy, closed.Code, why) // and not one that waited in vain
	}
	auth, _ := ask("tunnel1")
	refused(operator("tunnel2", d.id, auth), "another id")
	auth, _ = ask("tunnel1")
	refused(operator("tunnel1", other, auth), "another device")
	auth, rauth := ask("tunnel1")
	refused(relay.Query{ID: "tunnel1", Node: string(d.id), RelayAuth: rauth}, "for asking, and not for coming")
	_, err := h.dial(t, "/", controlproto.CookieLogin{Cookie: auth}, nil)
	require.Error(t, err, "it is no login")
	_, err = controlproto.Do(t.Context(), c, &controlproto.AuthCookie{TunnelID: "x", DeviceID: "mesh//x"})
	require.Error(t, err)

	for name, bound := range map[string]bool{"ours": true, "stock": false} {
		t.Run(name, func(t *testing.T) {
			device := func(id string, rauth relay.Secret) relay.Query {
				return relay.Query{ID: relay.ID(id), Node: string(d.id), Protocol: 1, RelayAuth: rauth}
			}
			// meet opens both ends, and ends the tunnel.
			meet := func(id string, auth, rauth relay.Secret) {
				first := make(chan string, 1)
				go func() {
					said, err := h.end(t, operator(id, d.id, auth))
					first <- fmt.Sprint(said, err)
				}()
				said, err := h.end(t, device(id, rauth))
				require.NoError(t, err)
				require.Equal(t, relay.Connected, said)
				require.Equal(t, "c<nil>", <-first)
				require.Equal(t, 1, h.tunnels.relay.End(relay.ErrExpired, func(p *relay.Pair) bool { return p.ID == relay.ID(id) }))
			}
			auth, rauth := h.asked(t, c, d, name+"1", bound)
			meet(name+"1", auth, rauth)
			again, fresh := h.asked(t, c, d, name+"1", bound)
			refused(device(name+"1", rauth), "a second use")
			if bound {
				refused(operator(name+"1", d.id, auth), "a second use by the operator")
			}
			meet(name+"1", again, fresh) // the refused have not disturbed it
			_, rauth = h.asked(t, c, d, name+"2", bound)
			refused(device(name+"3", rauth), "another tunnel")
			_, rauth = h.asked(t, c, d, name+"2", bound)
			q := device(name+"2", rauth)
			q.Node = string(other)
			refused(q, "another device")
		})
	}
	require.NotContains(t, h.log.String(), auth.Reveal())
}
