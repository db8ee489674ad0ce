package apf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/secret"
)

var testUUID = UUID{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}

var testPorts = []uint16{16993, 16992, 664, 623, 16995, 16994, 5900}

// runs is a connection whose Run has been called.
type runs struct {
	*Conn
	result chan error
	ready  chan struct{}
}

// wait waits for the end of Run.
func (r *runs) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.result:
		r.result <- err
		return err
	case <-time.After(time.Hour): // only in a bubble
		t.Fatal("Run does not return")
		return nil
	}
}

func run(ctx context.Context, c *Conn, ready chan struct{}) *runs {
	r := &runs{Conn: c, result: make(chan error, 1), ready: ready}
	go func() { r.result <- c.Run(ctx) }()
	return r
}

// echo serves channels by sending back what comes.
func echo(context.Context, *OpenRequest) (func(net.Conn), error) {
	return func(c net.Conn) { _, _ = io.Copy(c, c) }, nil
}

func testServerConfig() *ServerConfig {
	return &ServerConfig{Authenticate: func(_ context.Context, l *Login) error {
		if l.UUID != testUUID || l.User != "user" || !l.Password.Equal(secret.New("P@ssw0rd")) {
			return errors.New("unknown device")
		}
		return nil
	}}
}

func testDeviceConfig() *DeviceConfig {
	return &DeviceConfig{UUID: testUUID, User: "user", Password: secret.New("P@ssw0rd"), Ports: testPorts, Accept: echo}
}

// pair connects both ends.
func pair(t *testing.T, s *ServerConfig, d *DeviceConfig) (server, device *runs) {
	t.Helper()
	a, b := net.Pipe()
	return pairOver(t, a, b, s, d)
}

func pairOver(t *testing.T, a, b Stream, s *ServerConfig, d *DeviceConfig) (server, device *runs) {
	t.Helper()
	up, down := make(chan struct{}), make(chan struct{})
	sc, dc := *s, *d
	sc.Ready = func(c *Conn) {
		close(up)
		if s.Ready != nil {
			s.Ready(c)
		}
	}
	dc.Ready = func(c *Conn) {
		close(down)
		if d.Ready != nil {
			d.Ready(c)
		}
	}
	server = run(t.Context(), NewServerConn(a, &sc), up)
	device = run(t.Context(), NewDeviceConn(b, &dc), down)
	t.Cleanup(func() {
		server.Close()
		device.Close()
		server.wait(t)
		device.wait(t)
	})
	return server, device
}

// online waits until both ends are ready.
func online(t *testing.T, server, device *runs) {
	t.Helper()
	for _, r := range []*runs{server, device} {
		select {
		case <-r.ready:
		case <-r.Done():
			t.Fatalf("%v: %v", r.Side(), r.Err())
		}
	}
}

// exchange sends size bytes through an echoing channel and checks what comes back.
func exchange(t *testing.T, ch net.Conn, size int) {
	t.Helper()
	require.NoError(t, tryExchange(ch, size))
}

// tryExchange is exchange for other goroutines than the test's.
func tryExchange(ch net.Conn, size int) error {
	sent := make([]byte, size)
	rnd := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = rnd.Read(sent)
	wrote := make(chan error, 1)
	go func() {
		_, err := ch.Write(sent)
		wrote <- err
	}()
	got := make([]byte, size)
	if _, err := io.ReadFull(ch, got); err != nil {
		return err
	}
	if err := <-wrote; err != nil {
		return err
	}
	if !bytes.Equal(sent, got) {
		return errors.New("what came back is not what was sent")
	}
	return nil
}

// TestEcho: channels work with every kind of device, over every kind of stream.
func TestEcho(t *testing.T) {
	dial := func(context.Context, *OpenRequest) (io.ReadWriteCloser, error) {
		a, b := net.Pipe()
		go func() { _, _ = io.Copy(a, a); a.Close() }()
		return b, nil
	}
	for name, change := range map[string]func(*ServerConfig, *DeviceConfig){
		"plain":     func(*ServerConfig, *DeviceConfig) {},
		"coalesced": func(_ *ServerConfig, d *DeviceConfig) { d.Firmware.Coalesce = true },
		"split":     func(_ *ServerConfig, d *DeviceConfig) { d.Firmware.SplitWrites = 7 },
		"firmware": func(_ *ServerConfig, d *DeviceConfig) {
			d.Window, d.MaxFrame, d.Firmware = 4096, 512, Firmware{AdjustStep: 499, ReuseSlots: true}
		},
		"small window": func(s *ServerConfig, d *DeviceConfig) { s.Window, d.Window = 100, 100 },
		"no password":  func(s *ServerConfig, d *DeviceConfig) { s.Authenticate, d.Method = anybody, MethodNone },
		"no login": func(s *ServerConfig, d *DeviceConfig) {
			s.Authenticate, s.AllowSkippedAuth, d.SkipAuth = anybody, true, true
		},
		"LMS":            func(_ *ServerConfig, d *DeviceConfig) { d.ConnType, d.MEIState = ConnLMS, NewSecret(`{"UUID":"x"}`) },
		"dialing":        func(_ *ServerConfig, d *DeviceConfig) { d.Accept, d.Dial = nil, dial },
		"few ports":      func(_ *ServerConfig, d *DeviceConfig) { d.Ports = []uint16{16992} },
		"large messages": func(s *ServerConfig, d *DeviceConfig) { s.MaxFrame, d.MaxFrame = 1<<20, 1<<20 },
	} {
		for _, ws := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, WebSocket %v", name, ws), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, d := testServerConfig(), testDeviceConfig()
					change(s, d)
					a, b := Stream(nil), Stream(nil)
					if a, b = net.Pipe(); ws {
						p, q := msgconn.Pipe()
						a, b = NewWebSocketStream(p), NewWebSocketStream(q)
					}
					server, device := pairOver(t, a, b, s, d)
					online(t, server, device)
					require.Equal(t, d.Ports, server.Ports())
					require.Equal(t, d.Ports, device.Ports())
					require.Equal(t, d.ConnType, server.Login().ConnType)
					require.Equal(t, testUUID, server.Login().UUID)
					for range 3 {
						ch, err := server.Dial(t.Context(), "", 16992)
						require.NoError(t, err)
						exchange(t, ch, 100_000)
						require.NoError(t, ch.Close())
					}
					synctest.Wait()
					require.Zero(t, server.Stats().Channels)
					require.EqualValues(t, 3, server.Stats().Opened)
					require.EqualValues(t, 300_000, server.Stats().DataIn)
					require.EqualValues(t, 300_000, device.Stats().DataOut)
					require.Zero(t, server.Stats().Violations+device.Stats().Violations)
				})
			})
		}
	}
}

func anybody(context.Context, *Login) error { return nil }

// TestManyChannels: more channels than the device has wait for their turn, and do not mix their bytes.
func TestManyChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := testDeviceConfig()
		d.Firmware.ReuseSlots = true
		server, device := pair(t, testServerConfig(), d)
		online(t, server, device)
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				ch, err := server.Dial(t.Context(), "", testPorts[i%len(testPorts)])
				if assert.NoError(t, err) {
					assert.NoError(t, tryExchange(ch, 10_000+i))
					assert.NoError(t, ch.Close())
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		require.Zero(t, server.Stats().Channels+device.Stats().Channels)
		require.Zero(t, server.Stats().Violations+device.Stats().Violations)
	})
}
