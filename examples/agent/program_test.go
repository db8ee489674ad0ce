package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/certs/certstest"
	"github.com/meshcentral-go/sdk/nodeid"
)

// buildProgram builds the agent into a folder.
func buildProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go command is not in the path")
	}
	name := filepath.Join(t.TempDir(), "agent.exe")
	out, err := exec.CommandContext(t.Context(), goTool, "build", "-o", name, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return name
}

// patience is how long what has to happen may take on a machine that is busy.
const patience = 2 * time.Minute

// program is a running agent.
type program struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu      sync.Mutex
	printed bytes.Buffer
	changed chan struct{} // closed and replaced by every line
}

// startProgram starts the program. It is killed when the test ends, unless it has ended.
func startProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(name, args...), done: make(chan struct{}), changed: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // ended asks for the status
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // failing, it has ended
		<-p.done
		if t.Failed() {
			t.Logf("the agent printed:\n%s", p.log())
		}
	})
	return p
}

// Write implements [io.Writer].
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.printed.Write(b)
}

func (p *program) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.printed.String()
}

// waitLog waits until the program has printed text.
func (p *program) waitLog(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		p.mu.Lock()
		printed, changed := p.printed.String(), p.changed
		p.mu.Unlock()
		if strings.Contains(printed, text) {
			return
		}
		select {
		case <-changed:
		case <-p.done:
			require.Contains(t, p.log(), text, "the agent has ended")
			return
		case <-ctx.Done():
			require.FailNow(t, "the agent did not print "+text)
		}
	}
}

// stop asks the program to end, as a service manager does, and returns its exit status.
func (p *program) stop(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	return p.ended(t)
}

// ended waits for the end of the program and returns its exit status.
func (p *program) ended(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		require.FailNow(t, "the agent does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func TestProgramRefusesInOneLine(t *testing.T) {
	name := buildProgram(t)
	for _, args := range [][]string{{"-nonsense"}, {"-data", filepath.Join(t.TempDir(), "new")}, {"-msh", "/does/not/exist", "-data", t.TempDir()}} {
		p := startProgram(t, name, args...)
		require.Equal(t, 2, p.ended(t), args)
		require.Equal(t, 1, strings.Count(p.log(), "\n"), p.log())
		require.True(t, strings.HasPrefix(p.log(), "agent: "), p.log())
	}
	p := startProgram(t, name, "-h")
	require.Equal(t, 0, p.ended(t))
}

// TestProgramTakesNegativeSerials logs in to a server with a certificate as some stock servers have it, which crypto/tls
// refuses unless the program says otherwise.
func TestProgramTakesNegativeSerials(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no SIGTERM")
	}
	cert := negativeSerial(t)
	t.Run("it would be refused", func(t *testing.T) {
		t.Setenv("GODEBUG", "x509negativeserial=0") // this test's program has the setting of main.go
		_, err := x509.ParseCertificate(cert.Certificate[0])
		require.ErrorContains(t, err, "negative serial")
	})

	over, known := make(chan error, 8), make(chan struct{}, 8) // of sessions; there is one
	server, err := agentproto.NewServer(agentproto.ServerConfig{
		Identities: []*agentproto.ServerIdentity{agenttest.ServerIdentity()},
		WebHashes:  func(string) []agentproto.Hash { return certs.WebHashes(cert.Certificate[0]) },
		Trace: &agentproto.Trace{
			LoggedIn: func(*agentproto.Session, time.Duration, time.Duration) { known <- struct{}{} },
			Closed:   func(_ *agentproto.Session, err error) { over <- err },
		},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Shutdown(context.Background())) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	web := &http.Server{Handler: server, ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() {
		served <- web.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}}))
	}()
	defer func() {
		require.NoError(t, web.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	}()

	dir := t.TempDir()
	msh, err := certs.NewMSH(certs.MSHConfig{MeshName: "x", MeshID: nodeid.MeshID{7}, Servers: []certs.MSHServer{
		{URL: "wss://" + listener.Addr().String() + "/agent.ashx", ID: agenttest.ServerIdentity().ID()},
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.msh"), msh.AppendTo(nil), 0o600))
	require.NoError(t, certstest.AgentIdentity(1).Save(filepath.Join(dir, "agent.pem")))
	p := startProgram(t, buildProgram(t), "-data", dir)
	p.waitLog(t, `msg="logged in"`)
	<-known // the agent knows first
	require.Equal(t, 0, p.stop(t))
	require.ErrorIs(t, <-over, net.ErrClosed) // with the reason, if that was sent in time
	require.Contains(t, p.log(), "agent stops")
}

// negativeSerial makes a certificate with a negative serial number. Its own signature does not fit then, which nobody
// checks.
func negativeSerial(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial := []byte{0x42, 0x94, 0x96, 0x72, 0x95}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	at := bytes.Index(der, serial)
	require.GreaterOrEqual(t, at, 0)
	der[at] = 0x82
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
