package agentproto

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
)

// patient is for logins on machines that do much else.
const patient = 5 * time.Minute

// newServer returns a server that takes testWeb as its certificate, and shuts it down with the test.
func newServer(t testing.TB, change func(*ServerConfig)) *Server {
	t.Helper()
	cfg := ServerConfig{
		Identities: []*ServerIdentity{testServer().identity(t)},
		WebHashes:  func(string) []Hash { return []Hash{testWeb} },
		Limits:     Limits{HandshakeTime: patient},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := NewServer(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	return s
}

// newClient returns an agent with a key, for a server with testServer's identity.
func newClient(t testing.TB, key keyPair, change func(*ClientConfig)) *Client {
	t.Helper()
	id := testServer().identity(t).ID()
	cfg := ClientConfig{
		Servers:     []ServerAddress{{URL: "wss://127.0.0.1:1/agent.ashx", ID: id}},
		Certificate: key.der, Signer: key.signer, Group: nodeid.MeshID{1}, Name: "test",
		DialTime: patient, Limits: Limits{HandshakeTime: patient},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := NewClient(cfg)
	require.NoError(t, err)
	return c
}

// connect logs a client in to a server over a pipe.
func connect(t testing.TB, s *Server, c *Client, peer Peer) (*Session, *ClientSession, error, error) {
	t.Helper()
	a, b := msgconn.Pipe()
	var sess *Session
	var serverErr error
	var wg sync.WaitGroup
	wg.Go(func() { sess, serverErr = s.Accept(t.Context(), a, peer) })
	client, clientErr := c.Handshake(t.Context(), b, c.cfg.Servers[0], testWeb)
	wg.Wait()
	if client != nil {
		t.Cleanup(func() { client.Close("") })
	}
	return sess, client, serverErr, clientErr
}

func mustConnect(t testing.TB, s *Server, c *Client) (*Session, *ClientSession) {
	t.Helper()
	sess, client, err1, err2 := connect(t, s, c, Peer{})
	require.NoError(t, err1)
	require.NoError(t, err2)
	return sess, client
}

func TestLoginFullThenShort(t *testing.T) {
	s := newServer(t, nil)
	c := newClient(t, testAgent(), nil)
	sess, client := mustConnect(t, s, c)
	require.False(t, sess.Info().ShortForm)
	require.False(t, client.ShortForm())
	require.Equal(t, testAgent().node(t), sess.NodeKey().ID)
	require.Equal(t, c.NodeID(), sess.NodeKey().ID)
	require.Equal(t, AgentString("test"), sess.Info().Name)
	require.Equal(t, nodeid.MeshID{1}, sess.Info().Group)
	require.Equal(t, 1, s.Len())
	got, ok := s.Session(sess.NodeKey())
	require.True(t, ok)
	require.Same(t, sess, got)
	client.Close("bye")
	err := drain(t, sess)
	var closed *msgconn.CloseError
	require.ErrorAs(t, err, &closed)
	require.Equal(t, "bye", closed.Reason)
	require.Equal(t, 0, s.Len())

	sess, client = mustConnect(t, s, c)
	require.True(t, sess.Info().ShortForm, "the server was proved before")
	require.True(t, client.ShortForm())
}

// drain receives until the session ends, and returns why it did.
func drain(t testing.TB, s *Session) (err error) {
	t.Helper()
	for _, err = range s.Events(t.Context()) {
		continue
	}
	return err
}

func TestRefusals(t *testing.T) {
	refuse := errors.New("secret reason")
	tests := []struct {
		name   string
		server func(*ServerConfig)
		client func(*ClientConfig)
		key    func() keyPair
		addr   string
		want   error  // at the server
		reason string // told to the agent
	}{
		{name: "web hash", server: func(c *ServerConfig) { c.WebHashes = func(string) []Hash { return []Hash{{9}} } },
			want: ErrBadWebHash, reason: "unknown web certificate hash"},
		{name: "no web hash", server: func(c *ServerConfig) { c.WebHashes = func(string) []Hash { return nil } },
			want: ErrBadWebHash, reason: "unknown web certificate hash"},
		{name: "admit", server: func(c *ServerConfig) {
			c.Admit = func(context.Context, Peer, AgentInfo, bool) error { return Refuse("no such device") }
		}, want: ErrRefused, reason: "no such device"},
		{name: "admit keeps its reason", server: func(c *ServerConfig) {
			c.Admit = func(context.Context, Peer, AgentInfo, bool) error { return refuse }
		}, want: refuse, reason: "login refused"},
		{name: "login", server: func(c *ServerConfig) {
			c.Login = func(_ context.Context, _ Peer, i AgentInfo) error { return Refuse(fmt.Sprint("not ", i.Name)) }
		}, want: ErrRefused, reason: "not test"},
		{name: "wrong server", client: func(c *ClientConfig) { c.Servers[0].ID = nodeid.ServerID{7} },
			want: ErrWrongServer, reason: "agent expects another server"},
		{name: "core", server: func(c *ServerConfig) {
			c.Core = func(AgentInfo) (*Core, error) { return nil, refuse }
		}, want: refuse},
		{name: "blocked", server: func(c *ServerConfig) {
			c.Admission.Block = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}, addr: "::ffff:192.0.2.9", want: ErrRefused, reason: "address is blocked"},
		{name: "not allowed", server: func(c *ServerConfig) {
			c.Admission.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}, addr: "198.51.100.1", want: ErrRefused, reason: "address is not allowed"},
		{name: "size", server: func(c *ServerConfig) { c.Limits.HandshakeMessage = 100 }, want: msgconn.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var refused error
			s := newServer(t, func(c *ServerConfig) {
				if tt.server != nil {
					tt.server(c)
				}
				c.Trace = &Trace{Refused: func(_ Peer, err error) { refused = err }}
			})
			c := newClient(t, testAgent(), tt.client)
			peer := Peer{}
			if tt.addr != "" {
				peer.Addr = netip.MustParseAddr(tt.addr)
			}
			sess, _, err, clientErr := connect(t, s, c, peer)
			require.Nil(t, sess)
			require.ErrorIs(t, err, tt.want)
			require.Equal(t, err, refused)
			require.Error(t, clientErr)
			if tt.reason != "" {
				var closed *msgconn.CloseError
				require.ErrorAs(t, clientErr, &closed)
				require.Equal(t, tt.reason, closed.Reason)
				require.NotContains(t, closed.Reason, "secret")
			}
			require.Equal(t, 0, s.Len())
		})
	}
}

func TestNewestSessionWins(t *testing.T) {
	closed := make(chan error, 2)
	s := newServer(t, func(c *ServerConfig) {
		c.Trace = &Trace{Closed: func(_ *Session, err error) { closed <- err }}
	})
	c := newClient(t, testAgent(), nil)
	old, oldClient := mustConnect(t, s, c)
	fresh, _ := mustConnect(t, s, c)
	require.Greater(t, fresh.Generation(), old.Generation())
	require.ErrorIs(t, <-closed, ErrReplaced)
	<-old.Done()
	require.ErrorIs(t, old.Err(), ErrReplaced)
	_, err := oldClient.Receive(t.Context())
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorContains(t, err, "replaced by a newer connection")
	got, ok := s.Session(fresh.NodeKey())
	require.True(t, ok)
	require.Same(t, fresh, got, "the end of the old session leaves the new one registered")
	require.NoError(t, fresh.Err())
}

func TestRecoveryAgentIsNoDevice(t *testing.T) {
	s := newServer(t, nil)
	main, _ := mustConnect(t, s, newClient(t, testAgent(), nil))
	rec, _ := mustConnect(t, s, newClient(t, testAgent(), func(c *ClientConfig) {
		c.Capabilities = CapConsole | CapCore | CapRecovery
	}))
	require.True(t, rec.Recovery())
	require.NoError(t, main.Err(), "it does not replace the main agent")
	require.Equal(t, 1, s.Len())
	var list []*Session
	for r := range s.RecoverySessions() {
		list = append(list, r)
	}
	require.Equal(t, []*Session{rec}, list)
}

func TestFlappingAgentIsToldSo(t *testing.T) {
	s := newServer(t, func(c *ServerConfig) { c.Admission.Agent = Rate{Events: 2, Window: time.Hour} })
	c := newClient(t, testAgent(), nil)
	mustConnect(t, s, c)
	mustConnect(t, s, c)
	_, _, err, clientErr := connect(t, s, c, Peer{})
	require.ErrorIs(t, err, ErrBusy)
	var closed *msgconn.CloseError
	require.ErrorAs(t, clientErr, &closed)
	require.Equal(t, msgconn.CloseTryAgain, closed.Code)
	mustConnect(t, s, newClient(t, testAgent2(), nil)) // others are not concerned
}

func TestConfigErrors(t *testing.T) {
	_, err := NewServer(ServerConfig{})
	require.Error(t, err)
	_, err = NewServer(ServerConfig{Identities: []*ServerIdentity{testServer().identity(t)}})
	require.Error(t, err)
	_, err = NewServerIdentity(ecPair().der, ecPair().signer)
	require.Error(t, err)
	_, err = NewServerIdentity(testServer().der, testAgent().signer)
	require.Error(t, err, "a key of another certificate")
	key := testAgent()
	good := ClientConfig{Servers: []ServerAddress{{"wss://x", nodeid.ServerID{1}}}, Certificate: key.der, Signer: key.signer}
	_, err = NewClient(good)
	require.NoError(t, err)
	for name, spoil := range map[string]func(*ClientConfig){
		"no server": func(c *ClientConfig) { c.Servers = nil },
		"no id":     func(c *ClientConfig) { c.Servers = []ServerAddress{{URL: "wss://x"}} },
		"no key":    func(c *ClientConfig) { c.Signer = nil },
		"other key": func(c *ClientConfig) { c.Signer = testAgent2().signer },
		"EC key":    func(c *ClientConfig) { c.Certificate, c.Signer = ecPair().der, ecPair().signer },
		"weak key":  func(c *ClientConfig) { c.Certificate, c.Signer = weakPair().der, weakPair().signer },
		"junk":      func(c *ClientConfig) { c.Certificate = []byte("junk") },
	} {
		cfg := good
		spoil(&cfg)
		_, err := NewClient(cfg)
		require.Error(t, err, name)
	}
}

func TestIdentityPrintsNoKey(t *testing.T) {
	id := testServer().identity(t)
	for _, s := range []string{fmt.Sprint(id), fmt.Sprintf("%+v", id), fmt.Sprintf("%#v", id), fmt.Sprintf("%+v", *id), id.LogValue().String()} {
		require.Contains(t, s, id.ID().String())
		require.NotContains(t, s, "Primes")
	}
}

func TestServeRunsTheHandler(t *testing.T) {
	received := make(chan Event, 1)
	s := newServer(t, func(c *ServerConfig) {
		c.Handler = func(ctx context.Context, sess *Session) {
			for ev, err := range sess.Events(ctx) {
				if msg, ok := ev.(MessageEvent); err != nil || ok {
					received <- msg
					return
				}
			}
		}
	})
	c := newClient(t, testAgent(), nil)
	a, b := msgconn.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context(), a, Peer{}) }()
	client, err := c.Handshake(t.Context(), b, c.cfg.Servers[0], testWeb)
	require.NoError(t, err)
	require.NoError(t, client.Send(t.Context(), &SysInfoCheck{}))
	require.Equal(t, MessageEvent{&SysInfoCheck{}}, <-received)
	require.ErrorIs(t, <-done, net.ErrClosed)
	_, err = client.Receive(t.Context())
	require.ErrorContains(t, err, "handler returned")
}

