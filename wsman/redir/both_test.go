package redir

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	testRealm    = "Digest:0123456789ABCDEF0123456789ABCDEF"
	testPassword = "P@ssw0rd1"
)

func testCredentials() Credentials {
	return Credentials{Username: "admin", Password: NewSecret(testPassword), Realm: testRealm}
}

func testPasswords(username string) (Secret, bool) {
	if username != "admin" {
		return Secret{}, false
	}
	return NewSecret(testPassword), true
}

// serve runs a device at one end of a pipe and returns the other one, and what Serve returned.
func serve(t testing.TB, d *Device) (net.Conn, <-chan error) {
	t.Helper()
	operator, device := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(context.Background(), device) }()
	t.Cleanup(func() {
		_ = operator.Close()
		_ = device.Close()
	})
	return operator, ended
}

// patient are the times of a session over which the load of the machine has no power.
func patient(c *Config) {
	c.Credentials = testCredentials()
	c.LoginTimeout, c.WriteTimeout = time.Hour, time.Hour
}

func testDevice(change func(*DeviceConfig)) *Device {
	cfg := DeviceConfig{Realm: testRealm, Password: testPasswords, SOL: Echo}
	if change != nil {
		change(&cfg)
	}
	return NewDevice(cfg)
}

// randomMedium is an image of any size whose bytes are made when they are read.
type randomMedium struct{ size int64 }

const mediumBlock = 4096

func (m randomMedium) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) {
		at := off + int64(n)
		if at >= m.size {
			return n, io.EOF
		}
		var seed [32]byte
		for i, v := 0, at/mediumBlock; i < 8; i++ {
			seed[i] = byte(v >> (8 * i))
		}
		var block [mediumBlock]byte
		_, _ = rand.NewChaCha8(seed).Read(block[:])
		n += copy(b[n:min(int64(len(b)), int64(n)+m.size-at)], block[at%mediumBlock:])
	}
	return n, nil
}

func (m randomMedium) sum() []byte {
	h := sha256.New()
	_, _ = io.Copy(h, io.NewSectionReader(m, 0, m.size))
	return h.Sum(nil)
}

func TestSOLEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, ended := serve(t, testDevice(nil))
		s, err := OpenSOL(t.Context(), conn, SOLConfig{Config: Config{Credentials: testCredentials()}})
		require.NoError(t, err)
		want := make([]byte, 100_000)
		_, _ = rand.NewChaCha8([32]byte{}).Read(want)
		go func() { _, _ = s.Write(want) }()
		got := make([]byte, len(want))
		_, err = io.ReadFull(s, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		status, ok := s.Status()
		require.True(t, ok)
		require.Equal(t, LineRTS|LineDTR, status.Lines)
		require.Equal(t, StatePowered, status.State)
		require.NoError(t, s.Close())
		require.NoError(t, <-ended)
		_, err = s.Read(got)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// copied is what a host has read of a medium.
type copied struct {
	n    int64
	hash hash.Hash
	err  error
	mode StartMode
	took time.Duration
}

func copyOf(ctx context.Context, h *IDERHost, id DriveID) copied {
	c := copied{hash: sha256.New()}
	began := time.Now()
	if c.mode, c.err = h.WaitDrives(ctx); c.err == nil {
		if c.err = h.WaitMedium(ctx, id); c.err == nil {
			c.n, c.err = h.CopyMedium(ctx, c.hash, id)
		}
	}
	c.took = time.Since(began)
	return c
}

// copyMedium tells what it has read and then waits for the end of the session.
func copyMedium(id DriveID, result chan<- copied) func(context.Context, *IDERHost) error {
	return func(ctx context.Context, h *IDERHost) error {
		result <- copyOf(ctx, h, id)
		<-ctx.Done()
		return nil
	}
}

func TestIDERCopy(t *testing.T) {
	result := make(chan copied, 1)
	medium := randomMedium{100 << 20}
	conn, ended := serve(t, testDevice(func(c *DeviceConfig) {
		c.LoginTimeout, c.WriteTimeout = time.Hour, time.Hour
		c.IDER = copyMedium(CD, result)
	}))
	cfg := IDERConfig{CD: Medium{medium, medium.size}, Mode: StartNow, Silence: time.Hour}
	patient(&cfg.Config)
	began := time.Now()
	s, err := OpenIDER(t.Context(), conn, cfg)
	require.NoError(t, err)
	c := <-result
	took := time.Since(began)
	require.NoError(t, c.err)
	require.Equal(t, medium.size, c.n)
	require.Equal(t, StartNow, c.mode)
	require.Equal(t, medium.sum(), c.hash.Sum(nil))
	t.Logf("100 MiB in %v, %.0f MB/s", took, float64(c.n)/1e6/took.Seconds())
	require.NoError(t, s.Close())
	require.NoError(t, <-ended)
	require.ErrorIs(t, s.Err(), net.ErrClosed)
	require.EqualValues(t, medium.size, s.Stats().Bytes[1])
}

func TestKVM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, ended := serve(t, testDevice(func(c *DeviceConfig) {
			c.KVM = func(_ context.Context, rfb net.Conn) error {
				_, _ = rfb.Write([]byte("RFB 003.008\n"))
				answer := make([]byte, 12)
				_, err := io.ReadFull(rfb, answer)
				if string(answer) != "RFB 003.008\n" {
					err = errors.New("wrong answer")
				}
				return err
			}
		}))
		rfb, err := OpenKVM(t.Context(), conn, Config{Credentials: testCredentials()})
		require.NoError(t, err)
		version := make([]byte, 12)
		_, err = io.ReadFull(rfb, version)
		require.NoError(t, err)
		require.Equal(t, "RFB 003.008\n", string(version))
		_, err = rfb.Write(version)
		require.NoError(t, err)
		require.NoError(t, <-ended)
	})
}
