package redir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testConfig() Config { return Config{Credentials: testCredentials()} }

// bubble runs a subtest in which time is not that of the machine: a session whose end is not heard for ten seconds is over.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// fakeAMT is the other end of a connection, which the test plays itself. It starts after a login.
type fakeAMT struct {
	t    *testing.T
	conn net.Conn
	*transport
}

// openSerial opens a serial port of a fake device.
func openSerial(t *testing.T, cfg SOLConfig) (*Serial, *fakeAMT) {
	t.Helper()
	a, b := net.Pipe()
	f := &fakeAMT{t, b, newTransport(b, Operator, time.Minute)}
	opened := make(chan error, 1)
	go func() {
		opened <- func() error {
			if err := NewDevice(DeviceConfig{}).login(f.transport, testServer(nil)); err != nil {
				return err
			}
			early := SOLStatus{Lines: LineRTS}.Append(SOLSignal{Command: CommandSOLHeartbeat}.Append(nil)) // may come first
			for _, answer := range [][]byte{SOLOpenReply{Sequence: 1}.Append(early), nil} {
				if _, err := f.receive(0); err != nil {
					return err
				}
				if err := f.transport.send(answer, time.Time{}); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	cfg.Config = testConfig()
	s, err := OpenSOL(t.Context(), a, cfg)
	require.NoError(t, err)
	require.NoError(t, <-opened)
	t.Cleanup(func() { _ = s.Close() })
	return s, f
}

func (f *fakeAMT) say(m wireMessage) {
	f.t.Helper()
	require.NoError(f.t, f.transport.send(m.Append(nil), time.Time{}))
}

func (f *fakeAMT) hear(m wireParser) {
	f.t.Helper()
	got, err := f.receive(0)
	require.NoError(f.t, err)
	require.NoError(f.t, m.Parse(got))
}

// TestSOLWire: what is sent, with its numbers, is what the stock client sends.
func TestSOLWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := openSerial(t, SOLConfig{})
		start := time.Now()
		var beat SOLSignal
		for n := range 3 {
			f.hear(&beat) // every two seconds, numbered with all the others
			require.Equal(t, SOLSignal{CommandSOLHeartbeat, uint32(3 + n)}, beat)
			require.Equal(t, time.Duration(n+1)*2*time.Second, time.Since(start))
		}
		go func() { _, _ = s.Write(make([]byte, operatorChunk+5)) }()
		var data SOLData
		f.hear(&data)
		require.Len(t, data.Data, operatorChunk)
		require.EqualValues(t, 6, data.Sequence)
		f.hear(&data)
		require.Len(t, data.Data, 5)
		require.EqualValues(t, 7, data.Sequence)

		f.say(SOLSignal{CommandSOLPing, 1})
		f.hear(&beat)
		require.Equal(t, SOLSignal{CommandSOLPong, 8}, beat)
		f.say(SOLSignal{CommandSOLPong, 99}) // numbers of the device are not looked at
		f.say(SOLSignal{CommandSOLHeartbeat, 5})
		f.say(SOLData{AMT, 0, []byte("screen")})
		b := make([]byte, 100)
		n, err := s.Read(b)
		require.NoError(t, err)
		require.Equal(t, "screen", string(b[:n]))

		go func() { _ = s.Close() }()
		f.hear(&beat)
		require.Equal(t, SOLSignal{CommandSOLClose, 9}, beat)
		_, err = f.receive(0)
		require.ErrorIs(t, err, io.EOF)
	})
}

// TestSOLStatus: the states of the host arrive, losses are counted, and Write waits for a host that is not clear to be sent to.
func TestSOLStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := openSerial(t, SOLConfig{FlowControl: true, Heartbeat: time.Hour})
		_, known := s.Status()
		require.False(t, known)
		f.say(SOLStatus{1, LineDTR, StatePowered | StateOverflow | StateFlushed})
		synctest.Wait()
		status, known := s.Status()
		require.True(t, known)
		require.Equal(t, SOLStatus{1, LineDTR, StatePowered | StateOverflow | StateFlushed}, status)
		require.Equal(t, SerialStats{Overflows: 1, Flushes: 1}, s.Stats())

		require.NoError(t, s.SetWriteDeadline(time.Now().Add(time.Second)))
		_, err := s.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, s.SetWriteDeadline(time.Time{}))

		written := make(chan error, 1)
		go func() {
			_, err := s.Write([]byte("x"))
			written <- err
		}()
		synctest.Wait()
		require.Empty(t, written)
		f.say(SOLStatus{2, LineRTS, StatePowered})
		var data SOLData
		f.hear(&data)
		require.Equal(t, "x", string(data.Data))
		require.NoError(t, <-written)
		require.Error(t, s.SetStatus(0, 0)) // it has no port
	})
}

