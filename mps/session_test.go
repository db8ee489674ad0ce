//go:build !js

package mps

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
)

const testPassword = "P@ssw0rd"

// byPassword lets in who has the password, as the device that he claims to be.
func byPassword(_ context.Context, l *Login) (Identity, error) {
	if !l.PasswordIs(NewSecret(testPassword)) {
		return Identity{}, errors.New("wrong password")
	}
	return Identity{Device: nodeid.NodeKey{ID: nodeid.FromUUID(l.UUID)}, Value: l.User}, nil
}

var testUUID = apf.UUID{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}

func keyOf(u apf.UUID) nodeid.NodeKey { return nodeid.NodeKey{ID: nodeid.FromUUID(nodeid.UUID(u))} }

// testDevice is a device's end in a test.
type testDevice struct {
	*apf.Conn
	ended chan error // what Run returned
}

func echo(context.Context, *apf.OpenRequest) (func(net.Conn), error) {
	return func(c net.Conn) { io.Copy(c, c) }, nil
}

func deviceConfig(change ...func(*apf.DeviceConfig)) *apf.DeviceConfig {
	cfg := &apf.DeviceConfig{
		UUID: testUUID, User: "AbCdEfXhIjKlMnXp", Password: NewSecret(testPassword), Ports: []uint16{16993, 16992, 5900}, Accept: echo,
		LoginTime: patience,
	}
	for _, f := range change {
		f(cfg)
	}
	return cfg
}

// startDevice connects a device, which ends with the test.
func startDevice(t *testing.T, stream apf.Stream, change ...func(*apf.DeviceConfig)) *testDevice {
	t.Helper()
	d := &testDevice{apf.NewDeviceConn(stream, deviceConfig(change...)), make(chan error, 1)}
	go func() { d.ended <- d.Run(context.Background()) }()
	t.Cleanup(func() {
		d.Close()
		<-d.Done()
	})
	return d
}

// online waits for the next device that comes online.
func online(t *testing.T, events <-chan Event) *Connection {
	t.Helper()
	for e := range events {
		if e.Err != nil && e.Connection == nil {
			t.Fatalf("refused: %v", e.Err)
		}
		if e.Phase == PhaseOnline && e.Err == nil && !e.Ports {
			return e.Connection
		}
	}
	panic("unreachable")
}

