package apf

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

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

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, device := pair(t, testServerConfig(), testDeviceConfig())
		online(t, server, device)
		require.Equal(t, testPorts, server.Ports())
		ch, err := server.Dial(t.Context(), "", 16992)
		require.NoError(t, err)
		go func() {
			_, err := ch.Write(make([]byte, 1<<20))
			require.NoError(t, err)
		}()
		got, err := io.ReadAll(io.LimitReader(ch, 1<<20))
		require.NoError(t, err)
		require.Len(t, got, 1<<20)
		require.NoError(t, ch.Close())
	})
}
