package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/nodeid"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/redir"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

var amtUUID = must(apf.ParseUUID("00112233-4455-6677-8899-aabbccddeeff"))

// amtDeviceID is the id that a stock server gave this UUID.
const amtDeviceID = controlproto.ID("node//ABEiM0RVZneImaq7zN3u$wARIjNEVWZ3iJmqu8zd7v8AESIzRFVmd4iZqrvM3e7$")

// groupUser is the login of the devices of a group.
func groupUser(t *testing.T, group controlproto.ID) string {
	t.Helper()
	return mps.GroupUser(must(group.DeviceGroupKey()).ID)
}

// answerPort serves a device's port: one line with its number, and then an echo. The odd ones speak TLS.
func answerPort(h *here) func(context.Context, *apf.OpenRequest) (func(net.Conn), error) {
	cert := h.identity.mps // any will do
	return func(_ context.Context, r *apf.OpenRequest) (func(net.Conn), error) {
		return func(c net.Conn) {
			if r.Port%2 == 1 {
				c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12})
			}
			fmt.Fprintf(c, "port %d\n", r.Port)
			io.Copy(c, c)
		}, nil
	}
}

// callIn connects a device with Intel AMT at the port of -mps and waits until it is online.
func (h *here) callIn(t *testing.T, user string, change ...func(*apf.DeviceConfig)) (*apf.Conn, error) {
	t.Helper()
	conn := tls.Client(must(net.Dial("tcp", h.amt.listener.Addr().String())), &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"})
	return h.callInOver(t, conn, user, change...)
}

func (h *here) callInOver(t *testing.T, stream apf.Stream, user string, change ...func(*apf.DeviceConfig)) (*apf.Conn, error) {
	t.Helper()
	ready := make(chan struct{})
	cfg := &apf.DeviceConfig{
		UUID: amtUUID, User: user, Password: mps.NewSecret("P@ssw0rd"), Ports: []uint16{16992, 16994, 5900}, Accept: answerPort(h),
		Ready: func(*apf.Conn) { close(ready) },
	}
	for _, f := range change {
		f(cfg)
	}
	d := apf.NewDeviceConn(stream, cfg)
	go d.Run(context.Background())
	t.Cleanup(func() {
		d.Close()
		<-d.Done()
	})
	select {
	case <-d.Done():
		return d, d.Err()
	case <-ready:
		return d, nil
	}
}

// waitDevice waits until the list has a device as it is expected.
func waitDevice(t *testing.T, c *controlproto.Client, id controlproto.ID, match func(controlproto.Device) bool) (found controlproto.Device) {
	t.Helper()
	require.Eventually(t, func() bool {
		list, err := c.Devices(t.Context(), controlproto.DeviceFilter{})
		if err != nil {
			return false
		}
		for _, d := range list {
			if d.ID == id && match(d) {
				found = d
				return true
			}
		}
		return false
	}, patience, 20*time.Millisecond)
	return found
}

func withConn(conn controlproto.Connectivity) func(controlproto.Device) bool {
	return func(d controlproto.Device) bool { return d.Conn == conn }
}

func TestAMTCallsIn(t *testing.T) {
	h := startHere(t, "", "-mps", "127.0.0.1:0")
	require.Contains(t, h.welcome, "Intel AMT call in at 127.0.0.1:")
	admin := h.admin(t)
	group := must(admin.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "amt", GroupType: controlproto.GroupAMT}))
	user := groupUser(t, group)

	device, err := h.callIn(t, user)
	require.NoError(t, err)
	d := waitDevice(t, admin, amtDeviceID, withConn(controlproto.ConnCIRA))
	require.Equal(t, controlproto.PowerPresent, d.Power)
	require.Equal(t, controlproto.GroupAMT, d.MeshType)
	require.Equal(t, group, d.Group)
	require.False(t, d.CIRASince.IsZero())
	require.Equal(t, 2, *d.AMT.State)
	require.Equal(t, "127.0.0.1", d.Host)

	// A relay beside it, and without CIRA it alone.
	relayed, err := h.callIn(t, user, func(cfg *apf.DeviceConfig) { cfg.ConnType = apf.ConnRelay })
	require.NoError(t, err)
	waitDevice(t, admin, amtDeviceID, withConn(controlproto.ConnCIRA|controlproto.ConnAMTRelay))
	device.Close()
	waitDevice(t, admin, amtDeviceID, withConn(controlproto.ConnAMTRelay))
	relayed.Close()
	waitDevice(t, admin, amtDeviceID, func(d controlproto.Device) bool { return d.Conn == 0 && d.Power == 0 })

	// What agents pass on is no connection for operators, but names the device.
	_, err = h.callIn(t, user, func(cfg *apf.DeviceConfig) {
		cfg.ConnType, cfg.MEIState = apf.ConnLMS, apf.NewSecret(`{"OsHostname":"pc1\u0007"}`)
	})
	require.NoError(t, err)
	waitDevice(t, admin, amtDeviceID, func(d controlproto.Device) bool { return d.Conn == 0 && d.Name == "pc1" })

	// A removed device is sent away, and is a new one when it comes again.
	again, err := h.callIn(t, user)
	require.NoError(t, err)
	waitDevice(t, admin, amtDeviceID, withConn(controlproto.ConnCIRA))
	require.NoError(t, admin.RemoveDevices(t.Context(), amtDeviceID))
	<-again.Done()
	_, err = h.callIn(t, user)
	require.NoError(t, err)
	waitDevice(t, admin, amtDeviceID, func(d controlproto.Device) bool { return d.Conn == controlproto.ConnCIRA && d.Name == "" })
}