func TestLoginOverTLS(t *testing.T) {
	var log bytes.Buffer
	s, addr, events := startServer(t, Config{
		Certificates: []tls.Certificate{testCertificate("mps.example")}, Authenticate: byPassword,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	conn := tls.Client(dialTCP(t, addr), &tls.Config{InsecureSkipVerify: true})
	device := startDevice(t, conn)
	var phases []Phase
	var c *Connection
	for c == nil {
		e := <-events
		if e.Err != nil {
			t.Fatal(e.Err)
		}
		phases = append(phases, e.Phase)
		if e.Phase == PhaseOnline {
			c = e.Connection
			if key, ok := e.Device(); !ok || key != keyOf(testUUID) || e.UUID != nodeid.UUID(testUUID) {
				t.Errorf("event of %v, %v", key, e.UUID)
			}
		}
	}
	if want := []Phase{PhaseAccept, PhaseTLS, PhaseFirst, PhaseLogin, PhaseForwards, PhaseOnline}; !slices.Equal(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
	if p := c.Peer(); p.TLSVersion != tls.VersionTLS13 || p.Addr.String() != conn.LocalAddr().String() || p.First != nil {
		t.Errorf("peer %v", p)
	}
	if c.Kind() != CIRA || c.Identity().Value != "AbCdEfXhIjKlMnXp" || !slices.Equal(c.Ports(), []uint16{16993, 16992, 5900}) {
		t.Errorf("%v, %v, %v", c.Kind(), c.Identity(), c.Ports())
	}

	d, ok := s.Registry().Device(keyOf(testUUID))
	if !ok || s.Registry().Len() != 1 || len(slices.Collect(s.Registry().Devices())) != 1 {
		t.Fatal("not in the registry")
	}
	checkEcho(t, d, ":16992")
	checkEcho(t, d, "amt.example:5900")
	if _, err := d.DialContext(t.Context(), "tcp", ":623"); !errors.Is(err, ErrPort) {
		t.Errorf("a port that is not forwarded: %v", err)
	}
	for _, address := range [][2]string{{"udp", ":16992"}, {"tcp", "16992"}, {"tcp", ":0"}, {"tcp", ":65536"}, {"tcp", ":http"}} {
		if _, err := d.DialContext(t.Context(), address[0], address[1]); err == nil {
			t.Errorf("dialed %v", address)
		}
	}

	device.Close()
	e := endOf(events)
	var gone *apf.DisconnectError
	if e.Phase != PhaseOnline || e.Connection != c || !errors.As(e.Err, &gone) {
		t.Errorf("end: %v of %v", e.Err, e.Connection)
	}
	if _, err := d.DialContext(t.Context(), "tcp", ":16992"); !errors.Is(err, ErrNotConnected) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("dialed when gone: %v", err)
	}
	if s.Registry().Len() != 0 {
		t.Error("still in the registry")
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"AMT device online", "AMT device gone", "TLS 1.3", conn.LocalAddr().String(), "00112233-4455-6677-8899-aabbccddeeff"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(log.String(), testPassword) {
		t.Error("the log has the password")
	}
}

// checkEcho sends something through a channel and back.
func checkEcho(t *testing.T, d *Device, address string) {
	t.Helper()
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const text = "what goes in comes out"
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestNewestWins(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword})
	first := startDevice(t, dialTCP(t, addr))
	c1 := online(t, events)
	d, _ := s.Registry().Device(c1.Device())
	channel, err := d.DialContext(t.Context(), "tcp", ":16992")
	if err != nil {
		t.Fatal(err)
	}
	startDevice(t, dialTCP(t, addr))
	var c2 *Connection
	replaced := false
	for c2 == nil || !replaced { // in no order
		switch e := <-events; {
		case e.Err != nil:
			replaced = true
			if e.Connection != c1 || !errors.Is(e.Err, ErrReplaced) {
				t.Errorf("%v of %v", e.Err, e.Connection)
			}
		case e.Phase == PhaseOnline:
			c2 = e.Connection
		}
	}
	if c2.Generation() <= c1.Generation() {
		t.Errorf("generation %d after %d", c2.Generation(), c1.Generation())
	}
	if _, err := channel.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the old one's channel: %v", err)
	}
	var why *apf.DisconnectError
	if err := <-first.ended; !errors.As(err, &why) || why.Reason != apf.DisconnectTooManyConnections {
		t.Errorf("the old one is told %v", err)
	}
	if got := d.Connections(); len(got) != 1 || got[0] != c2 {
		t.Errorf("connections %v", got)
	}
	checkEcho(t, d, ":16992")
}

func TestOlderDoesNotReplace(t *testing.T) {
	var r Registry
	c := func() *Connection {
		return &Connection{identity: Identity{Device: keyOf(testUUID)}, generation: r.nextGeneration()}
	}
	c1, c2 := c(), c()
	c2.peer = &Peer{}
	may := func(old, c *Connection) error {
		t.Errorf("%d may replace %d?", c.Generation(), old.Generation())
		return nil
	}
	if old, err := r.add(c2, may); old != nil || err != nil {
		t.Fatalf("the first one is not in: %v", err)
	}
	if _, err := r.add(c1, may); !errors.Is(err, ErrReplaced) {
		t.Errorf("one that logged in before takes the place of a newer one: %v", err)
	}
	r.remove(c1)
	if r.Len() != 1 {
		t.Error("the old one's going has removed the newer one")
	}
	r.remove(c2)
	if r.Len() != 0 || len(r.devices) != 0 {
		t.Error("something is left")
	}
}

func TestKinds(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword})
	// Each answers with its name, so that one can see over which a dial went.
	named := func(k Kind, ports ...uint16) func(*apf.DeviceConfig) {
		return func(cfg *apf.DeviceConfig) {
			cfg.ConnType, cfg.Ports = k, ports
			cfg.Accept = func(context.Context, *apf.OpenRequest) (func(net.Conn), error) {
				return func(c net.Conn) { io.WriteString(c, k.String()) }, nil
			}
		}
	}
	start := func(k Kind, ports ...uint16) *testDevice {
		d := startDevice(t, dialTCP(t, addr), named(k, append(ports, 5900)...)) // the last one
		if c := online(t, events); c.Kind() != k {
			t.Fatalf("%v is %v", k, c.Kind())
		}
		return d
	}
	start(LMS, 16992, 16993)
	start(Relay, 16992)
	cira := start(CIRA, 16993)
	d, _ := s.Registry().Device(keyOf(testUUID))
	if got := d.Connections(); len(got) != 3 || got[0].Kind() != CIRA || got[1].Kind() != Relay || got[2].Kind() != LMS {
		t.Fatalf("connections %v", got)
	}
	over := func(address string, kinds ...Kind) string {
		dial := d.DialContext
		if kinds != nil {
			dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				return d.DialKind(ctx, network, address, kinds...)
			}
		}
		conn, err := dial(t.Context(), "tcp", address)
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		b, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		address string
		kinds   []Kind
		want    string
	}{
		{":16993", nil, "CIRA"}, {":16992", nil, "relay"}, {":16993", []Kind{LMS, CIRA}, "LMS"}, {":16993", []Kind{Relay}, "mps: the device does not forward the port 16993"},
	} {
		if got := over(c.address, c.kinds...); got != c.want {
			t.Errorf("%s over %v: %s, want %s", c.address, c.kinds, got, c.want)
		}
	}
	cira.Close()
	endOf(events)
	if got := over(":16993"); got != "LMS" {
		t.Errorf("without CIRA: %s", got)
	}
	if got := over(":16993", CIRA); got != ErrNotConnected.Error() {
		t.Errorf("over CIRA alone: %s", got)
	}
	if err := d.Reset(t.Context()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if e := endOf(events); !errors.Is(e.Err, ErrReset) {
			t.Errorf("reset: %v", e.Err)
		}
	}
	if err := d.Reset(t.Context()); !errors.Is(err, ErrNotConnected) {
		t.Errorf("reset of nothing: %v", err)
	}
}

