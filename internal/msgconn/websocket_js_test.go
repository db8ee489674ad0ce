package msgconn

import (
	"context"
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeSocket is a WebSocket class that echoes, for engines that have none.
const fakeSocket = `(class extends EventTarget {
	constructor(url) {
		super();
		if (!url.startsWith('ws')) throw new SyntaxError('bad url');
		this.bufferedAmount = 0;
		setTimeout(() => this.dispatchEvent(new Event('open')));
	}
	send(data) {
		if (typeof data === 'string' && data.startsWith('close')) return this.gone(1008, data);
		const ev = new Event('message');
		ev.data = typeof data === 'string' ? data : data.buffer;
		setTimeout(() => this.dispatchEvent(ev));
	}
	close(code, reason) { setTimeout(() => this.gone(code || 1005, reason || '')); }
	gone(code, reason) {
		const ev = new Event('close');
		ev.code = code; ev.reason = reason;
		this.dispatchEvent(ev);
	}
})`

func withFakeSocket(t *testing.T) {
	old := js.Global().Get("WebSocket")
	js.Global().Set("WebSocket", js.Global().Call("eval", fakeSocket))
	t.Cleanup(func() { js.Global().Set("WebSocket", old) })
}

func TestBrowser(t *testing.T) {
	withFakeSocket(t)
	c, err := DialBrowser(t.Context(), "wss://example")
	require.NoError(t, err)
	for _, typ := range []Type{Text, Binary} {
		require.NoError(t, c.WriteMessage(t.Context(), typ, []byte("hé")))
		got, msg, err := c.ReadMessage(t.Context())
		require.NoError(t, err)
		require.Equal(t, typ, got)
		require.Equal(t, "hé", string(msg))
	}
	require.NoError(t, c.WriteMessage(t.Context(), Text, []byte("close me")))
	_, _, err = c.ReadMessage(t.Context())
	require.Equal(t, &CloseError{Code: 1008, Reason: "close me"}, err)
	require.Error(t, c.WriteMessage(t.Context(), Text, nil))
}

func TestBrowserLimit(t *testing.T) {
	withFakeSocket(t)
	c, err := DialBrowser(t.Context(), "wss://example")
	require.NoError(t, err)
	c.SetReadLimit(2)
	require.NoError(t, c.WriteMessage(t.Context(), Binary, []byte("abc")))
	_, _, err = c.ReadMessage(t.Context())
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestBrowserContextAndURL(t *testing.T) {
	withFakeSocket(t)
	_, err := DialBrowser(t.Context(), "http://example")
	require.ErrorContains(t, err, "bad url")
	c, err := DialBrowser(t.Context(), "wss://example")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = c.ReadMessage(ctx)
	require.ErrorIs(t, err, context.Canceled)
	c.Close(CloseNormal, "bye")
	c.Close(CloseNormal, "bye")
	_, _, err = c.ReadMessage(t.Context())
	require.Error(t, err)
}
