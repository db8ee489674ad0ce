package controlproto

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/tunnelask"
	"github.com/meshcentral-go/sdk/relay"
)

var _ relay.Requester = (*Client)(nil)

// What is asked for a tunnel to a port, and what comes of the answers.
func TestClientTunnel(t *testing.T) {
	c, p := dialPeer(t, ClientConfig{})
	type cookies struct {
		operator, device Secret
		err              error
	}
	got := make(chan cookies, 1)
	go func() {
		o, d, err := c.TunnelCookies(t.Context(), tunnelask.Request{})
		got <- cookies{o, d, err}
	}()
	r := p.expect("authcookie")
	p.send(`{"action":"authcookie","cookie":"mine","rcookie":"theirs","responseid":%q,"tag":%q}`, r.ResponseID, r.Tag)
	have := <-got
	require.NoError(t, have.err)
	require.Equal(t, "mine", have.operator.Reveal())
	require.Equal(t, "theirs", have.device.Reveal())

	ask := tunnelask.Request{Node: "abc", Protocol: 5, URL: NewSecretURL("*/meshrelay.ashx?id=x"), TCPPort: 22, TCPAddr: "10.0.0.1"}
	for _, result := range []string{"OK", "Unable to route"} {
		done := make(chan error, 1)
		go func() { done <- c.RequestTunnel(t.Context(), ask) }()
		r := p.expect("msg")
		require.Equal(t, "node//abc", r.NodeID)
		for _, part := range []string{`"type":"tunnel"`, `"usage":5`, `"value":"*/meshrelay.ashx?id=x"`, `"tcpport":22`, `"tcpaddr":"10.0.0.1"`} {
			require.Contains(t, r.Raw, part)
		}
		require.NotContains(t, r.Raw, "udp")
		p.send(`{"action":"msg","result":%q,"responseid":%q}`, result, r.ResponseID)
		err := <-done
		if result == "OK" {
			require.NoError(t, err)
			continue
		}
		var refused *ResultError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, result, refused.Result)
	}
}

// The relay is beside the channel, in the same domain, and a server that wants a key gets it there too.
func TestClientRelayURL(t *testing.T) {
	cfg, peers := dialPeers(t, ClientConfig{URLKey: NewSecret("k")})
	c, err := Dial(t.Context(), "wss://server.example:444/customer/", PasswordLogin{User: "admin", Password: NewSecret("pw")}, cfg)
	require.NoError(t, err)
	defer c.Close()
	<-peers
	u, err := c.RelayURL()
	require.NoError(t, err)
	require.Equal(t, "wss://server.example:444/customer/meshrelay.ashx?key=k", u.Reveal())
}

// A tunnel by [relay.Open] with the client, to a relay that is a pipe.
func TestClientOpensTunnel(t *testing.T) {
	c, p := dialPeer(t, ClientConfig{})
	near, far := msgconn.Pipe()
	var url string
	done := make(chan error, 1)
	go func() {
		tunnel, err := relay.Open(t.Context(), c, "node//abc", relay.Options{
			Protocol: relay.ProtocolFiles,
			Dial: func(_ context.Context, u relay.URL) (relay.Conn, error) {
				url = u.Reveal()
				return near, nil
			},
		})
		if err == nil {
			err = tunnel.Close(msgconn.CloseNormal, "")
		}
		done <- err
	}()
	r := p.expect("authcookie")
	p.send(`{"action":"authcookie","cookie":"mine","rcookie":"theirs","responseid":%q,"tag":%q}`, r.ResponseID, r.Tag)
	r = p.expect("msg")
	require.Contains(t, r.Raw, "rauth=theirs")
	require.NotContains(t, r.Raw, "mine")
	p.send(`{"action":"msg","result":"OK","responseid":%q}`, r.ResponseID)
	require.NoError(t, far.WriteMessage(t.Context(), msgconn.Text, []byte("c")))
	_, b, err := far.ReadMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, "5", string(b))
	require.NoError(t, <-done)
	require.Contains(t, url, "wss://server.example/meshrelay.ashx?")
	require.Contains(t, url, "auth=mine")
}