// TestReasonReaches is that who uses a connection is told why this side has ended it.
func TestReasonReaches(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword})
	startDevice(t, dialTCP(t, addr))
	c := online(t, events)
	d, _ := s.Registry().Device(c.Device())
	channel, err := d.DialContext(t.Context(), "tcp", ":16992")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if !errors.Is(c.Err(), ErrReset) {
		t.Errorf("the connection: %v", c.Err())
	}
	if _, err := channel.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
		t.Errorf("its channel: %v", err)
	}
}

func TestRefusedLogins(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	_, addr, events := startServer(t, Config{
		Authenticate: func(ctx context.Context, l *Login) (Identity, error) {
			mu.Lock()
			asked++
			mu.Unlock()
			return byPassword(ctx, l)
		},
		Limits: Limits{FailedLogins: Rate{Events: 2, Window: time.Hour}},
	})
	for i := range 4 {
		d := startDevice(t, dialTCP(t, addr), func(cfg *apf.DeviceConfig) { cfg.Password = NewSecret("wrong") })
		if err := <-d.ended; !errors.Is(err, apf.ErrRefused) {
			t.Errorf("login %d: %v", i, err)
		}
		e := endOf(events)
		if e.Phase != PhaseLogin || e.UUID != nodeid.UUID(testUUID) || errors.Is(e.Err, ErrBusy) != (i >= 2) || errors.Is(e.Err, ErrRefused) != (i < 2) {
			t.Errorf("login %d: %v of %v in phase %v", i, e.Err, e.UUID, e.Phase)
		}
	}
	if asked != 2 {
		t.Errorf("Authenticate was asked %d times", asked)
	}
	// The right password does not help after that.
	d := startDevice(t, dialTCP(t, addr))
	if err := <-d.ended; !errors.Is(err, apf.ErrRefused) {
		t.Error(err)
	}
	endOf(events)
}

