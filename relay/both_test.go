//go:build !js

package relay

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// world is a relay, a device and an operator in one process.
type world struct {
	*testServer
	device   *Dispatcher
	request  Request // what the server adds to each request
	refuse   error
	sessions chan string
	got      chan error  // how each tunnel of the device ended
	noPort   atomic.Bool // ports that the device connects to are closed
	wg       sync.WaitGroup
}

func newWorld(t testing.TB, cfg Config) *world {
	w := &world{sessions: make(chan string, 1000), got: make(chan error, 1000)}
	w.testServer = newTestServer(t, cfg, true)
	server, err := url.Parse(strings.Replace(w.url, "/meshrelay.ashx?", "/agent.ashx", 1))
	require.NoError(t, err)
	conn := w.dial(t, "id=x&rauth=bad")
	state, _ := conn.ConnectionState()
	hash := sha512.Sum384(state.PeerCertificates[0].Raw)
	w.request = Request{Rights: RightsFull, UserID: testUser, ServerTLSHash: strings.ToUpper(hex.EncodeToString(hash[:]))}
	w.device = &Dispatcher{
		Server: server, Handlers: make(map[Protocol]Handler),
		OnSessions: func(kind string, counts map[string]int) { w.sessions <- fmt.Sprint(kind, counts) },
		DialTCP: func(ctx context.Context, _ *Request, address string) (net.Conn, error) {
			if w.noPort.Load() {
				return nil, syscall.ECONNREFUSED
			}
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		DialUDP: func(ctx context.Context, _ *Request, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp4", address)
		},
	}
	t.Cleanup(func() {
		w.device.Close()
		w.wg.Wait()
	})
	return w
}

func (w *world) TunnelCookies(context.Context, AskTunnel) (operator, device Secret, err error) {
	return NewSecret(testUser), NewSecret(testUser), nil
}

func (w *world) RequestTunnel(_ context.Context, a AskTunnel) error {
	if w.refuse != nil {
		return w.refuse
	}
	if err := w.Announce(TunnelRequest{ID: ID(a.ID), User: testUser, Node: a.Node}); err != nil {
		return err
	}
	r := w.request
	r.URL, r.TCPAddr, r.TCPPort, r.UDPAddr, r.UDPPort = a.URL, a.TCPAddr, a.TCPPort, a.UDPAddr, a.UDPPort
	w.wg.Go(func() { w.got <- w.device.Serve(context.Background(), &r) })
	return nil
}

func (w *world) RelayURL() (URL, error) { return NewURL(strings.TrimSuffix(w.url, "?")), nil }

func (w *world) options(p Protocol) Options {
	return Options{Protocol: p, Wait: patience, Net: NetOptions{TLS: insecureTLS()}}
}

func TestOpenAndDispatch(t *testing.T) {
	w := newWorld(t, Config{})
	w.request.Consent = 8
	w.device.Handlers[ProtocolTerminal] = func(ctx context.Context, s *Session) error {
		require.Equal(t, 80, *s.Options.Cols)
		require.Equal(t, uint32(8|1), s.Consent())
		require.NoError(t, s.SendControl(ctx, &ControlConsole{Msg: "Waiting", ID: new(ConsoleWaiting)}))
		require.NoError(t, s.SendControl(ctx, &ControlConsole{ID: new(ConsoleClear)}))
		for {
			typ, b, err := s.ReadMessage(ctx)
			if err != nil {
				return err
			}
			if err := s.WriteMessage(ctx, typ, b); err != nil {
				return err
			}
		}
	}
	var events []Event
	o := w.options(ProtocolTerminal)
	o.Options = &ControlOptions{Cols: new(80), Rows: new(25), Consent: 1}
	o.OnEvent = func(e Event) { e.Console = nil; events = append(events, e) }
	tunnel, err := Open(t.Context(), w, testNode, o)
	require.NoError(t, err)
	require.NoError(t, tunnel.WriteMessage(t.Context(), Binary, []byte("ls\r")))
	require.NoError(t, tunnel.SendControl(t.Context(), &ControlPing{})) // answered by the device's tunnel, unseen here
	require.NoError(t, tunnel.SendControl(t.Context(), &ControlRTT{Time: []byte("12")}))
	require.Equal(t, ConsentNotAsked, tunnel.Consent(), "nothing was read yet")
	got := make(map[string]Type) // answers may overtake data
	for range 2 {
		typ, b, err := tunnel.ReadMessage(t.Context())
		require.NoError(t, err)
		got[string(b)] = typ
	}
	require.Equal(t, map[string]Type{"ls\r": Binary, `{"type":"rtt","ctrlChannel":"102938","time":12}`: Text}, got)
	require.Equal(t, []Event{
		{Kind: EventRequested}, {Kind: EventConnected}, {Kind: EventConsent, Text: "Waiting"}, {Kind: EventGranted},
	}, events)
	require.Equal(t, ConsentGiven, tunnel.Consent())
	require.Equal(t, "terminalmap[user//ann:1]", <-w.sessions)
	require.NoError(t, tunnel.Close(1000, ""))
	require.Error(t, <-w.got)
	require.Equal(t, "terminalmap[]", <-w.sessions)
}

func TestDenied(t *testing.T) {
	w := newWorld(t, Config{Record: func(context.Context, *Pair) (Recorder, error) { return new(recording).recorder(), nil }})
	w.device.Handlers[ProtocolDesktop] = func(ctx context.Context, s *Session) error {
		if err := s.SendControl(ctx, &ControlConsole{Msg: "Waiting", ID: new(ConsoleWaiting)}); err != nil {
			return err
		}
		return s.SendControl(ctx, &ControlConsole{Msg: "Denied\x1b", ID: new(ConsoleDenied)})
	}
	tunnel, err := Open(t.Context(), w, testNode, w.options(ProtocolDesktop))
	require.NoError(t, err)
	require.True(t, tunnel.Recorded())
	_, _, err = tunnel.ReadMessage(t.Context())
	require.ErrorIs(t, err, ErrDenied)
	require.ErrorContains(t, err, `"Denied\x1b"`)
	require.Equal(t, ConsentRefused, tunnel.Consent())
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, <-w.got)
}