// TestSOLBackPressure: what nobody reads is held up to a limit, and the device has to wait then.
func TestSOLBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := openSerial(t, SOLConfig{Heartbeat: time.Hour})
		const pieces = 20
		sent := make(chan error, 1)
		go func() {
			var err error
			for range pieces {
				err = errors.Join(err, f.transport.send(SOLData{AMT, 0, make([]byte, 10_000)}.Append(nil), time.Time{}))
			}
			sent <- err
		}()
		synctest.Wait()
		require.Empty(t, sent)
		s.mu.Lock()
		require.Len(t, s.in, serialBuffer)
		s.mu.Unlock()
		n, err := io.CopyN(io.Discard, s, pieces*10_000)
		require.NoError(t, err)
		require.EqualValues(t, pieces*10_000, n)
		require.NoError(t, <-sent)
	})
}

func TestSOLDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := openSerial(t, SOLConfig{Heartbeat: time.Hour})
		start := time.Now()
		require.NoError(t, s.SetReadDeadline(start.Add(time.Second)))
		_, err := s.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.NoError(t, s.SetDeadline(time.Now().Add(-time.Second)))
		_, err = s.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		_, err = s.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, s.Err()) // it goes on after that
		require.NoError(t, s.SetDeadline(time.Time{}))
		go func() { assert.NoError(t, f.send(SOLData{AMT, 0, []byte("x")}.Append(nil), time.Time{})) }()
		_, err = s.Read(make([]byte, 1))
		require.NoError(t, err)

		// A reader that waits already sees a deadline that comes later.
		failed := make(chan error, 1)
		go func() {
			_, err := s.Read(make([]byte, 1))
			failed <- err
		}()
		require.NoError(t, s.SetReadDeadline(time.Now().Add(time.Hour)))
		require.NoError(t, s.SetReadDeadline(time.Now().Add(time.Minute)))
		synctest.Wait()
		require.ErrorIs(t, <-failed, os.ErrDeadlineExceeded)

		// A message that cannot be sent ends the session.
		require.NoError(t, s.SetDeadline(time.Now().Add(time.Second)))
		_, err = s.Write([]byte("nobody reads this"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.ErrorIs(t, s.Err(), os.ErrDeadlineExceeded)
	})
}

func TestSOLEnds(t *testing.T) {
	for name, c := range map[string]struct {
		message wireMessage
		err     error
		read    error
	}{
		"in order":      {SOLSignal{CommandSOLClosed, 0}, ErrEnded, io.EOF},
		"opened twice":  {SOLOpenReply{}, ErrProtocol, ErrProtocol},
		"another world": {AuthReply{}, ErrProtocol, ErrProtocol},
	} {
		bubble(t, name, func(t *testing.T) {
			s, f := openSerial(t, SOLConfig{Heartbeat: time.Hour})
			f.say(SOLData{AMT, 0, []byte("last words")})
			f.say(c.message)
			<-s.Done()
			require.ErrorIs(t, s.Err(), c.err)
			b := make([]byte, 100)
			n, err := s.Read(b) // what came before it is not lost
			require.NoError(t, err)
			require.Equal(t, "last words", string(b[:n]))
			_, err = s.Read(b)
			require.ErrorIs(t, err, c.read)
			_, err = s.Write(b)
			require.ErrorIs(t, err, c.err)
		})
	}
	bubble(t, "cut off", func(t *testing.T) {
		s, f := openSerial(t, SOLConfig{Heartbeat: time.Hour})
		require.NoError(t, f.conn.Close())
		_, err := s.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Err(), io.EOF)
	})
}

// TestSOLSilence: a device that was asked for heartbeats and sends none has gone.
func TestSOLSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := openSerial(t, SOLConfig{Heartbeat: time.Hour, DeviceHeartbeat: 5 * time.Second})
		time.Sleep(14 * time.Second)
		f.say(SOLSignal{CommandSOLHeartbeat, 1})
		start := time.Now()
		<-s.Done()
		require.Equal(t, 15*time.Second, time.Since(start))
		require.ErrorIs(t, s.Err(), ErrSilent)
	})
}

