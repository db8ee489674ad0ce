//go:build !js

package mpstest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// stock is a running stock server with a group for Intel AMT.
type stock struct {
	*interop.Server
	group   string // mesh//...
	control *interop.Control
}

func startStock(t *testing.T, settings map[string]any) *stock {
	t.Helper()
	interop.Require(t, interop.PeerMeshCentral)
	s := &stock{Server: interop.StartServer(t, interop.ServerOptions{Settings: settings})}
	s.group = s.CreateAMTGroup(t, "amt")
	s.control = s.Control(t)
	return s
}

// config is that of a device in the group, over TLS, which calls again soon.
func (s *stock) config(t *testing.T) Config {
	t.Helper()
	var uuid apf.UUID
	_, _ = rand.Read(uuid[:])
	return Config{
		Server: s.MPSAddr(), Trust: Trust{Pin: PinOf(s.MPSCertificate(t))},
		UUID: uuid, User: strings.TrimPrefix(s.group, "mesh//")[:16], Password: NewSecret(testPassword),
		Backoff:   Backoff{Interval: 200 * time.Millisecond, Retries: -1},
		LoginTime: stockTime, Logger: testLogger(t),
	}
}

// overWebSocket changes a configuration to the server's WebSocket.
func (s *stock) overWebSocket(t *testing.T, c *Config) {
	t.Helper()
	c.Server, c.Trust = s.APFURL(), Trust{Pin: PinOf(s.WebCertificate(t))}
}

// nodeID is what the server calls a device of a group without agents, for its UUID.
func nodeID(u apf.UUID) string {
	return "node//" + meshBase64(bytes.Repeat(u[:], 3))
}

// meshBase64 is base64 as MeshCentral writes it.
func meshBase64(b []byte) string {
	return strings.NewReplacer("+", "@", "/", "$").Replace(base64.StdEncoding.EncodeToString(b))
}

// start starts a device and waits until it is online, and listed by the server with a kind of connection.
func (s *stock) start(t *testing.T, cfg Config, id string, conn int) *Device {
	t.Helper()
	d, err := NewDevice(cfg)
	require.NoError(t, err)
	t.Cleanup(d.Close)
	d.Start()
	waitOnline(t, d)
	s.waitConn(t, id, conn)
	return d
}

func waitOnline(t *testing.T, d *Device) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stockTime)
	defer cancel()
	_, err := d.WaitOnline(ctx)
	require.NoError(t, err)
}

// waitConn waits until the server lists a device with exactly the kinds of connection.
func (s *stock) waitConn(t *testing.T, id string, conn int) interop.Device {
	t.Helper()
	return s.WaitDevice(t, func(d interop.Device) bool { return d.ID == id && d.Conn == conn })
}

// echo sends bytes to a device through the server and wants them back.
func (s *stock) echo(t *testing.T, id string, size int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stockTime)
	defer cancel()
	relay := s.OpenWebRelay(t, s.control, id)
	defer relay.Close(msgconn.CloseNormal, "")
	want := make([]byte, size)
	_, _ = rand.Read(want)
	room := make(chan struct{}, 32) // the server keeps what it can not send: do not let it grow
	sent := make(chan error, 1)
	const piece = 4 << 10
	go func() {
		for rest := want; len(rest) > 0; {
			n := min(len(rest), piece)
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				sent <- ctx.Err()
				return
			}
			if err := relay.WriteMessage(ctx, msgconn.Binary, rest[:n]); err != nil {
				sent <- err
				return
			}
			rest = rest[n:]
		}
		sent <- nil
	}()
	var got []byte
	released := 0
	for len(got) < size {
		_, b, err := relay.ReadMessage(ctx)
		require.NoError(t, err, "after %d of %d bytes", len(got), size)
		got = append(got, b...)
		for ; released < len(got)/piece; released++ {
			<-room
		}
	}
	require.NoError(t, <-sent)
	require.True(t, bytes.Equal(want, got), "the echo of %d bytes differs", size)
}