func TestNobodyIsNoDevice(t *testing.T) {
	_, addr, events := startServer(t, Config{Authenticate: func(context.Context, *Login) (Identity, error) { return Identity{}, nil }})
	d := startDevice(t, dialTCP(t, addr))
	if err := <-d.ended; !errors.Is(err, apf.ErrRefused) {
		t.Error(err)
	}
	if e := endOf(events); !errors.Is(e.Err, ErrRefused) {
		t.Error(e.Err)
	}
	if _, err := NewServer(Config{}); err == nil {
		t.Error("a server that lets nobody in, and does not say so")
	}
}

func TestDeviceLimit(t *testing.T) {
	_, addr, events := startServer(t, Config{Authenticate: byPassword, Limits: Limits{Devices: 1}})
	first := startDevice(t, dialTCP(t, addr))
	online(t, events)
	other := func(cfg *apf.DeviceConfig) { cfg.UUID[0] = 1 }
	startDevice(t, dialTCP(t, addr), other)
	if e := endOf(events); !errors.Is(e.Err, ErrBusy) || e.Phase != PhaseLogin {
		t.Error(e.Err)
	}
	first.Close()
	endOf(events)
	startDevice(t, dialTCP(t, addr), other)
	online(t, events)
}

func TestClientCertificateAlone(t *testing.T) {
	group := testGroup(t)
	auth := func(_ context.Context, l *Login) (Identity, error) {
		if l.Certificate == nil || l.Method != "" {
			return Identity{}, errors.New("no certificate")
		}
		got, err := CertificateGroup(l.Certificate)
		if err != nil || got != group {
			return Identity{}, errors.New("another group")
		}
		id, err := CertificateNodeID(l.Certificate)
		return Identity{Device: nodeid.NodeKey{ID: id}, Value: l.Certificate.Subject.CommonName}, err
	}
	_, addr, events := startServer(t, Config{Certificates: []tls.Certificate{testCertificate("mps.example")}, Authenticate: auth})
	skip := func(cfg *apf.DeviceConfig) { cfg.SkipAuth = true }
	startDevice(t, tls.Client(dialTCP(t, addr), &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{testCertificate("device 1", group.String())},
	}), skip)
	c := online(t, events)
	if want := modulusNodeID(testKey().N.Bytes()); c.Device().ID != want || c.Identity().Value != "device 1" {
		t.Errorf("%v %v, want %v", c.Device(), c.Identity().Value, want)
	}
	// Without a certificate nobody skips the login.
	startDevice(t, tls.Client(dialTCP(t, addr), &tls.Config{InsecureSkipVerify: true}), skip)
	if e := endOf(events); e.Phase != PhaseLogin || errors.Is(e.Err, ErrRefused) {
		t.Errorf("no certificate: %v in phase %v", e.Err, e.Phase)
	}
}

