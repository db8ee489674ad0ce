//go:build !js

package msgconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// readBufferSize is what an idle connection keeps for reading. Larger reads go past the buffer straight into the
	// message, so a small one costs nothing but a system call for each frame header.
	readBufferSize = 512
	// writeBufferSize is a pooled buffer, held only while a message is written.
	writeBufferSize = 4 << 10
	// bulkBufferSize is that of connections for bulk data.
	bulkBufferSize = 64 << 10
	// largestPooled keeps one huge message from pinning its buffer for good.
	largestPooled = 64 << 10
	// closeSend bounds how long a close frame may take to leave: a message that is being written goes first, and a busy
	// machine may take its time between looking at the clock and writing.
	closeSend = 2 * time.Second
	// closeWait bounds how long Close waits for the peer to take notice of it.
	closeWait = 500 * time.Millisecond
)

// buffers is shared by all WebSockets: an idle connection holds no message buffer.
var buffers struct {
	write sync.Pool
	bulk  sync.Pool
	read  sync.Pool
}

// WebSocket is a [Conn] over gorilla/websocket.
type WebSocket struct {
	ws     *websocket.Conn
	remote net.Addr

	readMu    sync.Mutex // held by the one reader, and by Close while it drains
	buf       *[]byte    // the message returned last
	onControl func()

	writeMu sync.Mutex
	closing atomic.Bool
	once    sync.Once
}

var (
	_ Conn       = (*WebSocket)(nil)
	_ Controller = (*WebSocket)(nil)
	_ Limiter    = (*WebSocket)(nil)
)

// UpgradeOptions says how [Upgrade] takes a request.
type UpgradeOptions struct {
	// CheckOrigin decides on a request's Origin header. Nil takes requests without one and those whose origin is the
	// request's own host and port.
	CheckOrigin func(*http.Request) bool
	// ReadLimit bounds incoming messages in bytes. Zero is 64 KiB.
	ReadLimit int64
}

// Upgrade turns an HTTP request into a WebSocket. On failure it has already answered the request.
func Upgrade(w http.ResponseWriter, r *http.Request, o UpgradeOptions) (*WebSocket, error) {
	u := websocket.Upgrader{
		ReadBufferSize:  readBufferSize,
		WriteBufferSize: writeBufferSize,
		WriteBufferPool: &buffers.write,
		CheckOrigin:     o.CheckOrigin,
		// The reply to a failed upgrade is written by gorilla; its default text is enough.
	}
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		return nil, fmt.Errorf("msgconn: upgrade: %w", err)
	}
	return newWebSocket(ws, o.ReadLimit), nil
}

// DialOptions says how [Dial] connects. Its zero value works.
type DialOptions struct {
	// TLSConfig is used for wss URLs.
	TLSConfig *tls.Config
	// Proxy picks the proxy for a request. Nil connects directly.
	Proxy func(*http.Request) (*url.URL, error)
	// NetDialContext makes the TCP connection. Nil uses a net.Dialer.
	NetDialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Header is added to the request.
	Header http.Header
	// ReadLimit bounds incoming messages in bytes. Zero is 64 KiB.
	ReadLimit int64
	// Bulk makes messages of up to 64 KiB leave in one frame, not only those of up to 4 KiB.
	Bulk bool
}

