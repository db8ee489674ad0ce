//go:build !js

package relay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// rawUpgrade makes a WebSocket of a connection whose frames are looked at one by one.
func rawUpgrade(t *testing.T, conn net.Conn, br *bufio.Reader, addr, query string) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "GET /meshrelay.ashx?%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", query, addr)
	require.NoError(t, err)
	resp, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
}

// rawFrame reads a frame.
func rawFrame(t *testing.T, br *bufio.Reader) (msgconn.FrameHeader, []byte) {
	t.Helper()
	var head []byte
	for {
		c, err := br.ReadByte()
		require.NoError(t, err)
		head = append(head, c)
		h, n, err := msgconn.ParseFrameHeader(head)
		require.NoError(t, err)
		if n == 0 {
			continue
		}
		payload := make([]byte, h.Length)
		_, err = io.ReadFull(br, payload)
		require.NoError(t, err)
		return h, payload
	}
}

// rawPair is a tunnel whose ends are bare.
func rawPair(t *testing.T, s *testServer) (ends [2]net.Conn, brs [2]*bufio.Reader) {
	id := NewID()
	require.NoError(t, s.Announce(TunnelRequest{ID: id, User: testUser, Node: testNode}))
	for i, role := range []string{"auth", "rauth"} {
		conn, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		ends[i], brs[i] = conn, bufio.NewReader(conn)
		rawUpgrade(t, conn, brs[i], s.addr, fmt.Sprintf("id=%s&nodeid=%s&%s=%s", id, testNode, role, testUser))
	}
	for _, br := range brs {
		h, p := rawFrame(t, br)
		require.Equal(t, msgconn.FrameHeader{Final: true, Opcode: uint8(Text), Length: 1}, h)
		require.Equal(t, "c", string(p))
	}
	return ends, brs
}

// However a message comes, it leaves as one frame; what is WebSocket's own is answered here and not passed on.
func TestOneFrame(t *testing.T) {
	s := newTestServer(t, Config{}, false)
	ends, brs := rawPair(t, s)
	var b []byte
	whole := ""
	for i := range 50 {
		part := fmt.Sprintf("%d ", i)
		whole += part
		op := uint8(msgconn.OpContinuation)
		if i == 0 {
			op = uint8(Text)
		}
		b = fragment(b, op, i == 49, part)
		if i == 20 {
			b = msgconn.AppendFrame(b, msgconn.OpPing, &testMask, []byte("are you there"))
		}
	}
	b = msgconn.AppendFrame(b, uint8(Binary), &testMask, make([]byte, 300_000)) // more than all buffers
	b = msgconn.AppendFrame(b, uint8(Binary), &testMask, nil)
	written := make(chan error, 1)
	go func() { // it is more than the network has to hold while nobody reads
		_, err := ends[0].Write(b)
		written <- err
	}()
	h, p := rawFrame(t, brs[1])
	require.Equal(t, msgconn.FrameHeader{Final: true, Opcode: uint8(Text), Length: uint64(len(whole))}, h)
	require.Equal(t, whole, string(p))
	h, _ = rawFrame(t, brs[1])
	require.Equal(t, msgconn.FrameHeader{Final: true, Opcode: uint8(Binary), Length: 300_000}, h)
	h, _ = rawFrame(t, brs[1])
	require.Equal(t, msgconn.FrameHeader{Final: true, Opcode: uint8(Binary)}, h)
	h, p = rawFrame(t, brs[0])
	require.Equal(t, msgconn.FrameHeader{Final: true, Opcode: msgconn.OpPong, Length: 13}, h)
	require.Equal(t, "are you there", string(p))

	require.NoError(t, <-written)
	// An end that breaks the rules is told, the other one only that it is over.
	_, err := ends[0].Write(fragment(nil, msgconn.OpContinuation, true, "x"))
	require.NoError(t, err)
	h, p = rawFrame(t, brs[0])
	require.Equal(t, uint8(msgconn.OpClose), h.Opcode)
	require.Equal(t, msgconn.CloseProtocolError, msgconn.ParseClosePayload(p).Code)
	h, p = rawFrame(t, brs[1])
	require.Equal(t, uint8(msgconn.OpClose), h.Opcode)
	require.Equal(t, msgconn.CloseNormal, msgconn.ParseClosePayload(p).Code)
	require.ErrorIs(t, <-s.ended, msgconn.ErrFrame)
}

// An end that dies in the middle of a message takes the other one with it, which can not be told any more.
func TestCutMessage(t *testing.T) {
	s := newTestServer(t, Config{}, false)
	ends, brs := rawPair(t, s)
	b := msgconn.AppendFrame(nil, uint8(Binary), &testMask, make([]byte, 100_000))
	_, err := ends[1].Write(b[:50_000])
	require.NoError(t, err)
	ends[1].Close()
	n, err := io.Copy(io.Discard, brs[0])
	require.NoError(t, err)
	require.Equal(t, int64(50_000-4), n, "all that came, without the mask")
	require.ErrorIs(t, <-s.ended, ErrPeerGone)
}

// The first ping may be due before New returns.
func TestPingAtOnce(t *testing.T) {
	for range 100 {
		r, err := New(Config{Authenticate: testAuth, PingInterval: 1})
		require.NoError(t, err)
		require.NoError(t, r.Shutdown(t.Context()))
	}
}

// While a long message is on its way nothing comes between its parts.
func TestPingWaitsForMessage(t *testing.T) {
	s := newTestServer(t, Config{PingInterval: time.Millisecond}, false)
	ends, brs := rawPair(t, s)
	b := msgconn.AppendFrame(nil, uint8(Binary), &testMask, make([]byte, 100_000))
	for at := 0; at < len(b); at += 20_000 {
		_, err := ends[1].Write(b[at:min(at+20_000, len(b))])
		require.NoError(t, err)
		if at == 0 { // until the pings have come round on the other side
			for range 3 {
				h, p := rawFrame(t, brs[1])
				require.Equal(t, uint8(Text), h.Opcode)
				require.Contains(t, string(p), "ping")
			}
		}
	}
	for {
		h, p := rawFrame(t, brs[0])
		if h.Opcode == uint8(Binary) {
			require.Equal(t, make([]byte, 100_000), p)
			break
		}
		require.Contains(t, string(p), "ping")
	}
	h, _ := rawFrame(t, brs[0])
	require.Equal(t, uint8(Text), h.Opcode, "and afterwards they come again")
}
