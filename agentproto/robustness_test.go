package agentproto

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"crypto/rsa"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Each test here is a mistake that was made once.

func TestUpdateOfOneBlock(t *testing.T) {
	for _, size := range []int{1, MaxUpdateBlock, MaxUpdateBlock + 1, 2 * MaxUpdateBlock} {
		data := bytes.Repeat([]byte("x"), size)
		binary, err := NewAgentBinary(data, false)
		require.NoError(t, err)
		u := &fakeUpdater{hash: Hash{1}}
		x := NewCoreExchange(CoreExchangeConfig{Binary: binary, Capabilities: CapCore})
		exchange(t, x, &CoreReceiver{Updater: u}, x.Start())
		require.Equal(t, CoreUpdated, x.Phase(), size)
		require.True(t, bytes.Equal(data, u.got), size)
		require.NotNil(t, u.ended, size)
	}
}

func TestCostlyKeys(t *testing.T) {
	n := publicKey(t, testAgent().der).N
	large := new(big.Int).Lsh(big.NewInt(1), 8191)
	for name, key := range map[string]*rsa.PublicKey{
		"exponent": {N: n, E: 1<<31 - 1},
		"modulus":  {N: large.Add(large, big.NewInt(1)), E: 65537},
	} {
		der := selfSignedBy(t, key)
		_, err := peerKey(der)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

func TestCoreMessagesKeepTheirOrder(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		core := NewCore("", AppendCore(nil, make([]byte, 1000)))
		s := newServer(t, func(c *ServerConfig) {
			c.Limits.QueueBytes = 2000
			c.KeepAlive = KeepAlive{Interval: -1, Timeout: -1}
			c.Core = func(AgentInfo) (*Core, error) { return core, nil }
		})
		sess, client := mustConnect(t, s, newClient(t, testAgent(), silentAgent))
		go func() { _ = drain(t, sess) }()
		for range 17 { // fill the pipe, and the queue behind it
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_ = sess.SendRaw(ctx, []byte("{}"))
			cancel()
		}
		require.NoError(t, sess.SendRaw(t.Context(), append([]byte("{"), make([]byte, 1500)...)))
		require.NoError(t, client.SendRaw(t.Context(), encode(t, CoreHash{}))) // the agent has no core: one is due
		synctest.Wait()
		cleared := make(chan error, 1)
		go func() { cleared <- sess.ClearCore(t.Context()) }()
		var got []int // lengths of the commands 10
		for len(got) < 2 {
			_, msg, err := client.conn.ReadMessage(t.Context())
			require.NoError(t, err)
			if cmd, ok := PeekCommand(msg); ok && cmd == CmdCoreModule {
				got = append(got, len(msg))
			}
		}
		require.NoError(t, <-cleared)
		require.Equal(t, []int{coreHeader + len(core.Blob), 4}, got, "the core, then its end")
		sess.Close("")
		client.Close("")
	})
}

func TestRepeatedHashIsOnePush(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		core := NewCore("", AppendCore(nil, []byte("core")))
		s := newServer(t, func(c *ServerConfig) {
			c.CorePushes = 1
			c.Core = func(AgentInfo) (*Core, error) { return core, nil }
		})
		free := s.takePush(nil) // no place is free
		sess, client := mustConnect(t, s, newClient(t, testAgent(), silentAgent))
		go func() { _ = drain(t, sess) }()
		for range 500 {
			require.NoError(t, client.SendRaw(t.Context(), encode(t, CoreHash{})))
		}
		synctest.Wait()
		free()
		synctest.Wait()
		pushes := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, msg, err := client.conn.ReadMessage(ctx)
			cancel()
			if err != nil {
				break
			}
			if cmd, ok := PeekCommand(msg); ok && cmd == CmdCoreModule {
				pushes++
			}
		}
		require.Equal(t, 1, pushes)
		client.Close("")
	})
}

func TestLaterConnectionWins(t *testing.T) {
	var logins atomic.Int32
	entered, release := make(chan struct{}), make(chan struct{})
	s := newServer(t, func(c *ServerConfig) {
		c.Login = func(context.Context, Peer, AgentInfo) error {
			if logins.Add(1) == 1 {
				close(entered)
				<-release
			}
			return nil
		}
	})
	c := newClient(t, testAgent(), silentAgent)
	a, b := msgconn.Pipe()
	older := make(chan error, 1)
	go func() {
		_, err := s.Accept(t.Context(), a, Peer{})
		older <- err
	}()
	go func() { _, _ = c.Handshake(t.Context(), b, c.cfg.Servers[0], testWeb) }()
	<-entered
	fresh, _ := mustConnect(t, s, c)
	close(release)
	require.ErrorIs(t, <-older, ErrReplaced)
	require.NoError(t, fresh.Err())
	require.Equal(t, 1, s.Len())
}

// failConn writes nothing.
type failConn struct{ closed chan struct{} }

