//go:build !js

package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
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

func newTestServer(t testing.TB, cfg Config, secure bool) *testServer {
	t.Helper()
	s := &testServer{ended: make(chan error, 1000), stats: make(chan Stats, 1000)}
	if cfg.Authenticate == nil {
		cfg.Authenticate = testAuth
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
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	typ, b, err := c.ReadMessage(ctx)
	require.NoError(t, err)
	return typ, b
}

func recvClose(t testing.TB, c Conn) *msgconn.CloseError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, _, err := c.ReadMessage(ctx)
		if err == nil {
			continue
		}
		var ce *msgconn.CloseError
		require.ErrorAs(t, err, &ce)
		return ce
	}
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

func TestWaitsInVain(t *testing.T) {
	unmet := make(chan error, 1)
	s := newTestServer(t, Config{Limits: Limits{Wait: 20 * time.Millisecond}, Trace: &Trace{Unmet: func(_ End, err error) { unmet <- err }}}, false)
	c := s.dial(t, "id=x&auth="+testUser)
	require.Equal(t, "the other end did not come", recvClose(t, c).Reason)
	require.ErrorIs(t, <-unmet, ErrNobodyCame)
}

func TestIdleAndPing(t *testing.T) {
	s := newTestServer(t, Config{Limits: Limits{Idle: 50 * time.Millisecond}, PingInterval: 10 * time.Millisecond}, false)
	operator, agent := s.pair(t, ProtocolDesktop)
	for _, c := range []Conn{operator, agent} {
		typ, b := recv(t, c)
		require.Equal(t, Text, typ)
		require.Equal(t, `{"ctrlChannel":"102938","type":"ping"}`, string(b))
		require.Equal(t, "idle", recvClose(t, c).Reason, "pings of the server are no activity")
	}
	require.ErrorIs(t, <-s.ended, ErrIdle)
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

// A reader that stops is waited for: the sender stops too, after little.
func TestBackPressure(t *testing.T) {
	s := newTestServer(t, Config{}, false)
	operator, agent := s.pair(t, ProtocolDesktop)
	p := make([]byte, 64<<10)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	sent := 0
	for {
		if err := agent.WriteMessage(ctx, Binary, p); err != nil {
			break
		}
		sent++
	}
	require.Less(t, sent, 400, "the kernel's buffers and a few messages")
	for range sent {
		_, b := recv(t, operator)
		require.Len(t, b, len(p))
	}
}

func TestShutdown(t *testing.T) {
	s := newTestServer(t, Config{}, true)
	operator, agent := s.pair(t, ProtocolDesktop)
	waiting := s.dial(t, "id=x&auth="+testUser)
	var wg sync.WaitGroup
	for _, c := range []Conn{operator, agent, waiting} {
		wg.Go(func() {
			ce := recvClose(t, c)
			if ce.Code != msgconn.CloseGoingAway {
				t.Error(ce)
			}
			c.Close(0, "")
		})
	}
	require.NoError(t, s.Shutdown(t.Context()))
	wg.Wait()
	require.ErrorIs(t, <-s.ended, ErrShutdown)
}
