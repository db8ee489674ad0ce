package apf

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReady: the ports are complete when the last one has come, or none comes any more.
func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		ports []uint16
		after time.Duration
	}{
		"all of them": {testPorts, 0},
		"without VNC": {[]uint16{16993, 16995}, 500 * time.Millisecond},
		"none":        {nil, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, r := rawDevice(t, testServerConfig())
				r.login(c.ports...)
				began := time.Now()
				<-server.ready
				require.Equal(t, c.after, time.Since(began))
				r.hear(&KeepAliveOptionsRequest{30, 0})
				require.Equal(t, len(c.ports), len(server.Ports()))
			})
		})
	}
}

// TestPortsChanged: ports come and go during a session, and open channels stay.
func TestPortsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen [][]uint16
		s := testServerConfig()
		s.PortsChanged = func(c *Conn) { seen = append(seen, c.Ports()) }
		s.AllowPort = func(p uint16) bool { return p != 22 }
		server, device := pair(t, s, testDeviceConfig())
		online(t, server, device)
		require.Empty(t, seen)
		ch, err := server.Dial(t.Context(), "", 623)
		require.NoError(t, err)
		require.NoError(t, device.Forward(t.Context(), 623, true))
		require.NoError(t, device.Forward(t.Context(), 22, false))
		require.NoError(t, device.Forward(t.Context(), 3389, false))
		require.NoError(t, device.Forward(t.Context(), 3389, false))
		synctest.Wait()
		require.Equal(t, [][]uint16{{16993, 16992, 664, 16995, 16994, 5900}, {16993, 16992, 664, 16995, 16994, 5900, 3389}}, seen)
		require.Equal(t, seen[1], server.Ports())
		require.Equal(t, seen[1], device.Ports())
		_, err = server.Dial(t.Context(), "", 623)
		require.ErrorIs(t, err, ErrNotForwarded)
		exchange(t, ch, 1000)
		require.Error(t, server.Forward(t.Context(), 1, false))
	})
}

// TestIdle: silence ends a connection, a byte now and then keeps it.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, r := rawDevice(t, testServerConfig())
		r.login(5900)
		r.hear(&KeepAliveOptionsRequest{30, 0})
		for range 10 {
			<-time.After(80 * time.Second)
			r.say(&KeepAliveRequest{1})
			r.hear(&KeepAliveReply{1})
		}
		began := time.Now()
		r.hear(&Disconnect{DisconnectTimedOut}, nil)
		require.ErrorIs(t, server.wait(t), ErrIdle)
		require.Equal(t, 90*time.Second, time.Since(began))
	})
}

// TestOptionsUnasked: nobody is given more time for an answer that nobody asked for.
func TestOptionsUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, r := rawDevice(t, testServerConfig())
		r.login()
		r.say(&KeepAliveOptionsReply{3600, 0})
		began := time.Now()
		r.hear(&KeepAliveOptionsRequest{30, 0}, &Disconnect{DisconnectTimedOut}, nil)
		require.ErrorIs(t, server.wait(t), ErrIdle)
		require.Equal(t, 90*time.Second, time.Since(began))
	})
}

// TestProbes: a device that has answered the options is asked by the server when it is silent, and has as long as three
// of its intervals.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var trip atomic.Int64
		s := testServerConfig()
		s.KeepAlive = KeepAlive{Interval: 1500 * time.Millisecond, Timeout: 45 * time.Second}
		s.Trace = &Trace{Probed: func(_ *Conn, took time.Duration) { trip.Store(int64(took)) }}
		server, r := rawDevice(t, s)
		r.login(5900)
		r.hear(&KeepAliveOptionsRequest{2, 45})
		r.say(&KeepAliveOptionsReply{60, 45})
		began := time.Now()
		r.hear(&KeepAliveRequest{1})
		require.Equal(t, 45*time.Second, time.Since(began))
		<-time.After(time.Second)
		r.say(&KeepAliveReply{7}, &KeepAliveReply{1}, &KeepAliveReply{1})
		synctest.Wait()
		require.Equal(t, time.Second, time.Duration(trip.Load()))
		require.Equal(t, time.Second, server.Stats().RoundTrip)
		r.hear(&KeepAliveRequest{2}, &KeepAliveRequest{3}, &KeepAliveRequest{4})
		require.Equal(t, (46+3*45)*time.Second, time.Since(began))
		r.hear(&Disconnect{DisconnectTimedOut}, nil)
		require.Equal(t, (46+180)*time.Second, time.Since(began))
		require.ErrorIs(t, server.wait(t), ErrIdle)
	})
	// Neither is asked for.
	synctest.Test(t, func(t *testing.T) {
		s := testServerConfig()
		s.KeepAlive = KeepAlive{Interval: -1, Probe: -1}
		server, r := rawDevice(t, s)
		r.login(5900)
		r.hear(&Disconnect{DisconnectTimedOut}, nil)
		require.ErrorIs(t, server.wait(t), ErrIdle)
	})
}

