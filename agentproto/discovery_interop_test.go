//go:build !js

package agentproto_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/nodeid"
)

// In these tests the stock peer is on one machine of a LAN and our side on the other one, unless they say otherwise. They
// take care that only one of the ways to find each other is open at a time.

const discoveryKey = "the key of this network"

// onMachine opens discovery sockets, on a machine of the LAN.
func onMachine(machine func(func()), open func() ([]agentproto.DiscoverySocket, error)) (sockets []agentproto.DiscoverySocket, err error) {
	machine(func() { sockets, err = open() })
	return sockets, err
}

// thisMachine stands beside the method OnOther of a LAN.
func thisMachine(f func()) { f() }

// keepSockets closes the sockets that are not wanted.
func keepSockets(sockets []agentproto.DiscoverySocket, wanted func(agentproto.DiscoverySocket) bool) (kept []agentproto.DiscoverySocket) {
	for _, s := range sockets {
		if wanted(s) {
			kept = append(kept, s)
		} else {
			s.Conn.Close()
		}
	}
	return kept
}

func isIPv4(s agentproto.DiscoverySocket) bool { return !s.IPv6 }
func isIPv6(s agentproto.DiscoverySocket) bool { return s.IPv6 }

// mute keeps sockets from sending questions or announcements; they hear, and can answer.
func mute(sockets []agentproto.DiscoverySocket) []agentproto.DiscoverySocket {
	for i := range sockets {
		sockets[i].Targets = nil
	}
	return sockets
}

// deafen returns what keeps sockets from hearing questions, and closes those that are not wanted; nil wants all.
func deafen(wanted func(agentproto.DiscoverySocket) bool) func([]agentproto.DiscoverySocket) []agentproto.DiscoverySocket {
	return func(sockets []agentproto.DiscoverySocket) []agentproto.DiscoverySocket {
		if wanted != nil {
			sockets = keepSockets(sockets, wanted)
		}
		for i := range sockets {
			sockets[i].Conn = deafConn{sockets[i].Conn}
		}
		return sockets
	}
}

// deafConn hears nothing.
type deafConn struct{ net.PacketConn }

func (c deafConn) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	for err == nil {
		n, from, err = c.PacketConn.ReadFrom(b)
	}
	return n, from, err
}

// serveOn serves what e does on all addresses of a machine of the LAN, and returns the port.
func (e *agentEvents) serveOn(t *testing.T, machine func(func()), cert tls.Certificate) uint16 {
	t.Helper()
	ts := httptest.NewUnstartedServer(e.server)
	require.NoError(t, ts.Listener.Close())
	var err error
	machine(func() { ts.Listener, err = net.Listen("tcp", ":0") })
	require.NoError(t, err)
	ts.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	ts.StartTLS()
	t.Cleanup(ts.Close)
	return ts.Listener.Addr().(*net.TCPAddr).AddrPort().Port()
}

// localMSH is e's settings file with "local" for the server's address.
func (e *agentEvents) localMSH(t *testing.T, key string) []byte {
	t.Helper()
	msh, _, ok := strings.Cut(string(e.msh), "MeshServer=")
	require.True(t, ok)
	msh += "MeshServer=local\r\n"
	if key != "" {
		msh += "DiscoveryKey=" + key + "\r\n"
	}
	return []byte(msh)
}