func TestAMTLoginsThatAreRefused(t *testing.T) {
	h := startHere(t, `{"settings":{"mpsPort":0,"mpsPass":"the right one"}}`, "-mps", "127.0.0.1:0")
	admin := h.admin(t)
	group := must(admin.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "amt", GroupType: controlproto.GroupAMT}))
	local := must(admin.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "local", GroupType: controlproto.GroupLocal}))
	user := groupUser(t, group)
	cookies, err := controlproto.Do(t.Context(), admin, &controlproto.AuthCookie{})
	require.NoError(t, err)
	right := func(cfg *apf.DeviceConfig) { cfg.Password = mps.NewSecret("the right one") }
	for name, c := range map[string]struct {
		user   string
		change func(*apf.DeviceConfig)
	}{
		"wrong password":      {user, func(*apf.DeviceConfig) {}},
		"no password":         {user, func(cfg *apf.DeviceConfig) { cfg.Method = "none" }},
		"short user":          {user[:15], right},
		"no group":            {"XXXXXXXXXXXXXXXX", right},
		"group of no use":     {groupUser(t, local), right},
		"no UUID":             {user, func(cfg *apf.DeviceConfig) { right(cfg); cfg.UUID = apf.UUID{} }},
		"no cookie":           {mps.TunnelUser, right},
		"a cookie of another": {mps.TunnelUser, func(cfg *apf.DeviceConfig) { cfg.Password = mps.NewSecret(cookies.Cookie.Reveal()) }},
	} {
		_, err := h.callIn(t, c.user, c.change)
		require.ErrorIs(t, err, apf.ErrRefused, name)
	}
	_, err = h.callIn(t, user, right)
	require.NoError(t, err)
	require.NotContains(t, h.log.String(), "P@ssw0rd")
}

// A device whose agent has told its UUID is that device when its AMT calls in; one that has no agent yet is a new one.
func TestAMTInAGroupOfAgents(t *testing.T) {
	h := startHere(t, "", "-mps", "127.0.0.1:0")
	admin := h.admin(t)
	group := must(admin.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "agents", GroupType: controlproto.GroupAgent}))
	key := nodeid.NodeKey{ID: nodeid.NodeID{1, 2, 3}}
	_, err := h.records.Enrol(t.Context(), &controlproto.Device{
		ID: controlproto.DeviceID(key), Group: group, MeshType: controlproto.GroupAgent, Name: "pc1", Agent: &controlproto.DeviceAgent{ID: 6},
		AMT: &controlproto.DeviceAMT{UUID: strings.ToUpper(amtUUID.String()), MPSPass: controlproto.NewSecret("P@ssw0rd")},
	})
	require.NoError(t, err)
	user := groupUser(t, group)
	_, err = h.callIn(t, user)
	require.NoError(t, err)
	waitDevice(t, admin, controlproto.DeviceID(key), withConn(controlproto.ConnCIRA))
	_, err = h.callIn(t, user, func(cfg *apf.DeviceConfig) { cfg.Password = mps.NewSecret("another") })
	require.ErrorIs(t, err, apf.ErrRefused, "the password in the record of the device is another")

	_, err = h.callIn(t, user, func(cfg *apf.DeviceConfig) { cfg.UUID[0] = 0xff })
	require.NoError(t, err)
	other := nodeid.UUID(amtUUID)
	other[0] = 0xff
	d := waitDevice(t, admin, controlproto.DeviceID(nodeid.NodeKey{ID: nodeid.FromUUID(other)}), withConn(controlproto.ConnCIRA))
	require.Equal(t, other.String(), d.AMT.UUID)
}

