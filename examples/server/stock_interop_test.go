package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// running is this server in a process of its own.
type running struct {
	*interop.Program
	port int
	data string
	args []string
}

// binary is this package, built once.
var binary = sync.OnceValues(func() (string, error) {
	file := filepath.Join(buildDir, "server")
	out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return file, err
})

// startServer runs the server on a data folder and a port, and returns when it is up.
func startServer(t *testing.T, data string, port int, args ...string) *running {
	t.Helper()
	s := &running{port: port, data: data, args: args}
	s.start(t)
	return s
}

func (s *running) start(t *testing.T) {
	t.Helper()
	file, err := binary()
	require.NoError(t, err)
	args := append([]string{"-data", s.data, "-listen", fmt.Sprintf("127.0.0.1:%d", s.port)}, s.args...)
	s.Program = interop.StartProgram(t, exec.Command(file, args...))
	s.WaitLog(t, "Connect the agent of this module")
}

// msh returns the settings file for the default group.
func (s *running) msh(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.data, "default.msh"))
	require.NoError(t, err)
	return b
}

// end ends the server as a service manager does, which does not kill one that takes its time.
func (s *running) end(t *testing.T) {
	t.Helper()
	s.Signal(t, syscall.SIGTERM)
	select {
	case <-s.Exited():
	case <-time.After(patience):
		t.Fatal("the server did not end")
	}
	require.Zero(t, s.ExitCode(), "a stopped server has lost nothing")
}

// waitReported waits until the core of the only device has reported what it runs on, which it does some time after it was
// started: in the log it is stable before.
func (s *running) waitReported(t *testing.T) {
	t.Helper()
	c, err := controlproto.Dial(t.Context(), fmt.Sprintf("wss://127.0.0.1:%d/control.ashx", s.port),
		controlproto.PasswordLogin{User: "admin", Password: secret(herePassword)}, controlproto.ClientConfig{TLSConfig: insecure()})
	require.NoError(t, err)
	defer c.Close()
	require.Eventually(t, func() bool {
		devices, err := c.Devices(t.Context(), controlproto.DeviceFilter{})
		return err == nil && len(devices) == 1 && devices[0].OSDesc != "" && devices[0].Agent != nil && devices[0].Agent.Core != ""
	}, patience, 50*time.Millisecond)
}

// device ends the server and returns the only device in its database.
func (s *running) device(t *testing.T) (only *controlproto.Device) {
	t.Helper()
	s.end(t)
	store, err := sqlstore.Open(t.Context(), filepath.Join(s.data, "meshcentral-go.sqlite"))
	require.NoError(t, err)
	defer store.Close()
	require.NoError(t, store.View(t.Context(), func(tx controlserver.StoreTx) error {
		devices, err := tx.List(controlserver.KindDevice, controlserver.Query{})
		require.NoError(t, err)
		require.Len(t, devices, 1)
		only, err = device(devices[0])
		return err
	}))
	return only
}

// waitOnline waits until the log tells of a login in the given form.
func (s *running) waitOnline(t *testing.T, short bool) {
	t.Helper()
	s.WaitLog(t, fmt.Sprintf("short=%v", short))
	s.WaitLog(t, `msg="core stable"`)
}

// TestNativeAgent brings the stock agent online: a full login, MeshCentral's core pushed and run, and, after a restart of
// the server, the short login.
func TestNativeAgent(t *testing.T) {
	interop.Require(t, interop.PeerAgent)
	s := startServer(t, t.TempDir(), interop.FreePort(t), "-core", interop.AgentsDir(t), "-admin", "admin:"+herePassword)
	agent := interop.StartAgent(t, s.msh(t), interop.AgentOptions{})
	s.WaitLog(t, `msg="core pushed"`)
	s.waitOnline(t, false)
	s.waitReported(t)
	first := s.device(t)
	require.Contains(t, first.OSDesc, "Linux", "the core has reported")
	require.NotEmpty(t, first.Agent.Core)
	require.EqualValues(t, agentproto.AgentLinux64, first.Agent.ID)

	pid := agent.Pid()
	s.start(t) // the agent comes back by itself
	s.waitOnline(t, true)
	require.NotContains(t, s.Log(), "core pushed", "it has the core already")
	require.True(t, agent.Running())
	require.Equal(t, pid, agent.Pid())

	agent.Restart(t) // and once more in a new process, which starts its core only when told to
	s.WaitLog(t, "agent offline")
	second := s.device(t)
	require.Equal(t, first.ID, second.ID)
	require.Contains(t, second.OSDesc, "Linux")
}