// TestDeviceKeepAlive: the device's end keeps the connection alive, as often as it was asked to.
func TestDeviceKeepAlive(t *testing.T) {
	for name, c := range map[string]struct {
		firmware Firmware
		every    time.Duration
		asked    time.Duration
		alive    bool
		count    uint64 // of keep-alives in 10 minutes, at least
	}{
		"by itself":         {every: 0, asked: -1, alive: true, count: 19},
		"too seldom":        {every: 95 * time.Second, asked: -1},
		"asked":             {every: 95 * time.Second, asked: 20 * time.Second, alive: true, count: 29},
		"asked, and is not": {firmware: Firmware{IgnoreOptions: true}, every: 95 * time.Second, asked: 20 * time.Second},
		"never":             {every: -1, asked: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := testServerConfig(), testDeviceConfig()
				s.KeepAlive = KeepAlive{Interval: c.asked, Probe: -1}
				d.Firmware, d.KeepAlive = c.firmware, c.every
				server, device := pair(t, s, d)
				online(t, server, device)
				before := server.Stats().MessagesIn
				select {
				case <-server.Done():
					require.False(t, c.alive)
					require.ErrorIs(t, server.wait(t), ErrIdle)
				case <-time.After(10 * time.Minute):
					require.True(t, c.alive)
					require.GreaterOrEqual(t, server.Stats().MessagesIn-before, c.count)
					require.NoError(t, device.Err())
				}
			})
		})
	}
}

// TestDeviceIdle: a device notices a server that is gone.
func TestDeviceIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c := net.Pipe()
		ready := make(chan struct{})
		d := testDeviceConfig()
		d.Ports, d.SkipAuth = nil, true
		d.Ready = func(*Conn) { close(ready) }
		device := run(t.Context(), NewDeviceConn(c, d), ready)
		go func() {
			buf := make([]byte, 1000)
			for n := 0; n < 93+23; {
				k, err := a.Read(buf)
				if err != nil {
					return
				}
				n += k
			}
			_, _ = a.Write(acceptPfwd.Append(nil))
			for {
				if _, err := a.Read(buf); err != nil {
					return
				}
			}
		}()
		<-ready
		require.ErrorIs(t, device.wait(t), ErrIdle)
		a.Close()
	})
}

