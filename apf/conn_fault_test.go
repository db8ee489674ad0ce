package apf

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cutStream ends a connection after so many bytes were written, in the middle of a write.
type cutStream struct {
	net.Conn
	mu   sync.Mutex
	left int
}

func (s *cutStream) Write(p []byte) (int, error) {
	s.mu.Lock()
	n := min(len(p), s.left)
	s.left -= n
	cut := s.left == 0
	s.mu.Unlock()
	k, err := s.Conn.Write(p[:n])
	if cut {
		s.Conn.Close()
		return k, io.ErrClosedPipe
	}
	return k, err
}

// TestCut: wherever the connection is cut, both ends end, with an error that says so, and everything on them.
func TestCut(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 17
	}
	for _, deviceCut := range []bool{true, false} {
		for at := 1; ; at += step {
			through := false
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				sa, sb := &cutStream{Conn: a, left: 1 << 30}, &cutStream{Conn: b, left: 1 << 30}
				if deviceCut {
					sb.left = at
				} else {
					sa.left = at
				}
				d := testDeviceConfig()
				d.MaxFrame = 200
				server, device := pairOver(t, sa, sb, testServerConfig(), d)
				select {
				case <-server.ready:
					ch, err := server.Dial(t.Context(), "", 16992)
					if err != nil {
						var o *OpenError
						require.True(t, errors.As(err, &o))
						break
					}
					go func() { _, _ = ch.Write(make([]byte, 1000)) }()
					if _, err = io.ReadFull(ch, make([]byte, 1000)); err == nil {
						require.NoError(t, ch.Close())
						synctest.Wait()
						through = server.Err() == nil
					}
				case <-server.Done():
				}
				if through {
					return
				}
				for _, r := range []*runs{server, device} {
					var e *Error
					require.True(t, errors.As(r.wait(t), &e))
					require.ErrorIs(t, r.Err(), e)
					_, err := r.Dial(t.Context(), "", 16992)
					require.Error(t, err)
				}
			})
			if through {
				require.Greater(t, at, 500, "it was cut everywhere")
				break
			}
		}
	}
}

// TestLoginFaults: what is told to a device that logs in wrong, and what the server reports.
func TestLoginFaults(t *testing.T) {
	goodbye := func(r DisconnectReason) Message { return &Disconnect{r} }
	for name, c := range map[string]struct {
		say  []Message
		hear []Message
		err  error
	}{
		"wrong password":     {[]Message{version, wantAuth, &UserAuthRequest{b("user"), b(ServiceForward), b("password"), b("x")}}, []Message{acceptAuth, &UserAuthFailure{b("password"), false}}, ErrRefused},
		"login before all":   {[]Message{login}, []Message{goodbye(DisconnectProtocolError)}, ErrProtocol},
		"no login":           {[]Message{version, wantPfwd}, []Message{goodbye(DisconnectProtocolError)}, ErrProtocol},
		"version":            {[]Message{&ProtocolVersion{Major: 9}}, []Message{goodbye(DisconnectVersion)}, ErrProtocol},
		"service":            {[]Message{version, &ServiceRequest{b("x")}}, []Message{goodbye(DisconnectNoService)}, ErrProtocol},
		"channel":            {[]Message{version, &ChannelOpen{}}, []Message{goodbye(DisconnectProtocolError)}, ErrProtocol},
		"keep-alive":         {[]Message{&KeepAliveRequest{}}, []Message{goodbye(DisconnectProtocolError)}, ErrProtocol},
		"forward":            {[]Message{version, wantAuth, forward}, []Message{acceptAuth, goodbye(DisconnectProtocolError)}, ErrProtocol},
		"second login":       {[]Message{version, wantAuth, login, login}, []Message{acceptAuth, &UserAuthSuccess{}, goodbye(DisconnectProtocolError)}, ErrProtocol},
		"second identity":    {[]Message{version, wantAuth, login, version}, []Message{acceptAuth, &UserAuthSuccess{}, goodbye(DisconnectProtocolError)}, ErrProtocol},
		"they leave":         {[]Message{version, &Disconnect{DisconnectAuthCancelled}}, nil, &DisconnectError{DisconnectAuthCancelled}},
		"too many messages":  {[]Message{isLMS, state, state, state, state, state, state, state, state, state, state, state, state, state, state, state, state}, []Message{goodbye(DisconnectProtocolError)}, ErrLimit},
		"pipelined, refused": {[]Message{version, wantAuth, &UserAuthRequest{b("user"), b(ServiceForward), b("none"), nil}, wantPfwd, forward}, []Message{acceptAuth, &UserAuthFailure{b("password"), false}}, ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, r := rawDevice(t, testServerConfig())
				go func() { // all at once, whether it is read or not
					var wire []byte
					for _, m := range c.say {
						wire = m.Append(wire)
					}
					_, _ = r.conn.Write(wire)
				}()
				r.hear(c.hear...)
				r.hear(nil)
				err := server.wait(t)
				var gone *DisconnectError
				if errors.As(c.err, &gone) {
					require.ErrorContains(t, err, gone.Error())
				} else {
					require.ErrorIs(t, err, c.err)
				}
				require.Contains(t, err.Error(), "apf: ")
			})
		})
	}
}

