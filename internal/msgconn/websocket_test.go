//go:build !js

package msgconn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// serve upgrades every request and hands the connection to f.
func serve(t *testing.T, o UpgradeOptions, f func(*WebSocket)) (url string) {
	t.Helper()
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Upgrade(w, r, o)
		if err == nil {
			f(c)
		}
	}))
	t.Cleanup(ts.Close)
	return "ws" + strings.TrimPrefix(ts.URL, "http")
}

func dial(t *testing.T, url string, o DialOptions) *WebSocket {
	t.Helper()
	c, err := Dial(t.Context(), url, o)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(0, "") })
	return c
}

// TestOneFrame reads what a server writes from the bare socket. The native agent aborts when a message comes in fragments,
// so every message must be one final frame, the largest core included.
func TestOneFrame(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 4095, 4096, 4097, 8192, 65535, 65536, 600_000, 3 << 20}
	url := serve(t, UpgradeOptions{}, func(c *WebSocket) {
		for _, n := range sizes {
			if c.WriteMessage(context.Background(), Binary, make([]byte, n)) != nil {
				return
			}
		}
		_ = c.Ping(context.Background())
		_ = c.WriteMessage(context.Background(), Text, []byte("end"))
		c.Close(CloseNormal, "bye")
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "ws://"))
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	type frame struct {
		op   byte
		size int
	}
	next := func() frame {
		var h [2]byte
		_, err := io.ReadFull(r, h[:])
		require.NoError(t, err)
		require.Equal(t, byte(0x80), h[0]&0xF0, "a final frame without extensions")
		require.Zero(t, h[1]&0x80, "servers do not mask")
		n := uint64(h[1])
		switch n {
		case 126:
			var b [2]byte
			_, err = io.ReadFull(r, b[:])
			n = uint64(binary.BigEndian.Uint16(b[:]))
		case 127:
			var b [8]byte
			_, err = io.ReadFull(r, b[:])
			n = binary.BigEndian.Uint64(b[:])
		}
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, r, int64(n))
		require.NoError(t, err)
		return frame{h[0] & 0x0F, int(n)}
	}
	for _, n := range sizes {
		require.Equal(t, frame{2, n}, next())
	}
	require.Equal(t, frame{9, 0}, next())
	require.Equal(t, frame{1, 3}, next())
	require.Equal(t, frame{8, 5}, next())
}

func TestEcho(t *testing.T) {
	url := serve(t, UpgradeOptions{ReadLimit: 1 << 20}, func(c *WebSocket) {
		for {
			typ, msg, err := c.ReadMessage(context.Background())
			if err != nil || c.WriteMessage(context.Background(), typ, msg) != nil {
				return
			}
		}
	})
	c := dial(t, url, DialOptions{ReadLimit: 1 << 20})
	for _, n := range []int{0, 1, 511, 512, 513, 70_000, 1 << 20} {
		for _, typ := range []Type{Text, Binary} {
			want := bytes.Repeat([]byte("x"), n)
			require.NoError(t, c.WriteMessage(t.Context(), typ, want))
			got, msg, err := c.ReadMessage(t.Context())
			require.NoError(t, err)
			require.Equal(t, typ, got)
			require.True(t, bytes.Equal(want, msg))
		}
	}
}

func TestReadLimit(t *testing.T) {
	fail := make(chan error, 1)
	url := serve(t, UpgradeOptions{ReadLimit: 100}, func(c *WebSocket) {
		_, _, err := c.ReadMessage(context.Background())
		if err == nil {
			_, _, err = c.ReadMessage(context.Background())
		}
		fail <- err
		c.Close(CloseTooLarge, "")
	})
	c := dial(t, url, DialOptions{})
	require.NoError(t, c.WriteMessage(t.Context(), Binary, make([]byte, 100)))
	require.NoError(t, c.WriteMessage(t.Context(), Binary, make([]byte, 101)))
	require.ErrorIs(t, <-fail, ErrTooLarge)
	_, _, err := c.ReadMessage(t.Context())
	var closed *CloseError
	require.ErrorAs(t, err, &closed)
	require.Equal(t, CloseTooLarge, closed.Code)
}

