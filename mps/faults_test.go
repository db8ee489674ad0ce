//go:build !js

package mps

import (
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/meshcentral-go/sdk/apf"
)

// loginBytes is all that a device sends to come online, and how much of it is the login.
func loginBytes() (b []byte, login int) {
	for i, m := range []apf.Message{
		apf.ProtocolVersion{Major: 1, UUID: testUUID}, apf.ServiceRequest{Name: []byte(apf.ServiceAuth)},
		apf.UserAuthRequest{User: []byte("AbCdEfXhIjKlMnXp"), Service: []byte(apf.ServiceForward), Method: []byte("password"), Password: []byte(testPassword)},
		apf.ServiceRequest{Name: []byte(apf.ServiceForward)}, apf.TCPForward{WantReply: true, Port: 16992}, apf.TCPForward{WantReply: true, Port: 5900},
	} {
		if b = m.Append(b); i == 2 {
			login = len(b)
		}
	}
	return b, login
}

// TestCutAtEachByte ends a connection after each byte of a login. A reason is told each time, nobody stays in the registry,
// and the next one works.
func TestCutAtEachByte(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword, Limits: Limits{Connections: NoLimit}})
	all, login := loginBytes()
	for n := range len(all) + 1 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(all[:n]); err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			conn.(*net.TCPConn).SetLinger(0) // a reset, in place of an orderly end
		}
		conn.Close()
		e := endOf(events)
		var at *Error
		if !errors.As(e.Err, &at) || errors.Is(e.Err, ErrRefused) {
			t.Fatalf("after %d bytes: %v", n, e.Err)
		}
		// A reset can overtake what was sent.
		if n == 0 && e.Phase > PhaseFirst || n%2 == 1 && (n < login && e.Phase != PhaseLogin || n >= login && e.Phase < PhaseForwards) {
			t.Errorf("after %d bytes in phase %v: %v", n, e.Phase, e.Err)
		}
	}
	if s.Registry().Len() != 0 {
		t.Error("somebody stayed")
	}
	startDevice(t, dialTCP(t, addr))
	online(t, events)
}

// cutConn ends after so many bytes were written.
type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(p []byte) (int, error) {
	if len(p) < c.left {
		c.left -= len(p)
		return c.Conn.Write(p)
	}
	n, _ := c.Conn.Write(p[:c.left])
	c.left = 0
	c.Conn.Close()
	return n, io.ErrClosedPipe
}

// TestCutWithinTLS does so with TLS, here and there in the handshake and the login.
func TestCutWithinTLS(t *testing.T) {
	s, addr, events := startServer(t, Config{
		Certificates: []tls.Certificate{testCertificate("mps.example")}, Authenticate: byPassword, Limits: Limits{Connections: NoLimit},
	})
	online := false
	for n := 1; !online; n += 37 { // until it is not cut any more
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		ready := make(chan struct{})
		d := startDevice(t, tls.Client(&cutConn{conn, n}, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}), func(cfg *apf.DeviceConfig) {
			cfg.Ready = func(*apf.Conn) { close(ready) }
		})
		select {
		case <-d.Done():
		case <-ready:
			online = true
		}
		d.Close()
		conn.Close()
		if e := endOf(events); e.Phase < PhaseTLS {
			t.Errorf("after %d bytes in phase %v: %v", n, e.Phase, e.Err)
		}
	}
	if s.Registry().Len() != 0 {
		t.Error("somebody stayed")
	}
}

// TestNoise is that random bytes in any number come to an end with a reason, while a device is online.
func TestNoise(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword, Limits: Limits{Connections: NoLimit}})
	startDevice(t, dialTCP(t, addr))
	c := online(t, events)
	var wg sync.WaitGroup
	const n = 200
	for i := range uint64(n) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(i, 1))
			noise := make([]byte, 1+random.IntN(4096))
			for i := range noise {
				noise[i] = byte(random.Uint32())
			}
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.Write(noise)
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
		})
	}
	for range n {
		if e := endOf(events); e.Phase > PhaseLogin {
			t.Errorf("%v in phase %v", e.Err, e.Phase)
		}
	}
	wg.Wait()
	d, _ := s.Registry().Device(c.Device())
	checkEcho(t, d, ":16992")
}
