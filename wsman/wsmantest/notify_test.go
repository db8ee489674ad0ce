package wsmantest_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/nodeid"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// patience is how long what is no part of a test may take.
const patience = 10 * time.Minute

// listener collects events.
type listener struct {
	handler *wsman.EventHandler

	mu     sync.Mutex
	events []*wsman.Event
	more   chan struct{} // closed and replaced with each event
	refuse int           // events to refuse
}

func newListener() *listener {
	l := &listener{more: make(chan struct{})}
	l.handler = &wsman.EventHandler{Receive: func(_ context.Context, e *wsman.Event) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, e)
		close(l.more)
		l.more = make(chan struct{})
		if l.refuse > 0 {
			l.refuse--
			return errors.New("no room")
		}
		return nil
	}}
	return l
}

// wait returns the first so many events.
func (l *listener) wait(n int) []*wsman.Event {
	for {
		l.mu.Lock()
		events, more := l.events, l.more
		l.mu.Unlock()
		if len(events) >= n {
			return events
		}
		<-more
	}
}

func named(events []*wsman.Event) []string {
	var out []string
	for _, e := range events {
		text := e.Alert.MessageID
		if len(e.Alert.MessageArguments) > 1 {
			text += "-" + e.Alert.MessageArguments[0]
		}
		out = append(out, text)
	}
	return out
}

// logged is what a device logs under a heading.
type logged struct {
	heading string
	lines   chan string
}

func newLogged(heading string) *logged { return &logged{heading, make(chan string, 100)} }

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, nil))
}

// Write implements io.Writer.
func (l *logged) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(l.heading)) {
		l.lines <- string(b)
	}
	return len(b), nil
}

func dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// subscribe does so and returns what it takes to unsubscribe.
func subscribe(t *testing.T, d *wsmantest.Device, s wsman.Subscription) (c *wsman.Client, filter, handler wsman.Ref) {
	t.Helper()
	c = sdkClient(t, d)
	ref, err := c.Subscribe(t.Context(), s)
	require.NoError(t, err)
	for _, sel := range ref.Selectors {
		if sel.Name == "Filter" {
			filter = *sel.Ref
		} else {
			handler = *sel.Ref
		}
	}
	return c, filter, handler
}

// TestAlerts: what happens to the device arrives at who has subscribed, in order, with the arguments of the subscription, and after a
// login if one is asked for.
func TestAlerts(t *testing.T) {
	for _, ack := range []bool{false, true} {
		for _, login := range []bool{false, true} {
			t.Run(fmt.Sprintf("ack=%t,login=%t", ack, login), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testAlerts(t, ack, login) })
			})
		}
	}
}

func testAlerts(t *testing.T, ack, login bool) {
	l := newListener()
	at := time.Date(2026, 1, 31, 15, 40, 9, 0, time.UTC)
	d := newDevice(t, wsmantest.Config{Notify: memoryListener(t, l.handler), Now: func() time.Time { return at }})
	s := wsman.Subscription{NotifyTo: "http://listener:8080/events?a=b", Ack: ack, Args: []wsman.Element{{Space: "http://x.com", Name: "arg", Text: "node <1>"}}}
	if login {
		cred := digest.Credentials{Username: "node", Password: wsman.NewSecret("s<cret")}
		l.handler.Login = &digest.Server{Realm: "events", AuthInt: true, Nonces: digest.NewNonces(0, 0), Lookup: func(user string) (digest.Credentials, bool) {
			return cred, user == "node"
		}}
		s.Username, s.Password = "node", cred.Password
	}
	c, filter, handler := subscribe(t, d, s)
	assert.NotContains(t, printed(d.Subscriptions()), "s<cret")
	test := newClient(t, d)
	test.power(0, wsmantest.PowerReset)
	test.power(0, wsmantest.PowerOffSoftGraceful)
	d.PressPowerButton()
	test.call(0, "CIM_KVMRedirectionSAP", "RequestStateChange", "RequestedState", "3")
	test.call(0, "CIM_KVMRedirectionSAP", "RequestStateChange", "RequestedState", "3")
	test.call(0, "CIM_KVMRedirectionSAP", "RequestStateChange", "RequestedState", "2")
	test.call(0, "IPS_OptInService", "StartOptIn")
	test.call(0, "IPS_OptInService", "SendOptInCode", "OptInCode", d.ConsentCode())
	test.call(0, "IPS_OptInService", "CancelOptIn")
	test.call(0, "AMT_MessageLog", "ClearLog")
	d.AddRecord(wsmantest.Record{SensorType: 5, Severity: 16})
	d.AddRecord(wsmantest.Record{SensorType: 6, Offset: 5, Severity: 8})
	d.SendAlert(wsman.Alert{MessageID: "iAMT0005", MessageArguments: []string{"an agent"}, PerceivedSeverity: 3})
	want := []string{
		"PLAT0188", "iAMT0067-0", "PLAT0248", "PLAT0188", "iAMT0059-0", "iAMT0059-1", "iAMT0064-1", "iAMT0064-2", "PLAT0200",
		"PLAT0004", "PLAT0032", "iAMT0005-an agent",
	}
	events := l.wait(len(want))
	require.Equal(t, want, named(events))
	ids := map[string]bool{}
	for _, e := range events {
		assert.Equal(t, s.Username, e.Username)
		assert.Equal(t, "node <1>", e.Arg("arg"))
		assert.Equal(t, at, e.Alert.IndicationTime)
		assert.Equal(t, "Intel(r) AMT", e.Alert.SystemName)
		ids[e.ID], ids[e.Alert.IndicationIdentifier] = true, true
	}
	assert.Len(t, ids, 2*len(want))
	assert.Equal(t, []uint16{2, 6, 3, 3}, []uint16{
		events[0].Alert.PerceivedSeverity, events[9].Alert.PerceivedSeverity, events[10].Alert.PerceivedSeverity, events[11].Alert.PerceivedSeverity,
	})
	require.NoError(t, c.Unsubscribe(t.Context(), filter, handler))
	d.SendAlert(wsman.Alert{MessageID: "iAMT0061"})
	d.Close()
	assert.Len(t, l.wait(0), len(want))
}