// TestDeviceSOL: the device's end keeps to what the operator has asked for.
func TestDeviceSOL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, ended := serve(t, testDevice(nil))
		tr := newTransport(conn, AMT, time.Minute)
		cfg := testConfig().orDefaults()
		require.NoError(t, tr.login(t.Context(), SOL, &cfg, func() error { return nil }))
		say := func(m wireMessage) { require.NoError(t, tr.send(m.Append(nil), time.Time{})) }
		hear := func(m wireParser) {
			got, err := tr.receive(0)
			require.NoError(t, err)
			require.NoError(t, m.Parse(got))
		}
		say(SOLOpen{1, 10, 100, 0, 10_000, 100, 3_000})
		hear(new(SOLOpenReply))
		say(SOLControls{2, DefaultLines})
		var status SOLStatus
		hear(&status)
		require.Equal(t, SOLStatus{2, LineRTS | LineDTR, StatePowered}, status)
		say(SOLData{Operator, 3, []byte("0123456789abcde")})
		var echo SOLData
		hear(&echo)
		require.Equal(t, "0123456789", string(echo.Data)) // no more than MaxTransmit at once
		hear(&echo)
		require.Equal(t, "abcde", string(echo.Data))
		start := time.Now()
		for n := range 3 {
			var beat SOLSignal
			hear(&beat)
			require.Equal(t, SOLSignal{CommandSOLHeartbeat, uint32(5 + n)}, beat)
			require.Equal(t, time.Duration(n+1)*3*time.Second, time.Since(start))
		}
		// The operator is silent for ten seconds.
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		require.ErrorIs(t, <-ended, ErrSilent)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

// TestDeviceBusy: one session of each type, and the next one when that is over.
func TestDeviceBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := testDevice(nil)
		open := func() (*Serial, <-chan error, error) {
			conn, ended := serve(t, d)
			s, err := OpenSOL(t.Context(), conn, SOLConfig{Config: testConfig()})
			return s, ended, err
		}
		first, firstEnded, err := open()
		require.NoError(t, err)
		_, ended, err := open()
		require.ErrorIs(t, err, ErrBusy)
		require.ErrorIs(t, <-ended, ErrBusy)
		conn, ended := serve(t, d)
		_, err = OpenKVM(t.Context(), conn, testConfig())
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorIs(t, <-ended, ErrUnsupported)
		require.NoError(t, first.Close())
		require.NoError(t, <-firstEnded)
		first, firstEnded, err = open()
		require.NoError(t, err)
		require.NoError(t, first.Close())
		require.NoError(t, <-firstEnded)
		conn, ended = serve(t, testDevice(func(c *DeviceConfig) {
			c.Start = func(SessionType) StartStatus { return StartFailed }
		}))
		_, err = OpenSOL(t.Context(), conn, SOLConfig{Config: testConfig()})
		var start *StartError
		require.ErrorAs(t, err, &start)
		require.Equal(t, StartFailed, start.Status)
		require.Error(t, <-ended)
	})
}

// TestOpenFails: every kind of failure names the phase, closes the connection and leaves nothing running.
func TestOpenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong := testConfig()
		wrong.Password = NewSecret("wrong")
		pinned := testConfig()
		pinned.Realm = "Digest:F"
		for name, c := range map[string]struct {
			cfg   Config
			want  error
			phase string
		}{
			"password": {wrong, ErrCredentials, "digest response"},
			"realm":    {pinned, ErrRealm, "digest challenge"},
		} {
			for _, session := range []SessionType{SOL, IDER, KVM} {
				conn, ended := serve(t, testDevice(func(d *DeviceConfig) {
					d.IDER = func(context.Context, *IDERHost) error { return nil }
					d.KVM = func(context.Context, net.Conn) error { return nil }
				}))
				err := open(t.Context(), session, conn, c.cfg)
				require.ErrorIs(t, err, c.want, name)
				require.ErrorContains(t, err, fmt.Sprintf("redir: %v session, %s: ", session, c.phase))
				require.Error(t, <-ended)
				_, err = conn.Write([]byte{0})
				require.ErrorIs(t, err, io.ErrClosedPipe)
			}
		}
	})
}

