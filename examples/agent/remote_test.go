package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
	"github.com/meshcentral-go/sdk/relay"
)

// Nothing of the machine is offered but what was asked for, and the capabilities say the same.
func TestOffers(t *testing.T) {
	require.Empty(t, (&agent{}).handlers())

	server := agenttest.NewServer(agenttest.For(t))
	start(t, "-data", dataDir(t, server), "-terminal", "-files", t.TempDir())
	sess, err := server.WaitAgent(t.Context())
	require.NoError(t, err)
	want := agentproto.CapConsole | agentproto.CapCore | agentproto.CapTerminal | agentproto.CapFiles
	require.Equal(t, want, sess.Info().Capabilities)
	core, err := agenttest.WaitMessage[*agentproto.CoreInfo](t.Context(), sess)
	require.NoError(t, err)
	require.Equal(t, want, *core.Caps)

	handlers := (&agent{terminal: true}).handlers()
	require.Len(t, handlers, 4)
	require.NotContains(t, handlers, relay.ProtocolFiles)
}
