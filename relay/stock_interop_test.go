//go:build !js

package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/relay"
)

// stockRequester is a session on a stock server's control channel.
type stockRequester struct {
	t       *testing.T
	server  *interop.Server
	control *interop.Control
}

func (r *stockRequester) TunnelCookies(ctx context.Context, _ relay.AskTunnel) (relay.Secret, relay.Secret, error) {
	r.control.Send(r.t, interop.Message{"action": "authcookie"})
	m, err := r.control.WaitContext(ctx, func(m interop.Message) bool { return m["action"] == "authcookie" })
	if err != nil {
		return relay.Secret{}, relay.Secret{}, err
	}
	return relay.NewSecret(m["cookie"].(string)), relay.NewSecret(m["rcookie"].(string)), nil
}

func (r *stockRequester) RequestTunnel(ctx context.Context, a relay.AskTunnel) error {
	m := interop.Message{
		"action": "msg", "type": "tunnel", "nodeid": a.Node, "value": a.URL.Reveal(), "usage": a.Protocol,
		"responseid": a.ID,
	}
	if a.TCPPort != 0 {
		m["tcpport"], m["tcpaddr"] = a.TCPPort, a.TCPAddr
	}
	if a.UDPPort != 0 {
		m["udpport"], m["udpaddr"] = a.UDPPort, a.UDPAddr
	}
	r.control.Send(r.t, m)
	reply, err := r.control.WaitContext(ctx, func(m interop.Message) bool { return m["responseid"] == a.ID })
	if err != nil {
		return err
	}
	if reply["result"] != "OK" {
		return errors.New(reply["result"].(string))
	}
	return nil
}

func (r *stockRequester) RelayURL() (relay.URL, error) {
	return relay.NewURL("wss://" + r.server.Addr() + "/meshrelay.ashx"), nil
}

// Our operator's side against a stock server and a stock native agent.
func TestStockServerAndAgent(t *testing.T) {
	s := interop.StartServer(t, interop.ServerOptions{})
	group := s.CreateGroup(t, "tunnels")
	interop.StartAgent(t, s.MSH(t, group), interop.AgentOptions{})
	device := s.WaitDevice(t, interop.CoreRuns)
	control := s.Control(t)
	r := &stockRequester{t, s, control}
	require.NotEmpty(t, control.Console(t, device.ID, "info"), "the core runs")
	var events []relay.Event
	options := relay.Options{
		Wait:    time.Minute,
		Net:     relay.NetOptions{TLS: s.TLSConfig(t)},
		OnEvent: func(e relay.Event) { events = append(events, e) },
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	t.Run("files", func(t *testing.T) {
		o := options
		o.Protocol = relay.ProtocolFiles
		tunnel, err := relay.Open(ctx, r, device.ID, o)
		require.NoError(t, err)
		defer tunnel.Close(1000, "")
		require.False(t, tunnel.Recorded())
		require.Equal(t, []relay.Event{{Kind: relay.EventRequested}, {Kind: relay.EventConnected}}, events)
		require.NoError(t, tunnel.SendControl(ctx, &relay.ControlRTT{Time: []byte("7")}))
		require.NoError(t, tunnel.WriteMessage(ctx, relay.Text, []byte(`{"action":"ls","reqid":1,"path":"/"}`)))
		rtt, ls := false, false
		for !rtt || !ls {
			_, b, err := tunnel.ReadMessage(ctx)
			require.NoError(t, err)
			if c, err := relay.ParseControl(b); err == nil {
				if c, ok := c.(*relay.ControlRTT); ok {
					rtt = true
					require.Equal(t, "7", string(c.Time))
				}
			}
			ls = ls || strings.Contains(string(b), `"reqid":1`) && strings.Contains(string(b), `"dir":[`)
		}
	})

	t.Run("TCP", func(t *testing.T) {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			fmt.Fprintf(w, "%s %d %s", req.URL.Path, len(body), strings.Repeat("x", 1<<20))
		}))
		defer web.Close()
		dialer := &relay.Dialer{Requester: r, Node: device.ID, Options: options}
		transport := &http.Transport{DialContext: dialer.DialContext}
		client := &http.Client{Transport: transport}
		for i := range 3 {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/%d", web.URL, i), strings.NewReader(strings.Repeat("y", 300_000)))
			require.NoError(t, err)
			resp, err := client.Do(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, fmt.Sprintf("/%d 300000 %s", i, strings.Repeat("x", 1<<20)), string(body))
		}
		transport.CloseIdleConnections()

		// A port where nobody listens, nor can: a connection has it. The tunnel comes up, and ends.
		holder, err := net.Dial("tcp", web.Listener.Addr().String())
		require.NoError(t, err)
		defer holder.Close()
		conn, err := relay.DialTCP(ctx, r, device.ID, holder.LocalAddr().String(), options)
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Read(make([]byte, 10))
		require.Error(t, err)
	})

	// The stock agent cuts datagrams that it receives to 4096 bytes.
	t.Run("UDP", func(t *testing.T) {
		echo, err := net.ListenPacket("udp4", "127.0.0.1:0")
		require.NoError(t, err)
		defer echo.Close()
		go func() {
			b := make([]byte, 65536)
			for {
				n, addr, err := echo.ReadFrom(b)
				if err != nil {
					return
				}
				echo.WriteTo(b[:n], addr)
			}
		}()
		conn, err := relay.DialUDP(ctx, r, device.ID, echo.LocalAddr().String(), options)
		require.NoError(t, err)
		defer conn.Close()
		for _, size := range []int{1, 1000, 4096} {
			p := []byte(strings.Repeat("u", size))
			_, err = conn.WriteTo(p, nil)
			require.NoError(t, err)
			b := make([]byte, 65536)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
			n, _, err := conn.ReadFrom(b)
			require.NoError(t, err)
			require.Equal(t, size, n)
			require.True(t, string(p) == string(b[:n]))
		}
	})

	t.Run("refused", func(t *testing.T) {
		other := device.ID[:len(device.ID)-1] + "X"
		if other == device.ID {
			other = device.ID[:len(device.ID)-1] + "Y"
		}
		_, err := relay.Open(ctx, r, other, options)
		var oe *relay.OpenError
		require.ErrorAs(t, err, &oe)
		require.Equal(t, "request", oe.Op)
		require.ErrorContains(t, err, "Unable to route")
	})
}