// TestRunSaysGoodbye ends an agent while its handler receives.
func TestRunSaysGoodbye(t *testing.T) {
	over, known := make(chan error, 1), make(chan struct{})
	s := newServer(t, func(c *ServerConfig) {
		c.Trace = &Trace{
			LoggedIn: func(*Session, time.Duration, time.Duration) { close(known) },
			Closed:   func(_ *Session, err error) { over <- err },
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	handled := make(chan error, 1)
	c := newClient(t, testAgent(), func(c *ClientConfig) {
		c.Connect = func(context.Context, string) (Conn, Hash, error) {
			a, b := msgconn.Pipe()
			go func() { _ = s.Serve(context.Background(), a, Peer{}) }()
			return b, testWeb, nil
		}
		c.Handler = func(ctx context.Context, s *ClientSession) {
			(&Mux{LoggedIn: func(context.Context, *ClientSession) {
				<-known // the agent knows first, and who leaves then has not been there
				cancel(errors.New("enough"))
			}}).Serve(ctx, s)
			<-ctx.Done()
			handled <- context.Cause(ctx)
		}
	})
	require.ErrorContains(t, c.Run(ctx), "enough")
	require.ErrorContains(t, <-handled, "enough")
	require.ErrorContains(t, <-over, "agent is shutting down")
}

func TestServerAddressHidesTheAgentKey(t *testing.T) {
	addr := ServerAddress{URL: "wss://server.example/agent.ashx?key=hunter2", ID: nodeid.ServerID{1}}
	for _, s := range []string{fmt.Sprint(addr), fmt.Sprintf("%+v", addr), fmt.Sprintf("%#v", []any{addr}), fmt.Sprintf("%.128q", addr), addr.LogValue().String()} {
		require.Contains(t, s, "wss://server.example/agent.ashx")
		require.NotContains(t, s, "hunter2")
	}
}
