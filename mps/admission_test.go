//go:build !js

package mps

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// TestFailedLoginsBehindProxy is that a device with a wrong password behind a proxy that tells no addresses is not asked about
// without end, and that others behind it log in, however often.
func TestFailedLoginsBehindProxy(t *testing.T) {
	var asked atomic.Int32
	s, addr, events := startServer(t, Config{
		Authenticate: func(ctx context.Context, l *Login) (Identity, error) {
			asked.Add(1)
			return byPassword(ctx, l)
		},
		TrustedProxies: loopback, Limits: Limits{FailedLogins: Rate{Events: 2, Window: time.Hour}},
	})
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	tcp := func() apf.Stream { return dialTCP(t, addr) }
	webSocket := func() apf.Stream {
		ws, err := msgconn.Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http")+"/apf.ashx", msgconn.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return apf.NewWebSocketStream(ws)
	}
	wrong := func(cfg *apf.DeviceConfig) { cfg.Password = NewSecret("wrong") }
	for i, dial := range []func() apf.Stream{tcp, webSocket, tcp, webSocket} {
		startDevice(t, dial(), wrong)
		if e := endOf(events); errors.Is(e.Err, ErrBusy) != (i >= 2) || errors.Is(e.Err, ErrRefused) != (i < 2) {
			t.Errorf("login %d: %v", i, e.Err)
		} else if i >= 2 && (!strings.Contains(e.Err.Error(), "00112233-4455-6677-8899-aabbccddeeff") || !strings.Contains(e.Err.Error(), "127.0.0.1")) {
			t.Errorf("login %d: the reason does not say who: %v", i, e.Err)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("Authenticate was asked %d times", n)
	}
	// Nor is the right password tried.
	startDevice(t, tcp())
	if e := endOf(events); !errors.Is(e.Err, ErrBusy) {
		t.Error(e.Err)
	}
	for i, dial := range []func() apf.Stream{tcp, webSocket, tcp, webSocket, tcp} {
		d := startDevice(t, dial(), func(cfg *apf.DeviceConfig) { cfg.UUID[0] = 1 })
		online(t, events)
		d.Close()
		if e := endOf(events); e.Phase != PhaseOnline {
			t.Errorf("login %d of another device: %v", i, e.Err)
		}
	}
}

// TestTriesUnderWay is that logins which are asked about at this time count, too, where one device alone is bounded.
func TestTriesUnderWay(t *testing.T) {
	var a admission
	a.init(Limits{FailedLogins: Rate{Events: 2, Window: time.Hour}, Pending: 10})
	hidden := origin{addr: source(netip.MustParseAddr("192.0.2.1")), hidden: true}
	first, err := a.try(hidden, testNodeUUID(1))
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.try(hidden, testNodeUUID(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.try(hidden, testNodeUUID(1)); !errors.Is(err, ErrBusy) {
		t.Errorf("the third at once: %v", err)
	}
	if _, err := a.try(hidden, testNodeUUID(2)); err != nil {
		t.Errorf("another device: %v", err)
	}
	second(false)
	first(true)
	third, err := a.try(hidden, testNodeUUID(1))
	if err != nil {
		t.Errorf("one has failed: %v", err)
	}
	third(true)
	if _, err := a.try(hidden, testNodeUUID(1)); !errors.Is(err, ErrBusy) {
		t.Errorf("two have failed: %v", err)
	}
	// The proxy's address as that of somebody whom it tells is somebody else.
	if _, err := a.try(origin{addr: hidden.addr}, testNodeUUID(1)); err != nil {
		t.Errorf("a source: %v", err)
	}
}

func testNodeUUID(n byte) (u [16]byte) {
	u[15] = n
	return u
}

// TestSilenceBehindProxy is that connections behind a proxy which do not log in give way to those that do, the oldest first,
// and are told why.
func TestSilenceBehindProxy(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword, TrustedProxies: loopback, Limits: Limits{Pending: 4}})
	s.admission.mu.Lock()
	s.admission.patience = 0
	s.admission.mu.Unlock()
	var silent []net.Conn
	for range 2 {
		conn := dialTCP(t, addr)
		silent = append(silent, conn)
		for e := range events { // they have a place when they are past the header, which there is not
			if e.Phase == PhaseFirst {
				break
			}
			if e.Phase == PhaseProxy {
				if _, err := conn.Write([]byte{0xc0}); err != nil { // as a device begins
					t.Fatal(err)
				}
			}
		}
	}
	for i := range 3 {
		startDevice(t, dialTCP(t, addr), func(cfg *apf.DeviceConfig) { cfg.UUID[0] = byte(i) })
		gone := ""
		for {
			e := <-events
			if e.Err != nil {
				if gone != "" || !errors.Is(e.Err, ErrBusy) || !strings.Contains(e.Err.Error(), "behind the proxy 127.0.0.1") {
					t.Errorf("device %d: %v ends: %v", i, e.Peer.Addr, e.Err)
				}
				gone = e.Peer.Addr.String()
			}
			if e.Phase == PhaseOnline && e.Err == nil {
				break
			}
		}
		// The first device takes the first place; it gives that back when it has logged in, so that the second needs none.
		if want := ""; i > 0 && gone != want || i == 0 && gone != "" && gone != silent[0].LocalAddr().String() {
			t.Errorf("device %d: %s gave way", i, gone)
		}
		if i == 0 && gone == "" {
			if e := endOf(events); e.Peer.Addr.String() != silent[0].LocalAddr().String() || !errors.Is(e.Err, ErrBusy) {
				t.Errorf("%v gave way: %v", e.Peer.Addr, e.Err)
			}
		}
	}
}

// TestManyBehindProxy is that devices which come all at once behind a proxy do not end each other's logins: those who find no
// place are refused, until one of the first has had a third of the time for a login.
func TestManyBehindProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a admission
		a.init(Limits{Pending: 4, LoginTime: 30 * time.Second})
		hidden := origin{addr: source(netip.MustParseAddr("192.0.2.1")), hidden: true}
		var gone []int
		enter := func(i int) error {
			_, err := a.enter(hidden, func(error) { gone = append(gone, i) })
			return err
		}
		for i := range 2 {
			if err := enter(i); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(8*time.Second - time.Nanosecond)
		if err := enter(2); !errors.Is(err, ErrBusy) || gone != nil {
			t.Errorf("too early: %v, %v gone", err, gone)
		}
		time.Sleep(time.Nanosecond)
		if err := enter(3); err != nil || !slices.Equal(gone, []int{0}) {
			t.Errorf("in time: %v, %v gone", err, gone)
		}
		if err := enter(4); !errors.Is(err, ErrBusy) || len(gone) != 1 {
			t.Errorf("the second has a second left: %v, %v gone", err, gone)
		}
	})
}

