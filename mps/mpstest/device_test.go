package mpstest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// server is a small MPS: it takes who has the right password, and keeps its connections.
type server struct {
	config apf.ServerConfig
	ready  chan *apf.Conn

	mu    sync.Mutex
	conns map[*apf.Conn]struct{}
	wg    sync.WaitGroup
	ctx   context.Context
	stop  context.CancelFunc
}

const testPassword = "P@ssw0rd"

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{ready: make(chan *apf.Conn, 10_000), conns: make(map[*apf.Conn]struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.config = apf.ServerConfig{
		LoginTime: stockTime,
		Authenticate: func(_ context.Context, l *apf.Login) error {
			if !l.Password.Equal(NewSecret(testPassword)) {
				return errors.New("wrong password")
			}
			return nil
		},
		Ready: func(c *apf.Conn) { s.ready <- c },
	}
	t.Cleanup(func() { s.stop(); s.wg.Wait() })
	return s
}

// serve serves a connection until it ends.
func (s *server) serve(stream apf.Stream) {
	s.wg.Go(func() {
		c := apf.NewServerConn(stream, &s.config)
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		_ = c.Run(s.ctx) // the device's end tells why
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	})
}

// closeAll ends the connections.
func (s *server) closeAll() {
	s.mu.Lock()
	conns := s.conns
	s.conns = make(map[*apf.Conn]struct{})
	s.mu.Unlock()
	for c := range conns {
		c.Close()
	}
}

// connect is a connection in memory, for [Config.Connect].
func (s *server) connect(context.Context) (apf.Stream, error) {
	ours, theirs := net.Pipe()
	s.serve(theirs)
	return ours, nil
}

// listen serves TLS and returns the configuration of a device for it.
func (s *server) listen(t *testing.T) Config {
	t.Helper()
	cert := serverCert(t, nil)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert})
	require.NoError(t, err)
	s.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.serve(c)
		}
	})
	t.Cleanup(func() { ln.Close() })
	return Config{Server: ln.Addr().String(), Trust: Trust{Pin: PinOf(cert.Leaf)}, User: "u", Password: NewSecret(testPassword), LoginTime: stockTime}
}

// memory is the configuration of a device that connects in memory.
func (s *server) memory() Config {
	return Config{Connect: s.connect, User: "u", Password: NewSecret(testPassword)}
}

func mustDevice(t *testing.T, cfg Config) *Device {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = testLogger(t)
	}
	d, err := NewDevice(cfg)
	require.NoError(t, err)
	t.Cleanup(d.Close)
	return d
}

// echoOver wants back what it sends.
func echoOver(t *testing.T, c net.Conn, size int) {
	t.Helper()
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i * 7)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		sent <- err
	}()
	got := make([]byte, size)
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.NoError(t, <-sent)
	require.Equal(t, want, got)
}

func TestDeviceOverTLS(t *testing.T) {
	s := newServer(t)
	cfg := s.listen(t)
	cfg.UUID = apf.UUID{0: 7, 15: 9}
	d := mustDevice(t, cfg)
	d.Start()
	_, err := d.WaitOnline(t.Context())
	require.NoError(t, err)
	c := <-s.ready
	require.Equal(t, cfg.UUID, c.Login().UUID)
	require.Equal(t, "u", c.Login().User)
	require.Equal(t, AMTPorts(), c.Ports())
	for _, port := range AMTPorts() {
		ch, err := c.Dial(t.Context(), "", port)
		require.NoError(t, err)
		echoOver(t, ch, 100_000)
		require.NoError(t, ch.Close())
	}
	_, err = c.Dial(t.Context(), "", 22)
	require.Error(t, err)
	d.Close()
	<-c.Done()
	require.Equal(t, StateStopped, d.State())
	_, err = d.Login(t.Context())
	require.ErrorIs(t, err, ErrClosed)
}