func open(ctx context.Context, session SessionType, conn net.Conn, cfg Config) error {
	var err error
	switch session {
	case SOL:
		_, err = OpenSOL(ctx, conn, SOLConfig{Config: cfg})
	case IDER:
		_, err = OpenIDER(ctx, conn, IDERConfig{Config: cfg})
	default:
		_, err = OpenKVM(ctx, conn, cfg)
	}
	return err
}

// TestOpenTimes: a device that says nothing, or nothing more, is not waited for longer than allowed.
func TestOpenTimes(t *testing.T) {
	for _, session := range []SessionType{SOL, IDER, KVM} {
		for _, logsIn := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				go func() {
					tr := newTransport(b, Operator, time.Minute)
					if logsIn {
						_ = NewDevice(DeviceConfig{}).login(tr, testServer(nil))
					}
					_, _ = io.Copy(io.Discard, b)
				}()
				start := time.Now()
				err := open(t.Context(), session, a, testConfig())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, defaultLoginTimeout, time.Since(start))
				phase := "start of the session"
				if logsIn {
					phase = "opening"
				}
				require.ErrorContains(t, err, phase)
			})
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, b) }()
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() {
					time.Sleep(time.Second)
					cancel(errors.New("changed my mind"))
				}()
				require.ErrorContains(t, open(ctx, session, a, testConfig()), "changed my mind")
			})
		}
	}
}

// TestDeviceLoginTimeout: who connects and says nothing does not stay.
func TestDeviceLoginTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, ended := serve(t, testDevice(nil))
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		require.Equal(t, defaultLoginTimeout, time.Since(start))
	})
}

func TestDeviceGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, ended := serve(t, testDevice(nil))
		_, _ = conn.Write([]byte("GET / HTTP/1.1\r\n"))
		require.ErrorIs(t, <-ended, ErrProtocol)
	})
}

func TestDeviceContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, session := range []SessionType{SOL, IDER, KVM} {
			operator, device := net.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			d := testDevice(func(c *DeviceConfig) {
				c.IDER = func(ctx context.Context, _ *IDERHost) error { <-ctx.Done(); return nil }
				c.KVM = func(_ context.Context, rfb net.Conn) error { _, err := io.Copy(io.Discard, rfb); return err }
			})
			go func() { ended <- d.Serve(ctx, device) }()
			var closer io.Closer
			var err error
			switch session {
			case SOL:
				closer, err = OpenSOL(t.Context(), operator, SOLConfig{Config: testConfig()})
			case IDER:
				closer, err = OpenIDER(t.Context(), operator, IDERConfig{Config: testConfig()})
			default:
				closer, err = OpenKVM(t.Context(), operator, testConfig())
			}
			require.NoError(t, err)
			cancel()
			<-ended // with or without an error: what matters is that it ends
			require.NoError(t, closer.Close())
		}
	})
}

// TestIDERSilence: the device is asked for a heartbeat every 20 seconds; without any the session ends after 60.
func TestIDERSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, ended := serve(t, testDevice(func(c *DeviceConfig) {
			c.IDER = func(ctx context.Context, h *IDERHost) error { <-ctx.Done(); return nil }
		}))
		s, err := OpenIDER(t.Context(), conn, IDERConfig{Config: testConfig()})
		require.NoError(t, err)
		time.Sleep(time.Hour) // with heartbeats it goes on
		require.NoError(t, s.Err())
		require.NoError(t, s.Close())
		require.NoError(t, <-ended)
	})
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		go func() {
			tr := newTransport(b, Operator, time.Minute)
			_ = NewDevice(DeviceConfig{}).login(tr, testServer(nil))
			h := NewDiskHost(DiskHostConfig{})
			for {
				m, err := tr.receive(0)
				if err != nil {
					return
				}
				out, _ := h.Receive(nil, m)
				_ = tr.send(out, time.Time{})
			}
		}()
		s, err := OpenIDER(t.Context(), a, IDERConfig{Config: testConfig()})
		require.NoError(t, err)
		start := time.Now()
		<-s.Done()
		require.Equal(t, time.Minute, time.Since(start))
		require.ErrorIs(t, s.Err(), ErrSilent)
		require.NoError(t, s.Close())
	})
}

// slowMedium waits before each read.
type slowMedium struct {
	randomMedium
	reading chan struct{}
	gone    chan struct{}
}

