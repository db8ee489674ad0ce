//go:build linux

package desktop

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"image"
	"image/color"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
)

// sentHere has a stock server send its agent to our relay, where the multiplexor is the operator's end.
type sentHere struct {
	t       *testing.T
	control *interop.Control
	relay   *relay.Relay
	url     string
}

func (s *sentHere) TunnelCookies(context.Context, relay.AskTunnel) (operator, device relay.Secret, err error) {
	return relay.NewSecret("operator"), relay.NewSecret("device"), nil
}

func (s *sentHere) RequestTunnel(ctx context.Context, a relay.AskTunnel) error {
	if err := s.relay.Announce(relay.TunnelRequest{ID: relay.ID(a.ID), User: "user//admin", Node: a.Node}); err != nil {
		return err
	}
	s.control.Send(s.t, interop.Message{
		"action": "msg", "type": "tunnel", "nodeid": a.Node, "usage": 2, "responseid": a.ID,
		"value": strings.Replace(a.URL.Reveal(), "*/meshrelay.ashx", s.url, 1),
	})
	reply, err := s.control.WaitContext(ctx, func(m interop.Message) bool { return m["responseid"] == a.ID })
	if err == nil && reply["result"] != "OK" {
		err = errors.New(reply["result"].(string))
	}
	return err
}

func (s *sentHere) RelayURL() (relay.URL, error) { return relay.NewURL(s.url), nil }

// TestStockMultiplexor has two viewers share the desktop of a stock agent with an X display, the second one coming late: through our
// relay, and through the stock server's.
func TestStockMultiplexor(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	x := interop.StartX(t)
	s := interop.StartServer(t, interop.ServerOptions{Settings: map[string]any{"ignoreAgentHashCheck": true}})
	interop.StartAgent(t, s.MSH(t, s.CreateGroup(t, "desktops")), interop.AgentOptions{Env: x.Env})
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
		Limits:    relay.Limits{Wait: 2 * time.Minute, RequestAge: 2 * time.Minute},
		FlushTime: time.Minute,
		Trace:     &relay.Trace{Ended: func(s relay.Stats, _ error) { ended <- s }},
	})
	require.NoError(t, err)
	defer ours.Close()
	h := httptest.NewTLSServer(ours)
	defer h.Close()
	r := &sentHere{t, control, ours, "wss://" + h.Listener.Addr().String() + "/meshrelay.ashx"}

	t.Run("our relay", func(t *testing.T) {
		// The protocol is said by the multiplexor, when a viewer has said it.
		tunnel, err := relay.Open(t.Context(), r, device.ID, relay.Options{
			Wait: 2 * time.Minute, ReadLimit: 32 << 20, Net: relay.NetOptions{TLS: &tls.Config{InsecureSkipVerify: true}},
		})
		require.NoError(t, err)
		shareDesktop(t, x, tunnel.Conn(), image.Pt(40, 60), color.RGBA{0x30, 0xA0, 0xE0, 0xFF})
		st := <-ended
		fromAgent, _ := st.Sent(relay.RoleAgent)
		t.Logf("the agent sent %d KiB for two viewers", fromAgent>>10)
	})
	t.Run("stock relay", func(t *testing.T) {
		shareDesktop(t, x, s.OpenTunnel(t, control, device.ID, 2), image.Pt(560, 60), color.RGBA{0xE0, 0xA0, 0x30, 0xFF})
	})
}

// shareDesktop has two viewers see what the display shows, and what then changes, by one agent.
func shareDesktop(t *testing.T, x *interop.Display, agent Conn, at image.Point, background color.RGBA) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	m := NewMultiplexor(MultiplexorConfig{})
	agentEnded := make(chan error, 1)
	go func() { agentEnded <- m.ServeAgent(ctx, agent) }()
	views := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := msgconn.Upgrade(w, r, msgconn.UpgradeOptions{})
		if err == nil {
			_ = m.ServeViewer(ctx, conn, MultiplexedViewer{UserID: r.URL.Query().Get("user")})
		}
	}))
	defer views.Close()
	type view struct {
		*Client
		conn  *msgconn.WebSocket
		ended chan error
	}
	join := func(user string) *view {
		conn, err := msgconn.Dial(ctx, "ws"+strings.TrimPrefix(views.URL, "http")+"/?user="+user, msgconn.DialOptions{ReadLimit: 32 << 20})
		require.NoError(t, err)
		require.NoError(t, conn.WriteMessage(ctx, msgconn.Text, []byte("2")))
		v := &view{NewClient(conn, ClientConfig{ViewerConfig: ViewerConfig{Compression: Compression{ImageJPEG, 90, FullScale, 100}}}), conn, make(chan error, 1)}
		go func() { v.ended <- v.Run(ctx) }()
		return v
	}
	// The mouse goes where it can be left out.
	cursor := image.Rect(900, 640, 1024, 768)
	shows := func(v *view, who string, shown image.Point, want color.RGBA) {
		t.Helper()
		for {
			_, err := v.Wait(ctx)
			require.NoError(t, err, who)
			got, screen := v.Snapshot(), screenshot(ctx, t, x)
			if screen.RGBAAt(shown.X, shown.Y) == want && difference(screen, got, cursor) < 1 {
				t.Logf("%s: mean difference to the screenshot %.3f", who, difference(screen, got, cursor))
				return
			}
		}
	}

	first := join("first")
	for first.Snapshot().Rect.Dx() != 1024 {
		_, err := first.Wait(ctx)
		require.NoError(t, err)
	}
	require.NoError(t, first.Move(ctx, 960, 700))
	require.NoError(t, first.Refresh(ctx))
	logo := func(at image.Point, c color.RGBA) (corner image.Point, shown color.RGBA) {
		x.Run(t, "xlogo", "-geometry", fmt.Sprintf("300x250+%d+%d", at.X, at.Y), "-fg", "red", "-bg", fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B))
		return at.Add(image.Pt(5, 240)), c
	}
	corner, c := logo(at, background)
	shows(first, "the first viewer", corner, c)

	late := join("late")
	shows(late, "the late viewer", corner, c)
	// What happens now, both see; and the late one's input counts.
	require.NoError(t, late.Move(ctx, 970, 710))
	corner, c = logo(at.Add(image.Pt(0, 300)), color.RGBA{0x20, 0xC0, 0x40, 0xFF})
	shows(first, "the first viewer, later", corner, c)
	shows(late, "the late viewer, later", corner, c)

	first.conn.Close(msgconn.CloseNormal, "")
	<-first.ended
	require.NoError(t, m.Err(), "one is still there")
	require.NoError(t, late.Refresh(ctx))
	_, err := late.Wait(ctx)
	require.NoError(t, err)
	late.conn.Close(msgconn.CloseNormal, "")
	<-late.ended
	require.ErrorIs(t, <-agentEnded, ErrNoViewers)
}
