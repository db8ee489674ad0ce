package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
	"github.com/meshcentral-go/sdk/certs/certstest"
	"github.com/meshcentral-go/sdk/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// dataDir is a data folder with settings and an identity, whose key takes a second to make.
func dataDir(t *testing.T, server *agenttest.Server) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.msh"), append(server.MSH(), "Tag=a tag\r\n"...), 0o600))
	require.NoError(t, certstest.AgentIdentity(0).Save(filepath.Join(dir, "agent.pem")))
	return dir
}

// start runs the agent until the test ends or stop is called, which returns what it ended with.
func start(t *testing.T, args ...string) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, args, t.Output()) }()
	var ended bool
	var err error
	stop = func() error {
		if !ended {
			cancel(errors.New("test is over"))
			ended, err = true, <-done
		}
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func TestAgent(t *testing.T) {
	server := agenttest.NewServer(agenttest.For(t))
	dir := dataDir(t, server)
	stop := start(t, "-data", dir, "-name", "pc-7", "-log-level", "debug")
	sess, err := server.WaitAgent(t.Context())
	require.NoError(t, err)

	id, err := certstest.AgentIdentity(0).NodeID()
	require.NoError(t, err)
	require.Equal(t, id, sess.NodeKey().ID)
	info := sess.Info()
	require.Equal(t, agentproto.AgentString("pc-7"), info.Name)
	require.Equal(t, server.Group(), info.Group)
	require.Equal(t, (&agent{}).capabilities(), info.Capabilities)
	require.NotEmpty(t, info.HostInfo)
	require.False(t, info.ShortForm)

	tag, err := sess.Wait(t.Context(), func(ev agentproto.Event) bool { _, ok := ev.(agentproto.TagEvent); return ok })
	require.NoError(t, err)
	require.Equal(t, agentproto.AgentString("a tag"), tag.(agentproto.TagEvent).Tag.Tag)
	core, err := agenttest.WaitMessage[*agentproto.CoreInfo](t.Context(), sess)
	require.NoError(t, err)
	require.NotEmpty(t, core.Value)
	require.NotEmpty(t, core.OSDesc)
	require.Equal(t, (&agent{}).capabilities(), *core.Caps)
	require.Equal(t, os.Geteuid() == 0, *core.Root)
	network, err := agenttest.WaitMessage[*agentproto.NetInfo](t.Context(), sess)
	require.NoError(t, err)
	require.NotEmpty(t, network.Interfaces)

	// The inventory is sent to a server that has another one, or none.
	require.NoError(t, sess.Send(t.Context(), &agentproto.GetSysInfo{}))
	sys, err := agenttest.WaitMessage[*agentproto.SysInfo](t.Context(), sess)
	require.NoError(t, err)
	require.NoError(t, sys.Validate())
	require.Len(t, sys.Hash(), 96)
	require.NoError(t, sess.Send(t.Context(), &agentproto.GetSysInfo{Hash: string(sys.Hash())}))
	require.NoError(t, sess.Send(t.Context(), &agentproto.GetSysInfo{Hash: "old"}))
	again, err := agenttest.WaitMessage[*agentproto.SysInfo](t.Context(), sess)
	require.NoError(t, err)
	require.Equal(t, sys.Hash(), again.Hash())

	for command, want := range map[string]string{
		"help": "netinfo", "HELP": "netinfo", "info": "meshcentral-go", "netinfo": "netmask", " ping ": "pong 1",
		"rm -rf /": `Unknown command "rm"`, "": `Unknown command ""`,
	} {
		answer, err := sess.Console(t.Context(), command)
		require.NoError(t, err)
		require.Contains(t, answer, want, command)
	}
	pong, err := sess.Console(t.Context(), "ping")
	require.NoError(t, err)
	require.Contains(t, pong, "pong 2", "no two are equal")

	// Nothing of what was left is a second inventory.
	require.NoError(t, stop())
	for ev, err := range sess.Events(t.Context()) {
		if err != nil {
			require.ErrorContains(t, err, "shutting down", "it says goodbye")
			break
		}
		if m, ok := ev.(agentproto.MessageEvent); ok {
			require.NotEqual(t, "sysinfo", m.Message.Action())
		}
	}

	start(t, "-data", dir)
	sess, err = server.WaitAgent(t.Context())
	require.NoError(t, err)
	require.Equal(t, id, sess.NodeKey().ID)
	require.True(t, sess.Info().ShortForm, "it remembers the server")
}

func TestConsoleNeedsRights(t *testing.T) {
	server := agenttest.NewServer(agenttest.For(t))
	start(t, "-data", dataDir(t, server))
	sess, err := server.WaitAgent(t.Context())
	require.NoError(t, err)
	for _, rights := range []uint32{0, 8, 16} {
		require.NoError(t, sess.Send(t.Context(), &agentproto.ConsoleCommand{
			Value: "info", UserContext: agentproto.UserContext{SessionID: "user//x/1", Rights: rights},
		}))
		answer, err := agenttest.WaitMessage[*agentproto.ConsoleOutput](t.Context(), sess)
		require.NoError(t, err)
		require.Contains(t, answer.Value, "needs the rights")
		require.Equal(t, agentproto.AgentString("user//x/1"), answer.SessionID)
	}
}

// TestPushedCoreIsLogged lets a server push what the agent never asked for.
func TestPushedCoreIsLogged(t *testing.T) {
	server := agenttest.NewServer(agenttest.For(t))
	dir := dataDir(t, server)
	logs := make(logLines, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-data", dir}, logs) }()
	sess, err := server.WaitAgent(t.Context())
	require.NoError(t, err)
	core := make([]byte, 60)
	core[1] = byte(agentproto.CmdCoreModule)
	require.NoError(t, sess.SendRaw(t.Context(), core))
	for line := range logs {
		if strings.Contains(line, "pushed") {
			require.Contains(t, line, "bytes=60")
			break
		}
	}
	cancel()
	require.NoError(t, <-done)
}

// A signal while the settings are fetched is no failure, and no reason to begin with others.
func TestInterruptedBeforeItBegins(t *testing.T) {
	asked := make(chan struct{})
	slow := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer slow.Close()
	dir := dataDir(t, agenttest.NewServer(agenttest.For(t), agenttest.InMemory()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	logs := make(logLines, 10)
	go func() { done <- run(ctx, []string{"-data", dir, "-msh", slow.URL, "-insecure-msh"}, logs) }()
	<-asked
	cancel()
	require.NoError(t, <-done)
	require.Contains(t, <-logs, "agent stops")
	require.Empty(t, logs)
}

// logLines are the lines of a log.
type logLines chan string

// Write implements [io.Writer].
func (l logLines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestWhatEndsAtOnce(t *testing.T) {
	t.Setenv("DISPLAY", "")
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("not settings"), 0o600))
	server := agenttest.NewServer(agenttest.For(t), agenttest.InMemory())
	broken := dataDir(t, server)
	require.NoError(t, os.WriteFile(filepath.Join(broken, "agent.pem"), []byte("broken"), 0o600))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no settings":       {[]string{"-data", dir}, "the first start needs -msh"},
		"unknown flag":      {[]string{"-nonsense"}, "-nonsense"},
		"argument":          {[]string{"x.msh"}, `unexpected argument "x.msh"`},
		"level":             {[]string{"-log-level", "loud"}, "loud"},
		"missing file":      {[]string{"-data", dir, "-msh", filepath.Join(dir, "none")}, "none"},
		"not settings":      {[]string{"-data", dir, "-msh", file}, "no MeshID"},
		"folder is a file":  {[]string{"-data", file}, "data folder"},
		"broken identity":   {[]string{"-data", broken}, "agent.pem"},
		"name of two lines": {[]string{"-data", dir, "-name", "a\nb"}, "-name"},
		"desktop of what":   {[]string{"-data", dir, "-desktop", "all"}, "-desktop"},
		"no display":        {[]string{"-data", dir, "-desktop", "x11"}, "DISPLAY is not set"},
		"files nowhere":     {[]string{"-data", dataDir(t, server), "-files", filepath.Join(dir, "none")}, "-files"},
		"insecure what":     {[]string{"-data", dir, "-insecure-msh"}, "-insecure-msh"},
	} {
		err := run(t.Context(), tt.args, io.Discard)
		require.ErrorContains(t, err, tt.want, name)
		require.NotContains(t, err.Error(), "\n", name)
	}
	var help strings.Builder
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &help), flag.ErrHelp)
	require.Contains(t, help.String(), "-insecure-msh")
}