// The path of an agent: it asks for a login on its channel, and comes with that over WebSocket.
func TestAMTConfig(t *testing.T) {
	h := startHere(t, "")
	admin := h.admin(t)
	group := must(admin.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "agents", GroupType: controlproto.GroupAgent}))
	client, err := agentproto.NewClient(agentproto.ClientConfig{
		Servers:     []agentproto.ServerAddress{{URL: "wss://" + h.address + "/agent.ashx", ID: h.identity.serverID}},
		Certificate: agentKey().der, Signer: agentKey().signer, Group: must(group.DeviceGroupKey()).ID, Name: "computer",
	})
	require.NoError(t, err)
	s, err := client.Dial(t.Context(), agentproto.ServerAddress{URL: "wss://" + h.address + "/agent.ashx", ID: h.identity.serverID})
	require.NoError(t, err)
	defer s.Close("")
	id := controlproto.DeviceID(nodeid.NodeKey{ID: agentKey().node().ID})
	waitDevice(t, admin, id, withConn(controlproto.ConnAgent))
	require.NoError(t, s.Send(t.Context(), &agentproto.AMTConfigRequest{}))
	var login *agentproto.AMTConfig
	for event, err := range s.Events(t.Context()) {
		require.NoError(t, err)
		if m, ok := event.(agentproto.MessageEvent); ok {
			if login, ok = m.Message.(*agentproto.AMTConfig); ok {
				break
			}
		}
	}
	require.Equal(t, mps.TunnelUser, login.User)
	ws, err := msgconn.Dial(t.Context(), "wss://"+h.address+"/apf.ashx", msgconn.DialOptions{TLSConfig: &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}})
	require.NoError(t, err)
	_, err = h.callInOver(t, apf.NewWebSocketStream(ws), login.User, func(cfg *apf.DeviceConfig) {
		cfg.Password, cfg.ConnType = mps.NewSecret(login.Pass.Reveal()), apf.ConnLMS
	})
	require.NoError(t, err)
	key := must(id.DeviceKey())
	require.Eventually(t, func() bool { _, ok := h.amt.server.Registry().Device(key); return ok }, patience, 10*time.Millisecond)
	d, _ := h.amt.server.Registry().Device(key)
	conn, err := d.DialContext(t.Context(), "tcp", ":16992")
	require.NoError(t, err)
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "port 16992\n", line)
}

// webRelayURL is what an operator opens.
func (h *here) webRelayURL(device controlproto.ID, p string, auth controlproto.Secret) string {
	q := url.Values{"host": {string(device)}, "p": {p}}
	if auth.Reveal() != "" {
		q.Set("auth", auth.Reveal())
	}
	return "wss://" + h.address + "/webrelay.ashx?" + q.Encode()
}

func (h *here) openWebRelay(t *testing.T, address string) (*msgconn.WebSocket, error) {
	t.Helper()
	ws, err := msgconn.Dial(t.Context(), address, msgconn.DialOptions{TLSConfig: &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}})
	if err == nil {
		t.Cleanup(func() { ws.Close(0, "") })
	}
	return ws, err
}

