package msgconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall/js"
)

// browserQueue is how many messages wait to be read before a connection is dropped: a browser gives no way to slow a
// sender down.
const browserQueue = 256

// browserBuffered is how much may wait in the browser to be sent, in bytes.
const browserBuffered = 4 << 20

// Browser is a [Conn] over the WebSocket of a browser, or of another JavaScript engine that has one. It sends no pings,
// as browsers have none.
type Browser struct {
	ws    js.Value
	funcs map[string]js.Func // by event

	in     chan pipeMessage
	opened chan struct{}
	closed chan struct{} // closed when the socket is

	mu    sync.Mutex
	limit int64
	err   error // why, once closed
}

var (
	_ Conn    = (*Browser)(nil)
	_ Limiter = (*Browser)(nil)
)

// DialBrowser connects to a ws or wss URL. The TLS certificate is the browser's business, and not to be seen.
func DialBrowser(ctx context.Context, url string) (*Browser, error) {
	class := js.Global().Get("WebSocket")
	if class.IsUndefined() {
		return nil, errors.New("msgconn: dial: no WebSocket in this JavaScript engine")
	}
	c := &Browser{
		in:     make(chan pipeMessage, browserQueue),
		funcs:  make(map[string]js.Func),
		opened: make(chan struct{}), closed: make(chan struct{}),
	}
	ws, err := construct(class, url)
	if err != nil {
		return nil, fmt.Errorf("msgconn: dial: %w", err)
	}
	c.ws = ws
	c.ws.Set("binaryType", "arraybuffer")
	c.on("open", func(js.Value) { close(c.opened) })
	c.on("message", c.received)
	c.on("close", func(ev js.Value) {
		c.ended(&CloseError{Code: ev.Get("code").Int(), Reason: ev.Get("reason").String()})
	})
	select {
	case <-c.opened:
		return c, nil
	case <-c.closed:
		return nil, fmt.Errorf("msgconn: dial: %w", c.err)
	case <-ctx.Done():
		c.Close(0, "")
		return nil, context.Cause(ctx)
	}
}

// construct calls new WebSocket(url), which throws on a bad URL.
func construct(class js.Value, url string) (v js.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return class.New(url), nil
}

// on calls f for an event until the socket is closed.
func (c *Browser) on(event string, f func(js.Value)) {
	callback := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	})
	c.funcs[event] = callback
	c.ws.Call("addEventListener", event, callback)
}

// received queues a message. It runs on the JavaScript event loop and must not wait.
func (c *Browser) received(ev js.Value) {
	m := pipeMessage{typ: Binary}
	if data := ev.Get("data"); data.Type() == js.TypeString {
		m.typ, m.data = Text, []byte(data.String())
	} else {
		array := js.Global().Get("Uint8Array").New(data)
		m.data = make([]byte, array.Length())
		js.CopyBytesToGo(m.data, array)
	}
	c.mu.Lock()
	limit := c.limit
	c.mu.Unlock()
	if limit > 0 && int64(len(m.data)) > limit {
		c.ended(ErrTooLarge)
		c.ws.Call("close", 4000+CloseTooLarge-1000) // a browser may send 1000 and 3000 to 4999 only
		return
	}
	select {
	case c.in <- m:
	default:
		c.ended(fmt.Errorf("msgconn: read: %d messages are waiting", browserQueue))
		c.ws.Call("close")
	}
}

// ended marks the connection as closed. The first reason stays.
func (c *Browser) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.closed)
	for event, f := range c.funcs {
		c.ws.Call("removeEventListener", event, f)
		f.Release()
	}
}

// SetReadLimit implements [Limiter].
func (c *Browser) SetReadLimit(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = n
}

// ReadMessage implements [Conn].
func (c *Browser) ReadMessage(ctx context.Context) (Type, []byte, error) {
	select {
	case m := <-c.in:
		return m.typ, m.data, nil
	default:
	}
	select {
	case m := <-c.in:
		return m.typ, m.data, nil
	case <-c.closed:
		return 0, nil, c.err
	case <-ctx.Done():
		return 0, nil, context.Cause(ctx)
	}
}

// WriteMessage implements [Conn]. It never waits: the browser buffers, and a connection over 4 MiB behind is dropped.
func (c *Browser) WriteMessage(ctx context.Context, t Type, p []byte) error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.ws.Get("bufferedAmount").Int() > browserBuffered {
		c.ended(errors.New("msgconn: write: peer does not keep up"))
		c.ws.Call("close")
		return c.err
	}
	if t == Text {
		c.ws.Call("send", string(p))
		return nil
	}
	array := js.Global().Get("Uint8Array").New(len(p))
	js.CopyBytesToJS(array, p)
	c.ws.Call("send", array)
	return nil
}

// Close implements [Conn].
func (c *Browser) Close(code int, reason string) error {
	c.ended(net.ErrClosed)
	if code == CloseNormal {
		c.ws.Call("close", code, closeReason(reason))
	} else {
		c.ws.Call("close")
	}
	return nil
}
