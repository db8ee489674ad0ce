package main

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/examples/agent/hostinfo"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// TestStockServer enrols the agent at the stock server, which lists it and routes its console, and starts it again.
func TestStockServer(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	name := buildProgram(t)
	server := interop.StartServer(t, interop.ServerOptions{})
	group := server.CreateGroup(t, "lab")
	data := filepath.Join(t.TempDir(), "data")

	// The first start: settings from the server, a new identity, the whole handshake.
	settings := server.URL() + "/meshsettings?id=" + url.QueryEscape(strings.TrimPrefix(group, "mesh//"))
	agent := startProgram(t, name, "-msh", settings, "-insecure-msh", "-data", data, "-name", "go-agent", "-log-level", "debug")
	agent.waitLog(t, "short=false")
	identity, err := certs.LoadAgentIdentity(filepath.Join(data, "agent.pem"), nil)
	require.NoError(t, err)
	node, err := identity.NodeID()
	require.NoError(t, err)

	server.WaitDevice(t, func(d interop.Device) bool { return d.OSDesc != "" })
	var devices []interop.Device
	server.MeshctrlJSON(t, &devices, "listdevices")
	require.Len(t, devices, 1)
	device := devices[0]
	require.Equal(t, "node//"+node.String(), device.ID)
	require.Equal(t, 1, device.Conn)
	require.Equal(t, "go-agent", device.Name)
	require.Equal(t, hostinfo.ReadSystem().OS, device.OSDesc)
	require.Equal(t, group, device.Group)
	require.Contains(t, device.Agent.Core, "meshcentral-go")
	require.Equal(t, int(agentproto.CapConsole|agentproto.CapCore), device.Agent.Caps)

	control := server.Control(t)
	require.Contains(t, control.Console(t, device.ID, "help"), "Available commands")
	require.Contains(t, control.Console(t, device.ID, "netinfo"), "127.0.0.1")
	require.Contains(t, control.Console(t, device.ID, "ping"), "pong")
	waitInventory(t, control, device.ID)

	// The server knows that this agent runs no core: it is content, and has pushed none.
	agent.waitLog(t, "command=CoreOK")
	require.NotContains(t, agent.log(), "pushed")
	require.Equal(t, 0, agent.stop(t))
	server.WaitDevice(t, interop.Offline)

	// A restart: everything from the data folder, the short form, the same device.
	agent = startProgram(t, name, "-data", data, "-name", "go-agent", "-log-level", "debug")
	agent.waitLog(t, "short=true")
	require.Equal(t, device.ID, server.WaitDevice(t, interop.Online).ID)
	require.Contains(t, control.Console(t, device.ID, "info"), "meshcentral-go")
	agent.waitLog(t, "known=true") // the server has the inventory
	require.NotContains(t, agent.log(), "known=false")
	require.NotContains(t, agent.log(), "pushed")

	// The agent outlives its server.
	server.Restart(t)
	require.Equal(t, device.ID, server.WaitDevice(t, interop.Online).ID)
	control = server.Control(t) // the first operator was thrown out
	require.Contains(t, control.Console(t, device.ID, "ping"), "pong")
	require.Equal(t, 2, strings.Count(agent.log(), `msg="logged in"`))
	require.Equal(t, 0, agent.stop(t))
}

// waitInventory waits until the server has stored the inventory of a device, which it asks for some time after the login. It
// tells then that there is another one.
func waitInventory(t *testing.T, control *interop.Control, device string) {
	t.Helper()
	for {
		control.Send(t, interop.Message{"action": "getsysinfo", "nodeid": device})
		inventory := control.Wait(t, func(m interop.Message) bool { return m["action"] == "getsysinfo" })
		if inventory["hardware"] != nil {
			return
		}
		control.Wait(t, func(m interop.Message) bool {
			event, ok := m["event"].(map[string]any)
			return ok && event["action"] == "sysinfohash"
		})
	}
}
