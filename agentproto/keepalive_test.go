package agentproto

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// warmKeys makes the keys outside of a bubble, where a OnceValue must not be waited for.
func warmKeys() { testAgent(); testServer() }

// pair logs an agent in over a pipe inside a bubble.
func pair(t *testing.T, server func(*ServerConfig), client func(*ClientConfig)) (*Session, *ClientSession) {
	t.Helper()
	return mustConnect(t, newServer(t, server), newClient(t, testAgent(), client))
}

// silent makes an agent that never asks and never gives up.
func silentAgent(c *ClientConfig) { c.KeepAlive = KeepAlive{Interval: -1, Timeout: -1} }

func TestServerKeepsIdleAgents(t *testing.T) {
	warmKeys()
	for name, form := range map[string]KeepAliveForm{"frame": PingFrame, "default": DefaultKeepAlive, "JSON": JSONPing} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sess, client := pair(t, func(c *ServerConfig) { c.KeepAlive.Form = form }, silentAgent)
				go func() {
					for range client.Events(t.Context()) {
						continue
					}
				}()
				go func() {
					for range sess.Events(t.Context()) {
						continue
					}
				}()
				time.Sleep(time.Hour)
				require.NoError(t, sess.Err())
				require.Less(t, time.Since(sess.LastHeard()), time.Minute)
				sess.Close("")
				synctest.Wait()
			})
		})
	}
}

func TestServerDropsSilentAgents(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		sess, client := pair(t, nil, silentAgent)
		// Nobody receives at the agent, so nothing answers.
		_, err := sess.Receive(t.Context()) // the phase of the core exchange
		require.NoError(t, err)
		_, err = sess.Receive(t.Context())
		require.ErrorIs(t, err, ErrIdle)
		took := time.Since(begun)
		require.GreaterOrEqual(t, took, 150*time.Second)
		require.LessOrEqual(t, took, 165*time.Second)
		client.Close("")
	})
}

func TestServerPongsUnasked(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		sess, client := pair(t, func(c *ServerConfig) { c.KeepAlive = KeepAlive{Form: JSONPong, Timeout: -1} }, silentAgent)
		time.Sleep(time.Minute)
		for {
			_, msg, err := client.conn.ReadMessage(t.Context())
			require.NoError(t, err)
			if IsJSON(msg) {
				require.JSONEq(t, `{"action":"pong"}`, string(msg))
				break
			}
		}
		sess.Close("")
	})
}

func TestAgentNoticesThatItWasForgotten(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		// A stock server that replaced a session leaves the connection open and goes on answering ping frames.
		sess, client := pair(t, func(c *ServerConfig) { c.KeepAlive = KeepAlive{Interval: -1, Timeout: -1} }, nil)
		_, err := client.Receive(t.Context())
		require.ErrorIs(t, err, ErrIdle)
		sess.Close("")
	})
}

func TestAgentKeepsItsSession(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		sess, client := pair(t, func(c *ServerConfig) { c.KeepAlive = KeepAlive{Interval: -1, Timeout: -1} }, nil)
		go func() {
			for range sess.Events(t.Context()) { // answers pings
				continue
			}
		}()
		go func() {
			for range client.Events(t.Context()) {
				continue
			}
		}()
		time.Sleep(time.Hour)
		require.NoError(t, client.Err())
		client.Close("")
		synctest.Wait()
	})
}

func TestHandshakeTimeout(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(c *ServerConfig) { c.Limits.HandshakeTime = 0 })
		a, b := msgconn.Pipe()
		begun := time.Now()
		_, err := s.Accept(t.Context(), a, Peer{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "agent has not sent command 1")
		require.Equal(t, 30*time.Second, time.Since(begun))
		_, _, err = b.ReadMessage(t.Context())
		require.ErrorContains(t, err, "login took too long")

		c := newClient(t, testAgent(), func(c *ClientConfig) { c.Limits.HandshakeTime = 0 })
		a, _ = msgconn.Pipe()
		_, err = c.Handshake(t.Context(), a, c.cfg.Servers[0], testWeb)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "server has not answered command 1")
	})
}

func TestShutdown(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		sess, client := mustConnect(t, s, newClient(t, testAgent(), nil))
		waiting, other := msgconn.Pipe()
		accepted := make(chan error, 1)
		go func() {
			_, err := s.Accept(t.Context(), waiting, Peer{})
			accepted <- err
		}()
		synctest.Wait()
		require.NoError(t, s.Shutdown(t.Context()))
		require.ErrorIs(t, sess.Err(), ErrShutdown)
		require.ErrorIs(t, <-accepted, ErrShutdown)
		_, err := client.Receive(t.Context())
		require.ErrorContains(t, err, "server is shutting down")
		_, _, err = other.ReadMessage(t.Context())
		require.Error(t, err)
		late, _ := msgconn.Pipe()
		_, err = s.Accept(t.Context(), late, Peer{})
		require.ErrorIs(t, err, ErrShutdown)
	})
}

// TestFlappingAgentBacksOff lets a server close every session at once: the agent comes back ever more slowly, and at once
// again after a session that lasted.
func TestFlappingAgentBacksOff(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		last := false
		s := newServer(t, func(c *ServerConfig) {
			c.Handler = func(ctx context.Context, _ *Session) {
				if last {
					time.Sleep(time.Minute)
				}
			}
		})
		var waits []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, testAgent(), func(c *ClientConfig) {
			c.Backoff.Max = 24 * time.Hour // out of reach: there the waits would vary
			c.Connect = func(context.Context, string) (Conn, Hash, error) {
				a, b := msgconn.Pipe()
				go func() { _ = s.Serve(context.Background(), a, Peer{}) }()
				return b, testWeb, nil
			}
			c.Trace = &ClientTrace{Waiting: func(d time.Duration) {
				waits = append(waits, d)
				last = len(waits) == 12
				if len(waits) == 13 {
					cancel()
				}
			}}
		})
		require.ErrorIs(t, c.Run(ctx), context.Canceled)
		require.Less(t, waits[0], 2*time.Second)
		for i := 1; i < 12; i++ {
			require.GreaterOrEqual(t, waits[i], waits[i-1], "%v", waits)
		}
		require.Greater(t, waits[11], waits[0])
		require.Less(t, waits[12], 2*time.Second, "after a session that lasted")
	})
}
