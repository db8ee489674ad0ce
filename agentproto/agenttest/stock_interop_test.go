//go:build !js

package agenttest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/nodeid"
)

// TestStockAgent shows that the fake server is one to the real agent too.
func TestStockAgent(t *testing.T) {
	interop.Require(t, interop.PeerAgent)
	server := agenttest.NewServer(agenttest.For(t))
	interop.StartAgent(t, server.MSH(), interop.AgentOptions{})
	first, err := server.WaitAgent(t.Context())
	require.NoError(t, err)
	require.Equal(t, server.Group(), first.Info().Group)
	require.Equal(t, agentproto.AgentLinux64, first.Info().AgentID)
	require.False(t, first.Info().ShortForm)
	_, err = first.Wait(t.Context(), func(ev agentproto.Event) bool {
		_, ok := ev.(agentproto.TagEvent)
		return ok
	})
	require.NoError(t, err)

	first.Close("come back")
	second, err := server.WaitAgent(t.Context())
	require.NoError(t, err)
	require.Equal(t, first.NodeKey(), second.NodeKey())
	require.True(t, second.Info().ShortForm)
}

// TestStockServer shows that fake agents are devices to the real server, each one of its own.
func TestStockServer(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	stock := interop.StartServer(t, interop.ServerOptions{})
	group, err := nodeid.ParseMeshKey(stock.CreateGroup(t, "fleet"))
	require.NoError(t, err)
	id, err := nodeid.ParseServerID(stock.ServerID(t))
	require.NoError(t, err)
	fleet := agenttest.NewFleet(6, agentproto.ServerAddress{URL: stock.AgentURL(), ID: id}, agenttest.For(t),
		agenttest.ConfigureAgent(func(c *agentproto.ClientConfig) { c.Group = group.ID }))
	require.NoError(t, fleet.Login(t.Context(), 3))
	for _, agent := range fleet {
		device := stock.WaitDevice(t, func(d interop.Device) bool { return d.ID == "node//"+agent.NodeID().String() })
		require.True(t, interop.Online(device))
	}
}