// TestStockServer shows that a simulated device is one to the stock server, and serves the channels that it opens: with all
// its ways to connect and to log in, and with each quirk.
func TestStockServer(t *testing.T) {
	t.Parallel()
	s := startStock(t, nil)

	t.Run("TLS and password", func(t *testing.T) {
		cfg := s.config(t)
		root := x509.NewCertPool()
		root.AddCert(s.RootCertificate(t))
		cfg.Trust = Trust{Roots: root, Name: "127.0.0.1"} // as firmware, which is given the root and the name
		id := nodeID(cfg.UUID)
		d := s.start(t, cfg, id, interop.ConnCIRA)
		var listed []interop.Device
		s.MeshctrlJSON(t, &listed, "listdevices")
		require.Contains(t, conns(listed), id+" 2")
		require.Equal(t, AMTPorts(), d.Conn().Ports())
		s.echo(t, id, 8<<20)
		s.echo(t, id, 1)
		d.Close()
		s.waitConn(t, id, 0)
	})

	t.Run("WebSocket and password", func(t *testing.T) {
		cfg := s.config(t)
		s.overWebSocket(t, &cfg)
		id := nodeID(cfg.UUID)
		d := s.start(t, cfg, id, interop.ConnCIRA)
		var listed []interop.Device
		s.MeshctrlJSON(t, &listed, "listdevices")
		require.Contains(t, conns(listed), id+" 2")
		s.echo(t, id, 8<<20)
		d.Close()
		s.waitConn(t, id, 0)
	})

	t.Run("certificate", func(t *testing.T) {
		cfg := s.config(t)
		cfg.User, cfg.Password = "", Secret{}
		cert, err := NewCertificate("pc by certificate", strings.TrimPrefix(s.group, "mesh//"), nil)
		require.NoError(t, err)
		cfg.Certificate = cert
		id := certificateNodeID(t, cert.PrivateKey.(*rsa.PrivateKey))
		d := s.start(t, cfg, id, interop.ConnCIRA)
		device := s.waitConn(t, id, interop.ConnCIRA)
		require.Equal(t, "pc by certificate", device.Name)
		s.echo(t, id, 1<<20)
		d.Close()
		s.waitConn(t, id, 0)
	})

	t.Run("relay", func(t *testing.T) {
		for _, webSocket := range []bool{false, true} {
			cfg := s.config(t)
			if webSocket {
				s.overWebSocket(t, &cfg)
			}
			cfg.ConnType = apf.ConnRelay
			if !webSocket {
				cfg.Ports = map[uint16]Handler{16992: Echo, 5900: Echo} // for which the server asks for keep-alives
			}
			id := nodeID(cfg.UUID)
			s.start(t, cfg, id, interop.ConnRelay)
			s.echo(t, id, 1<<20)
		}
	})

	t.Run("LMS", func(t *testing.T) { testLMS(t, s) })
	t.Run("quirks", func(t *testing.T) { testQuirks(t, s) })

	t.Run("refused", func(t *testing.T) {
		cfg := s.config(t)
		cfg.User = "AAAAAAAAAAAAAAAA"
		d, err := NewDevice(cfg)
		require.NoError(t, err)
		defer d.Close()
		_, err = d.Login(t.Context())
		require.ErrorIs(t, err, apf.ErrRefused)
	})
}

// conns lists devices with their connections.
func conns(devices []interop.Device) []string {
	var out []string
	for _, d := range devices {
		out = append(out, fmt.Sprint(d.ID, " ", d.Conn))
	}
	return out
}

// certificateNodeID is what the server calls a device for its key: the hash of the modulus as text.
func certificateNodeID(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	var text []rune
	for _, b := range key.N.Bytes() {
		text = append(text, rune(b))
	}
	sum := sha512.Sum384([]byte(string(text)))
	return "node//" + meshBase64(sum[:])
}

