//go:build !js

package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// testAuth reads an end from a query: auth=USER or rauth=USER, and bound=1.
func testAuth(_ *http.Request, q *Query) (End, error) {
	e := End{Node: q.Node, Protocol: q.Protocol, Bound: q.Extra.Get("bound") == "1"}
	switch {
	case q.Auth.Reveal() != "":
		e.Role, e.User = RoleOperator, q.Auth.Reveal()
	case q.RelayAuth.Reveal() == "bad":
		return End{}, &Refusal{Cause: "noauth", Msg: "noauth-1"}
	case q.RelayAuth.Reveal() != "":
		e.Role, e.User = RoleAgent, q.RelayAuth.Reveal()
	default:
		return End{}, ErrUnauthorized
	}
	return e, nil
}

// testServer is a relay on a loopback port.
type testServer struct {
	*Relay
	url   string
	addr  string
	ended chan error
	stats chan Stats
}

// patience is more than anything takes on a busy machine. What hangs ends with it.
const patience = 2 * time.Minute

func newTestServer(t testing.TB, cfg Config, secure bool) *testServer {
	t.Helper()
	s := &testServer{ended: make(chan error, 1000), stats: make(chan Stats, 1000)}
	if cfg.Authenticate == nil {
		cfg.Authenticate = testAuth
	}
	for _, limit := range []*time.Duration{&cfg.Limits.Wait, &cfg.Limits.RequestAge, &cfg.FlushTime} {
		if *limit == 0 {
			*limit = patience // no test but one that sets it runs into a limit
		}
	}
	if cfg.Trace == nil {
		cfg.Trace = &Trace{Ended: func(st Stats, err error) { s.stats <- st; s.ended <- err }}
	}
	var err error
	s.Relay, err = New(cfg)
	require.NoError(t, err)
	h := httptest.NewUnstartedServer(s.Relay)
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // of TLS handshakes that are meant to fail
	if secure {
		h.StartTLS()
	} else {
		h.Start()
	}
	s.addr = h.Listener.Addr().String()
	s.url = "ws" + strings.TrimPrefix(h.URL, "http") + "/meshrelay.ashx?"
	t.Cleanup(func() {
		s.Close()
		h.Close()
	})
	return s
}

func (s *testServer) dial(t testing.TB, query string) *msgconn.WebSocket {
	t.Helper()
	c, err := msgconn.Dial(t.Context(), s.url+query, msgconn.DialOptions{ReadLimit: 8 << 20, TLSConfig: insecureTLS()})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(0, "") })
	return c
}

// pair opens both ends of a tunnel and reads the c.
func (s *testServer) pair(t testing.TB, p Protocol) (operator, agent *msgconn.WebSocket) {
	t.Helper()
	id := NewID()
	require.NoError(t, s.Announce(TunnelRequest{ID: id, User: testUser, Node: testNode}))
	operator = s.dial(t, fmt.Sprintf("browser=1&p=%d&nodeid=%s&id=%s&auth=%s", p, testNode, id, testUser))
	agent = s.dial(t, fmt.Sprintf("p=%d&nodeid=%s&id=%s&rauth=%s", p, testNode, id, testUser))
	for _, c := range []*msgconn.WebSocket{operator, agent} {
		typ, b := recv(t, c)
		require.Equal(t, Text, typ)
		require.Contains(t, []string{"c", "cr"}, string(b))
	}
	return operator, agent
}

func recv(t testing.TB, c Conn) (Type, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	typ, b, err := c.ReadMessage(ctx)
	require.NoError(t, err)
	return typ, b
}

func recvClose(t testing.TB, c Conn) *msgconn.CloseError {
	t.Helper()
	err := recvEnd(t, c)
	var ce *msgconn.CloseError
	require.ErrorAs(t, err, &ce)
	return ce
}

// recvEnd reads until the connection ends, and returns why. It ends no test, for other goroutines than the test's.
func recvEnd(t testing.TB, c Conn) (err error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for err == nil {
		_, _, err = c.ReadMessage(ctx)
	}
	return err
}