// TestMigration takes over from a stock server: its data folder, its port. The agent notices nothing.
func TestMigration(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	stock := interop.StartServer(t, interop.ServerOptions{})
	group := stock.CreateGroup(t, "lab")
	agent := interop.StartAgent(t, stock.MSH(t, group), interop.AgentOptions{})
	enrolled := stock.WaitDevice(t, func(d interop.Device) bool { return interop.Online(d) && d.Agent.Core != "" })
	_, err := binary() // an agent that finds no server for long tries less and less often
	require.NoError(t, err)
	stock.Stop()
	before := fileHashes(t, stock.DataDir())

	s := startServer(t, stock.DataDir(), stock.Port(), "-core", interop.AgentsDir(t))
	s.waitOnline(t, true) // the same TLS certificate: the agent still trusts it
	require.Contains(t, s.Log(), enrolled.ID, "the same node id")
	require.NotContains(t, s.Log(), "core pushed", "the stock server gave it the same core")
	require.True(t, agent.Running())

	// Operators come with what they have: their password, and the key of login cookies.
	key := regexp.MustCompile(`"LoginCookieEncryptionKey","key":"([0-9a-f]{160})"`).FindSubmatch(must(os.ReadFile(filepath.Join(stock.DataDir(), stockDatabase))))
	logins := []controlproto.Credentials{controlproto.PasswordLogin{User: interop.User, Password: controlproto.NewSecret(interop.Password)}}
	if key != nil {
		logins = append(logins, controlproto.KeyLogin{Key: must(controlproto.ParseCookieKey(string(key[1]))), User: interop.User})
	}
	for _, login := range logins {
		client, err := controlproto.Dial(t.Context(), fmt.Sprintf("wss://127.0.0.1:%d/control.ashx", s.port), login, controlproto.ClientConfig{
			TLSConfig: stock.TLSConfig(t),
		})
		require.NoError(t, err)
		devices, err := client.Devices(t.Context(), controlproto.DeviceFilter{})
		require.NoError(t, err)
		require.Len(t, devices, 1)
		require.Equal(t, enrolled.ID, string(devices[0].ID))
		require.True(t, devices[0].Online())
		require.NoError(t, client.Close())
	}
	device := s.device(t)
	require.Equal(t, enrolled.ID, device.ID.String())
	require.Equal(t, group, device.Group.String(), "in the group where it was")
	require.Equal(t, enrolled.Name, device.Name)
	for name, hash := range before {
		require.Equal(t, hash, fileHashes(t, stock.DataDir())[name], "%s of the stock server was changed", name)
	}
}

// fileHashes returns the hashes of all files in a folder.
func fileHashes(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	hashes := make(map[string][32]byte)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			hashes[filepath.Base(f)] = sha256.Sum256(b)
		}
	}
	return hashes
}

// TestBehindNginx puts nginx with a certificate of its own in front, and renews that certificate.
func TestBehindNginx(t *testing.T) {
	interop.Require(t, interop.PeerNginx, interop.PeerAgent)
	dir := t.TempDir()
	cert, key := interop.SelfSigned(t, dir, nil)
	front, back := interop.FreePort(t), interop.FreePort(t)
	nginx := interop.StartNginx(t, interop.ReverseProxy{
		Port: front, CertFile: cert, KeyFile: key, Upstream: fmt.Sprintf("https://127.0.0.1:%d", back),
	}.Conf())
	s := startServer(t, t.TempDir(), back, "-core", interop.AgentsDir(t), "-trusted-proxy", "127.0.0.1/32",
		"-cert-url", fmt.Sprintf("https://127.0.0.1:%d", front))
	// An agent that came before that would have the server ask the proxy on its behalf, which it does once in two minutes.
	s.WaitLog(t, "the proxy has another certificate")
	msh := bytes.ReplaceAll(s.msh(t), fmt.Appendf(nil, ":%d/", back), fmt.Appendf(nil, ":%d/", front))
	agent := interop.StartAgent(t, msh, interop.AgentOptions{})
	s.waitOnline(t, false)

	// A new certificate: the agent sees it at its next connection and demands the server's proof again; the server learns
	// of it from the agent's being refused, or from its own look at the proxy.
	interop.SelfSigned(t, dir, nil)
	nginx.Reload(t)
	logins := strings.Count(s.Log(), "short=false")
	agent.Restart(t)
	require.Eventually(t, func() bool { return strings.Count(s.Log(), "short=false") > logins }, 2*patience, 100*time.Millisecond,
		"the agent logs in over the new certificate")
}

// TestRapidReconnects connects 32 agents a thousand times in all, eight at once, with nothing but default settings. All
// log in. A stock server silently holds an agent that lost its connection more than six times in two minutes.
func TestRapidReconnects(t *testing.T) {
	s := startServer(t, t.TempDir(), interop.FreePort(t))
	msh, err := certs.ParseMSH(s.msh(t))
	require.NoError(t, err)
	servers, err := msh.Servers()
	require.NoError(t, err)
	group, err := msh.MeshID()
	require.NoError(t, err)
	address := agentproto.ServerAddress{URL: servers[0].URL, ID: servers[0].ID}

	var clients [32]*agentproto.Client
	for i := range clients {
		identity, err := certs.NewAgentIdentity(&certs.AgentIdentityOptions{NewKey: func() (crypto.Signer, error) {
			return rsa.GenerateKey(rand.Reader, 2048) // quicker to make than 3,072 bits, and taken as well
		}})
		require.NoError(t, err)
		clients[i], err = agentproto.NewClient(agentproto.ClientConfig{
			Servers: []agentproto.ServerAddress{address}, Certificate: identity.Certificate, Signer: identity.Signer,
			Group: group, Name: fmt.Sprintf("agent %d", i),
		})
		require.NoError(t, err)
	}
	const logins, atOnce = 1000, 8
	var wg sync.WaitGroup
	next := make(chan int)
	failures := make(chan error, logins)
	for range atOnce {
		wg.Go(func() {
			for i := range next {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				session, err := clients[i%len(clients)].Dial(ctx, address)
				cancel()
				if err != nil {
					failures <- err
					continue
				}
				session.Close("")
			}
		})
	}
	for i := range logins {
		next <- i
	}
	close(next)
	wg.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	s.end(t)
}
