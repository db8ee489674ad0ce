package main

import (
	"context"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
)

// Nothing of the machine is offered but what was asked for, and the capabilities say the same.
func TestOffers(t *testing.T) {
	require.Empty(t, (&agent{}).handlers())

	server := agenttest.NewServer(agenttest.For(t))
	start(t, "-data", dataDir(t, server), "-terminal", "-files", t.TempDir(), "-desktop", "pattern")
	sess, err := server.WaitAgent(t.Context())
	require.NoError(t, err)
	want := agentproto.CapConsole | agentproto.CapCore | agentproto.CapTerminal | agentproto.CapFiles | agentproto.CapDesktop
	require.Equal(t, want, sess.Info().Capabilities)
	core, err := agenttest.WaitMessage[*agentproto.CoreInfo](t.Context(), sess)
	require.NoError(t, err)
	require.Equal(t, want, *core.Caps)

	handlers := (&agent{terminal: true}).handlers()
	require.Len(t, handlers, 4)
	require.NotContains(t, handlers, relay.ProtocolFiles)
	require.NotContains(t, handlers, relay.ProtocolDesktop)
}

// A display is offered where there is one.
func TestDesktopFlag(t *testing.T) {
	for _, tt := range []struct{ flag, display, want string }{
		{"auto", "", ""}, {"auto", ":7", desktopX11}, {"x11", ":7", desktopX11}, {"pattern", "", desktopPattern}, {"", ":7", ""},
	} {
		t.Setenv("DISPLAY", tt.display)
		f, err := parseFlags([]string{"-data", t.TempDir(), "-desktop", tt.flag}, io.Discard)
		require.NoError(t, err)
		require.Equal(t, tt.want, f.desktop, tt)
	}
}

// What the device's user is to be asked about is refused with a word to the operator, whoever wants it asked; what the operator has
// no right to is not begun.
func TestRefusals(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer root.Close()
	a := &agent{log: slog.New(slog.DiscardHandler), terminal: true, files: root, desktop: desktopPattern}
	const denied = `{"ctrlChannel":"102938","type":"console","msg":"Denied: the user is to be asked, and this agent can not","msgid":2}`
	options := func(consent int) string {
		return `{"ctrlChannel":"102938","type":"options","consent":` + strconv.Itoa(consent) + `}`
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience) // what is not refused says nothing
	defer cancel()
	for name, tt := range map[string]struct {
		request  relay.Request
		messages []string // of the operator
		want     string   // "" is the end of the tunnel, without a word
	}{
		"terminal":             {relay.Request{Rights: relay.RightsFull, Consent: 16}, []string{"1"}, denied},
		"shell of the user":    {relay.Request{Rights: relay.RightsFull, Consent: 16}, []string{"8"}, denied},
		"files":                {relay.Request{Rights: relay.RightsFull, Consent: 32}, []string{"5"}, denied},
		"desktop":              {relay.Request{Rights: relay.RightsFull, Consent: 8}, []string{"2"}, denied},
		"the operator asks it": {relay.Request{Rights: relay.RightsFull}, []string{options(16), "1"}, denied},
		"no remote control":    {relay.Request{Rights: 1}, []string{"1"}, ""},
		"no terminal":          {relay.Request{Rights: relay.RightRemoteControl | relay.RightNoTerminal}, []string{"1"}, ""},
		"no files":             {relay.Request{Rights: relay.RightRemoteControl | relay.RightNoFiles}, []string{"5"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			operator, device := msgconn.Pipe()
			d := &relay.Dispatcher{
				Server: &url.URL{Scheme: "wss", Host: "127.0.0.1", Path: "/agent.ashx"}, Handlers: a.handlers(),
				Connect: func(context.Context, relay.URL, *relay.Request) (relay.Conn, error) { return device, nil },
			}
			defer d.Close()
			defer operator.Close(msgconn.CloseNormal, "")
			tt.request.URL = relay.NewURL("*/meshrelay.ashx?p=1&id=abcdefghijkl")
			require.NoError(t, d.Dispatch(ctx, &tt.request))
			for _, m := range append([]string{relay.Connected}, tt.messages...) {
				require.NoError(t, operator.WriteMessage(ctx, relay.Text, []byte(m)))
			}
			if tt.want != "" {
				_, b, err := operator.ReadMessage(ctx)
				require.NoError(t, err)
				require.JSONEq(t, tt.want, string(b))
			}
			_, b, err := operator.ReadMessage(ctx)
			require.Error(t, err, "%s", b)
			require.NoError(t, ctx.Err(), "the tunnel has not ended")
		})
	}
	require.Nil(t, a.desktopConfig(newPattern(), true).Input, "who may only look moves nothing")
	require.NotNil(t, a.desktopConfig(newPattern(), false).Input)
}