func TestCloseReasonArrives(t *testing.T) {
	long := strings.Repeat("é", 100)
	url := serve(t, UpgradeOptions{}, func(c *WebSocket) {
		c.Close(ClosePolicy, long)
		c.Close(CloseNormal, "the second does nothing")
		_, _, err := c.ReadMessage(context.Background())
		if !errors.Is(err, net.ErrClosed) {
			panic(err)
		}
		if err := c.WriteMessage(context.Background(), Text, nil); !errors.Is(err, net.ErrClosed) {
			panic(err)
		}
	})
	c := dial(t, url, DialOptions{})
	// What is still being sent must not cost the reason.
	for range 100 {
		if c.WriteMessage(t.Context(), Binary, make([]byte, 1000)) != nil {
			break
		}
	}
	_, _, err := c.ReadMessage(t.Context())
	var closed *CloseError
	require.ErrorAs(t, err, &closed)
	require.Equal(t, ClosePolicy, closed.Code)
	require.Equal(t, strings.Repeat("é", 61), closed.Reason, "cut between characters")
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestContexts(t *testing.T) {
	release := make(chan struct{})
	url := serve(t, UpgradeOptions{}, func(c *WebSocket) { <-release; c.Close(0, "") })
	t.Cleanup(func() { close(release) })
	cause := errors.New("enough")

	c := dial(t, url, DialOptions{})
	ctx, cancel := context.WithCancelCause(t.Context())
	go cancel(cause)
	_, _, err := c.ReadMessage(ctx)
	require.ErrorIs(t, err, cause)
	_, _, err = c.ReadMessage(ctx)
	require.ErrorIs(t, err, cause)
	require.ErrorIs(t, c.WriteMessage(ctx, Text, nil), cause)

	c = dial(t, url, DialOptions{})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	for err = nil; err == nil; { // until the socket's buffers are full
		err = c.WriteMessage(ctx, Binary, make([]byte, 1<<20))
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestCloseUnblocks(t *testing.T) {
	url := serve(t, UpgradeOptions{}, func(c *WebSocket) {
		_, _, _ = c.ReadMessage(context.Background())
	})
	c := dial(t, url, DialOptions{})
	done := make(chan error)
	go func() {
		_, _, err := c.ReadMessage(context.Background())
		done <- err
	}()
	c.Close(0, "")
	require.ErrorIs(t, <-done, net.ErrClosed)
}

func TestControlFrames(t *testing.T) {
	seen := make(chan struct{}, 10)
	url := serve(t, UpgradeOptions{}, func(c *WebSocket) {
		c.OnControl(func() { seen <- struct{}{} })
		_, _, _ = c.ReadMessage(context.Background())
	})
	c := dial(t, url, DialOptions{})
	pong := make(chan struct{}, 10)
	c.OnControl(func() { pong <- struct{}{} })
	go c.ReadMessage(context.Background())
	require.NoError(t, c.Ping(t.Context()))
	<-seen
	<-pong
}

func TestRefusedUpgrade(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(ts.Close)
	_, err := Dial(t.Context(), "ws"+strings.TrimPrefix(ts.URL, "http"), DialOptions{})
	var refused *HandshakeError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	require.Equal(t, 7*time.Second, refused.RetryAfter)
}

func TestOrigin(t *testing.T) {
	url := serve(t, UpgradeOptions{}, func(c *WebSocket) { c.Close(CloseNormal, "") })
	host := strings.TrimPrefix(url, "ws://")
	for origin, ok := range map[string]bool{"": true, "http://" + host: true, "http://elsewhere": false, "http://127.0.0.1": false, "null": false} {
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		c, err := Dial(t.Context(), url, DialOptions{Header: h})
		require.Equal(t, ok, err == nil, "origin %q: %v", origin, err)
		if err == nil {
			c.Close(0, "")
		}
	}
}

func TestReadsReuseBuffers(t *testing.T) {
	if raceDetector {
		t.Skip("counted without the race detector only")
	}
	url := serve(t, UpgradeOptions{}, func(c *WebSocket) {
		var frames []byte // of all messages, so that nothing is allocated here while the other side counts
		for range 200 {
			frames = AppendFrame(frames, uint8(Binary), nil, make([]byte, 4000))
		}
		_, _ = c.ws.NetConn().Write(frames)
		_, _, _ = c.ReadMessage(context.Background())
	})
	c := dial(t, url, DialOptions{})
	ctx := context.Background()
	for range 50 {
		_, _, err := c.ReadMessage(ctx)
		require.NoError(t, err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		if _, _, err := c.ReadMessage(ctx); err != nil {
			t.Error(err)
		}
	})
	require.LessOrEqual(t, allocs, 3.0, "the message itself is not allocated")
}

// rawServer answers each connection with f and nothing else.
func rawServer(t *testing.T, f func(net.Conn)) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return "ws://" + ln.Addr().String()
}

func TestDialIsBounded(t *testing.T) {
	endless := rawServer(t, func(c net.Conn) {
		_, err := c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n"))
		for err == nil {
			_, err = c.Write(bytes.Repeat([]byte("X: y\r\n"), 1000))
		}
	})
	_, err := Dial(t.Context(), endless, DialOptions{})
	require.ErrorContains(t, err, "too large")

	asked := make(chan struct{})
	silent := rawServer(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		close(asked)
		_, _ = io.Copy(io.Discard, c)
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	go func() { <-asked; cancel(cause) }()
	_, err = Dial(ctx, silent, DialOptions{})
	require.ErrorIs(t, err, cause, "a dial ends with its context, whatever the server does")
}

// TestUnofferedCompression has a server turn on compression, behind which a small frame can be a huge message.
func TestUnofferedCompression(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
		u := websocket.Upgrader{EnableCompression: true}
		c, err := u.Upgrade(w, r, nil)
		if err == nil {
			_ = c.WriteMessage(websocket.BinaryMessage, make([]byte, 10<<20))
			c.Close()
		}
	}))
	t.Cleanup(ts.Close)
	_, err := Dial(t.Context(), "ws"+strings.TrimPrefix(ts.URL, "http"), DialOptions{ReadLimit: 64 << 10})
	require.ErrorContains(t, err, "not offered")
}

// TestPingBehindAWrite asks for a sign of life while a message waits for a peer that reads slowly.
func TestPingBehindAWrite(t *testing.T) {
	release := make(chan struct{})
	url := serve(t, UpgradeOptions{}, func(c *WebSocket) { <-release; c.Close(0, "") })
	c := dial(t, url, DialOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		for c.WriteMessage(ctx, Binary, make([]byte, 1<<20)) == nil {
			continue
		}
	}()
	for {
		short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := c.Ping(short)
		stop()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			break
		}
	}
	cancel()
	<-wrote
	close(release)
}