// TestEvents follows a device through what can happen to it.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		var refuse bool
		cfg := s.memory()
		connect := cfg.Connect
		cfg.Connect = func(ctx context.Context) (apf.Stream, error) {
			if refuse {
				return nil, errors.New("nobody there")
			}
			return connect(ctx)
		}
		events := make(chan Event, 100)
		cfg.Changed = func(e Event) { events <- e }
		next := func(want State) Event {
			t.Helper()
			e := <-events
			require.Equal(t, want, e.State, "%v", e)
			return e
		}
		d := mustDevice(t, cfg)
		d.Start()
		next(StateConnecting)
		next(StateLogin)
		e := next(StateOnline)
		require.Equal(t, AMTPorts(), e.Ports)
		require.Same(t, d, e.Device)
		require.Contains(t, e.String(), "online in 0s, ports [16993 ")

		// The server ends it: the device comes back after the usual time.
		s.closeAll()
		e = next(StateOffline)
		require.Error(t, e.Err)
		require.InDelta(t, 10, e.Wait.Seconds(), 2.5)
		require.Contains(t, e.String(), "calls again in")
		next(StateConnecting)
		next(StateLogin)
		next(StateOnline)
		require.EqualValues(t, 2, d.Sessions())

		// Nobody there: three calls, and then a long pause.
		refuse = true
		s.closeAll()
		next(StateOffline)
		for _, wait := range []float64{10, 10, 600} {
			next(StateConnecting)
			e = next(StateOffline)
			require.ErrorContains(t, e.Err, "mpstest: connect: nobody there")
			require.InDelta(t, wait, e.Wait.Seconds(), wait/4)
		}
		refuse = false
		next(StateConnecting)
		next(StateLogin)
		next(StateOnline)

		d.Close()
		e = next(StateStopped)
		require.ErrorIs(t, e.Err, ErrClosed)
		require.Empty(t, events)
	})
}

func TestWrongPassword(t *testing.T) {
	s := newServer(t)
	cfg := s.listen(t)
	cfg.Password = NewSecret("wrong")
	d := mustDevice(t, cfg)
	_, err := d.Login(t.Context())
	require.ErrorIs(t, err, apf.ErrRefused)
	require.NotContains(t, err.Error(), "wrong")
	require.Nil(t, d.Conn())
}

// TestLoginTime calls a server that takes connections and says nothing.
func TestLoginTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var theirs net.Conn
		d := mustDevice(t, Config{
			LoginTime: 7 * time.Second,
			Connect: func(context.Context) (apf.Stream, error) {
				var ours net.Conn
				ours, theirs = net.Pipe()
				go io.Copy(io.Discard, theirs)
				return ours, nil
			},
		})
		start := time.Now()
		_, err := d.Login(t.Context())
		require.Error(t, err)
		require.Equal(t, 7*time.Second, time.Since(start))
		theirs.Close()
	})
}

// TestSplitNeedsConn refuses to split what it can not.
func TestSplitNeedsConn(t *testing.T) {
	ours, theirs := msgconn.Pipe()
	defer theirs.Close(0, "")
	d := mustDevice(t, Config{
		Connect: func(context.Context) (apf.Stream, error) { return apf.NewWebSocketStream(ours), nil },
		Quirks:  Quirks{SplitWrites: 1},
	})
	_, err := d.Login(t.Context())
	require.ErrorContains(t, err, "can not be split")
}

// TestOneCall is a session that is not replaced.
func TestOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		d := mustDevice(t, s.memory())
		conn, err := d.Login(t.Context())
		require.NoError(t, err)
		require.Same(t, conn, d.Conn())
		s.closeAll()
		<-conn.Done()
		require.NoError(t, d.WaitState(t.Context(), StateStopped))
		time.Sleep(time.Hour) // in the bubble
		require.EqualValues(t, 1, d.Sessions())

		// And a second one.
		_, err = d.Login(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, d.Sessions())
	})
}

func TestRefusedAndSilentChannels(t *testing.T) {
	for name, tt := range map[string]struct {
		quirks Quirks
		check  func(t *testing.T, err error)
	}{
		"refused": {Quirks{RefuseEvery: 1}, func(t *testing.T, err error) {
			var open *apf.OpenError
			require.ErrorAs(t, err, &open)
			require.Equal(t, apf.OpenConnectFailed, open.Reason)
		}},
		"no answer": {Quirks{SilentEvery: 1}, func(t *testing.T, err error) { require.ErrorIs(t, err, apf.ErrNoAnswer) }},
		"both":      {Quirks{SilentEvery: 1, RefuseEvery: 1}, func(t *testing.T, err error) { require.ErrorIs(t, err, apf.ErrNoAnswer) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				cfg := s.memory()
				cfg.Quirks = tt.quirks
				d := mustDevice(t, cfg)
				d.Start()
				_, err := (<-s.ready).Dial(t.Context(), "", 16992)
				tt.check(t, err)
				synctest.Wait()
				require.Equal(t, StateOnline, d.State())
			})
		})
	}

	var o opens
	var refused, silent []int
	for i := 1; i <= 12; i++ {
		r, s := o.next(&Quirks{RefuseEvery: 3, SilentEvery: 4})
		if r {
			refused = append(refused, i)
		}
		if s {
			silent = append(silent, i)
		}
	}
	require.Equal(t, []int{3, 6, 9, 12}, refused)
	require.Equal(t, []int{4, 8, 12}, silent)
}

