package interop

import (
	"strings"
	"testing"
)

// TestServerAndAgent is the whole use of this package once: a server, a group,
// an agent in it, its console, and both ends starting again.
func TestServerAndAgent(t *testing.T) {
	t.Parallel()
	Require(t, PeerMeshCentral, PeerAgent)
	server := StartServer(t, ServerOptions{Domain: map[string]any{"title": "Interop"}})
	group := server.CreateGroup(t, "lab")
	msh := server.MSH(t, group)
	if want := "ServerID=" + strings.ToUpper(server.ServerID(t)); !strings.Contains(string(msh), want) {
		t.Errorf("the settings file lacks %s", want)
	}
	if want := "MeshServer=" + server.AgentURL(); !strings.Contains(string(msh), want) {
		t.Errorf("the settings file lacks %s", want)
	}

	agent := StartAgent(t, msh, AgentOptions{})
	device := server.WaitDevice(t, CoreRuns)
	if device.Group != group || device.Agent.ID != 6 {
		t.Errorf("the device is %+v, want one of group %s with agent type 6", device, group)
	}
	var listed []Device
	server.MeshctrlJSON(t, &listed, "listdevices")
	if len(listed) != 1 || listed[0].ID != device.ID || listed[0].Conn != 1 {
		t.Errorf("listdevices = %+v, want %s with conn 1", listed, device.ID)
	}
	agent.WaitLog(t, "Server verified")

	control := server.Control(t)
	if help := control.Console(t, device.ID, "help"); !strings.Contains(help, "Available commands") {
		t.Errorf("the console answers %q to help", help)
	}

	agent.Stop()
	if agent.Running() {
		t.Error("the agent runs after Stop")
	}
	server.WaitDevice(t, Offline)
	agent.Restart(t)
	if again := server.WaitDevice(t, Online); again.ID != device.ID {
		t.Errorf("after a restart the agent is %s, want %s", again.ID, device.ID)
	}
	agentGroup := agent.Pid()

	oldServerGroup := server.Pid()
	url := server.URL()
	server.Restart(t)
	if server.URL() != url {
		t.Errorf("after a restart the server is at %s, want %s", server.URL(), url)
	}
	if again := server.WaitDevice(t, func(d Device) bool { return true }); again.ID != device.ID {
		t.Errorf("after a restart the server knows %s, want %s", again.ID, device.ID)
	}

	serverGroup := server.Pid()
	agent.Stop()
	server.Stop()
	for _, group := range []int{agentGroup, oldServerGroup, serverGroup} {
		requireGone(t, group)
	}
}

func TestFreshServer(t *testing.T) {
	t.Parallel()
	Require(t, PeerMeshCentral)
	shared := &Server{dataDir: t.TempDir()}
	if err := newDataDir(t.Context(), shared.dataDir, false); err != nil {
		t.Fatal(err)
	}
	server := StartServer(t, ServerOptions{Fresh: true, Port: FreePort(t)})
	if server.ServerID(t) == shared.ServerID(t) {
		t.Error("a fresh server has the ServerID of the template")
	}
	// The account works, and so does the pinned certificate.
	server.Control(t)
}

func TestRunB64(t *testing.T) {
	if got := RunB64(t, `console.log('six times seven is ' + 6 * 7); process.exit(0);`, AgentOptions{}); !strings.Contains(got, "six times seven is 42") {
		t.Errorf("the script printed %q", got)
	}
}

func TestAgentsDir(t *testing.T) {
	for _, name := range []string{"meshagent_x86-64", "meshcore.js"} {
		if !present(AgentsDir(t) + "/" + name) {
			t.Errorf("the agents folder lacks %s", name)
		}
	}
}