func (m *slowMedium) ReadAt(b []byte, off int64) (int, error) {
	m.reading <- struct{}{}
	<-m.gone
	return m.randomMedium.ReadAt(b, off)
}

// TestIDERWhileReading: a ping is answered while a medium is slow, and a reset ends the read after that piece.
func TestIDERWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		medium := &slowMedium{randomMedium{1 << 20}, make(chan struct{}, 100), make(chan struct{})}
		results := make(chan error, 3)
		var once sync.Once
		conn, ended := serve(t, testDevice(func(c *DeviceConfig) {
			c.IDER = func(ctx context.Context, h *IDERHost) error {
				if err := h.WaitMedium(ctx, CD); err != nil {
					return err
				}
				readCtx, cancel := context.WithCancel(ctx)
				read := make(chan error, 1)
				go func() { read <- h.ReadBlocks(readCtx, CD, 0, make([]byte, 64<<10)) }()
				<-medium.reading
				cancel()
				results <- <-read
				go once.Do(func() { close(medium.gone) })
				results <- h.Reset(ctx, 1)
				results <- h.ReadBlocks(ctx, CD, 0, make([]byte, 64<<10))
				return nil
			}
		}))
		s, err := OpenIDER(t.Context(), conn, IDERConfig{Config: testConfig(), CD: Medium{medium, medium.size}, Mode: StartGraceful})
		require.NoError(t, err)
		require.ErrorIs(t, <-results, context.Canceled)
		require.NoError(t, <-results)
		require.NoError(t, <-results)
		require.NoError(t, <-ended)
		<-s.Done()
		require.EqualValues(t, 1, s.Stats().Resets)
		require.NoError(t, s.Close())
	})
}

// badMedium cannot be read from some place on.
type badMedium struct{ randomMedium }

func (m badMedium) ReadAt(b []byte, off int64) (int, error) {
	if off >= 1<<19 {
		return 0, errors.New("scratched")
	}
	return m.randomMedium.ReadAt(b, off)
}

func TestIDERMedia(t *testing.T) {
	bubble(t, "odd sizes", func(t *testing.T) {
		medium := randomMedium{5*2048 + 100} // the last block is filled up
		result := make(chan []byte, 1)
		conn, ended := serve(t, testDevice(func(c *DeviceConfig) {
			c.IDER = func(ctx context.Context, h *IDERHost) error {
				if err := h.WaitMedium(ctx, CD); err != nil {
					return err
				}
				b := make([]byte, 6*2048)
				err := h.ReadBlocks(ctx, CD, 0, b)
				result <- b
				return err
			}
		}))
		s, err := OpenIDER(t.Context(), conn, IDERConfig{Config: testConfig(), CD: Medium{medium, medium.size}})
		require.NoError(t, err)
		want := make([]byte, 6*2048)
		_, _ = medium.ReadAt(want, 0)
		require.Equal(t, want, <-result)
		require.NoError(t, <-ended)
		require.NoError(t, s.Close())
	})
	for name, medium := range map[string]Medium{
		"errors":    {badMedium{randomMedium{1 << 20}}, 1 << 20},
		"too short": {randomMedium{1 << 19}, 1 << 20},
	} {
		bubble(t, name, func(t *testing.T) {
			result := make(chan copied, 1)
			conn, ended := serve(t, testDevice(func(c *DeviceConfig) { c.IDER = copyMedium(Floppy, result) }))
			s, err := OpenIDER(t.Context(), conn, IDERConfig{Config: testConfig(), Floppy: medium})
			require.NoError(t, err)
			r := <-result
			var sense *SenseError
			require.ErrorAs(t, r.err, &sense)
			require.Equal(t, SenseError{Floppy, OpRead10, SenseReadError}, *sense)
			require.EqualValues(t, 1<<19, r.n)
			require.NoError(t, s.Err()) // the session goes on
			require.NoError(t, s.Close())
			require.NoError(t, <-ended)
		})
	}
	bubble(t, "none", func(t *testing.T) {
		result := make(chan copied, 1)
		conn, ended := serve(t, testDevice(func(c *DeviceConfig) { c.IDER = copyMedium(CD, result) }))
		s, err := OpenIDER(t.Context(), conn, IDERConfig{Config: testConfig(), CD: Medium{nil, 5}})
		require.NoError(t, err)
		require.EqualError(t, (<-result).err, "redir: TEST UNIT READY of CD: 02/3A/00")
		require.NoError(t, s.Close())
		require.NoError(t, <-ended)
	})
}

