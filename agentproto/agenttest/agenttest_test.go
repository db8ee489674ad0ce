package agenttest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/internal/leakcheck"
	"github.com/meshcentral-go/sdk/nodeid"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestIdentitiesAreDistinctAndStable(t *testing.T) {
	t.Parallel()
	seen := make(map[nodeid.NodeID]int)
	for i := range 20 {
		id, err := agenttest.Identity(i).NodeID()
		require.NoError(t, err)
		if other, dup := seen[id]; dup {
			t.Fatalf("agents %d and %d are the same device", other, i)
		}
		seen[id] = i
		again, err := agenttest.Identity(i).NodeID()
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
	require.Panics(t, func() { agenttest.Identity(-1) })
	require.Panics(t, func() { agenttest.Identity(agenttest.MaxAgents) })
	_, err := agenttest.Identity(agenttest.MaxAgents - 1).NodeID()
	require.NoError(t, err)
}

// servers runs a test against a server of each kind.
func servers(t *testing.T, test func(t *testing.T, s *agenttest.Server)) {
	t.Run("TLS", func(t *testing.T) {
		if runtime.GOOS == "js" {
			t.Skip("no network")
		}
		s := agenttest.NewServer(agenttest.For(t))
		require.True(t, strings.HasPrefix(s.URL, "https://127.0.0.1:"), s.URL)
		require.NotNil(t, s.Certificate())
		test(t, s)
	})
	t.Run("memory", func(t *testing.T) {
		s := agenttest.NewServer(agenttest.For(t), agenttest.InMemory())
		require.Empty(t, s.URL)
		require.Nil(t, s.Certificate())
		require.Nil(t, s.Client())
		test(t, s)
	})
}

func TestServerSeesWhatAgentsSend(t *testing.T) {
	servers(t, func(t *testing.T, s *agenttest.Server) {
		agent := s.NewAgent(agenttest.For(t), agenttest.Number(3))
		agent.OnConsole(func(command string) string { return "you said " + command })
		_, err := agent.Login(t.Context())
		require.NoError(t, err)

		sess, err := s.WaitAgent(t.Context())
		require.NoError(t, err)
		require.Equal(t, agent.NodeID(), sess.NodeKey().ID)
		require.Equal(t, s.Group(), sess.Info().Group)
		require.Equal(t, agentproto.AgentString("agenttest-3"), sess.Info().Name)
		same, ok := s.Session(agent.NodeID())
		require.True(t, ok)
		require.Same(t, sess, same)
		require.Equal(t, []*agenttest.Session{sess}, s.Sessions())

		// What is waited for comes out of turn, and the rest stays.
		text, err := sess.Console(t.Context(), "hello")
		require.NoError(t, err)
		require.Equal(t, "you said hello", text)
		info, err := agenttest.WaitMessage[*agentproto.CoreInfo](t.Context(), sess)
		require.NoError(t, err)
		require.Equal(t, agentproto.AgentString("agenttest"), info.Value)

		agent.Close()
		var ended error
		for ev, err := range sess.Events(t.Context()) {
			if ended = err; err == nil {
				require.IsType(t, agentproto.CoreEvent{}, ev, "all else was taken")
			}
		}
		require.ErrorContains(t, ended, "agent was closed")
		<-sess.Done()
		_, err = sess.Wait(t.Context(), func(agentproto.Event) bool { return true })
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestAgentKeepsWhatItsMuxLeaves(t *testing.T) {
	servers(t, func(t *testing.T, s *agenttest.Server) {
		agent := s.NewAgent(agenttest.For(t))
		agent.CoreInfo = nil
		ran := make(chan string, 1)
		agentproto.Handle(&agent.Mux, func(ctx context.Context, cs *agentproto.ClientSession, m *agentproto.RunCommands) {
			ran <- m.Cmds
		})
		_, err := agent.Login(t.Context())
		require.NoError(t, err)
		sess, err := s.WaitAgent(t.Context())
		require.NoError(t, err)
		require.NoError(t, sess.Send(t.Context(), &agentproto.RunCommands{Cmds: "ls"}))
		require.NoError(t, sess.Send(t.Context(), &agentproto.OpenURL{URL: "https://example.com"}))
		require.NoError(t, sess.Send(t.Context(), &agentproto.Toast{Title: "a", Msg: "b"}))
		toast, err := agenttest.WaitMessage[*agentproto.Toast](t.Context(), agent)
		require.NoError(t, err)
		require.Equal(t, "b", toast.Msg)
		open, err := agenttest.WaitMessage[*agentproto.OpenURL](t.Context(), agent)
		require.NoError(t, err)
		require.Equal(t, "https://example.com", open.URL)
		require.Equal(t, "ls", <-ran)

		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("had enough")
		cancel(reason)
		_, err = agenttest.WaitMessage[*agentproto.Toast](ctx, agent)
		require.ErrorIs(t, err, reason)
		agent.Close()
		_, err = agenttest.WaitMessage[*agentproto.Toast](t.Context(), agent)
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = agent.Login(t.Context())
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestStartedAgentComesBack(t *testing.T) {
	servers(t, func(t *testing.T, s *agenttest.Server) {
		agent := s.NewAgent(agenttest.For(t))
		require.ErrorIs(t, agent.Send(t.Context(), &agentproto.SysInfoCheck{}), agenttest.ErrOffline)
		agent.Start()
		first, err := s.WaitAgent(t.Context())
		require.NoError(t, err)
		require.False(t, first.Info().ShortForm)
		client, err := agent.WaitOnline(t.Context())
		require.NoError(t, err)
		first.Close("go away")
		<-client.Done()
		second, err := s.WaitAgent(t.Context())
		require.NoError(t, err)
		require.True(t, second.Info().ShortForm)
		_, err = agent.WaitOnline(t.Context())
		require.NoError(t, err)
		require.NoError(t, agent.Send(t.Context(), &agentproto.SysInfoCheck{}))
		_, err = agenttest.WaitMessage[*agentproto.SysInfoCheck](t.Context(), second)
		require.NoError(t, err)
	})
}

func TestFleet(t *testing.T) {
	servers(t, func(t *testing.T, s *agenttest.Server) {
		fleet := s.NewFleet(12, agenttest.For(t), agenttest.Number(100))
		require.NoError(t, fleet.Login(t.Context(), 4))
		require.NoError(t, fleet.WaitOnline(t.Context()))
		for range fleet {
			_, err := s.WaitAgent(t.Context())
			require.NoError(t, err)
		}
		require.Len(t, s.Sessions(), len(fleet))
		require.Equal(t, len(fleet), s.Agents().Len())
		id, err := agenttest.Identity(111).NodeID()
		require.NoError(t, err)
		require.Equal(t, id, fleet[11].NodeID())
		fleet.Close()
		require.ErrorIs(t, fleet.WaitOnline(t.Context()), net.ErrClosed)
	})
}

func TestFleetReportsAFailure(t *testing.T) {
	s := agenttest.NewServer(agenttest.InMemory(), agenttest.ConfigureServer(func(c *agentproto.ServerConfig) {
		c.Login = func(_ context.Context, _ agentproto.Peer, info agentproto.AgentInfo) error {
			if info.Name == "agenttest-3" {
				return agentproto.Refuse("not you")
			}
			return nil
		}
	}))
	defer s.Close()
	fleet := s.NewFleet(6)
	defer fleet.Close()
	err := fleet.Login(t.Context(), 1)
	require.ErrorContains(t, err, "agent 3 of 6")
	require.ErrorContains(t, err, "not you")
	require.NotNil(t, fleet[2].Session())
	require.Nil(t, fleet[4].Session(), "begun after the failure")
}

func TestRaw(t *testing.T) {
	servers(t, func(t *testing.T, s *agenttest.Server) {
		agent := s.NewAgent(agenttest.For(t))
		junk := map[string][][]byte{
			"unknown command":  {{0, 99}},
			"json":             {[]byte(`{"action":"coreinfo"}`)},
			"short":            {{0, 1, 2}},
			"one byte":         {{0}},
			"out of its order": {{0, 3}},
		}
		for name, msgs := range junk {
			raw, err := agent.Raw(t.Context())
			require.NoError(t, err, name)
			require.NoError(t, raw.Send(t.Context(), msgs...), name)
			_, err = raw.Receive(t.Context())
			require.ErrorIs(t, err, net.ErrClosed, name)
			require.ErrorContains(t, err, "protocol error", name)
			raw.Close()
		}

		raw, err := agent.Raw(t.Context())
		require.NoError(t, err)
		defer raw.Close()
		_, err = raw.Login(t.Context(), func(msg []byte) [][]byte { return [][]byte{msg, msg} })
		require.ErrorContains(t, err, "protocol error", "everything twice")

		raw, err = agent.Raw(t.Context())
		require.NoError(t, err)
		defer raw.Close()
		session, err := raw.Login(t.Context(), func(msg []byte) [][]byte { return [][]byte{msg} })
		require.NoError(t, err)
		defer session.Close("")
		sess, err := s.WaitAgent(t.Context())
		require.NoError(t, err)
		require.NoError(t, raw.Send(t.Context(), []byte("{x"), []byte{0, 99}))
		for range 2 {
			_, err = sess.Wait(t.Context(), func(ev agentproto.Event) bool {
				_, bad := ev.(agentproto.BadMessageEvent)
				return bad
			})
			require.NoError(t, err)
		}
	})
}

func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := agentproto.NewServer(agentproto.ServerConfig{
			Identities: []*agentproto.ServerIdentity{agenttest.ServerIdentity()}, WebHashes: agenttest.WebHashes,
		})
		require.NoError(t, err)
		id := agenttest.Identity(1)
		client, err := agentproto.NewClient(agentproto.ClientConfig{
			Servers:     []agentproto.ServerAddress{{URL: "wss://unused.invalid", ID: agenttest.ServerIdentity().ID()}},
			Certificate: id.Certificate, Signer: id.Signer,
			KeepAlive: agentproto.KeepAlive{Interval: -1, Timeout: -1},
		})
		require.NoError(t, err)
		sess, agent, err := agenttest.Pipe(t.Context(), server, client)
		require.NoError(t, err)
		require.Equal(t, client.NodeID(), sess.NodeKey().ID)
		require.Equal(t, netip.MustParseAddr("127.0.0.1"), sess.Peer().Addr)

		// The agent says nothing, and nobody receives there: the server takes it for dead after its 150 seconds.
		begun := time.Now()
		for _, err = range sess.Events(t.Context()) {
			continue
		}
		require.ErrorIs(t, err, agentproto.ErrIdle)
		require.InDelta(t, 150*time.Second, time.Since(begun), float64(16*time.Second))
		agent.Close("")

		require.NoError(t, server.Shutdown(t.Context()))
		_, _, err = agenttest.Pipe(t.Context(), server, client)
		require.ErrorIs(t, err, agentproto.ErrShutdown)
	})
}

// TestAgentOfAnyServer lets an agent stay connected, in memory, to a server that is not of this package.
func TestAgentOfAnyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logins atomic.Int64
		server, err := agentproto.NewServer(agentproto.ServerConfig{
			Identities: []*agentproto.ServerIdentity{agenttest.ServerIdentity()}, WebHashes: agenttest.WebHashes,
			Handler: func(ctx context.Context, s *agentproto.Session) {
				logins.Add(1)
				select {
				case <-time.After(time.Hour): // the embedder loses interest
				case <-s.Done():
				}
			},
			KeepAlive: agentproto.KeepAlive{Timeout: -1},
		})
		require.NoError(t, err)
		agent := agenttest.NewAgent(agentproto.ServerAddress{URL: "wss://any.invalid", ID: agenttest.ServerIdentity().ID()},
			agenttest.Through(server), agenttest.ConfigureAgent(func(c *agentproto.ClientConfig) { c.KeepAlive.Timeout = -1 }))
		agent.Start()
		<-time.After(10*time.Hour + time.Minute)
		require.EqualValues(t, 11, logins.Load(), "it comes back after every hour")
		agent.Close()
		require.NoError(t, server.Shutdown(t.Context()))
	})
}

func TestMSH(t *testing.T) {
	servers(t, func(t *testing.T, s *agenttest.Server) {
		msh, err := certs.ParseMSH(s.MSH())
		require.NoError(t, err)
		require.NoError(t, msh.Validate())
		list, err := msh.Servers()
		require.NoError(t, err)
		require.Equal(t, []certs.MSHServer{{URL: s.AgentURL(), ID: s.ID()}}, list)
		if s.URL == "" {
			return
		}
		get := func(group string) (int, string) {
			resp, err := s.Client().Get(s.URL + "/meshsettings?id=" + url.QueryEscape(group))
			require.NoError(t, err)
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return resp.StatusCode, string(b)
		}
		status, text := get(s.Group().String())
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, string(s.MSH()), text)
		status, _ = get("other")
		require.Equal(t, http.StatusUnauthorized, status)
	})
}

func TestMisuse(t *testing.T) {
	handler := agenttest.ConfigureServer(func(c *agentproto.ServerConfig) {
		c.Handler = func(context.Context, *agentproto.Session) {}
	})
	require.Panics(t, func() { agenttest.NewServer(agenttest.InMemory(), handler) })
	noHashes := agenttest.ConfigureServer(func(c *agentproto.ServerConfig) { c.WebHashes = nil })
	require.Panics(t, func() { agenttest.NewServer(agenttest.InMemory(), noHashes) })
	require.Panics(t, func() { agenttest.NewAgent(agentproto.ServerAddress{URL: "wss://x"}) }, "no ServerID")
}