func TestTunnel(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			s := newTestServer(t, Config{}, secure)
			operator, agent := s.pair(t, ProtocolTerminal)
			var sent int64
			for i, size := range []int{0, 1, 125, 126, 4000, 4097, 65535, 65536, 70000, 200000} {
				typ := []Type{Text, Binary}[i%2]
				p := bytes.Repeat([]byte{byte('a' + i)}, size)
				sent += int64(size)
				require.NoError(t, operator.WriteMessage(t.Context(), typ, p))
				got, b := recv(t, agent)
				require.Equal(t, typ, got)
				require.Equal(t, p, b)
				require.NoError(t, agent.WriteMessage(t.Context(), typ, p))
				got, b = recv(t, operator)
				require.Equal(t, typ, got)
				require.Equal(t, p, b)
			}
			require.NoError(t, agent.WriteMessage(t.Context(), Text, []byte("last words")))
			agent.Close(msgconn.CloseNormal, "bye")
			_, b := recv(t, operator)
			require.Equal(t, "last words", string(b), "what was sent before the end arrives")
			require.Equal(t, msgconn.CloseNormal, recvClose(t, operator).Code)
			st := <-s.stats
			require.ErrorIs(t, <-s.ended, ErrPeerGone)
			require.Equal(t, ProtocolTerminal, st.Pair.Protocol)
			bytes, messages := st.Sent(RoleOperator)
			require.Equal(t, sent, bytes)
			require.Equal(t, int64(10), messages)
			bytes, messages = st.Sent(RoleAgent)
			require.Equal(t, sent+10, bytes)
			require.Equal(t, int64(11), messages)
		})
	}
}

// Ends that are not let in are closed at once, and told why if there is something to tell.
func TestRefused(t *testing.T) {
	refused, waiting := make(chan error, 10), make(chan End, 10)
	s := newTestServer(t, Config{Trace: &Trace{
		Refused: func(_ End, err error) { refused <- err }, Waiting: func(e End) { waiting <- e },
	}}, false)
	for _, c := range []struct {
		query, text string
		want        error
	}{
		{"id=1", "", ErrUnauthorized},
		{"id=1&rauth=bad", `{"action":"close","cause":"noauth","msg":"noauth-1"}`, ErrUnauthorized},
		{"rauth=x", "", ErrID},
		{"id=a/b&auth=x", "", ErrURL},
		{"id=1&rauth=" + testUser, "", ErrNoRequest},
		{"id=1&bound=1&rauth=" + testUser, "", ErrUnauthorized},
	} {
		conn := s.dial(t, c.query)
		if c.text != "" {
			typ, b := recv(t, conn)
			require.Equal(t, Text, typ)
			require.Equal(t, c.text, string(b))
		}
		require.Equal(t, msgconn.ClosePolicy, recvClose(t, conn).Code, c.query)
		require.ErrorIs(t, <-refused, c.want, c.query)
	}

	// A third end, and one that does not fit while another waits.
	require.NoError(t, s.Announce(TunnelRequest{ID: "x", User: testUser, Node: testNode}))
	operator := s.dial(t, "id=x&nodeid="+testNode+"&auth="+testUser)
	<-waiting // a client is answered before it has arrived
	mismatch := s.dial(t, "id=x&nodeid="+testNode+"&auth=user//bob")
	recvClose(t, mismatch)
	require.ErrorIs(t, <-refused, ErrMismatch)
	agent := s.dial(t, "id=x&nodeid="+testNode+"&rauth="+testUser)
	_, b := recv(t, agent)
	require.Equal(t, "c", string(b))
	recvClose(t, s.dial(t, "id=x&nodeid="+testNode+"&auth="+testUser))
	require.ErrorIs(t, <-refused, ErrTaken)
	_, b = recv(t, operator)
	require.Equal(t, "c", string(b))
	require.NoError(t, agent.WriteMessage(t.Context(), Binary, []byte("still here")))
	_, b = recv(t, operator)
	require.Equal(t, "still here", string(b))
}

