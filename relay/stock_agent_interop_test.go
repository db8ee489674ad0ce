//go:build !js

package relay_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
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

// ourRelay has a stock server send its agent to our relay.
type ourRelay struct {
	stockRequester
	relay *relay.Relay
	url   string
}

func (r *ourRelay) TunnelCookies(context.Context, relay.AskTunnel) (relay.Secret, relay.Secret, error) {
	return relay.NewSecret("operator"), relay.NewSecret("device"), nil
}

func (r *ourRelay) RequestTunnel(ctx context.Context, a relay.AskTunnel) error {
	if err := r.relay.Announce(relay.TunnelRequest{ID: relay.ID(a.ID), User: "user//admin", Node: a.Node}); err != nil {
		return err
	}
	a.URL = relay.NewURL(strings.Replace(a.URL.Reveal(), "*/meshrelay.ashx", r.url, 1))
	return r.stockRequester.RequestTunnel(ctx, a)
}

func (r *ourRelay) RelayURL() (relay.URL, error) { return relay.NewURL(r.url), nil }

// A stock native agent behind our relay: what an operator sends in several frames, and what is larger than any buffer,
// arrives whole and in one frame, as the agent aborts on anything else.
func TestStockAgentOurRelay(t *testing.T) {
	s := interop.StartServer(t, interop.ServerOptions{Settings: map[string]any{"ignoreAgentHashCheck": true}})
	agent := interop.StartAgent(t, s.MSH(t, s.CreateGroup(t, "tunnels")), interop.AgentOptions{})
	device := s.WaitDevice(t, interop.CoreRuns)
	control := s.Control(t)
	require.NotEmpty(t, control.Console(t, device.ID, "info"))

	ended := make(chan relay.Stats, 10)
	ours, err := relay.New(relay.Config{
		Authenticate: func(_ *http.Request, q *relay.Query) (relay.End, error) {
			e := relay.End{User: "user//admin", Node: q.Node, Protocol: q.Protocol, Role: relay.RoleAgent}
			if q.Auth.Reveal() == "operator" {
				e.Role = relay.RoleOperator
			} else if q.RelayAuth.Reveal() != "device" {
				return e, relay.ErrUnauthorized
			}
			return e, nil
		},
		// The stock agent takes its time on a busy machine.
		Limits:       relay.Limits{Wait: time.Minute, RequestAge: time.Minute},
		FlushTime:    time.Minute,
		PingInterval: 50 * time.Millisecond,
		Trace:        &relay.Trace{Ended: func(s relay.Stats, _ error) { ended <- s }},
	})
	require.NoError(t, err)
	defer ours.Close()
	h := httptest.NewTLSServer(ours)
	defer h.Close()
	r := &ourRelay{stockRequester{t, s, control}, ours, "wss://" + h.Listener.Addr().String() + "/meshrelay.ashx"}
	options := relay.Options{Wait: time.Minute, Net: relay.NetOptions{TLS: &tls.Config{InsecureSkipVerify: true}}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	// A terminal.
	o := options
	o.Protocol = relay.ProtocolTerminal
	o.Options = &relay.ControlOptions{Cols: new(80), Rows: new(25)}
	tunnel, err := relay.Open(ctx, r, device.ID, o)
	require.NoError(t, err)
	require.NoError(t, tunnel.WriteMessage(ctx, relay.Binary, []byte("echo $((40+2))is\r")))
	var output bytes.Buffer
	for !strings.Contains(output.String(), "42is") {
		_, b, err := tunnel.ReadMessage(ctx)
		require.NoError(t, err)
		output.Write(b)
	}
	tunnel.Close(1000, "")
	st := <-ended
	require.Equal(t, relay.ProtocolTerminal, st.Pair.Protocol)
	require.Equal(t, device.ID, st.Pair.Node)

	// TCP, both ways at once.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	conn, err := relay.DialTCP(ctx, r, device.ID, l.Addr().String(), options)
	require.NoError(t, err)
	defer conn.Close()
	data := make([]byte, 8<<20)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(data)
	go conn.Write(data)
	back := make([]byte, len(data))
	_, err = io.ReadFull(conn, back)
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(data), sha256.Sum256(back))
	require.NoError(t, conn.Close())
	st = <-ended
	sent, messages := st.Sent(relay.RoleOperator)
	t.Logf("%d bytes in %d messages to the agent", sent, messages)
	require.GreaterOrEqual(t, sent, int64(len(data)))

	// One message of 200 KB, sent in several frames.
	o = options
	o.Protocol = relay.ProtocolFiles
	tunnel, err = relay.Open(ctx, r, device.ID, o)
	require.NoError(t, err)
	defer tunnel.Close(1000, "")
	pad := strings.Repeat("x", 200_000)
	require.NoError(t, tunnel.WriteMessage(ctx, relay.Text, fmt.Appendf(nil, `{"action":"ls","reqid":8,"path":"/","pad":"%s"}`, pad)))
	for {
		_, b, err := tunnel.ReadMessage(ctx)
		require.NoError(t, err)
		if strings.Contains(string(b), `"reqid":8`) {
			break
		}
	}
	require.True(t, agent.Running())
}
