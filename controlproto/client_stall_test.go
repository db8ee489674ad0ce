//go:build !js

package controlproto

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // of the WebSocket handshake
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stalledServer logs everyone in, sends half a frame, and from then on neither reads nor writes.
func stalledServer(t *testing.T) string {
	t.Helper()
	frame := func(w *bufio.Writer, text string) { // up to 125 bytes
		_ = w.WriteByte(0x81)
		_ = w.WriteByte(byte(len(text)))
		_, _ = w.WriteString(text)
	}
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see above
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
		frame(rw.Writer, helloServer)
		frame(rw.Writer, helloUser)
		_, _ = rw.WriteString("\x81\x7eab half a frame")
		_ = rw.Flush()
		<-done
	}))
	t.Cleanup(func() { close(done); s.Close() })
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// With a server that stalls, in the middle of a message and with all buffers full, requests end with their context, and the
// client when it is closed.
func TestStalledServer(t *testing.T) {
	c, err := Dial(t.Context(), stalledServer(t), PasswordLogin{User: "admin"}, ClientConfig{
		DialTime: time.Hour, LoginTime: time.Hour, WriteTime: time.Hour,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	big := &Unknown{Name: "nodes", Extra: map[string]json.RawMessage{"x": json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)}}
	const calls = 2 * writeQueue
	errs := make(chan error, calls)
	for range calls {
		go func() {
			_, err := c.Call(ctx, big)
			errs <- err
		}()
	}
	for range calls {
		require.ErrorIs(t, <-errs, context.DeadlineExceeded)
	}
	require.NoError(t, c.Close()) // and not only when the writer gives up
}