// TestNobody: without anybody to ask, nobody logs in; a hook that panics on nothing is not called.
func TestNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, device := pair(t, new(ServerConfig), testDeviceConfig())
		require.ErrorIs(t, server.wait(t), ErrRefused)
		require.ErrorIs(t, device.wait(t), ErrRefused)
		require.Equal(t, Login{}.UUID, server.Login().UUID)
		require.Empty(t, server.Ports())
	})
}

// TestNothingBeforeLogin: the hook decides, however long that takes, and nothing is answered meanwhile.
func TestNothingBeforeLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		decide := make(chan error)
		s := testServerConfig()
		s.Authenticate = func(ctx context.Context, l *Login) error {
			assert.Equal(t, "P@ssw0rd", l.Password.Reveal())
			return <-decide
		}
		var early []string
		s.Control = func(_ *Conn, j JSONControl) { early = append(early, j.Action()) }
		server, r := rawDevice(t, s)
		r.say(isLMS, state, version, wantAuth)
		r.hear(acceptAuth)
		go func() {
			_, err := r.conn.Write(r.wire(login, wantPfwd, forward))
			assert.NoError(t, err)
		}()
		require.NoError(t, r.conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		_, err := r.conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, r.conn.SetReadDeadline(time.Time{}))
		_, err = server.Dial(t.Context(), "", 16992)
		require.ErrorIs(t, err, ErrNotForwarded)
		require.Error(t, server.SendControl(t.Context(), Control(ActionMEState)))
		require.Empty(t, server.Login().User)
		require.Empty(t, early)
		decide <- nil
		r.hear(&UserAuthSuccess{}, acceptPfwd, &RequestSuccess{true, 16992})
		require.Equal(t, []string{ActionMEIState}, early)
		require.Equal(t, "user", server.Login().User)
	})
}

// TestLoginTime: a login takes its time, but not for ever, whatever is said meanwhile.
func TestLoginTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		server, r := rawDevice(t, testServerConfig())
		r.say(version)
		<-time.After(20 * time.Second)
		r.say(wantAuth)
		r.hear(acceptAuth, &Disconnect{DisconnectTimedOut}, nil)
		require.ErrorIs(t, server.wait(t), ErrLoginTime)
		require.Equal(t, 30*time.Second, time.Since(began))
	})
	synctest.Test(t, func(t *testing.T) { // a hook that hangs
		s := testServerConfig()
		s.Authenticate = func(ctx context.Context, _ *Login) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		server, device := pair(t, s, testDeviceConfig())
		require.ErrorIs(t, server.wait(t), ErrLoginTime)
		require.Error(t, device.wait(t))
	})
	synctest.Test(t, func(t *testing.T) { // a server that says nothing
		a, b := net.Pipe()
		defer a.Close()
		device := run(t.Context(), NewDeviceConn(b, testDeviceConfig()), nil)
		go func() { _, _ = io.Copy(io.Discard, a) }()
		require.ErrorIs(t, device.wait(t), ErrLoginTime)
	})
}

// TestNoAnswer: firmware that never answers an open costs that call its time, and nothing else.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, r := rawDevice(t, testServerConfig())
		r.login(16992, 5900)
		r.hear(&KeepAliveOptionsRequest{30, 0})
		good := r.opened(server, 1, 1000)
		began := time.Now()
		result := dial(t.Context(), server)
		require.Equal(t, TypeChannelOpen, r.next().Type())
		d := <-result
		require.Equal(t, 10*time.Second, time.Since(began))
		var o *OpenError
		require.True(t, errors.As(d.err, &o))
		require.ErrorIs(t, d.err, ErrNoAnswer)
		var timeout net.Error
		require.True(t, errors.As(d.err, &timeout) && timeout.Timeout())
		_, err := good.Write(b("x"))
		require.NoError(t, err)
		r.hear(&ChannelData{1, 1, 0, b("x")})
		require.EqualValues(t, 1, server.Stats().OpenFailed)

		// Nobody waits any longer: the late channel is closed.
		r.say(&ChannelOpenConfirmation{5, 2, 100})
		r.hear(&ChannelClose{2})
		r.say(&ChannelClose{5})

		// The caller does not wait as long.
		ctx, cancel := context.WithCancelCause(t.Context())
		result = dial(ctx, server)
		require.Equal(t, TypeChannelOpen, r.next().Type())
		cause := errors.New("changed my mind")
		cancel(cause)
		d = <-result
		require.ErrorIs(t, d.err, cause)
		_, err = server.Dial(ctx, "", 16992)
		require.ErrorIs(t, err, cause)
	})
}