// respond runs a Responder for e on a machine of the LAN until the test ends, on its usual sockets as changed.
func (e *agentEvents) respond(t *testing.T, machine func(func()),
	change func([]agentproto.DiscoverySocket) []agentproto.DiscoverySocket, cfg agentproto.ResponderConfig) {
	t.Helper()
	msh, err := certs.ParseMSH(e.msh)
	require.NoError(t, err)
	servers, err := msh.Servers()
	require.NoError(t, err)
	cfg.ServerID = servers[0].ID
	cfg.Sockets = func() ([]agentproto.DiscoverySocket, error) {
		sockets, err := onMachine(machine, agentproto.ServerDiscoverySockets)
		return change(sockets), err
	}
	responder, err := agentproto.NewResponder(cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- responder.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
}

// login waits for the login of an agent that is not among those seen, and looks where it comes from.
func (e *agentEvents) login(t *testing.T, seen map[nodeid.NodeKey]bool, from ...netip.Addr) {
	t.Helper()
	session := e.wait(t, fmt.Sprintf("login of agent %d", len(seen)+1), func(ev sessionEvent) bool {
		core, ok := ev.event.(agentproto.CoreEvent)
		return ok && core.Phase == agentproto.CoreStable && !seen[ev.session.NodeKey()]
	}).session
	seen[session.NodeKey()] = true
	require.Contains(t, from, session.Peer().Addr)
}

// TestNativeAgentDiscovers lets native agents, which know no address of their server, find a Responder and log in.
func TestNativeAgentDiscovers(t *testing.T) {
	t.Parallel() // the agents wait much
	interop.Require(t, interop.PeerAgent)
	interop.OnLAN(t, func(lan *interop.LAN) {
		webKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		web := selfSigned(t, &webKey.PublicKey, webKey)
		cert := tls.Certificate{Certificate: [][]byte{web}, PrivateKey: webKey}
		e := serveNative(t, func(c *agentproto.ServerConfig) {
			c.WebHashes = func(string) []agentproto.Hash { return certs.WebHashes(web) }
		})
		port := e.serveOn(t, lan.OnOther, cert)
		seen := make(map[nodeid.NodeKey]bool)

		// The agents ask after a random time of some seconds, so both do at once: one network does not disturb the other.
		t.Run("answers", func(t *testing.T) {
			for _, key := range []string{"", discoveryKey} {
				e.respond(t, lan.OnOther, mute, agentproto.ResponderConfig{Port: port, Key: agentproto.NewDiscoveryKey(key)})
				interop.StartAgent(t, e.localMSH(t, key), interop.AgentOptions{})
			}
			e.login(t, seen, lan.Here, lan.Here6)
			e.login(t, seen, lan.Here, lan.Here6)
		})

		// Nobody tells when an agent has begun to listen, so these are repeated.
		const interval = time.Second
		t.Run("announcement IPv4", func(t *testing.T) {
			e.respond(t, lan.OnOther, deafen(isIPv4), agentproto.ResponderConfig{Port: port, Interval: interval})
			interop.StartAgent(t, e.localMSH(t, ""), interop.AgentOptions{})
			e.login(t, seen, lan.Here)
		})
		t.Run("announcement IPv6 with key", func(t *testing.T) {
			if !lan.Here6.IsValid() {
				t.Skip("no IPv6 here")
			}
			e.respond(t, lan.OnOther, deafen(isIPv6), agentproto.ResponderConfig{
				Port: port, Interval: interval, Key: agentproto.NewDiscoveryKey(discoveryKey),
			})
			interop.StartAgent(t, e.localMSH(t, discoveryKey), interop.AgentOptions{})
			e.login(t, seen, lan.Here6)
		})
		t.Run("announcement on the same machine", func(t *testing.T) {
			e.respond(t, thisMachine, deafen(nil), agentproto.ResponderConfig{
				Port: e.serveOn(t, thisMachine, cert), Interval: interval,
			})
			interop.StartAgent(t, e.localMSH(t, ""), interop.AgentOptions{})
			e.login(t, seen, lan.Here, lan.Here6, netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback())
		})
	})
}

// TestDiscoverStockServer finds a stock server that is in LAN-only mode, with nothing but the settings file that it gives
// out for agents.
func TestDiscoverStockServer(t *testing.T) {
	t.Parallel()
	interop.Require(t, interop.PeerMeshCentral)
	interop.OnLAN(t, func(lan *interop.LAN) {
		for _, key := range []string{"", discoveryKey} {
			t.Run(fmt.Sprintf("key=%v", key != ""), func(t *testing.T) {
				agentSockets := func(wanted func(agentproto.DiscoverySocket) bool) []agentproto.DiscoverySocket {
					t.Helper()
					sockets, err := onMachine(lan.OnOther, agentproto.AgentDiscoverySockets)
					require.NoError(t, err)
					return keepSockets(sockets, wanted)
				}
				// The server announces itself when it starts, so these are there before it is.
				early4, early6 := mute(agentSockets(isIPv4)), mute(agentSockets(isIPv6))
				settings := map[string]any{"wanonly": false, "lanonly": true, "portBind": nil}
				if key != "" {
					settings["localDiscovery"] = map[string]any{"key": key}
				}
				stock := interop.StartServer(t, interop.ServerOptions{Settings: settings})
				msh, err := certs.ParseMSH(stock.MSH(t, stock.CreateGroup(t, "lab")))
				require.NoError(t, err)
				require.Equal(t, key, msh.DiscoveryKey())
				servers, err := msh.Servers()
				require.NoError(t, err)
				require.Len(t, servers, 1)
				require.Equal(t, "local", servers[0].URL)
				group, err := msh.MeshID()
				require.NoError(t, err)

				ctx, cancel := context.WithTimeout(t.Context(), agentPatience)
				defer cancel()
				// All the ways from the other machine. A socket with targets asks, from a port that no announcement goes to.
				asking := func(s agentproto.DiscoverySocket) bool { return s.Targets != nil }
				ways := map[string][]agentproto.DiscoverySocket{
					"announcement IPv4": early4,
					"announcement IPv6": early6,
					"answer IPv4":       keepSockets(agentSockets(isIPv4), asking),
					"answer IPv6":       keepSockets(agentSockets(isIPv6), asking),
				}
				for name, sockets := range ways {
					want := fmt.Sprintf("wss://%s:%d/agent.ashx", lan.Here, stock.Port())
					if strings.HasSuffix(name, "IPv6") {
						if !lan.Here6.IsValid() {
							continue
						}
						want = fmt.Sprintf("wss://[%s]:%d/agent.ashx", strings.Replace(lan.Here6.String(), "%", "%25", 1), stock.Port())
					}
					found, err := agentproto.Discover(ctx, agentproto.DiscoverConfig{
						ServerID: servers[0].ID, Key: agentproto.NewDiscoveryKey(key),
						Sockets: func() ([]agentproto.DiscoverySocket, error) { return sockets, nil },
					})
					require.NoError(t, err, name)
					require.Equal(t, want, found, name)
				}
				_, err = agentproto.Discover(ctx, agentproto.DiscoverConfig{
					ServerID: servers[0].ID, Key: agentproto.NewDiscoveryKey(key),
				})
				require.NoError(t, err, "on the same machine")

				identity, err := certs.NewAgentIdentity(nil)
				require.NoError(t, err)
				address := agentproto.ServerAddress{URL: servers[0].URL, ID: servers[0].ID}
				var dialled net.Conn
				client, err := agentproto.NewClient(agentproto.ClientConfig{
					Certificate: identity.Certificate, Signer: identity.Signer, Group: group, Name: "ours",
					AgentID: agentproto.AgentLinux64, Servers: []agentproto.ServerAddress{address},
					DiscoveryKey: agentproto.NewDiscoveryKey(key),
					DialTime:     agentPatience,
					Proxy:        func(*http.Request) (*url.URL, error) { return nil, nil },
					NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
						conn, err := new(net.Dialer).DialContext(ctx, network, addr)
						dialled = conn
						return conn, err
					},
				})
				require.NoError(t, err)
				var session *agentproto.ClientSession
				lan.OnOther(func() { session, err = client.Dial(ctx, address) })
				require.NoError(t, err)
				defer session.Close("")
				device := stock.WaitDevice(t, interop.Online)
				require.Equal(t, "ours", device.Name)
				require.Contains(t, []netip.Addr{lan.There, lan.There6}, dialled.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap())
			})
		}
	})
}
