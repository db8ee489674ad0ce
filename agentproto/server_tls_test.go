//go:build !js

package agentproto

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// startTLS serves a server at /agent.ashx with httptest's certificate and returns its URL.
func startTLS(t testing.TB, change func(*ServerConfig)) (*Server, string) {
	t.Helper()
	var s *Server
	ts := httptest.NewUnstartedServer(nil)
	ts.StartTLS()
	t.Cleanup(ts.Close)
	s = newServer(t, func(c *ServerConfig) {
		c.WebHashes = func(string) []Hash { return []Hash{certs.CertHash(ts.Certificate().Raw)} }
		if change != nil {
			change(c)
		}
	})
	ts.Config.Handler = s
	return s, "wss" + strings.TrimPrefix(ts.URL, "https") + "/agent.ashx"
}

func TestOverTLS(t *testing.T) {
	online := make(chan *Session, 1)
	over := make(chan error, 1)
	s, url := startTLS(t, func(c *ServerConfig) {
		c.Handler = func(ctx context.Context, sess *Session) {
			online <- sess
			for _, err := range sess.Events(ctx) {
				if err != nil {
					over <- err
				}
			}
		}
	})
	c := newClient(t, testAgent(), func(c *ClientConfig) { c.Servers[0].URL = url })
	client, err := c.Dial(t.Context(), c.cfg.Servers[0])
	require.NoError(t, err)
	sess := <-online
	require.Equal(t, c.NodeID(), sess.NodeKey().ID)
	require.True(t, sess.Peer().Addr.IsLoopback())
	client.Close("done")
	require.ErrorContains(t, <-over, "done")
	require.Equal(t, 0, s.Len())
}

// TestMachineInTheMiddle lets someone terminate TLS between agent and server and pass all messages on. The agent's proof
// is bound to the certificate that it saw, so the server notices.
func TestMachineInTheMiddle(t *testing.T) {
	_, url := startTLS(t, nil)
	middle := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, err := msgconn.Upgrade(w, r, msgconn.UpgradeOptions{})
		if err != nil {
			return
		}
		server, err := msgconn.Dial(r.Context(), url, msgconn.DialOptions{TLSConfig: &tls.Config{InsecureSkipVerify: true}})
		if err != nil {
			agent.Close(0, "")
			return
		}
		var wg sync.WaitGroup
		wg.Go(func() { pump(server, agent) })
		pump(agent, server)
		wg.Wait()
	}))
	middle.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{ecPair().der}, PrivateKey: ecPair().signer}}}
	middle.StartTLS()
	t.Cleanup(middle.Close)
	c := newClient(t, testAgent(), func(c *ClientConfig) {
		c.Servers[0].URL = "wss" + strings.TrimPrefix(middle.URL, "https") + "/agent.ashx"
	})
	_, err := c.Dial(t.Context(), c.cfg.Servers[0])
	require.ErrorContains(t, err, "unknown web certificate hash")
}

// pump passes messages on until a side closes, and the reason with the close.
func pump(to, from msgconn.Conn) {
	for {
		typ, msg, err := from.ReadMessage(context.Background())
		if err != nil {
			var closed *msgconn.CloseError
			if errors.As(err, &closed) {
				to.Close(closed.Code, closed.Reason)
			}
			to.Close(0, "")
			return
		}
		if to.WriteMessage(context.Background(), typ, msg) != nil {
			from.Close(0, "")
			return
		}
	}
}

func TestHTTPRefusals(t *testing.T) {
	s, url := startTLS(t, func(c *ServerConfig) {
		c.Admission.Address = Rate{Events: 1, Window: time.Hour}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Admission.Block = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	dial := func(h map[string]string) error {
		header := map[string][]string{}
		for k, v := range h {
			header[k] = []string{v}
		}
		conn, err := msgconn.Dial(t.Context(), url, msgconn.DialOptions{TLSConfig: &tls.Config{InsecureSkipVerify: true}, Header: header})
		if err == nil {
			conn.Close(0, "")
		}
		return err
	}
	var refused *msgconn.HandshakeError
	require.ErrorAs(t, dial(map[string]string{"X-Forwarded-For": "192.0.2.1"}), &refused)
	require.Equal(t, 403, refused.StatusCode)
	require.ErrorAs(t, dial(map[string]string{"Origin": "https://elsewhere.example", "X-Forwarded-For": "198.51.100.1"}), &refused)
	require.Equal(t, 403, refused.StatusCode)
	require.NoError(t, dial(map[string]string{"X-Forwarded-For": "198.51.100.2"}))
	require.ErrorAs(t, dial(map[string]string{"X-Forwarded-For": "198.51.100.2"}), &refused)
	require.Equal(t, 429, refused.StatusCode)
	require.Equal(t, 10*time.Second, refused.RetryAfter)
	require.NoError(t, s.Shutdown(t.Context()))
	require.ErrorAs(t, dial(nil), &refused)
	require.Equal(t, 503, refused.StatusCode)
}

// TestPanicInAHook leaves no connection behind: net/http recovers the panic, and knows nothing of what was upgraded.
func TestPanicInAHook(t *testing.T) {
	for name, spoil := range map[string]func(*ServerConfig){
		"Login": func(c *ServerConfig) {
			c.Login = func(context.Context, Peer, AgentInfo) error { panic("in a hook") }
		},
		"LoggedIn": func(c *ServerConfig) {
			c.Trace = &Trace{LoggedIn: func(*Session, time.Duration, time.Duration) { panic("in a hook") }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, url := startTLS(t, spoil)
			c := newClient(t, testAgent(), func(c *ClientConfig) { c.Servers[0].URL = url })
			client, err := c.Dial(t.Context(), c.cfg.Servers[0])
			if err == nil {
				_, err = client.Receive(t.Context())
			}
			require.Error(t, err)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.Zero(t, s.Len())
		})
	}
}

func TestServerNameIsBounded(t *testing.T) {
	seen := make(chan string, 1)
	s, url := startTLS(t, func(c *ServerConfig) {
		c.WebHashes = func(name string) []Hash { seen <- name; return nil }
	})
	conn, err := msgconn.Dial(t.Context(), url, msgconn.DialOptions{
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, Header: http.Header{"Host": {strings.Repeat("a", 100_000)}},
	})
	require.NoError(t, err)
	require.Len(t, <-seen, 253)
	conn.Close(0, "")
	require.NoError(t, s.Shutdown(t.Context()))
}
