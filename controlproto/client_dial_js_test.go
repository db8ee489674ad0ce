package controlproto

import (
	"errors"
	"syscall/js"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

// urlArgsServer is a WebSocket class whose server lets in whoever sends a password in the first message.
const urlArgsServer = `(class extends EventTarget {
	constructor(url) {
		super();
		this.bufferedAmount = 0;
		globalThis.testURL = url;
		setTimeout(() => this.dispatchEvent(new Event('open')));
	}
	say(text) {
		const ev = new Event('message');
		ev.data = text;
		this.dispatchEvent(ev);
	}
	send(data) {
		const m = JSON.parse(data);
		setTimeout(() => {
			if (m.action !== 'urlargs' || m.args.user !== 'admin' || m.args.pass !== 'hush' || m.args.token !== '123456') {
				this.say('{"action":"close","cause":"noauth","msg":"noauth-2a"}');
				return;
			}
			this.say('{"action":"serverinfo","serverinfo":{"name":"test"}}');
			this.say('{"action":"userinfo","userinfo":{"_id":"user//admin"}}');
		});
	}
	close() {
		const ev = new Event('close');
		ev.code = 1005; ev.reason = '';
		setTimeout(() => this.dispatchEvent(ev));
	}
})`

// A browser sets no headers: the password goes into the first message, and not into the URL.
func TestDialBrowser(t *testing.T) {
	before := js.Global().Get("WebSocket")
	js.Global().Set("WebSocket", js.Global().Call("eval", urlArgsServer))
	defer js.Global().Set("WebSocket", before)
	login := PasswordLogin{User: "admin", Password: NewSecret("hush"), Token: NewSecret("123456")}
	c, err := Dial(t.Context(), "wss://server.example/dom?key=k", login, ClientConfig{})
	require.NoError(t, err)
	require.Equal(t, "wss://server.example/dom/control.ashx?key=k&moreargs=1", js.Global().Get("testURL").String())
	require.Equal(t, ID("user//admin"), c.UserInfo().ID)
	require.NoError(t, c.Close())

	login.Password = NewSecret("wrong")
	_, err = Dial(t.Context(), "wss://server.example", login, ClientConfig{})
	require.ErrorIs(t, err, ErrBadCredentials)

	for _, creds := range []Credentials{
		InBandLogin{ServerID: nodeid.ServerID{1}, User: "admin"},
		SessionLogin{Cookies: []SessionCookie{{"xid", NewSecret("x")}}},
	} {
		_, err = Dial(t.Context(), "wss://server.example", creds, ClientConfig{})
		var ce *ClientError
		require.True(t, errors.As(err, &ce))
		require.Equal(t, PhaseAuth, ce.Phase)
	}
}