// TestClose: who closes, and what the other side learns of it.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, device := pair(t, testServerConfig(), testDeviceConfig())
		online(t, server, device)
		ch, err := server.Dial(t.Context(), "", 16992)
		require.NoError(t, err)
		read := make(chan error)
		go func() {
			_, err := ch.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		require.NoError(t, server.CloseWith(DisconnectByPolicy))
		<-server.Done()
		require.ErrorIs(t, <-read, net.ErrClosed, "at once")
		require.NoError(t, server.CloseWith(DisconnectByPolicy))
		require.ErrorIs(t, server.wait(t), ErrClosed)
		require.ErrorIs(t, server.Err(), net.ErrClosed)
		var gone *DisconnectError
		require.True(t, errors.As(device.wait(t), &gone))
		require.Equal(t, DisconnectByPolicy, gone.Reason)
		_, err = server.Dial(t.Context(), "", 16992)
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, server.SendControl(t.Context(), Control(ActionClose)), net.ErrClosed)
		require.ErrorIs(t, ch.SetDeadline(time.Time{}), nil)
		require.NoError(t, ch.Close())
		require.ErrorIs(t, ch.Close(), net.ErrClosed)
	})
	synctest.Test(t, func(t *testing.T) { // by the context
		a, c := net.Pipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		server := run(ctx, NewServerConn(a, testServerConfig()), nil)
		device := run(t.Context(), NewDeviceConn(c, testDeviceConfig()), nil)
		synctest.Wait()
		why := errors.New("shutting down")
		cancel(why)
		require.ErrorIs(t, server.wait(t), why)
		require.Error(t, device.wait(t))
	})
	synctest.Test(t, func(t *testing.T) { // before Run, and instead of it
		a, c := net.Pipe()
		server := NewServerConn(a, nil)
		server.Close()
		_, err := c.Read(make([]byte, 1))
		require.Error(t, err)
		require.ErrorIs(t, server.Run(t.Context()), ErrClosed)
		require.ErrorIs(t, server.Run(t.Context()), errTwice)
	})
	synctest.Test(t, func(t *testing.T) { // with a peer that does not read
		a, c := net.Pipe()
		defer c.Close()
		server := run(t.Context(), NewServerConn(a, nil), nil)
		synctest.Wait()
		began := time.Now()
		server.Close()
		require.ErrorIs(t, server.wait(t), ErrClosed)
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}

// TestControlAndUDP: what goes beside the channels.
func TestControlAndUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var atServer, atDevice []string
		var datagram UDPSendTo
		s, d := testServerConfig(), testDeviceConfig()
		d.ConnType = ConnLMS
		d.MEIState = NewSecret(`{"UUID":"x"}`)
		s.Control = func(_ *Conn, j JSONControl) { atServer = append(atServer, string(j.JSON())) }
		d.Control = func(c *Conn, j JSONControl) {
			atDevice = append(atDevice, j.Action())
			answer, err := ControlValue(ActionDeactivate, 0)
			assert.NoError(t, err)
			assert.NoError(t, c.SendControl(t.Context(), answer))
		}
		s.UDP = func(_ *Conn, u *UDPSendTo) {
			datagram = *u
			datagram.Data = append([]byte(nil), u.Data...)
		}
		server, device := pair(t, s, d)
		online(t, server, device)
		require.NoError(t, server.SendControl(t.Context(), Control(ActionDeactivate)))
		require.NoError(t, device.SendUDP(t.Context(), &UDPSendTo{Address: b("h"), Port: 162, Data: b("alert")}))
		synctest.Wait()
		require.Equal(t, []string{ActionDeactivate}, atDevice)
		require.Equal(t, []string{`{"action":"meiState","value":{"UUID":"x"}}`, `{"action":"deactivate","value":0}`}, atServer)
		require.Equal(t, "alert", string(datagram.Data))
		require.Error(t, device.SendUDP(t.Context(), &UDPSendTo{Data: make([]byte, 1501)}))
		require.Error(t, server.SendUDP(t.Context(), &UDPSendTo{}))
	})
	synctest.Test(t, func(t *testing.T) {
		server, device := pair(t, testServerConfig(), testDeviceConfig())
		online(t, server, device)
		require.Error(t, server.SendControl(t.Context(), Control(ActionMEState)), "firmware does not bear it")
		require.Error(t, device.SendControl(t.Context(), Control(ActionMEState)))
	})
}

// TestSendControlWaits: a sender waits while the device does not take what it is sent.
func TestSendControlWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, r := rawDevice(t, testServerConfig())
		r.say(isLMS)
		r.login(5900)
		sent := make(chan int)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		go func() {
			n := 0
			for server.SendControl(ctx, ControlConsole(string(make([]byte, 1000)))) == nil {
				n++
			}
			sent <- n
		}()
		n := <-sent
		require.Less(t, n, 20)
		for range n {
			require.Equal(t, TypeJSONControl, r.next().Type())
		}
		require.NoError(t, server.Err())
	})
}

// TestTrace: every hook is called for what it is for.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		var mu sync.Mutex
		see := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, s)
		}
		s, d := testServerConfig(), testDeviceConfig()
		s.Trace = &Trace{
			LoggedIn:      func(*Conn, time.Duration) { see("logged in") },
			Ready:         func(*Conn) { see("ready") },
			ChannelOpened: func(ch *Channel, _ time.Duration) { see("opened " + ch.RemoteAddr().String()) },
			OpenFailed:    func(_ *Conn, err *OpenError) { see("failed " + err.Reason.String()) },
			ChannelClosed: func(ch *Channel, err error) { see("closed " + err.Error()) },
			Closed:        func(*Conn, error) { see("over") },
		}
		d.Firmware.RefuseOpens, d.Firmware.RefuseReason = 3, OpenConnectFailed
		server, device := pair(t, s, d)
		online(t, server, device)
		began := time.Now()
		_, err := server.Dial(t.Context(), "", 16992) // twice refused
		require.Error(t, err)
		require.Equal(t, 250*time.Millisecond, time.Since(began))
		ch, err := server.Dial(t.Context(), "", 16992) // once refused
		require.NoError(t, err)
		require.Equal(t, 500*time.Millisecond, time.Since(began))
		require.NoError(t, ch.Close())
		synctest.Wait()
		_, err = server.Dial(t.Context(), "", 22)
		require.Error(t, err)
		server.Close()
		require.Error(t, server.wait(t))
		require.Equal(t, []string{"logged in", "ready", "failed connect failed", "opened :16992",
			"closed " + ErrClosed.Error(), "failed administratively prohibited", "over"}, seen)
	})
}