// testLMS shows a connection of the type that no operator can use: the server manages the device over it.
func testLMS(t *testing.T, s *stock) {
	for name, webSocket := range map[string]bool{"TLS": false, "WebSocket": true} {
		t.Run(name, func(t *testing.T) {
			cfg := s.config(t)
			if webSocket {
				s.overWebSocket(t, &cfg)
			}
			cfg.ConnType = apf.ConnLMS
			state, err := json.Marshal(map[string]any{
				"core-ver": 1, "OsHostname": "pc-lms", "Flags": 4, "ProvisioningState": 2, "ProvisioningMode": 1,
				"Versions": map[string]string{"AMT": "16.1.25", "Sku": "16392"}, "UUID": cfg.UUID.String(),
				"amtuser": "admin", "amtpass": "P@ssw0rd",
			})
			require.NoError(t, err)
			cfg.MEIState = NewSecret(string(state))
			// Not package net/http, which does not take the Host header that the server sends.
			asked := make(chan string, 100)
			serve := func(c net.Conn) {
				line, _ := bufio.NewReader(c).ReadString('\n')
				asked <- line
				_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			}
			cfg.Ports = map[uint16]Handler{16992: serve, 16993: func(net.Conn) {}}
			d, err := NewDevice(cfg)
			require.NoError(t, err)
			defer d.Close()
			d.Start()
			waitOnline(t, d)
			select {
			case line := <-asked: // the server has opened a channel
				require.Equal(t, "POST /wsman HTTP/1.1\r\n", line)
			case <-time.After(stockTime):
				t.Fatal("the server does not manage the device")
			}
			device := s.waitConn(t, nodeID(cfg.UUID), 0)
			require.Equal(t, "pc-lms", device.Name)
		})
	}
}

// testQuirks shows that the server takes each quirk, or that the device has it only where the server does.
func testQuirks(t *testing.T, s *stock) {
	for name, tt := range map[string]struct {
		quirks    Quirks
		size      int
		webSocket bool
	}{
		"firmware":                    {Firmware(), 1 << 20, false},
		"firmware over WebSocket":     {Firmware(), 1 << 20, true},
		"window of 501 bytes":         {Quirks{Window: 501}, 256 << 10, false},
		"credit of 499 in 501":        {Quirks{Window: 501, AdjustStep: 499}, 256 << 10, false},
		"window of 1 MiB":             {Quirks{Window: 1 << 20}, 4 << 20, false},
		"frames of 100 bytes":         {Quirks{FrameSize: 100}, 256 << 10, false},
		"split writes":                {Quirks{SplitWrites: 7, FrameSize: 1024}, 64 << 10, false},
		"split writes over WebSocket": {Quirks{SplitWrites: 7, FrameSize: 1024}, 64 << 10, true},
		"single bytes":                {Quirks{SplitWrites: 1, FrameSize: 1024}, 16 << 10, false},
		"coalesced writes":            {Quirks{CoalesceWrites: true}, 1 << 20, false},
		"text messages":               {Quirks{TextMessages: true}, 1 << 20, true},
		"stubborn about keep-alives":  {Quirks{KeepAlive: 20 * time.Second, IgnoreKeepAliveOptions: true}, 1 << 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := s.config(t)
			cfg.Quirks = tt.quirks
			if tt.webSocket {
				s.overWebSocket(t, &cfg)
			}
			id := nodeID(cfg.UUID)
			d := s.start(t, cfg, id, interop.ConnCIRA)
			defer d.Close()
			s.echo(t, id, tt.size)
			s.echo(t, id, 1)
			require.EqualValues(t, 1, d.Sessions(), "one session has served it all")
		})
	}

	t.Run("refused channels", func(t *testing.T) {
		cfg := s.config(t)
		cfg.Quirks = Quirks{RefuseEvery: 2, ReuseSlots: true}
		id := nodeID(cfg.UUID)
		d := s.start(t, cfg, id, interop.ConnCIRA)
		// The server itself may open channels too; each second one fails, and the others are served.
		refused := 0
		for range 6 {
			relay := s.OpenWebRelay(t, s.control, id)
			err := relay.WriteMessage(t.Context(), msgconn.Binary, []byte("x"))
			if err == nil {
				_, _, err = relay.ReadMessage(t.Context())
			}
			if err != nil {
				refused++
			}
			relay.Close(0, "")
		}
		require.Positive(t, refused)
		require.Less(t, refused, 6)
		require.EqualValues(t, 1, d.Sessions())
	})

	t.Run("a channel that is not answered", func(t *testing.T) {
		cfg := s.config(t)
		cfg.Quirks = Quirks{SilentEvery: 2}
		id := nodeID(cfg.UUID)
		d := s.start(t, cfg, id, interop.ConnCIRA)
		s.echo(t, id, 1)
		waiting := s.OpenWebRelay(t, s.control, id)
		require.NoError(t, waiting.WriteMessage(t.Context(), msgconn.Binary, []byte("x")))
		s.echo(t, id, 64<<10) // the others go on
		require.EqualValues(t, 1, d.Sessions())
	})
}