// TestAlertSessions has those of redirection.
func TestAlertSessions(t *testing.T) {
	l := newListener()
	server := httptest.NewServer(l.handler)
	defer server.Close()
	d := newDevice(t, wsmantest.Config{Notify: dialTCP})
	c, _, _ := subscribe(t, d, wsman.Subscription{NotifyTo: server.URL})
	require.NoError(t, c.Close())
	port, err := openSOL(t, redirDial(t, d, wsmantest.PortRedirection), "admin", wsmantest.DefaultPassword)
	require.NoError(t, err)
	l.wait(1)
	require.NoError(t, port.Close())
	assert.Equal(t, []string{"iAMT0050-48", "iAMT0050-49"}, named(l.wait(2)))
}

// memoryListener is a listener without a network, in which time is that of a test.
func memoryListener(t *testing.T, h http.Handler) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	return serveInMemory(t, mpstest.HTTP(h))
}

func serveInMemory(t *testing.T, serve mpstest.Handler) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		wg.Go(func() { serve(theirs) })
		return ours, nil
	}
}

// TestAlertAgain: what is not acknowledged comes again, with the same id, for half a minute; what follows waits.
func TestAlertAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		d := newDevice(t, wsmantest.Config{Notify: memoryListener(t, l.handler)})
		subscribe(t, d, wsman.Subscription{NotifyTo: "http://listener/", Ack: true})
		l.refuse = 2
		d.SendAlert(wsman.Alert{MessageID: "first"})
		d.SendAlert(wsman.Alert{MessageID: "second"})
		start := time.Now()
		events := l.wait(4)
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.Equal(t, []string{"first", "first", "first", "second"}, named(events))
		assert.Equal(t, events[0].ID, events[2].ID)
		assert.NotEqual(t, events[0].ID, events[3].ID)

		refuse := func(n int) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.refuse, l.events = n, nil
		}
		refuse(1000)
		d.SendAlert(wsman.Alert{MessageID: "never"})
		d.SendAlert(wsman.Alert{MessageID: "behind it"})
		time.Sleep(time.Hour)
		assert.Equal(t, slices.Repeat([]string{"never"}, 7), named(l.wait(0)), "every five seconds, while it is kept")

		refuse(2)
		for i := range 101 {
			d.SendAlert(wsman.Alert{MessageID: fmt.Sprint(i)})
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		names := named(l.wait(0))
		assert.Equal(t, []string{"0", "0", "0", "37", "38"}, names[:5], "the oldest make room")
		assert.Equal(t, "100", names[len(names)-1])
		assert.Len(t, names, 3+64)

		// Without an acknowledgement there is one attempt.
		refuse(1000)
		subscribe(t, d, wsman.Subscription{NotifyTo: "http://listener/", Filter: "Intel(r) AMT:Platform"})
		d.SendAlert(wsman.Alert{MessageID: "PLAT"})
		time.Sleep(time.Hour)
		assert.Len(t, l.wait(0), 7+1)
	})
}

// TestAlertFilters: some collections have alerts of one kind alone.
func TestAlertFilters(t *testing.T) { synctest.Test(t, testAlertFilters) }

func testAlertFilters(t *testing.T) {
	listeners := map[string]*listener{}
	want := map[string][]string{"AllEvents": {"iAMT0061", "PLAT0184"}, "All": {"iAMT0061", "PLAT0184"}, "Features": {"iAMT0061"}, "Platform": {"PLAT0184"}}
	mux := http.NewServeMux()
	for filter := range want {
		listeners[filter] = newListener()
		mux.Handle("/"+filter, listeners[filter].handler)
	}
	d := newDevice(t, wsmantest.Config{Notify: memoryListener(t, mux)})
	for filter := range want {
		subscribe(t, d, wsman.Subscription{NotifyTo: "http://listener/" + filter, Filter: "Intel(r) AMT:" + filter, Ack: true})
	}
	d.SendAlert(wsman.Alert{MessageID: "iAMT0061"})
	d.AddRecord(wsmantest.Record{SensorType: 15})
	for filter, ids := range want {
		assert.Equal(t, ids, named(listeners[filter].wait(len(ids))), filter)
	}
}