func TestOpenFails(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{Wait: 200 * time.Millisecond}})
	open := func(o Options) *OpenError {
		t.Helper()
		_, err := Open(t.Context(), w, testNode, o)
		var oe *OpenError
		require.ErrorAs(t, err, &oe)
		return oe
	}
	w.refuse = errors.New("Unable to route")
	require.Equal(t, &OpenError{"request", w.refuse}, open(w.options(ProtocolFiles)))
	w.refuse = nil
	o := w.options(ProtocolFiles)
	o.Net.NetDialContext = func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrNoProgress }
	oe := open(o)
	require.Equal(t, "connect", oe.Op)
	require.ErrorIs(t, oe, io.ErrNoProgress)
	<-w.got
	// A device that does not come: the certificate is another one. The relay says so, long before the operator gives up.
	w.request.ServerTLSHash = strings.Repeat("00", 48)
	oe = open(w.options(ProtocolFiles))
	require.Equal(t, "wait for the device", oe.Op)
	require.ErrorIs(t, oe, ErrNoDevice)
	require.ErrorIs(t, <-w.got, ErrCertificate)
}

// askedInVain is a session whose device never comes.
type askedInVain struct{}

func (askedInVain) TunnelCookies(context.Context, AskTunnel) (operator, device Secret, err error) {
	return NewSecret("a"), NewSecret("b"), nil
}

func (askedInVain) RequestTunnel(context.Context, AskTunnel) error { return nil }

func (askedInVain) RelayURL() (URL, error) { return NewURL("wss://h/meshrelay.ashx"), nil }

// An operator whom the relay tells nothing gives up by itself.
func TestOpenGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for wait, want := range map[time.Duration]time.Duration{0: 20 * time.Second, time.Minute: time.Minute} {
			far, near := msgconn.Pipe()
			start := time.Now()
			_, err := Open(t.Context(), askedInVain{}, testNode, Options{
				Wait: wait, Dial: func(context.Context, URL) (Conn, error) { return near, nil },
			})
			require.Equal(t, want, time.Since(start))
			var oe *OpenError
			require.ErrorAs(t, err, &oe)
			require.Equal(t, "wait for the device", oe.Op)
			require.ErrorIs(t, oe, ErrNoDevice)
			require.Equal(t, msgconn.CloseNormal, recvClose(t, far).Code)
		}
	})
}

