package flows

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/nodeid"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// patience is how long everything may take that the load of the machine can make slow.
const patience = 10 * time.Minute

// way is how the client comes to the device.
type way struct{ cira, tls bool }

// eachWay runs a test with a device that is connected to, with and without TLS, and with one that has called in.
func eachWay(t *testing.T, test func(t *testing.T, w way)) {
	t.Helper()
	for _, w := range []way{{}, {tls: true}, {cira: true}, {cira: true, tls: true}} {
		t.Run(fmt.Sprintf("cira=%t,tls=%t", w.cira, w.tls), func(t *testing.T) { test(t, w) })
	}
}

// bench is a simulated device, a client of it and the flows, which do not wait.
type bench struct {
	way
	sim    *wsmantest.Device
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	client *wsman.Client
	Device
	steps  []string
	waited time.Duration
	onWait func()
}

func (w way) start(t *testing.T, cfg wsmantest.Config) *bench {
	t.Helper()
	password := wsman.NewSecret(wsmantest.DefaultPassword)
	cfg.TLS, cfg.IdleTime = w.tls, patience
	b := &bench{way: w, sim: wsmantest.New(cfg)}
	t.Cleanup(b.sim.Close)
	b.dial = b.direct
	if w.cira {
		b.dial = b.callIn(t)
	}
	user := "admin"
	if cfg.Mode == wsmantest.ModeNone {
		user, password = b.sim.LocalCredentials()
	}
	b.client = b.connect(t, user, password, w.tls)
	b.Device = Device{
		Client: b.client,
		OnStep: func(s Step) { b.steps = append(b.steps, s.Flow+": "+s.Name) },
		Wait: func(_ context.Context, d time.Duration) error {
			b.waited += d
			if b.onWait != nil {
				b.onWait()
			}
			return nil
		},
	}
	return b
}

// direct connects to the device.
func (b *bench) direct(_ context.Context, _, addr string) (net.Conn, error) {
	near, far := net.Pipe()
	port := uint16(wsmantest.PortHTTP)
	if addr == tlsAddr {
		port++
	}
	go b.sim.ServeConn(far, port)
	return near, nil
}

// callIn has the device call a server, and returns how the server connects to its ports.
func (b *bench) callIn(t *testing.T) func(ctx context.Context, network, addr string) (net.Conn, error) {
	t.Helper()
	var registry mps.Registry
	server, err := mps.NewServer(mps.Config{
		Registry: &registry,
		Authenticate: func(_ context.Context, l *mps.Login) (mps.Identity, error) {
			return mps.Identity{Device: nodeid.NodeKey{ID: nodeid.FromUUID(l.UUID)}}, nil
		},
		APF:    &apf.ServerConfig{OpenTimeout: patience, LoginTime: patience, IdleTime: patience, ForwardTime: patience},
		Limits: mps.Limits{LoginTime: patience},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown(context.Background())) })

	uuid, err := apf.ParseUUID(b.sim.UUID())
	require.NoError(t, err)
	ports := map[uint16]mpstest.Handler{}
	for _, port := range []uint16{16992, 16993, 5900} { // the last says that there are no more
		ports[port] = b.sim.Handler(port)
	}
	events := registry.Subscribe(mps.SubscribeOptions{})
	defer events.Close()
	device, err := mpstest.NewDevice(mpstest.Config{
		Connect: func(context.Context) (apf.Stream, error) {
			near, far := net.Pipe()
			server.Accept(far)
			return near, nil
		},
		UUID: uuid, User: "AbCdEfGhIjKlMnOp", Password: mpstest.NewSecret("P@ssw0rd"), Ports: ports, Quirks: mpstest.Firmware(),
		LoginTime: patience,
	})
	require.NoError(t, err)
	device.Start()
	t.Cleanup(device.Close)
	for e := range events.Events() {
		require.NoError(t, e.Err)
		if e.Phase == mps.PhaseOnline {
			break
		}
	}
	d, ok := registry.Device(nodeid.NodeKey{ID: nodeid.FromUUID(nodeid.UUID(uuid))})
	require.True(t, ok)
	return d.DialContext
}

const (
	plainAddr = "amt:16992"
	tlsAddr   = "amt:16993"
)

func (b *bench) connect(t *testing.T, user string, password wsman.Secret, secure bool) *wsman.Client {
	t.Helper()
	cfg := wsman.Config{
		Dial: b.dial, Address: plainAddr, Username: user, Password: password, RetryPause: time.Millisecond, RefusedPause: -1,
		Timeout: patience,
	}
	if secure {
		_, cert := b.sim.TLS()
		cfg.Address, cfg.TLS = tlsAddr, &wsman.TLSConfig{Profile: wsman.TLSAMT6to11, Pins: []wsman.Pin{wsman.PinOf(cert)}}
	}
	c, err := wsman.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}