func TestWebRelay(t *testing.T) {
	h := startHere(t, "", "-mps", "127.0.0.1:0")
	admin := h.admin(t)
	group := must(admin.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "amt", GroupType: controlproto.GroupAMT}))
	cookies, err := controlproto.Do(t.Context(), admin, &controlproto.AuthCookie{})
	require.NoError(t, err)
	auth := cookies.Cookie
	status := func(address string) int {
		t.Helper()
		_, err := h.openWebRelay(t, address)
		var refused *msgconn.HandshakeError
		require.ErrorAs(t, err, &refused)
		return refused.StatusCode
	}
	require.Equal(t, http.StatusNotFound, status(h.webRelayURL(amtDeviceID, "1", auth)), "there is no such device")
	for _, ports := range [][]uint16{{16992, 16994}, {16993, 16995}} {
		device, err := h.callIn(t, groupUser(t, group), func(cfg *apf.DeviceConfig) { cfg.Ports = ports })
		require.NoError(t, err)
		waitDevice(t, admin, amtDeviceID, withConn(controlproto.ConnCIRA))
		for p, want := range map[string]uint16{"1": ports[0], "2": ports[1], "3": ports[0], "": ports[0]} {
			ws, err := h.openWebRelay(t, h.webRelayURL(amtDeviceID, p, auth))
			require.NoError(t, err, "p=%s", p)
			require.NoError(t, ws.WriteMessage(t.Context(), msgconn.Binary, []byte("hello\n")))
			var got string
			for text := fmt.Sprintf("port %d\nhello\n", want); len(got) < len(text); {
				_, m, err := ws.ReadMessage(t.Context())
				require.NoError(t, err)
				got += string(m)
			}
			require.Equal(t, fmt.Sprintf("port %d\nhello\n", want), got, "p=%s", p)
			ws.Close(msgconn.CloseNormal, "")
		}
		device.Close()
		waitDevice(t, admin, amtDeviceID, withConn(0))
	}
	require.Equal(t, http.StatusNotFound, status(h.webRelayURL(amtDeviceID, "1", auth)), "it is not connected")

	// Sessions of redirection are in the log.
	require.Eventually(t, func() bool {
		log, err := admin.EventLog(t.Context(), &controlproto.Events{})
		if err != nil {
			return false
		}
		ended := 0
		for _, e := range log {
			if e.Action == "relaylog" && e.DeviceID == amtDeviceID && strings.HasPrefix(e.Msg, "Ended relay session") {
				ended++
			}
		}
		return ended == 2
	}, patience, 20*time.Millisecond)

	// Who has no login, or no right, is told nothing.
	_, err = h.callIn(t, groupUser(t, group))
	require.NoError(t, err)
	waitDevice(t, admin, amtDeviceID, withConn(controlproto.ConnCIRA))
	require.Equal(t, http.StatusUnauthorized, status(h.webRelayURL(amtDeviceID, "1", controlproto.Secret{})))
	require.Equal(t, http.StatusUnauthorized, status(h.webRelayURL(amtDeviceID, "1", controlproto.NewSecret("nonsense"))))
	require.Equal(t, http.StatusNotFound, status(h.webRelayURL("node/elsewhere/x", "1", auth)))
	require.NoError(t, admin.AddUser(t.Context(), &controlproto.AddUser{Username: "bob", Password: controlproto.NewSecret("bob's password")}))
	bob, err := h.dial(t, "/", controlproto.PasswordLogin{User: "bob", Password: controlproto.NewSecret("bob's password")}, nil)
	require.NoError(t, err)
	cookies, err = controlproto.Do(t.Context(), bob, &controlproto.AuthCookie{})
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status(h.webRelayURL(amtDeviceID, "1", cookies.Cookie)), "it is not bob's to see")
	require.NoError(t, admin.AddUserToDeviceGroup(t.Context(), group, "user//bob", controlproto.WakeDevice))
	require.Equal(t, http.StatusForbidden, status(h.webRelayURL(amtDeviceID, "1", cookies.Cookie)), "he may not control it")
	require.NoError(t, admin.AddUserToDeviceGroup(t.Context(), group, "user//bob", controlproto.RemoteControl))
	_, err = h.openWebRelay(t, h.webRelayURL(amtDeviceID, "1", cookies.Cookie))
	require.NoError(t, err)

	// A page of another site has a browser's cookie, but not the one in the URL.
	_, err = msgconn.Dial(t.Context(), h.webRelayURL(amtDeviceID, "1", controlproto.Secret{}), msgconn.DialOptions{
		TLSConfig: &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}, Header: http.Header{"Origin": {"https://evil.example"}},
	})
	require.Error(t, err)
}

// wsConn is an operator's WebSocket as a net.Conn.
type wsConn struct {
	net.Conn // nil: deadlines and addresses are not asked for
	ws       *msgconn.WebSocket
	rest     []byte
}

func (c *wsConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		_, m, err := c.ws.ReadMessage(context.Background())
		if err != nil {
			return 0, err
		}
		c.rest = m
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *wsConn) Write(p []byte) (int, error) {
	return len(p), c.ws.WriteMessage(context.Background(), msgconn.Binary, p)
}

func (c *wsConn) Close() error { return c.ws.Close(0, "") }

func (*wsConn) SetDeadline(time.Time) error      { return nil }
func (*wsConn) SetReadDeadline(time.Time) error  { return nil }
func (*wsConn) SetWriteDeadline(time.Time) error { return nil }