func TestOverWebSocket(t *testing.T) {
	s, _, events := startServer(t, Config{
		Authenticate: byPassword, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	ws, err := msgconn.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http")+"/apf.ashx", msgconn.DialOptions{
		Header: map[string][]string{"X-Forwarded-For": {"192.0.2.9"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	startDevice(t, apf.NewWebSocketStream(ws), func(cfg *apf.DeviceConfig) {
		cfg.ConnType, cfg.MEIState = LMS, NewSecret(`{"OsHostname":"pc1"}`)
	})
	c := online(t, events)
	if p := c.Peer(); !p.WebSocket || p.Addr.Addr().String() != "192.0.2.9" || !p.Proxy.IsValid() || c.Kind() != LMS {
		t.Errorf("%v, %v", p, c.Kind())
	}
	d, _ := s.Registry().Device(c.Device())
	checkEcho(t, d, ":16992")
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if e := endOf(events); !errors.Is(e.Err, ErrShutdown) {
		t.Error(e.Err)
	}
	if _, err := msgconn.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http")+"/apf.ashx", msgconn.DialOptions{}); err == nil {
		t.Error("connected after Shutdown")
	}
}

func TestControlMessages(t *testing.T) {
	got := make(chan apf.JSONControl, 1)
	_, addr, events := startServer(t, Config{Authenticate: byPassword, Trace: &Trace{Control: func(c *Connection, m apf.JSONControl) {
		if c == nil || c.Device() != keyOf(testUUID) {
			t.Error("control message of nobody")
		}
		got <- m
	}}})
	startDevice(t, dialTCP(t, addr), func(cfg *apf.DeviceConfig) {
		cfg.ConnType, cfg.MEIState = LMS, NewSecret(`{"OsHostname":"pc1"}`)
	})
	online(t, events)
	if m := <-got; m.Action() != "meiState" || string(m.Value()) != `{"OsHostname":"pc1"}` {
		t.Errorf("%s", m.JSON())
	}
}

func TestSubscription(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword})
	sub := s.Registry().Subscribe(SubscribeOptions{Buffer: 2})
	all := s.Registry().Subscribe(SubscribeOptions{All: true})
	defer all.Close()
	for range 2 {
		d := startDevice(t, dialTCP(t, addr))
		online(t, events)
		d.Close()
		endOf(events)
	}
	for _, gone := range []bool{false, true} {
		if e := <-sub.Events(); e.Phase != PhaseOnline || (e.Err != nil) != gone {
			t.Errorf("%v, %v", e.Phase, e.Err)
		}
	}
	if sub.Lost() != 2 || all.Lost() != 0 {
		t.Errorf("%d and %d events lost", sub.Lost(), all.Lost())
	}
	if e := <-all.Events(); e.Phase != PhaseAccept {
		t.Errorf("the first of all is %v", e.Phase)
	}
	sub.Close()
	sub.Close()
	if _, open := <-sub.Events(); open {
		t.Error("something comes after Close")
	}
}

// TestPortsBeforeOnline is that ports which change while a device comes online are no event: it has them when it is.
func TestPortsBeforeOnline(t *testing.T) {
	var got []Event
	s, err := NewServer(Config{Authenticate: refuseAll, Trace: &Trace{Event: func(e Event) { got = append(got, e) }}})
	if err != nil {
		t.Fatal(err)
	}
	l := &session{server: s, peer: &Peer{}, phase: PhaseForwards, connection: &Connection{}}
	l.portsChanged()
	if len(got) != 0 {
		t.Errorf("%d events", len(got))
	}
	l.enter(PhaseOnline)
	l.portsChanged()
	if len(got) != 2 || got[0].Ports || !got[1].Ports || got[1].Phase != PhaseOnline {
		t.Errorf("events %v", got)
	}
}

func TestPortsChange(t *testing.T) {
	_, addr, events := startServer(t, Config{Authenticate: byPassword})
	conn := dialTCP(t, addr)
	in := make(chan error, 1)
	go func() { // a device by hand
		_, err := io.Copy(io.Discard, conn)
		in <- err
	}()
	send := func(ms ...apf.Message) {
		var b []byte
		for _, m := range ms {
			b = m.Append(b)
		}
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(apf.ProtocolVersion{Major: 1, UUID: testUUID}, apf.ServiceRequest{Name: []byte(apf.ServiceAuth)},
		apf.UserAuthRequest{User: []byte("u"), Service: []byte(apf.ServiceForward), Method: []byte("password"), Password: []byte(testPassword)},
		apf.ServiceRequest{Name: []byte(apf.ServiceForward)}, apf.TCPForward{WantReply: true, Port: 16992}, apf.TCPForward{WantReply: true, Port: 5900})
	c := online(t, events)
	if !slices.Equal(c.Ports(), []uint16{16992, 5900}) {
		t.Errorf("ports %v", c.Ports())
	}
	send(apf.CancelTCPForward{WantReply: true, Port: 16992})
	if e := <-events; !e.Ports || e.Connection != c || c.Forwards(16992) || !c.Forwards(5900) {
		t.Errorf("ports %v, event %v", c.Ports(), e.Ports)
	}
	conn.Close()
	<-in
}
