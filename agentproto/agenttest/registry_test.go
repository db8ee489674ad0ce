package agenttest_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
)

// arrivals are sessions whose agents have been told that they are logged in, and whose handlers begin when they are let.
type arrivals chan arrival

type arrival struct {
	*agentproto.Session
	handle func()
}

// heldServer starts a server that is slow at the moment between an agent's login and the Handler.
func heldServer() (*agenttest.Server, arrivals) {
	arrived := make(arrivals, 100)
	server := agenttest.NewServer(agenttest.InMemory(), agenttest.ConfigureServer(func(c *agentproto.ServerConfig) {
		c.Trace = &agentproto.Trace{LoggedIn: func(s *agentproto.Session, _, _ time.Duration) {
			held := make(chan struct{})
			arrived <- arrival{s, func() { close(held) }}
			<-held
		}}
	}))
	return server, arrived
}

// TestLoginWaitsForItsServer has each agent logged in before the server's handler of its session begins.
func TestLoginWaitsForItsServer(t *testing.T) {
	for name, login := range map[string]func(context.Context, agenttest.Fleet) error{
		"Login": func(ctx context.Context, f agenttest.Fleet) error {
			for _, a := range f {
				if _, err := a.Login(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		"WaitOnline": func(ctx context.Context, f agenttest.Fleet) error {
			for _, a := range f {
				a.Start()
				if _, err := a.WaitOnline(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		"Login of a fleet": func(ctx context.Context, f agenttest.Fleet) error { return f.Login(ctx, 2) },
		"WaitOnline of a fleet": func(ctx context.Context, f agenttest.Fleet) error {
			f.Start()
			return f.WaitOnline(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, arrived := heldServer()
				defer server.Close()
				fleet := server.NewFleet(2)
				defer fleet.Close()
				done := make(chan error, 1)
				go func() { done <- login(t.Context(), fleet) }()
				for i := range fleet {
					one := <-arrived
					synctest.Wait()
					require.Empty(t, done, "%d are unknown to the server", len(fleet)-i)
					require.Len(t, server.Sessions(), i)
					one.handle()
				}
				require.NoError(t, <-done)
				require.Len(t, server.Sessions(), len(fleet))
				for _, agent := range fleet {
					require.NotNil(t, agent.Session())
					require.NoError(t, agent.Session().Err())
					_, ok := server.Session(agent.NodeID())
					require.True(t, ok)
				}
			})
		})
	}
}

// TestLoginDoesNotWaitInVain ends what Login waits for in all ways that there are.
func TestLoginDoesNotWaitInVain(t *testing.T) {
	reason := errors.New("had enough")
	for name, tt := range map[string]struct {
		end  func(s *agenttest.Server, a *agenttest.Agent, one arrival, cancel context.CancelCauseFunc)
		want error
	}{
		"the server closes the session": {end: func(_ *agenttest.Server, _ *agenttest.Agent, one arrival, _ context.CancelCauseFunc) {
			one.Close("not you")
		}},
		"the agent is closed": {end: func(_ *agenttest.Server, a *agenttest.Agent, _ arrival, _ context.CancelCauseFunc) {
			a.Close()
		}},
		"the server is closed": {end: func(s *agenttest.Server, _ *agenttest.Agent, one arrival, _ context.CancelCauseFunc) {
			go s.Close()
			<-one.Done()
		}},
		"the time is over": {want: reason, end: func(_ *agenttest.Server, _ *agenttest.Agent, _ arrival, cancel context.CancelCauseFunc) {
			cancel(reason)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, arrived := heldServer()
				defer server.Close()
				agent := server.NewAgent()
				defer agent.Close()
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				done := make(chan error, 1)
				go func() {
					_, err := agent.Login(ctx)
					done <- err
				}()
				one := <-arrived
				defer one.handle()
				synctest.Wait()
				require.Empty(t, done)
				tt.end(server, agent, one, cancel)
				require.ErrorIs(t, <-done, tt.want)
				require.ErrorIs(t, agent.Session().Err(), net.ErrClosed)
			})
		})
	}
}

// TestLoginWaitsForNoOlderSession lets an agent come back while the server has not begun with its first session.
func TestLoginWaitsForNoOlderSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, arrived := heldServer()
		defer server.Close()
		agent := server.NewAgent()
		defer agent.Close()
		done := make(chan error, 1)
		login := func() {
			_, err := agent.Login(t.Context())
			done <- err
		}
		go login()
		first := <-arrived
		first.Close("come back")
		require.NoError(t, <-done)
		<-time.After(time.Millisecond) // a login takes time, where it is not in memory

		go login()
		second := <-arrived
		first.handle()
		synctest.Wait()
		require.Empty(t, done)
		require.Empty(t, server.Sessions())
		second.handle()
		require.NoError(t, <-done)
		require.Len(t, server.Sessions(), 1)
		require.Same(t, second.Session, server.Sessions()[0].Session)

		// Nothing came of a third, and a fourth is not taken for it.
		third := make(chan error, 1)
		go func() {
			_, err := agent.Login(t.Context())
			third <- err
		}()
		gone := <-arrived
		gone.Close("come back")
		require.NoError(t, <-third)
		gone.handle()
		synctest.Wait()
		require.Empty(t, server.Sessions())
		go login()
		last := <-arrived
		synctest.Wait()
		require.Empty(t, done)
		last.handle()
		require.NoError(t, <-done)
		require.Same(t, last.Session, server.Sessions()[0].Session)
	})
}

// TestNewestSessionCounts logs an agent in over and over: of one that was replaced the server may hear later that it has ended.
func TestNewestSessionCounts(t *testing.T) {
	servers(t, func(t *testing.T, s *agenttest.Server) {
		agent := s.NewAgent(agenttest.For(t))
		var last *agenttest.Session
		for range 20 {
			_, err := agent.Login(t.Context())
			require.NoError(t, err)
			sess, ok := s.Session(agent.NodeID())
			require.True(t, ok)
			require.NotSame(t, last, sess)
			require.Equal(t, []*agenttest.Session{sess}, s.Sessions())
			taken, err := s.WaitAgent(t.Context())
			require.NoError(t, err)
			require.Same(t, sess, taken)
			last = sess
		}
	})
}

// TestAgentOfOtherServer goes to elsewhere, where it is not waited for. Servers in memory all have the same address.
func TestAgentOfOtherServer(t *testing.T) {
	servers(t, func(t *testing.T, s *agenttest.Server) {
		other := agenttest.NewServer(agenttest.InMemory(), agenttest.For(t))
		for i, change := range []func(*agentproto.ClientConfig){
			func(*agentproto.ClientConfig) {},
			func(c *agentproto.ClientConfig) {
				c.Servers = []agentproto.ServerAddress{{URL: "wss://other.invalid", ID: other.ID()}}
			},
		} {
			agent := s.NewAgent(agenttest.For(t), agenttest.Number(i), agenttest.Through(other.Agents()), agenttest.ConfigureAgent(change))
			_, err := agent.Login(t.Context())
			require.NoError(t, err)
			_, err = other.WaitAgent(t.Context())
			require.NoError(t, err)
		}
		require.Empty(t, s.Sessions())
	})
}