// TestKeepAlive stays online with firmware that asks as seldom as servers wait, once it was asked for more.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		cfg := s.memory()
		cfg.Quirks = Quirks{KeepAlive: 90 * time.Second}
		d := mustDevice(t, cfg)
		d.Start()
		c := <-s.ready
		time.Sleep(time.Hour) // in the bubble
		require.EqualValues(t, 1, d.Sessions())
		require.Equal(t, StateOnline, d.State())
		require.Greater(t, c.Stats().MessagesIn, uint64(100), "about two a minute")
	})
}

// TestStubbornKeepAlive comes and goes with firmware that does not do what it was asked for, as with stock servers.
func TestStubbornKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		cfg := s.memory()
		cfg.Quirks = Quirks{KeepAlive: 2 * time.Minute, IgnoreKeepAliveOptions: true}
		d := mustDevice(t, cfg)
		d.Start()
		c := <-s.ready
		<-c.Done()
		require.ErrorIs(t, c.Err(), apf.ErrIdle)
		again := <-s.ready
		synctest.Wait() // the device learns it after the server
		require.EqualValues(t, 2, d.Sessions())
		require.NoError(t, again.Err())
	})
}

// TestHandlersEnd closes a device whose handlers are in the middle of something.
func TestHandlersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		cfg := s.memory()
		ended := make(chan error, 2)
		cfg.Ports = map[uint16]Handler{1: func(c net.Conn) {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}, 2: func(c net.Conn) {
			var err error
			for err == nil {
				_, err = c.Write(make([]byte, 1000)) // until the windows are full
			}
			ended <- err
		}}
		d := mustDevice(t, cfg)
		d.Start()
		c := <-s.ready
		for port := range cfg.Ports {
			_, err := c.Dial(t.Context(), "", port)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Empty(t, ended)
		d.Close()
		require.Len(t, ended, 2, "the device waits for its handlers")
		require.Error(t, <-ended)
		require.Error(t, <-ended)
	})
}

// TestControl is what a device does with messages of the server.
func TestControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		got := make(chan apf.JSONControl, 10)
		s.config.Control = func(_ *apf.Conn, j apf.JSONControl) { got <- j }
		cfg := s.memory()
		cfg.ConnType, cfg.MEIState = apf.ConnLMS, NewSecret(`{"OsHostname":"pc"}`)
		d := mustDevice(t, cfg)
		ended := make(chan error, 1)
		go func() { ended <- d.Run(t.Context()) }()
		c := <-s.ready
		require.Equal(t, apf.ConnLMS, c.Login().ConnType)
		state := func() {
			t.Helper()
			j := <-got
			for j.Action() == apf.ActionConnType {
				j = <-got
			}
			require.Equal(t, apf.ActionMEIState, j.Action())
			require.JSONEq(t, `{"OsHostname":"pc"}`, string(j.Value()))
		}
		state()
		require.NoError(t, c.SendControl(t.Context(), apf.Control(apf.ActionMEState)))
		state()
		require.NoError(t, c.SendControl(t.Context(), apf.Control(apf.ActionClose)))
		require.ErrorIs(t, <-ended, ErrDismissed)
		require.Equal(t, StateStopped, d.State())
	})
}