// TestDuplicates is that machines with one UUID do not replace each other for ever: one stays online, and the reason names both.
func TestDuplicates(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword, Limits: Limits{Replaced: Rate{Events: 2, Window: time.Hour}}})
	var at []string
	start := func(change ...func(*apf.DeviceConfig)) *testDevice {
		conn := dialTCP(t, addr)
		at = append(at, conn.LocalAddr().String())
		return startDevice(t, conn, change...)
	}
	device := start()
	c := online(t, events)
	for range 2 {
		device = start()
		var newer *Connection
		var replaced error
		for newer == nil || replaced == nil { // in no order
			if e := <-events; e.Err != nil {
				replaced = e.Err
			} else if e.Phase == PhaseOnline {
				newer = e.Connection
			}
		}
		if !errors.Is(replaced, ErrReplaced) || !strings.Contains(replaced.Error(), at[len(at)-1]) {
			t.Errorf("the reason does not say by whom: %v", replaced)
		}
		c = newer
	}

	for range 2 {
		refused := start()
		e := endOf(events)
		var dup *DuplicateError
		if !errors.As(e.Err, &dup) || !errors.Is(e.Err, ErrBusy) || e.Connection == c || e.Phase != PhaseForwards {
			t.Fatalf("%v in phase %v", e.Err, e.Phase)
		}
		if dup.Online.String() != at[2] || dup.Refused.String() != at[len(at)-1] || dup.Device != keyOf(testUUID) || dup.Kind != CIRA {
			t.Errorf("%+v", dup)
		}
		for _, want := range []string{at[2], at[len(at)-1], "00112233-4455-6677-8899-aabbccddeeff", "over 2 times in 1h0m0s"} {
			if !strings.Contains(e.Err.Error(), want) {
				t.Errorf("the reason lacks %q: %v", want, e.Err)
			}
		}
		var why *apf.DisconnectError
		if err := <-refused.ended; !errors.As(err, &why) || why.Reason != apf.DisconnectTooManyConnections {
			t.Errorf("the refused one is told %v", err)
		}
	}
	d, ok := s.Registry().Device(keyOf(testUUID))
	if !ok || len(d.Connections()) != 1 || d.Connections()[0] != c {
		t.Fatal("another one is online")
	}
	checkEcho(t, d, ":16992")

	// Other kinds of connections, and other devices, are their own.
	start(func(cfg *apf.DeviceConfig) { cfg.ConnType = LMS })
	if lms := online(t, events); lms.Kind() != LMS || !slices.Contains(d.Connections(), c) {
		t.Errorf("%v, with %v", lms.Kind(), d.Connections())
	}
	// A device that has gone may come again: there is nothing to replace.
	device.Close()
	if e := endOf(events); e.Connection != c {
		t.Errorf("%v ended", e.Connection)
	}
	start()
	online(t, events)
}