// Dial connects to a ws or wss URL.
func Dial(ctx context.Context, rawURL string, o DialOptions) (*WebSocket, error) {
	var guard dialGuard
	defer guard.release()
	d := websocket.Dialer{
		NetDialContext:  guard.dial(o.NetDialContext),
		Proxy:           o.Proxy,
		TLSClientConfig: o.TLSConfig,
		ReadBufferSize:  readBufferSize,
		WriteBufferSize: writeBufferSize,
		WriteBufferPool: &buffers.write,
	}
	if o.Bulk {
		d.WriteBufferSize, d.WriteBufferPool = bulkBufferSize, &buffers.bulk
	}
	ws, resp, err := d.DialContext(ctx, rawURL, o.Header)
	if err != nil {
		if resp != nil { // the server answered, but not with 101
			return nil, &HandshakeError{StatusCode: resp.StatusCode, RetryAfter: retryAfter(resp), Err: err}
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("msgconn: dial: %w", err)
	}
	// gorilla takes up compression that was not offered, and its read limit then counts compressed bytes.
	if ext := resp.Header.Get("Sec-WebSocket-Extensions"); ext != "" {
		ws.Close()
		return nil, fmt.Errorf("msgconn: dial: server uses extensions that were not offered: %.64q", ext)
	}
	if !guard.release() {
		ws.Close()
		return nil, fmt.Errorf("msgconn: dial: %w", context.Cause(ctx))
	}
	return newWebSocket(ws, o.ReadLimit), nil
}

// retryAfter reads a Retry-After header given in seconds.
func retryAfter(resp *http.Response) time.Duration {
	n, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 20)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

func newWebSocket(ws *websocket.Conn, limit int64) *WebSocket {
	c := &WebSocket{ws: ws, remote: ws.RemoteAddr()}
	if limit == 0 {
		limit = 64 << 10
	}
	ws.SetReadLimit(limit)
	ws.SetPingHandler(func(data string) error {
		c.control()
		// As gorilla's own handler: a pong that can not be sent now is not worth the connection.
		err := ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		var ne net.Error
		if errors.Is(err, websocket.ErrCloseSent) || (errors.As(err, &ne) && ne.Timeout()) {
			return nil
		}
		return err
	})
	ws.SetPongHandler(func(string) error { c.control(); return nil })
	return c
}

func (c *WebSocket) control() {
	if c.onControl != nil {
		c.onControl()
	}
}

// RemoteAddr returns the address of the TCP peer.
func (c *WebSocket) RemoteAddr() net.Addr { return c.remote }

// ConnectionState returns the TLS state, if the connection is TLS.
func (c *WebSocket) ConnectionState() (tls.ConnectionState, bool) {
	if t, ok := c.ws.NetConn().(*tls.Conn); ok {
		return t.ConnectionState(), true
	}
	return tls.ConnectionState{}, false
}

// SetReadLimit implements [Limiter].
func (c *WebSocket) SetReadLimit(n int64) { c.ws.SetReadLimit(n) }

// OnControl implements [Controller].
func (c *WebSocket) OnControl(f func()) { c.onControl = f }

// ReadMessage implements [Conn].
func (c *WebSocket) ReadMessage(ctx context.Context) (Type, []byte, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	c.release()
	if c.closing.Load() {
		return 0, nil, net.ErrClosed
	}
	if ctx.Done() != nil {
		if ctx.Err() != nil {
			return 0, nil, context.Cause(ctx)
		}
		stop := context.AfterFunc(ctx, func() { c.ws.NetConn().SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	mt, r, err := c.ws.NextReader()
	if err != nil {
		return 0, nil, c.readError(ctx, err)
	}
	if c.buf, err = readAll(r); err != nil {
		return 0, nil, c.readError(ctx, err)
	}
	return Type(mt), *c.buf, nil
}

// release gives the buffer of the last message back.
func (c *WebSocket) release() {
	if c.buf == nil {
		return
	}
	if cap(*c.buf) <= largestPooled {
		buffers.read.Put(c.buf)
	}
	c.buf = nil
}

// readAll reads r, which the connection's read limit bounds, into a pooled buffer.
func readAll(r io.Reader) (*[]byte, error) {
	p, _ := buffers.read.Get().(*[]byte)
	if p == nil {
		b := make([]byte, 0, 1024)
		p = &b
	}
	b := (*p)[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			*p = b
			if err == io.EOF {
				err = nil
			}
			return p, err
		}
	}
}

func (c *WebSocket) readError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !c.closing.Load() {
		return cause
	}
	if c.closing.Load() {
		return net.ErrClosed
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return ErrTooLarge
	}
	var ce *websocket.CloseError
	if errors.As(err, &ce) {
		return &CloseError{Code: ce.Code, Reason: ce.Text}
	}
	return fmt.Errorf("msgconn: read: %w", err)
}

// WriteMessage implements [Conn]. A server's message always leaves as one frame, whatever its size; the native agent
// depends on it. A client's message over 4 KiB (64 KiB with Bulk) may leave in several, which every server of this protocol takes.
func (c *WebSocket) WriteMessage(ctx context.Context, t Type, p []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if c.closing.Load() {
		return net.ErrClosed
	}
	deadline, _ := ctx.Deadline()
	if err := c.ws.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("msgconn: write: %w", err)
	}
	if ctx.Done() != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		stop := context.AfterFunc(ctx, func() { c.ws.NetConn().SetWriteDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	if err := c.ws.WriteMessage(int(t), p); err != nil {
		// The socket's clock may be ahead of the context's. (The error is gorilla's own, which os.ErrDeadlineExceeded
		// is no part of.)
		var timeout net.Error
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		} else if errors.As(err, &timeout) && timeout.Timeout() {
			err = context.DeadlineExceeded
		}
		return fmt.Errorf("msgconn: write: %w", err)
	}
	return nil
}

// Ping implements [Controller].
func (c *WebSocket) Ping(ctx context.Context) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	err := c.ws.WriteControl(websocket.PingMessage, nil, deadline)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = context.DeadlineExceeded // waiting for a message that is being written
	}
	if err != nil {
		return fmt.Errorf("msgconn: ping: %w", err)
	}
	return nil
}

// Close implements [Conn]. A close frame has two seconds to leave, and then half a second for the peer to close its side,
// so that the reason is not lost to a TCP reset.
func (c *WebSocket) Close(code int, reason string) error {
	c.once.Do(func() {
		c.closing.Store(true)
		nc := c.ws.NetConn()
		if code > 0 {
			frame := websocket.FormatCloseMessage(code, closeReason(reason))
			err := c.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(closeSend))
			nc.SetReadDeadline(time.Now().Add(closeWait)) // a reader, here or blocked elsewhere, ends by then
			if err == nil {
				c.drain()
			}
		}
		// The socket first: closing TLS would send a farewell of its own, and wait behind a writer that is stuck.
		if t, ok := nc.(*tls.Conn); ok {
			t.NetConn().Close()
		}
		c.ws.Close()
	})
	return nil
}

// drain takes what the peer still sends until it closes or the read deadline ends it.
func (c *WebSocket) drain() {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	for {
		if _, _, err := c.ws.NextReader(); err != nil {
			return
		}
	}
}