func TestRights(t *testing.T) {
	for _, c := range []struct {
		rights Rights
		usages []Protocol
		p      Protocol
		ok     bool
	}{
		{RightsFull, nil, ProtocolTerminal, true},
		{RightRemoteControl, nil, ProtocolTerminal, true},
		{RightRemoteControl | RightNoTerminal, nil, ProtocolPowerShell, false},
		{RightRemoteControl | RightNoTerminal, nil, ProtocolFiles, true},
		{RightRemoteControl | RightNoFiles, nil, ProtocolFile, false},
		{RightViewOnly, nil, ProtocolDesktop, true},
		{RightViewOnly, nil, ProtocolFiles, false},
		{RightViewOnly, nil, ProtocolPlugin, false},
		{RightViewOnly | RightNoDesktop, nil, ProtocolDesktop, false},
		{RightRelay, nil, ProtocolNone, true},
		{RightViewOnly, nil, ProtocolNone, false},
		{RightsFull, []Protocol{ProtocolFiles}, ProtocolFiles, true},
		{RightsFull, []Protocol{ProtocolFiles}, ProtocolDesktop, false},
	} {
		err := (&Request{Rights: c.rights, Usages: c.usages}).Permits(c.p)
		require.Equal(t, c.ok, err == nil, "%+v: %v", c, err)
		if err != nil {
			require.ErrorIs(t, err, ErrRights)
		}
	}
	view := &Session{Request: &Request{Rights: RightViewOnly}}
	require.True(t, view.ViewOnly())
	view.Request.Rights = RightsFull
	require.False(t, view.ViewOnly())
}

func TestEndTunnels(t *testing.T) {
	w := newWorld(t, Config{})
	started := make(chan struct{})
	w.device.Handlers[ProtocolFiles] = func(ctx context.Context, _ *Session) error {
		close(started)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	tunnel, err := Open(t.Context(), w, testNode, w.options(ProtocolFiles))
	require.NoError(t, err)
	<-started
	require.Zero(t, w.device.EndTunnels(testUser, "", "files", "user//bob", RightRemoteControl))
	require.Zero(t, w.device.EndTunnels(testUser, "", "kvm", testUser, RightRemoteControl))
	require.Equal(t, 1, w.device.EndTunnels(testUser, "", "files", testUser, RightRemoteControl))
	require.ErrorIs(t, <-w.got, errEnded)
	recvClose(t, tunnel)
}

func TestForwardTCP(t *testing.T) {
	w := newWorld(t, Config{})
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(rw, "%d %s", n, strings.Repeat("x", 1<<20))
	}))
	defer web.Close()
	d := &Dialer{Requester: w, Node: testNode, Options: w.options(0)}
	transport := &http.Transport{DialContext: d.DialContext}
	defer transport.CloseIdleConnections()
	for range 2 {
		resp, err := (&http.Client{Transport: transport}).Post(web.URL, "text/plain", strings.NewReader(strings.Repeat("y", 200000)))
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, "200000 "+strings.Repeat("x", 1<<20), string(b))
	}
	require.Equal(t, "tcpmap[user//ann:1]", <-w.sessions)

	// A port where nobody listens ends the stream.
	w.noPort.Store(true)
	const port = "22"
	begun := time.Now()
	conn, err := DialTCP(t.Context(), w, testNode, port, w.options(0))
	if err == nil { // the operator was there before the device knew
		require.Equal(t, "127.0.0.1:"+port, conn.RemoteAddr().String())
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		conn.Close()
	} else {
		require.ErrorIs(t, err, ErrNoDevice)
		require.ErrorContains(t, err, "the other end has left")
	}
	t.Logf("a closed port is known after %v", time.Since(begun))
	_, err = DialTCP(t.Context(), w, testNode, "http", w.options(0))
	require.ErrorContains(t, err, "no address with a port")
}