// bareEnd is an end of the tunnel x without a network. It has arrived when the function returns.
func bareEnd(t *testing.T, r *Relay, role Role) (net.Conn, *bufio.Reader) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	require.True(t, r.enter())
	go func() {
		defer r.wg.Done()
		r.arrive(theirs, End{ID: "x", Role: role, User: testUser, Node: testNode, Bound: true})
	}()
	synctest.Wait()
	return ours, bufio.NewReader(ours)
}

func TestWaitsInVain(t *testing.T) {
	unmet := make(chan error, 1)
	s := newTestServer(t, Config{Limits: Limits{Wait: 20 * time.Millisecond}, Trace: &Trace{Unmet: func(_ End, err error) { unmet <- err }}}, false)
	c := s.dial(t, "id=x&auth="+testUser)
	require.Equal(t, "the other end did not come", recvClose(t, c).Reason)
	require.ErrorIs(t, <-unmet, ErrNobodyCame)
}

func TestIdleAndPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		r, err := New(Config{
			Authenticate: testAuth, Limits: Limits{Idle: 55 * time.Second}, PingInterval: 10 * time.Second,
			Trace: &Trace{Ended: func(_ Stats, err error) { ended <- err }},
		})
		require.NoError(t, err)
		defer r.Close()
		start := time.Now()
		_, device := bareEnd(t, r, RoleAgent)
		_, operator := bareEnd(t, r, RoleOperator)
		for _, end := range []*bufio.Reader{operator, device} { // the second end hears first that they have met
			_, b := rawFrame(t, end)
			require.Equal(t, "c", string(b))
		}
		for i := range 5 {
			for _, end := range []*bufio.Reader{device, operator} {
				h, b := rawFrame(t, end)
				require.Equal(t, uint8(Text), h.Opcode)
				require.Equal(t, `{"ctrlChannel":"102938","type":"ping"}`, string(b))
			}
			require.Equal(t, time.Duration(i+1)*10*time.Second, time.Since(start))
		}
		for _, end := range []*bufio.Reader{device, operator} {
			h, b := rawFrame(t, end)
			require.Equal(t, uint8(msgconn.OpClose), h.Opcode)
			require.Equal(t, "idle", msgconn.ParseClosePayload(b).Reason, "pings of the server are no activity")
		}
		require.Equal(t, 55*time.Second, time.Since(start))
		require.ErrorIs(t, <-ended, ErrIdle)
	})
}

// recording is a Recorder of a test.
type recording struct {
	got    []string
	closed error
	fail   bool
}

func (r *recording) recorder() Recorder {
	return WholeMessages(10, func(from Key, t Type, size uint64, data []byte) error {
		if r.fail {
			return errors.New("disk full")
		}
		r.got = append(r.got, fmt.Sprintf("%v %d %q", t, size, data))
		return nil
	}, func(err error) error { r.closed = err; return nil })
}

func TestRecording(t *testing.T) {
	var r recording
	s := newTestServer(t, Config{Record: func(context.Context, *Pair) (Recorder, error) { return r.recorder(), nil }}, true)
	operator, agent := s.pair(t, ProtocolFiles)
	require.NoError(t, operator.WriteMessage(t.Context(), Text, []byte("5")))
	recv(t, agent)
	require.NoError(t, agent.WriteMessage(t.Context(), Binary, bytes.Repeat([]byte("0123456789"), 10000)))
	_, b := recv(t, operator)
	require.Len(t, b, 100000)
	operator.Close(msgconn.CloseNormal, "")
	require.ErrorIs(t, <-s.ended, ErrPeerGone)
	require.True(t, (<-s.stats).Recorded)
	require.Equal(t, []string{`text 1 "5"`, `binary 100000 "0123456789"`}, r.got)
	require.ErrorIs(t, r.closed, ErrPeerGone)

	r.fail = true
	operator, agent = s.pair(t, ProtocolFiles)
	require.NoError(t, operator.WriteMessage(t.Context(), Text, []byte("5")))
	require.Equal(t, "recording failed", recvClose(t, operator).Reason)
	recvClose(t, agent)
	require.ErrorIs(t, <-s.ended, ErrRecording)
}