// TestAlertFails: listeners that refuse, lie, or are nobody whom the device trusts.
func TestAlertFails(t *testing.T) { synctest.Test(t, testAlertFails) }

func testAlertFails(t *testing.T) {
	l := newListener()
	l.handler.Login = &digest.Server{Realm: "events", Nonces: digest.NewNonces(0, 0), Lookup: func(string) (digest.Credentials, bool) {
		return digest.Credentials{Username: "node", Password: wsman.NewSecret("another")}, true
	}}
	for name, test := range map[string]struct {
		handler http.Handler
		login   bool
		log     string
	}{
		"wrong password": {l.handler, true, "the listener refused the login"},
		"no password":    {l.handler, false, "the listener refused the login"},
		"no place":       {http.NotFoundHandler(), false, "status 404 of the listener"},
		"no answer":      {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), false, "EOF"},
	} {
		notes := newLogged("event not delivered")
		d := newDevice(t, wsmantest.Config{Notify: memoryListener(t, test.handler), Logger: notes.logger()})
		s := wsman.Subscription{NotifyTo: "http://listener/"}
		if test.login {
			s.Username, s.Password = "node", wsman.NewSecret("s3cret")
		}
		subscribe(t, d, s)
		d.SendAlert(wsman.Alert{MessageID: "iAMT0061"})
		line := <-notes.lines
		assert.Contains(t, line, test.log, name)
		assert.NotContains(t, line, "s3cret", name)
	}
	assert.Empty(t, l.wait(0))
}

// TestAlertTLS: a listener with TLS is believed if its issuer is installed.
func TestAlertTLS(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate, which is good at all times
	config := server.TLS
	server.Close()
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		notes := newLogged("event not delivered")
		d := newDevice(t, wsmantest.Config{Notify: serveInMemory(t, mpstest.TLS(config, mpstest.HTTP(l.handler))), Logger: notes.logger()})
		subscribe(t, d, wsman.Subscription{NotifyTo: "https://127.0.0.1/"})
		d.SendAlert(wsman.Alert{MessageID: "iAMT0001"})
		assert.Contains(t, <-notes.lines, "certificate")
		root, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
		require.NoError(t, err)
		d.AddRoot(root)
		d.SendAlert(wsman.Alert{MessageID: "iAMT0002"})
		assert.Equal(t, []string{"iAMT0002"}, named(l.wait(1)))
	})
}

// TestAlertCIRA: they come through the connection by which the device has called in.
func TestAlertCIRA(t *testing.T) {
	l := newListener()
	serve := mpstest.HTTP(l.handler)
	server, err := mps.NewServer(mps.Config{
		Authenticate: func(_ context.Context, login *mps.Login) (mps.Identity, error) {
			return mps.Identity{Device: nodeid.NodeKey{ID: nodeid.FromUUID(login.UUID)}}, nil
		},
		Limits: mps.Limits{LoginTime: patience},
		APF: &apf.ServerConfig{OpenTimeout: patience, LoginTime: patience, IdleTime: patience, ForwardTime: patience, Accept: func(_ context.Context, open *apf.OpenRequest) (func(net.Conn), error) {
			if open.Host != "console.example" || open.Port != 8080 {
				return nil, errors.New("another place")
			}
			return func(c net.Conn) { serve(c) }, nil
		}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown(context.Background())) })

	var device *mpstest.Device
	d := newDevice(t, wsmantest.Config{Notify: func(ctx context.Context, _, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || port != "8080" {
			return nil, fmt.Errorf("address %q: %w", addr, err)
		}
		return device.Conn().Dial(ctx, host, 8080)
	}})
	uuid, err := apf.ParseUUID(d.UUID())
	require.NoError(t, err)
	online := make(chan struct{})
	var once sync.Once
	device, err = mpstest.NewDevice(mpstest.Config{
		Connect: func(context.Context) (apf.Stream, error) {
			near, far := net.Pipe()
			server.Accept(far)
			return near, nil
		},
		UUID: uuid, User: "AbCdEfGhIjKlMnOp", Password: mpstest.NewSecret("P@ssw0rd"), Quirks: mpstest.Firmware(),
		Ports:     map[uint16]mpstest.Handler{wsmantest.PortHTTP: d.Handler(wsmantest.PortHTTP), 5900: mpstest.Discard}, // the last says that there are no more
		LoginTime: patience,
		Changed: func(e mpstest.Event) {
			if e.State == mpstest.StateOnline {
				once.Do(func() { close(online) })
			}
		},
	})
	require.NoError(t, err)
	device.Start()
	t.Cleanup(device.Close)
	<-online
	subscribe(t, d, wsman.Subscription{NotifyTo: "http://console.example:8080/amtevents.ashx", Ack: true})
	d.PressPowerButton()
	assert.Equal(t, []string{"PLAT0248"}, named(l.wait(1)))
}