// TestIDERHooks: what happens is told while it does, and hooks may ask the session.
func TestIDERHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type event struct {
			drive DriveID
			op    SCSIOp
			sense Sense
		}
		events := make(chan event, 100)
		var s *IDERSession
		opened := make(chan struct{})
		result := make(chan copied, 1)
		conn, ended := serve(t, testDevice(func(c *DeviceConfig) {
			c.IDER = func(ctx context.Context, h *IDERHost) error {
				<-opened
				return copyMedium(CD, result)(ctx, h)
			}
		}))
		cfg := testConfig()
		reason := make(chan error, 1)
		cfg.Trace = &Trace{
			Ended: func(session SessionType, err error) { reason <- fmt.Errorf("%v: %w", session, err) },
			Media: MediaEvents{Command: func(id DriveID, c SCSICommand, sense Sense) {
				_, _ = s.Stats(), s.Err()
				events <- event{id, c.Op, sense}
			}},
		}
		var err error
		s, err = OpenIDER(t.Context(), conn, IDERConfig{Config: cfg, CD: Medium{randomMedium{10_000}, 10_000}})
		require.NoError(t, err)
		require.EqualValues(t, 8192, s.Device().ReadBuffer)
		close(opened)
		require.NoError(t, (<-result).err)
		require.NoError(t, s.Close())
		require.NoError(t, <-ended)
		close(events)
		var all []event
		for e := range events {
			all = append(all, e)
		}
		require.Equal(t, []event{
			{CD, OpTestUnitReady, SenseMediumChanged}, {CD, OpTestUnitReady, SenseGood}, {CD, OpReadCapacity, SenseGood}, {CD, OpRead10, SenseGood},
		}, all)
		require.EqualError(t, <-reason, "IDE-R: use of closed network connection")
		require.EqualValues(t, 4, s.Stats().Commands)
	})
}

// TestIDERRefused: a device that does not switch the drives on.
func TestIDERRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, ended := serve(t, testDevice(func(c *DeviceConfig) {
			c.Disk.Refuse = true
			c.IDER = func(ctx context.Context, _ *IDERHost) error { <-ctx.Done(); return nil }
		}))
		_, err := OpenIDER(t.Context(), conn, IDERConfig{Config: testConfig(), Mode: StartNow})
		require.ErrorIs(t, err, ErrUnsupported)
		require.NoError(t, <-ended)
	})
}

// TestKVMBytes: RFB that comes in one piece with the answer is not lost.
func TestKVMBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		go func() {
			tr := newTransport(b, Operator, time.Minute)
			_ = NewDevice(DeviceConfig{}).login(tr, testServer(nil))
			_, _ = tr.receive(0)
			_ = tr.send(append(KVMOpened{}.Append(nil), "RFB 004.000\n"...), time.Time{})
		}()
		rfb, err := OpenKVM(t.Context(), a, testConfig())
		require.NoError(t, err)
		got := make([]byte, 12)
		_, err = io.ReadFull(rfb, got)
		require.NoError(t, err)
		require.Equal(t, "RFB 004.000\n", string(got))
		require.NoError(t, rfb.Close())
	})
}

// TestIDERCloseStuck: a device that reads nothing does not hold up Close.
func TestIDERCloseStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		stuck := make(chan struct{})
		go func() {
			tr := newTransport(b, Operator, time.Minute)
			_ = NewDevice(DeviceConfig{}).login(tr, testServer(nil))
			h := NewDiskHost(DiskHostConfig{})
			for h.Mode() == 0 {
				m, err := tr.receive(0)
				if err != nil {
					return
				}
				out, _ := h.Receive(nil, m)
				_ = tr.send(out, time.Time{})
			}
			_ = tr.send(h.Ping(nil), time.Time{}) // the answer is not read
			close(stuck)
		}()
		s, err := OpenIDER(t.Context(), a, IDERConfig{Config: testConfig()})
		require.NoError(t, err)
		<-stuck
		synctest.Wait()
		start := time.Now()
		require.NoError(t, s.Close())
		require.LessOrEqual(t, time.Since(start), 2*closeTimeout)
		_ = b.Close()
	})
}