func (c *failConn) ReadMessage(context.Context) (msgconn.Type, []byte, error) {
	<-c.closed
	return 0, nil, errors.New("closed")
}
func (c *failConn) WriteMessage(context.Context, msgconn.Type, []byte) error {
	return errors.New("broken")
}
func (c *failConn) Close(int, string) error { close(c.closed); return nil }

func TestFailedWriteIsNotFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l link
		l.init(&failConn{closed: make(chan struct{})}, BinaryMessage, Limits{}.withDefaults())
		require.NoError(t, l.SendRaw(t.Context(), []byte("xx")))
		synctest.Wait()
		require.ErrorContains(t, l.Flush(t.Context()), "broken")
		require.Error(t, l.SendRaw(t.Context(), []byte("xx")))
	})
}

func TestFailedSessionIsNotRegistered(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(c *ServerConfig) {
			c.KeepAlive = KeepAlive{Interval: -1, Timeout: -1}
			c.Limits.WriteTimeout = time.Second
		})
		sess, client := mustConnect(t, s, newClient(t, testAgent(), silentAgent))
		for range 40 { // more than the pipe takes; nobody receives on either side
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_ = sess.SendRaw(ctx, []byte("xx"))
			cancel()
		}
		<-sess.Done()
		synctest.Wait()
		require.ErrorIs(t, sess.Err(), ErrQueueFull)
		require.Zero(t, s.Len())
		client.Close("")
	})
}

func TestEagerLoginCountsOnce(t *testing.T) {
	s := newServer(t, func(c *ServerConfig) {
		c.SignEagerly = true
		c.Admission.Agent = Rate{Events: 5, Window: time.Hour}
	})
	c := newClient(t, testAgent(), nil)
	for i := range 5 {
		_, _, err, clientErr := connect(t, s, c, Peer{})
		require.NoError(t, err, i)
		require.NoError(t, clientErr, i)
	}
	_, _, err, _ := connect(t, s, c, Peer{})
	require.ErrorIs(t, err, ErrBusy)
}

func TestLongHandlerIsNoSilence(t *testing.T) {
	warmKeys()
	synctest.Test(t, func(t *testing.T) {
		sess, client := pair(t, nil, nil)
		go func() { _ = drain(t, sess) }()
		var mux Mux
		done := false
		Handle(&mux, func(_ context.Context, s *ClientSession, _ *RunCommands) {
			time.Sleep(4 * time.Minute)
			require.NoError(t, s.Err())
			done = true
			s.Close("")
		})
		require.NoError(t, sess.Send(t.Context(), &RunCommands{Cmds: "sleep 240"}))
		mux.Serve(t.Context(), client)
		require.True(t, done)
	})
}

func TestLoginDuringShutdownIsToldSo(t *testing.T) {
	over := make(chan error, 1)
	var s *Server
	s = newServer(t, func(c *ServerConfig) {
		c.Login = func(context.Context, Peer, AgentInfo) error {
			go func() { over <- s.Shutdown(context.Background()) }()
			<-s.ctx.Done()
			return nil
		}
	})
	_, client, err, clientErr := connect(t, s, newClient(t, testAgent(), nil), Peer{})
	require.ErrorIs(t, err, ErrShutdown)
	if client != nil { // the confirmation was on its way
		_, clientErr = client.Receive(t.Context())
	}
	require.ErrorContains(t, clientErr, "server is shutting down")
	require.NoError(t, <-over)
}

func TestOneAddressDoesNotTakeAllPlaces(t *testing.T) {
	now := time.Now()
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	a := newAdmission(Admission{Pending: 4})
	var leave []func()
	for range 2 {
		l, err := a.enter(one, now)
		require.NoError(t, err)
		leave = append(leave, l)
	}
	_, err := a.enter(one, now)
	require.ErrorIs(t, err, ErrBusy)
	l, err := a.enter(other, now)
	require.NoError(t, err)
	l()
	for _, l := range leave {
		l()
	}
	require.Zero(t, a.pending)
	require.Empty(t, a.from)

	a = newAdmission(Admission{Total: Rate{Events: 10, Window: time.Hour}, Address: Rate{Events: 2, Window: time.Hour}})
	for range 100 {
		if l, err := a.enter(one, now); err == nil {
			l()
		}
	}
	l, err = a.enter(other, now)
	require.NoError(t, err, "what one address is refused for is not taken from all")
	l()
}

func TestNegativeNumbersAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*ServerConfig){
		"signatures": func(c *ServerConfig) { c.Signatures = -1 },
		"pushes":     func(c *ServerConfig) { c.CorePushes = -1 },
		"limit":      func(c *ServerConfig) { c.Limits.Message = -1 },
		"identity":   func(c *ServerConfig) { c.Identities = []*ServerIdentity{nil} },
	} {
		cfg := ServerConfig{Identities: []*ServerIdentity{testServer().identity(t)}, WebHashes: func(string) []Hash { return nil }}
		spoil(&cfg)
		_, err := NewServer(cfg)
		require.Error(t, err, name)
	}
}