// TestChannelFaults: what is wrong with a channel ends that channel, and the others live on.
func TestChannelFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var violations []error
		s := testServerConfig()
		s.Window = 1000
		s.Trace = &Trace{Violation: func(_ *Conn, err error) { violations = append(violations, err) }}
		server, r := rawDevice(t, s)
		r.login(16992, 5900)
		r.hear(&KeepAliveOptionsRequest{30, 0})
		good, bad := r.opened(server, 1, 1000), r.opened(server, 2, 1000)

		r.say(&ChannelData{5, 0, 0, make([]byte, 6000)}) // over the window
		r.hear(&ChannelClose{2})
		_, err := bad.Read(make([]byte, 1))
		require.ErrorIs(t, err, ErrWindow)
		_, err = bad.Write(make([]byte, 1))
		require.ErrorIs(t, err, ErrWindow)
		r.say(&ChannelData{5, 0, 0, make([]byte, 6000)}, &ChannelClose{5}) // after our close: nothing

		worse := r.opened(server, 3, 0)
		r.say(&WindowAdjust{6, 0x7FFFFFFF}, &WindowAdjust{6, 0x7FFFFFFF})
		r.hear(&ChannelClose{3})
		_, err = worse.Write(make([]byte, 1))
		require.ErrorIs(t, err, ErrWindow)

		// After its own close, and of channels that never were.
		r.say(&ChannelClose{6}, &ChannelClose{6}, &ChannelData{6, 0, 0, b("late")}, &WindowAdjust{77, 1}, &ChannelClose{78},
			&ChannelOpenConfirmation{79, 1, 1}, &ChannelOpenFailure{80, 1}, &ChannelData{0xFFFFFFFF, 0, 0, b("lost")}, &KeepAliveRequest{9})
		r.hear(&KeepAliveReply{9})
		synctest.Wait()
		require.Len(t, violations, 9)
		require.EqualValues(t, 9, server.Stats().Violations)

		// A refusal of what nobody takes.
		r.say(&ChannelOpen{ChannelType: b(ChannelDirect), Sender: 3, Window: 100, Address: b("h"), Port: 80},
			&ChannelOpen{ChannelType: b("session"), Sender: 4, Window: 100, Address: b("h"), Port: 80})
		r.hear(&ChannelOpenFailure{3, OpenUnknownType}, &ChannelOpenFailure{4, OpenUnknownType})

		_, err = good.Write(b("still"))
		require.NoError(t, err)
		r.hear(&ChannelData{1, 5, 0, b("still")})
		r.say(&ChannelData{4, 0, 0, b("here")})
		got := make([]byte, 10)
		n, err := good.Read(got)
		require.NoError(t, err)
		require.Equal(t, "here", string(got[:n]))
		require.Equal(t, 1, server.Stats().Channels)
		require.NoError(t, server.Err())
	})
}

