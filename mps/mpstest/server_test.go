//go:build !js

package mpstest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/nodeid"
)

var serverGroup = nodeid.MeshID{1, 2, 3}

// startMPS is a server of package mps, at a port and over WebSocket, and the configuration of a device for either.
func startMPS(t *testing.T) (server *mps.Server, overTLS, overWebSocket Config) {
	t.Helper()
	cert := serverCert(t, nil)
	server, err := mps.NewServer(mps.Config{
		Certificates: []tls.Certificate{cert},
		Limits:       mps.Limits{Connections: mps.NoLimit, FailedLogins: mps.NoLimit, LoginTime: stockTime},
		APF:          &apf.ServerConfig{OpenTimeout: stockTime},
		Authenticate: func(_ context.Context, l *mps.Login) (mps.Identity, error) {
			if l.Certificate != nil {
				group, err := mps.CertificateGroup(l.Certificate)
				if err != nil || group != serverGroup {
					return mps.Identity{}, errors.New("of no group")
				}
				id, err := mps.CertificateNodeID(l.Certificate)
				return mps.Identity{Device: nodeid.NodeKey{ID: id}}, err
			}
			if !mps.MatchesGroup(l.User, serverGroup) || !l.PasswordIs(NewSecret(testPassword)) {
				return mps.Identity{}, errors.New("wrong user or password")
			}
			return mps.Identity{Device: nodeid.NodeKey{ID: nodeid.FromUUID(l.UUID)}}, nil
		},
		Logger: testLogger(t),
	})
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(context.Background(), ln) }()
	web := httptest.NewTLSServer(server.Handler())
	t.Cleanup(func() {
		web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), stockTime)
		defer cancel()
		require.NoError(t, server.Shutdown(ctx))
		<-done
	})
	cfg := Config{
		Server: ln.Addr().String(), Trust: Trust{Pin: PinOf(cert.Leaf)},
		User: mps.GroupUser(serverGroup), Password: NewSecret(testPassword),
		Backoff: Backoff{Interval: 50 * time.Millisecond, Retries: -1}, LoginTime: stockTime,
	}
	other := cfg
	other.Server = strings.Replace(web.URL, "https", "wss", 1) + "/apf.ashx"
	other.Trust = Trust{Roots: x509.NewCertPool()}
	other.Trust.Roots.AddCert(web.Certificate())
	return server, cfg, other
}

// waitDevices waits until so many devices are online for the server, which may take a moment longer than for themselves.
func waitDevices(t *testing.T, server *mps.Server, n int) {
	t.Helper()
	events := server.Registry().Subscribe(mps.SubscribeOptions{Buffer: 4 * n})
	defer events.Close()
	for server.Registry().Len() != n {
		select {
		case <-events.Events():
		case <-time.After(stockTime):
			t.Fatalf("%d devices are online, not %d", server.Registry().Len(), n)
		}
	}
}

// dialThrough opens a channel as an operator does.
func dialThrough(t *testing.T, server *mps.Server, id nodeid.NodeID, port string) net.Conn {
	t.Helper()
	device, ok := server.Registry().Device(nodeid.NodeKey{ID: id})
	require.True(t, ok)
	c, err := device.DialContext(t.Context(), "tcp", port)
	require.NoError(t, err)
	return c
}

// TestServer logs devices in to package mps in all ways.
func TestServer(t *testing.T) {
	server, overTLS, overWebSocket := startMPS(t)
	clientCert, err := NewCertificate("pc", serverGroup.String(), nil)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(clientCert.Certificate[0])
	require.NoError(t, err)
	byKey, err := mps.CertificateNodeID(leaf)
	require.NoError(t, err)

	certificate := overTLS
	certificate.User, certificate.Password, certificate.Certificate = "", Secret{}, clientCert
	relay := overWebSocket
	relay.ConnType = apf.ConnRelay
	firmware, split, coalesced, text := overTLS, overTLS, overTLS, relay
	firmware.Quirks = Firmware()
	split.Quirks = Quirks{SplitWrites: 3, SplitPassword: true, FrameSize: 1000}
	coalesced.Quirks = Quirks{CoalesceWrites: true}
	text.Quirks = Quirks{TextMessages: true, SplitWrites: 50}
	for i, tt := range []struct {
		name string
		cfg  Config
	}{
		{"TLS", overTLS}, {"WebSocket", overWebSocket}, {"certificate", certificate}, {"relay", relay},
		{"firmware", firmware}, {"split", split}, {"coalesced", coalesced}, {"text", text},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.UUID = apf.UUID{14: 1, 15: byte(i)}
			id := nodeid.FromUUID(nodeid.UUID(tt.cfg.UUID))
			if tt.cfg.Certificate != nil {
				id = byKey
			}
			d := mustDevice(t, tt.cfg)
			d.Start()
			waitOnline(t, d)
			waitDevices(t, server, 1)
			c := dialThrough(t, server, id, ":16992")
			echoOver(t, c, 300_000)
			require.NoError(t, c.Close())
			d.Close()
			waitDevices(t, server, 0)
		})
	}

	wrong := overTLS
	wrong.Password = NewSecret("wrong")
	_, err = mustDevice(t, wrong).Login(t.Context())
	require.ErrorIs(t, err, apf.ErrRefused)
}

// TestThousandDevices puts a thousand devices online from one process, and talks to some.
func TestThousandDevices(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 50
	}
	server, cfg, _ := startMPS(t)
	cfg.UUID = apf.UUID{0: 0xaa}
	fleet, err := NewFleet(FleetConfig{Config: cfg, N: n})
	require.NoError(t, err)
	defer fleet.Close()
	fleet.Start()
	require.NoError(t, fleet.WaitOnline(t.Context()))
	require.Equal(t, n, fleet.Online())
	waitDevices(t, server, n)
	for i := 0; i < n; i += max(n/10, 1) {
		c := dialThrough(t, server, nodeid.FromUUID(nodeid.UUID(Add(cfg.UUID, uint64(i)))), ":5900")
		echoOver(t, c, 10_000)
		require.NoError(t, c.Close())
	}
	fleet.Close()
	waitDevices(t, server, 0)
}