// A device that stops a stream in the middle is known to the reader, and deadlines do not break a connection.
func TestForwardDeadlines(t *testing.T) {
	w := newWorld(t, Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	conn, err := DialTCP(t.Context(), w, testNode, l.Addr().String(), w.options(0))
	require.NoError(t, err)
	defer conn.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	b := make([]byte, 3)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err = conn.Read(b)
	var ne net.Error
	require.ErrorAs(t, err, &ne)
	require.True(t, ne.Timeout())
	_, err = conn.Read(b)
	require.ErrorAs(t, err, &ne)
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	_, err = far.Write([]byte("hello"))
	require.NoError(t, err)
	_, err = io.ReadFull(conn, b)
	require.NoError(t, err)
	require.Equal(t, "hel", string(b))
	_, err = io.ReadFull(conn, b[:2])
	require.NoError(t, err)
	far.Close()
	_, err = conn.Read(b)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, conn.Close())
	_, err = conn.Read(b)
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = conn.Write(b)
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestForwardUDP(t *testing.T) {
	w := newWorld(t, Config{})
	echo, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer echo.Close()
	go func() {
		b := make([]byte, 65536)
		for {
			n, addr, err := echo.ReadFrom(b)
			if err != nil {
				return
			}
			echo.WriteTo(b[:n], addr)
		}
	}()
	conn, err := DialUDP(t.Context(), w, testNode, echo.LocalAddr().String(), w.options(0))
	require.NoError(t, err)
	defer conn.Close()
	b := make([]byte, 65536)
	for _, size := range []int{0, 1, 9000} {
		_, err := conn.WriteTo(make([]byte, size), conn.RemoteAddr())
		require.NoError(t, err)
		n, addr, err := conn.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.Equal(t, conn.RemoteAddr(), addr)
	}
	_, err = conn.WriteTo(b[:1], Addr{Address: "10.0.0.1:1"})
	require.ErrorIs(t, err, errAddr)
	_, err = conn.Write(make([]byte, 65536))
	require.Error(t, err)
}

// direct is a WebRTC of a test: it agrees to everything and notes it.
type direct struct{ got chan Control }

func (d *direct) Signal(ctx context.Context, t *Tunnel, c Control) error {
	d.got <- c
	if offer, ok := c.(*WebRTCOffer); ok {
		return t.SendControl(ctx, &WebRTCAnswer{Head: Head{TypeFirst: true}, SDP: offer.SDP + "!"})
	}
	return nil
}

// The messages of a direct connection reach the implementation at each end, and are data where there is none.
func TestWebRTCSeam(t *testing.T) {
	w := newWorld(t, Config{})
	far, near := &direct{make(chan Control, 10)}, &direct{make(chan Control, 10)}
	w.device.WebRTC = far
	w.device.Handlers[ProtocolDesktop] = func(ctx context.Context, s *Session) error {
		_, b, err := s.ReadMessage(ctx)
		if err == nil {
			err = s.WriteMessage(ctx, Binary, b)
		}
		return err
	}
	w.device.Handlers[ProtocolTerminal] = w.device.Handlers[ProtocolDesktop]
	o := w.options(ProtocolDesktop)
	o.WebRTC = near
	tunnel, err := Open(t.Context(), w, testNode, o)
	require.NoError(t, err)
	require.NoError(t, tunnel.SendControl(t.Context(), &WebRTCOffer{Head: Head{Marker: MarkerNone}, SDP: "v=0"}))
	require.NoError(t, tunnel.SendControl(t.Context(), &WebRTCSwitch{Stage: 1}))
	require.NoError(t, tunnel.WriteMessage(t.Context(), Binary, []byte("end")))
	_, b, err := tunnel.ReadMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, "end", string(b))
	require.Equal(t, "v=0", (<-far.got).(*WebRTCOffer).SDP)
	require.Equal(t, 1, (<-far.got).(*WebRTCSwitch).Stage)
	require.Equal(t, "v=0!", (<-near.got).(*WebRTCAnswer).SDP)
	require.NoError(t, <-w.got)

	tunnel, err = Open(t.Context(), w, testNode, w.options(ProtocolTerminal))
	require.NoError(t, err)
	require.NoError(t, tunnel.SendControl(t.Context(), &WebRTCOffer{Head: Head{Marker: MarkerNone}, SDP: "v=0"}))
	_, b, err = tunnel.ReadMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, `{"type":"offer","sdp":"v=0"}`, string(b))
}