// TestStockRestart shows that devices of all kinds come back after the stock server was restarted, and are served.
func TestStockRestart(t *testing.T) {
	t.Parallel()
	s := startStock(t, nil)
	overTLS, overWebSocket, byCertificate := s.config(t), s.config(t), s.config(t)
	s.overWebSocket(t, &overWebSocket)
	cert, err := NewCertificate("pc", strings.TrimPrefix(s.group, "mesh//"), nil)
	require.NoError(t, err)
	byCertificate.User, byCertificate.Certificate = "", cert
	ids := []string{
		nodeID(overTLS.UUID), nodeID(overWebSocket.UUID), certificateNodeID(t, cert.PrivateKey.(*rsa.PrivateKey)),
	}
	var devices []*Device
	for i, cfg := range []Config{overTLS, overWebSocket, byCertificate} {
		devices = append(devices, s.start(t, cfg, ids[i], interop.ConnCIRA))
	}
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), stockTime)
	defer cancel()
	for _, d := range devices {
		require.NoError(t, d.WaitState(ctx, StateOffline))
	}
	s.Restart(t)
	s.control = s.Control(t)
	for i, d := range devices {
		waitOnline(t, d)
		s.waitConn(t, ids[i], interop.ConnCIRA)
		s.echo(t, ids[i], 64<<10)
		require.EqualValues(t, 2, d.Sessions())
	}
}

// TestStockOffload connects without TLS, as the proxy in front of such a server does, and with a password that matters.
func TestStockOffload(t *testing.T) {
	t.Parallel()
	s := startStock(t, map[string]any{"mpsTlsOffload": true, "mpsPass": testPassword})
	cfg := s.config(t)
	cfg.Server = "tcp://" + s.MPSAddr()
	id := nodeID(cfg.UUID)
	s.start(t, cfg, id, interop.ConnCIRA)
	s.echo(t, id, 1<<20)

	cfg.Password = NewSecret("wrong")
	_, err := mustDevice(t, cfg).Login(t.Context())
	require.ErrorIs(t, err, apf.ErrRefused)
}

// TestStockFleet puts many devices online at once.
func TestStockFleet(t *testing.T) {
	t.Parallel()
	s := startStock(t, nil)
	const n = 50
	fleet, err := NewFleet(FleetConfig{Config: s.config(t), N: n, Calls: 8})
	require.NoError(t, err)
	t.Cleanup(fleet.Close)
	fleet.Start()
	ctx, cancel := context.WithTimeout(t.Context(), stockTime)
	defer cancel()
	require.NoError(t, fleet.WaitOnline(ctx))
	for _, d := range fleet {
		s.waitConn(t, nodeID(d.UUID()), interop.ConnCIRA)
	}
	s.echo(t, nodeID(fleet[n-1].UUID()), 64<<10)
}