// TestRandomFrames: 10,000 messages without sense end the channels that they are about and no other, what is no message at all
// ends the connection with an error that says so, and neither leaves anything behind.
func TestRandomFrames(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	for seed := range rounds {
		garbage := seed%2 == 1
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(seed), 0))
			s := testServerConfig()
			s.Accept = echo
			server, r := rawDevice(t, s)
			r.login(16992, 5900)
			r.hear(&KeepAliveOptionsRequest{30, 0})
			good := r.opened(server, 1000, 0)
			go func() { _, _ = io.Copy(io.Discard, r.conn) }()
			var dials []chan dialed
			for range 20 {
				dials = append(dials, dial(t.Context(), server))
			}
			sent, alive := 0, true
			for alive && sent < 10_000 {
				var wire []byte
				for range 20 {
					id, n := 5+rnd.Uint32N(30), rnd.Uint32N(1<<(1+rnd.UintN(31)))
					var m Message
					switch rnd.UintN(8) {
					case 0:
						m = ChannelOpenConfirmation{id, id, n}
					case 1:
						m = ChannelOpenFailure{id, OpenReason(n % 6)}
					case 2:
						m = WindowAdjust{id, n}
					case 3:
						m = ChannelData{Recipient: id, Data: make([]byte, n%2000)}
					case 4:
						m = ChannelClose{id}
					case 5:
						m = ChannelOpen{ChannelType: b(ChannelDirect), Sender: id, Window: n, Port: n % 70000}
					case 6:
						m = KeepAliveReply{n}
					case 7:
						m = CancelTCPForward{true, nil, n}
					}
					wire = m.Append(wire)
					sent++
				}
				if garbage && rnd.UintN(100) == 0 {
					wire = append(wire, byte(200+rnd.UintN(8)))
				}
				word := []byte{byte(sent), byte(sent >> 8)}
				_, err := r.conn.Write(ChannelData{Recipient: 4, Data: word}.Append(wire))
				if alive = err == nil && server.Err() == nil; alive {
					got := make([]byte, 2)
					_, err = io.ReadFull(good, got)
					if alive = err == nil || !garbage; alive {
						require.NoError(t, err)
						require.Equal(t, word, got)
					}
				}
			}
			if garbage {
				require.ErrorIs(t, server.wait(t), ErrMalformed)
			} else {
				require.EqualValues(t, 10_000, sent)
				require.Greater(t, server.Stats().MessagesIn, uint64(sent))
				require.Greater(t, server.Stats().Opened, uint64(5))
				require.Greater(t, server.Stats().Violations, uint64(1000))
				server.Close()
				require.ErrorIs(t, server.wait(t), ErrClosed)
			}
			for _, d := range dials {
				if got := <-d; got.err == nil {
					_, err := io.Copy(io.Discard, got.ch)
					_ = err // some were closed by the device, which is no error
					require.Error(t, got.ch.mc.err)
				}
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			require.Empty(t, server.mux.channels)
			require.Empty(t, server.mux.queue)
			require.Zero(t, server.mux.slots+server.mux.opening)
		})
	}
}

// TestViolationFlood: what a peer does wrong is told soon, and not collected.
func TestViolationFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most, told := 0, 0
		s := testServerConfig()
		s.Trace = &Trace{Violation: func(c *Conn, _ error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			most, told = max(most, len(c.later)), told+1
		}}
		_, r := rawDevice(t, s)
		r.login(16992, 5900)
		r.hear(&KeepAliveOptionsRequest{30, 0})
		var wire []byte
		for range 10_000 {
			wire = ChannelClose{99}.Append(wire)
		}
		_, err := r.conn.Write(wire)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 10_000, told)
		require.Less(t, most, 100)
	})
}

// TestSlowPeer: a device that does not read can not make the server hold more and more.
func TestSlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testServerConfig()
		s.Limits.QueueBytes = 1000
		server, r := rawDevice(t, s)
		r.login(16992)
		open := ChannelOpen{ChannelType: b("x"), Sender: 1, Port: 1}.Append(nil)
		for {
			if _, err := r.conn.Write(open); err != nil {
				break
			}
		}
		require.ErrorIs(t, server.wait(t), ErrSlow)
	})
	synctest.Test(t, func(t *testing.T) { // nor make it wait
		server, r := rawDevice(t, testServerConfig())
		r.login(16992, 5900)
		r.hear(&KeepAliveOptionsRequest{30, 0})
		ch := r.opened(server, 1, 1<<20)
		began := time.Now()
		_, err := ch.Write(make([]byte, 1<<20))
		require.Error(t, err)
		require.ErrorIs(t, server.wait(t), ErrSlow)
		require.Equal(t, 30*time.Second, time.Since(began))
	})
}

// TestLastWords: a DISCONNECT that lacks its end, at the end of the stream.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, r := rawDevice(t, testServerConfig())
		r.login(16992)
		_, err := r.conn.Write([]byte{1, 0, 0, 0, 11})
		require.NoError(t, err)
		r.conn.Close()
		var gone *DisconnectError
		require.True(t, errors.As(server.wait(t), &gone))
		require.Equal(t, DisconnectByApplication, gone.Reason)
	})
	synctest.Test(t, func(t *testing.T) {
		server, r := rawDevice(t, testServerConfig())
		_, err := r.conn.Write([]byte{0xc0, 0, 0})
		require.NoError(t, err)
		r.conn.Close()
		require.ErrorIs(t, server.wait(t), io.ErrUnexpectedEOF)
	})
}

// TestUnknownRequest: it is refused, and is the end.
func TestUnknownRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, r := rawDevice(t, testServerConfig())
		r.login(16992)
		r.p.Expect(false)
		r.say(&UnknownRequest{true, b("tcpip-backward")})
		r.hear(&RequestFailure{}, &Disconnect{DisconnectProtocolError}, nil)
		require.ErrorIs(t, server.wait(t), ErrProtocol)
		require.True(t, strings.Contains(server.Err().Error(), `"tcpip-backward"`))
	})
}
