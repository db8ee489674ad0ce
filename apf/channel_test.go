package apf

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ends returns both ends of a channel.
func ends(t *testing.T, change func(*ServerConfig, *DeviceConfig)) (atServer, atDevice net.Conn, server *runs) {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	s, d := testServerConfig(), testDeviceConfig()
	d.Accept = func(ctx context.Context, _ *OpenRequest) (func(net.Conn), error) {
		return func(c net.Conn) {
			accepted <- c
			<-ctx.Done()
		}, nil
	}
	if change != nil {
		change(s, d)
	}
	server, device := pair(t, s, d)
	online(t, server, device)
	ch, err := server.Dial(t.Context(), "host", 16992)
	require.NoError(t, err)
	return ch, <-accepted, server
}

func TestChannelAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := ends(t, nil)
		require.Equal(t, "apf", a.RemoteAddr().Network())
		require.Equal(t, "host:16992", a.RemoteAddr().String())
		require.Equal(t, "1.2.3.4:1024", a.LocalAddr().String())
		require.Equal(t, a.RemoteAddr(), z.LocalAddr())
		require.Equal(t, a.LocalAddr(), z.RemoteAddr())
	})
}

// TestChannelClose: what was written before a close arrives, and then the end does.
func TestChannelClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := ends(t, nil)
		_, err := a.Write(make([]byte, 40000)) // more than the window of 32 KiB
		require.NoError(t, err)
		require.NoError(t, a.Close())
		for _, op := range []func() error{
			func() error { _, err := a.Read(make([]byte, 1)); return err },
			func() error { _, err := a.Write(make([]byte, 1)); return err },
			func() error { return a.SetDeadline(time.Time{}) },
			a.Close,
		} {
			require.ErrorIs(t, op(), net.ErrClosed)
		}
		got, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Len(t, got, 40000)
		_, err = z.Write(make([]byte, 1))
		require.ErrorIs(t, err, ErrChannelClosed)
		require.NoError(t, z.Close())
	})
}

// TestChannelCloseUnread: a close does not wait for a peer that does not read longer than it may.
func TestChannelCloseUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, server := ends(t, func(s *ServerConfig, _ *DeviceConfig) { s.Limits.FlushTime = 3 * time.Second })
		_, err := a.Write(make([]byte, 50000))
		require.NoError(t, err)
		began := time.Now()
		require.NoError(t, a.Close())
		require.Equal(t, began, time.Now(), "it does not wait itself")
		<-time.After(2 * time.Second)
		require.Equal(t, 1, server.Stats().Channels)
		<-time.After(2 * time.Second)
		synctest.Wait()
		require.Zero(t, server.Stats().Channels)
		got, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Len(t, got, 32768)
	})
}

// TestChannelUnblocks: closing ends reads and writes that wait.
func TestChannelUnblocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := ends(t, nil)
		errs := make(chan error, 2)
		go func() { _, err := a.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := a.Write(make([]byte, 1<<20)); errs <- err }()
		synctest.Wait()
		require.Empty(t, errs)
		require.NoError(t, a.Close())
		require.ErrorIs(t, <-errs, net.ErrClosed)
		require.ErrorIs(t, <-errs, net.ErrClosed)
	})
}

// TestChannelDeadlines: as a net.Conn.
func TestChannelDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := ends(t, nil)
		isTimeout := func(err error) {
			t.Helper()
			var ne net.Error
			require.True(t, errors.As(err, &ne) && ne.Timeout())
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		}
		began := time.Now()
		require.NoError(t, a.SetReadDeadline(began.Add(time.Second)))
		_, err := a.Read(make([]byte, 1))
		isTimeout(err)
		require.Equal(t, time.Second, time.Since(began))
		_, err = z.Write(b("x"))
		require.NoError(t, err)
		synctest.Wait()
		_, err = a.Read(make([]byte, 1))
		isTimeout(err)
		require.NoError(t, a.SetReadDeadline(time.Time{}))
		n, err := a.Read(make([]byte, 1))
		require.NoError(t, err)
		require.Equal(t, 1, n, "nothing was lost")

		// A deadline that is set while a call waits.
		errs := make(chan error)
		go func() { _, err := a.Read(make([]byte, 1)); errs <- err }()
		synctest.Wait()
		require.NoError(t, a.SetReadDeadline(time.Now().Add(-1)))
		isTimeout(<-errs)
		// A later one instead of an earlier one.
		require.NoError(t, a.SetReadDeadline(time.Now().Add(time.Second)))
		require.NoError(t, a.SetReadDeadline(time.Now().Add(3*time.Second)))
		began = time.Now()
		_, err = a.Read(make([]byte, 1))
		isTimeout(err)
		require.Equal(t, 3*time.Second, time.Since(began))

		// Writes: what was taken is sent.
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err = a.Write(make([]byte, 1<<20))
		isTimeout(err)
		require.Equal(t, 32<<10+64<<10, n, "the peer's window and our buffer")
		require.NoError(t, a.SetDeadline(time.Time{}))
		got := make(chan int)
		go func() {
			got <- func() int { data, _ := io.ReadAll(z); return len(data) }()
		}()
		k, err := a.Write(make([]byte, 5000))
		require.NoError(t, err)
		require.NoError(t, a.Close())
		require.Equal(t, n+k, <-got)
	})
}