// TestSetPorts changes ports during a session and between two.
func TestSetPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		d := mustDevice(t, s.memory())
		ports := func(ports ...uint16) map[uint16]Handler {
			m := make(map[uint16]Handler)
			for _, p := range ports {
				m[p] = Echo
			}
			return m
		}
		require.NoError(t, d.SetPorts(t.Context(), ports(16992, 16994)))
		d.Start()
		c := <-s.ready
		require.Equal(t, []uint16{16992, 16994}, c.Ports())
		old, err := c.Dial(t.Context(), "", 16994)
		require.NoError(t, err)

		require.NoError(t, d.SetPorts(t.Context(), ports(16993, 16992, 16995)))
		synctest.Wait()
		require.ElementsMatch(t, []uint16{16992, 16993, 16995}, c.Ports())
		echoOver(t, old, 100)
		ch, err := c.Dial(t.Context(), "", 16995)
		require.NoError(t, err)
		echoOver(t, ch, 100)
		_, err = c.Dial(t.Context(), "", 16994)
		require.ErrorIs(t, err, apf.ErrNotForwarded)

		require.ErrorContains(t, d.SetPorts(t.Context(), map[uint16]Handler{16992: nil}), "handler")
		s.closeAll()
		require.NoError(t, d.WaitState(t.Context(), StateOffline))
		require.NoError(t, d.SetPorts(t.Context(), ports(5900)))
		c = <-s.ready
		require.Equal(t, []uint16{5900}, c.Ports())
	})
}

func TestRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		d := mustDevice(t, s.memory())
		d.Start()
		_, err := d.WaitOnline(t.Context())
		require.NoError(t, err)
		require.ErrorContains(t, d.Run(t.Context()), "runs already")
	})
}

// TestCloseWaitsForRun is that Close ends a Run that the caller has begun, too, and returns after it.
func TestCloseWaitsForRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		d := mustDevice(t, s.memory())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(t.Context()) }()
		_, err := d.WaitOnline(t.Context())
		require.NoError(t, err)
		d.Close()
		require.Equal(t, StateStopped, d.State())
		require.ErrorIs(t, <-ended, ErrClosed)
		require.ErrorIs(t, d.Run(t.Context()), ErrClosed)
	})
}

// TestLoginOfAMoment is a session that has ended by the time that Login looks: it was online, and that is told.
func TestLoginOfAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		cfg := s.memory()
		cfg.Changed = func(e Event) {
			if e.State == StateOnline {
				s.closeAll()
			}
		}
		d := mustDevice(t, cfg)
		conn, err := d.Login(t.Context())
		require.NoError(t, err)
		require.NotNil(t, conn)
		require.NoError(t, d.WaitState(t.Context(), StateStopped))
	})
}

func TestFleet(t *testing.T) {
	s := newServer(t)
	cfg := s.listen(t)
	cfg.UUID = apf.UUID{15: 250}
	cfg.Backoff = Backoff{Interval: 10 * time.Millisecond, Retries: -1}
	const n = 20
	fleet, err := NewFleet(FleetConfig{Config: cfg, N: n, Calls: 3})
	require.NoError(t, err)
	defer fleet.Close()
	fleet.Start()
	require.NoError(t, fleet.WaitOnline(t.Context()))
	require.Equal(t, n, fleet.Online())
	uuids := make(map[apf.UUID]bool)
	for range n {
		uuids[(<-s.ready).Login().UUID] = true
	}
	require.Len(t, uuids, n)
	require.True(t, uuids[apf.UUID{14: 1, 15: 13}])

	s.closeAll()
	for range n {
		<-s.ready
	}
	fleet.Close()
	fleet.Wait()
	require.Zero(t, fleet.Online())
}

func TestFleetLogin(t *testing.T) {
	s := newServer(t)
	no := errors.New("not this one")
	_, err := NewFleet(FleetConfig{Config: s.memory(), N: 5, Each: func(i int, _ *Config) error {
		if i == 3 {
			return no
		}
		return nil
	}})
	require.ErrorIs(t, err, no)

	cfg := FleetConfig{Config: s.listen(t), N: 5}
	fleet, err := NewFleet(cfg)
	require.NoError(t, err)
	require.NoError(t, fleet.Login(t.Context(), 2))
	require.Equal(t, 5, fleet.Online())
	fleet.Close()

	cfg.Each = func(i int, c *Config) error {
		if i == 2 {
			c.Password = NewSecret("wrong")
		}
		return nil
	}
	fleet, err = NewFleet(cfg)
	require.NoError(t, err)
	defer fleet.Close()
	err = fleet.Login(t.Context(), 2)
	require.ErrorIs(t, err, apf.ErrRefused)
	require.ErrorContains(t, err, "device 2 of 5")
}