// A recording that cannot be made ends the tunnel before anything moves.
func TestRecordingRefused(t *testing.T) {
	s := newTestServer(t, Config{Record: func(context.Context, *Pair) (Recorder, error) { return nil, errors.New("no disk") }}, false)
	require.NoError(t, s.Announce(TunnelRequest{ID: "x", User: testUser, Node: testNode}))
	operator := s.dial(t, "id=x&auth="+testUser)
	agent := s.dial(t, "id=x&rauth="+testUser)
	for _, c := range []Conn{operator, agent} {
		require.Equal(t, "recording failed", recvClose(t, c).Reason)
	}
	require.ErrorIs(t, <-s.ended, ErrRecording)
}

// smallBuffers makes the connections that a relay takes, and those of its clients, hold little in the kernel.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = limitBuffers(c)
	}
	return c, err
}

func limitBuffers(c net.Conn) error {
	tcp := c.(*net.TCPConn)
	return errors.Join(tcp.SetReadBuffer(64<<10), tcp.SetWriteBuffer(64<<10))
}

// A reader that stops is waited for: the sender stops too, after little, and nothing is lost.
func TestBackPressure(t *testing.T) {
	s := newTestServer(t, Config{}, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := httptest.NewUnstartedServer(s.Relay)
	h.Listener.Close()
	h.Listener = smallBuffers{l}
	h.Start()
	defer h.Close()
	dial := func(query string) *msgconn.WebSocket {
		c, err := msgconn.Dial(t.Context(), "ws://"+l.Addr().String()+"/meshrelay.ashx?bound=1&id=x&nodeid="+testNode+query, msgconn.DialOptions{
			NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				if err == nil {
					err = limitBuffers(c)
				}
				return c, err
			}, ReadLimit: 1 << 20,
		})
		require.NoError(t, err)
		t.Cleanup(func() { c.Close(0, "") })
		return c
	}
	operator, agent := dial("&auth="+testUser), dial("&rauth="+testUser)
	const messages, size = 200, 64 << 10
	var sent atomic.Int64
	failed := make(chan error, 1)
	go func() {
		p := make([]byte, size)
		for i := range messages {
			p[0] = byte(i)
			if err := agent.WriteMessage(t.Context(), Binary, p); err != nil {
				failed <- err
				return
			}
			sent.Add(1)
		}
		failed <- nil
	}()
	// Until the sender has for a while not got rid of anything. If that is because the machine is busy, less was sent.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for before := int64(-1); before != sent.Load(); <-tick.C {
		before = sent.Load()
	}
	require.Less(t, sent.Load(), int64(messages/2), "the kernel's buffers and a few messages")
	_, b := recv(t, operator)
	require.Equal(t, "c", string(b))
	for i := range messages {
		_, b := recv(t, operator)
		require.Len(t, b, size)
		require.Equal(t, byte(i), b[0])
	}
	require.NoError(t, <-failed)
}

func TestShutdown(t *testing.T) {
	s := newTestServer(t, Config{}, true)
	operator, agent := s.pair(t, ProtocolDesktop)
	waiting := s.dial(t, "id=x&auth="+testUser)
	var wg sync.WaitGroup
	for _, c := range []Conn{operator, agent, waiting} {
		wg.Go(func() {
			err := recvEnd(t, c)
			var ce *msgconn.CloseError
			if !errors.As(err, &ce) || ce.Code != msgconn.CloseGoingAway {
				t.Error(err)
			}
			c.Close(0, "")
		})
	}
	require.NoError(t, s.Shutdown(t.Context()))
	wg.Wait()
	require.ErrorIs(t, <-s.ended, ErrShutdown)
}