// TestChannelWriteTo: copying ends with the channel, and grants what was written on.
func TestChannelWriteTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := ends(t, nil)
		go func() {
			_, err := z.Write(bytes.Repeat(b("0123456789"), 50000))
			assert.NoError(t, err)
			assert.NoError(t, z.Close())
		}()
		var got bytes.Buffer
		n, err := io.Copy(&got, a)
		require.NoError(t, err)
		require.EqualValues(t, 500_000, n)
		require.True(t, bytes.Equal(bytes.Repeat(b("0123456789"), 50000), got.Bytes()))
	})
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := ends(t, nil)
		_, err := z.Write(b("x"))
		require.NoError(t, err)
		require.NoError(t, a.SetReadDeadline(time.Now().Add(time.Second)))
		n, err := io.Copy(io.Discard, a)
		require.EqualValues(t, 1, n)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, a.SetReadDeadline(time.Time{}))
		_, err = z.Write(b("x"))
		require.NoError(t, err)
		_, err = io.Copy(failing{}, a)
		require.ErrorIs(t, err, io.ErrShortWrite)
		require.NoError(t, a.Close())
		_, err = io.Copy(io.Discard, a)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// TestChannelOfTheDead: a channel whose connection has ended does not look as if the peer had closed it in order.
func TestChannelOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, r := rawDevice(t, testServerConfig())
		r.login(16992, 5900)
		r.hear(&KeepAliveOptionsRequest{30, 0})
		ch := r.opened(server, 1, 1000)
		r.say(&ChannelData{4, 0, 0, b("half of it")})
		r.conn.Close()
		got, err := io.ReadAll(ch)
		require.Equal(t, "half of it", string(got))
		require.ErrorIs(t, err, ErrGone)
		require.NotErrorIs(t, err, io.EOF)
		_, err = io.Copy(io.Discard, ch)
		require.ErrorIs(t, err, ErrGone)
		_, err = ch.Write(b("x"))
		require.ErrorIs(t, err, ErrGone)
		require.ErrorIs(t, server.wait(t), ErrGone)
	})
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, nil }

// TestChannelBackPressure: who does not read stops the writer, and only that one.
func TestChannelBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, server := ends(t, func(s *ServerConfig, _ *DeviceConfig) { s.Window = 10_000; s.MaxFrame = 1000 })
		wrote := make(chan error, 1)
		go func() { _, err := z.Write(make([]byte, 200_000)); wrote <- err }()
		synctest.Wait()
		require.Empty(t, wrote)
		require.EqualValues(t, 10_000, server.Stats().DataIn, "the window, and not a byte more")
		n, err := io.ReadFull(a, make([]byte, 200_000))
		require.NoError(t, err)
		require.Equal(t, 200_000, n)
		require.NoError(t, <-wrote)
		require.Zero(t, server.Stats().Violations)
	})
}

// TestDeviceDials: the device's end opens channels too, where the server takes them.
func TestDeviceDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testServerConfig()
		s.Accept = func(_ context.Context, r *OpenRequest) (func(net.Conn), error) {
			switch r.Port {
			case 1:
				return nil, errors.New("no")
			case 2:
				return nil, &OpenError{Reason: OpenProhibited}
			}
			assert.Equal(t, ChannelDirect, r.Type)
			return func(c net.Conn) { _, _ = io.Copy(c, c) }, nil
		}
		server, device := pair(t, s, testDeviceConfig())
		online(t, server, device)
		ch, err := device.Dial(t.Context(), "console", 80)
		require.NoError(t, err)
		exchange(t, ch, 100_000)
		require.Equal(t, "console:80", ch.RemoteAddr().String())
		require.Same(t, device.Conn, ch.Conn())
		for port, reason := range map[uint16]OpenReason{1: OpenConnectFailed, 2: OpenProhibited} {
			_, err = device.Dial(t.Context(), "console", port)
			var o *OpenError
			require.True(t, errors.As(err, &o))
			require.Equal(t, reason, o.Reason)
		}
		_, err = device.Dial(t.Context(), string(make([]byte, 256)), 1)
		require.Error(t, err)
	})
	synctest.Test(t, func(t *testing.T) {
		server, device := pair(t, testServerConfig(), testDeviceConfig())
		online(t, server, device)
		_, err := device.Dial(t.Context(), "console", 80)
		var o *OpenError
		require.True(t, errors.As(err, &o))
		require.Equal(t, OpenUnknownType, o.Reason)
	})
}

// TestAcceptTooLate: what was dialed for a channel is freed, when the connection ends meanwhile.
func TestAcceptTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := testDeviceConfig()
		far, near := net.Pipe()
		dialing := make(chan struct{})
		d.Accept = nil
		d.Dial = func(ctx context.Context, _ *OpenRequest) (io.ReadWriteCloser, error) {
			close(dialing)
			<-ctx.Done()
			return near, nil
		}
		server, device := pair(t, testServerConfig(), d)
		online(t, server, device)
		result := dial(t.Context(), server)
		<-dialing
		device.Close()
		require.Error(t, (<-result).err)
		_, err := far.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}