// The operator works with a device whose password he does not know, over WS-Management and serial over LAN.
func TestWebRelayPutsCredentialsIn(t *testing.T) {
	h := startHere(t, "", "-mps", "127.0.0.1:0")
	admin := h.admin(t)
	group := must(admin.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "amt", GroupType: controlproto.GroupAMT}))
	cookies, err := controlproto.Do(t.Context(), admin, &controlproto.AuthCookie{})
	require.NoError(t, err)
	for _, version := range []string{"15", "16.1"} { // the second one has ports with TLS alone
		machine := wsmantest.New(wsmantest.Config{Version: version, HostName: "pc1", TLS: version == "16.1"})
		t.Cleanup(func() { machine.Close() })
		device, err := h.callIn(t, groupUser(t, group), func(cfg *apf.DeviceConfig) {
			cfg.Ports = machine.Ports()
			cfg.Accept = func(_ context.Context, r *apf.OpenRequest) (func(net.Conn), error) {
				return func(c net.Conn) { machine.ServeConn(c, r.Port) }, nil
			}
		})
		require.NoError(t, err)
		waitDevice(t, admin, amtDeviceID, withConn(controlproto.ConnCIRA))
		require.NoError(t, h.records.ChangeDevice(t.Context(), amtDeviceID, func(d *controlproto.Device) error {
			d.AMT.User, d.AMT.Password = "admin", controlproto.NewSecret(wsmantest.DefaultPassword)
			return nil
		}))
		dial := func(p string) net.Conn {
			ws, err := h.openWebRelay(t, h.webRelayURL(amtDeviceID, p, cookies.Cookie))
			require.NoError(t, err)
			return &wsConn{ws: ws}
		}
		client, err := wsman.NewClient(wsman.Config{
			Address: "pc1:16992", Username: "admin", Password: wsman.NewSecret("unknown"),
			Dial: func(context.Context, string, string) (net.Conn, error) { return dial("1"), nil },
		})
		require.NoError(t, err)
		settings, err := client.Get(t.Context(), wsman.ResourceURI("AMT_GeneralSettings"))
		require.NoError(t, err)
		require.Equal(t, "pc1", settings.ChildText("HostName"))
		client.Close()

		serial, err := redir.OpenSOL(t.Context(), dial("2"), redir.SOLConfig{Config: redir.Config{
			Credentials: redir.Credentials{Username: "admin", Password: mps.NewSecret("unknown")},
		}})
		require.NoError(t, err)
		_, err = io.WriteString(serial, "hello")
		require.NoError(t, err)
		echoed := make([]byte, 5)
		_, err = io.ReadFull(serial, echoed)
		require.NoError(t, err)
		require.Equal(t, "hello", string(echoed))
		serial.Close()
		device.Close()
		waitDevice(t, admin, amtDeviceID, withConn(0))
	}
	require.NotContains(t, h.log.String(), wsmantest.DefaultPassword)
}

func TestWebRelayCookies(t *testing.T) {
	device := controlproto.ID("node//x")
	plain := controlproto.LoginCookie("user//bob")
	require.NoError(t, webRelayCookie(&plain, device))
	for name, change := range map[string]func(*controlproto.Cookie){
		"guest":      func(c *controlproto.Cookie) { c.SharedNode, c.PublicID = device, "p" },
		"nobody":     func(c *controlproto.Cookie) { c.NoUser = true },
		"another":    func(c *controlproto.Cookie) { c.NodeID = "node//y" },
		"agent":      func(c *controlproto.Cookie) { c.AgentNode = device },
		"a port":     func(c *controlproto.Cookie) { c.NodeID, c.TCPPort = device, 22 },
		"invitation": func(c *controlproto.Cookie) { c.InviteGroup = "mesh//x" },
	} {
		c := controlproto.LoginCookie("user//bob")
		change(&c)
		require.Error(t, webRelayCookie(&c, device), name)
	}
}

func TestStatesTogether(t *testing.T) {
	since := time.Unix(1, 0)
	amt := controlserver.State{Conn: controlproto.ConnCIRA, Power: controlproto.PowerPresent, CIRASince: since}
	agent := controlserver.State{Conn: controlproto.ConnAgent, Power: controlproto.PowerOn, AgentSince: since, Sessions: json.RawMessage("{}")}
	require.Equal(t, amt, together(controlserver.State{}, amt))
	require.Equal(t, agent, together(agent, controlserver.State{}))
	require.Equal(t, controlserver.State{
		Conn: controlproto.ConnAgent | controlproto.ConnCIRA, Power: controlproto.PowerOn, AgentSince: since, CIRASince: since, Sessions: json.RawMessage("{}"),
	}, together(agent, amt))
}
