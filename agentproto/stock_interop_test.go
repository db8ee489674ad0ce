//go:build !js

package agentproto_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/nodeid"
)

// agentEvents is a server for native agents, and what they did.
type agentEvents struct {
	server *agentproto.Server
	msh    []byte
	events chan sessionEvent
}

type sessionEvent struct {
	session *agentproto.Session
	event   agentproto.Event
	err     error // of the session's end
}

// serveNative starts a server as an embedder would write it, with an ECDSA web certificate.
func serveNative(t *testing.T, change func(*agentproto.ServerConfig)) *agentEvents {
	t.Helper()
	webKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	web := selfSigned(t, &webKey.PublicKey, webKey)
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	require.NoError(t, err)
	identity, err := agentproto.NewServerIdentity(selfSigned(t, &key.PublicKey, key), key)
	require.NoError(t, err)
	e := &agentEvents{events: make(chan sessionEvent, 1000)}
	cfg := agentproto.ServerConfig{
		Identities: []*agentproto.ServerIdentity{identity},
		WebHashes:  func(string) []agentproto.Hash { return certs.WebHashes(web) },
		Handler: func(ctx context.Context, s *agentproto.Session) {
			for ev, err := range s.Events(ctx) {
				e.events <- sessionEvent{s, ev, err}
			}
		},
	}
	change(&cfg)
	e.server, err = agentproto.NewServer(cfg)
	require.NoError(t, err)
	ts := httptest.NewUnstartedServer(e.server)
	ts.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{web}, PrivateKey: webKey}}}
	ts.StartTLS()
	t.Cleanup(func() {
		require.NoError(t, e.server.Shutdown(context.Background()))
		ts.Close()
	})
	e.msh = fmt.Appendf(nil, "MeshName=test\r\nMeshType=2\r\nMeshID=0x%s\r\nServerID=%s\r\nMeshServer=wss%s/agent.ashx\r\n",
		strings.Repeat("AB", 48), strings.ToUpper(identity.ID().Hex()), strings.TrimPrefix(ts.URL, "https"))
	return e
}

func selfSigned(t *testing.T, pub, priv any) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, priv)
	require.NoError(t, err)
	return der
}

// agentPatience is how long native agents may take for anything.
const agentPatience = 5 * time.Minute

// wait returns the first event that match accepts, and drops those before it.
func (e *agentEvents) wait(t *testing.T, what string, match func(sessionEvent) bool) sessionEvent {
	t.Helper()
	limit := time.After(agentPatience)
	for {
		select {
		case ev := <-e.events:
			if match(ev) {
				return ev
			}
		case <-limit:
			t.Fatal("not seen within ", agentPatience, ": ", what)
		}
	}
}

// phase waits for a phase of the core exchange.
func (e *agentEvents) phase(t *testing.T, want agentproto.CorePhase) agentproto.CoreEvent {
	t.Helper()
	ev := e.wait(t, want.String(), func(ev sessionEvent) bool {
		core, ok := ev.event.(agentproto.CoreEvent)
		return ok && core.Phase == want
	})
	return ev.event.(agentproto.CoreEvent)
}

// TestNativeAgentCores gives a native agent cores in both forms, replaces and clears them.
func TestNativeAgentCores(t *testing.T) {
	cores, err := agentproto.LoadCoreSet(interop.AgentsDir(t))
	require.NoError(t, err)
	want, err := cores.Core(agentproto.AgentLinux64, agentproto.CoreDefault)
	require.NoError(t, err)
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compress=%v", compress), func(t *testing.T) {
			e := serveNative(t, func(c *agentproto.ServerConfig) { c.Core, c.CompressCores = cores.ForAgent, compress })
			agent := interop.StartAgent(t, e.msh, interop.AgentOptions{})
			// The core begins to run before the agent tells that it has it, but takes its time to find out about the system.
			var stable agentproto.CoreEvent
			var told bool
			session := e.wait(t, "a stable core and its coreinfo", func(ev sessionEvent) bool {
				switch ev := ev.event.(type) {
				case agentproto.CoreEvent:
					stable = ev
				case agentproto.MessageEvent:
					info, ok := ev.Message.(*agentproto.CoreInfo)
					told = told || ok && strings.Contains(string(info.OSDesc), "Linux")
				}
				return told && stable.Phase == agentproto.CoreStable
			}).session
			require.True(t, stable.HasCore)
			require.Equal(t, want.Hash, stable.Hash)
			require.Equal(t, agentproto.AgentLinux64, session.Info().AgentID)
			require.NotZero(t, session.Info().CommitDate)

			// The console of the core answers, and a ping is answered by a running core.
			require.NoError(t, session.Send(t.Context(), &agentproto.ConsoleCommand{
				Value: "help", UserContext: agentproto.UserContext{SessionID: "user//admin/1", Rights: 0xFFFFFFFF},
			}))
			e.wait(t, "console output", func(ev sessionEvent) bool {
				msg, ok := ev.event.(agentproto.MessageEvent)
				if !ok {
					return false
				}
				out, ok := msg.Message.(*agentproto.ConsoleOutput)
				return ok && strings.Contains(string(out.Value), "help") && out.SessionID == "user//admin/1"
			})

			tiny, err := cores.Named(agentproto.CoreLinuxTiny)
			require.NoError(t, err)
			require.NoError(t, session.SetCore(t.Context(), tiny))
			e.phase(t, agentproto.CorePushing)
			require.Equal(t, tiny.Hash, e.phase(t, agentproto.CoreStable).Hash)
			require.NoError(t, session.ClearCore(t.Context()))
			require.False(t, e.phase(t, agentproto.CoreStable).HasCore)
			require.True(t, agent.Running())
		})
	}
}

// TestNativeAgentUpdate replaces a native agent's executable, once as it is and once zipped: it restarts as the new one.
func TestNativeAgentUpdate(t *testing.T) {
	program, err := os.ReadFile(filepath.Join(interop.AgentsDir(t), "meshagent_x86-64"))
	require.NoError(t, err)
	program = append(program, "another build"...) // behind what the loader reads
	for _, zipped := range []bool{false, true} {
		t.Run(fmt.Sprintf("zipped=%v", zipped), func(t *testing.T) {
			binary, err := agentproto.NewAgentBinary(program, zipped)
			require.NoError(t, err)
			e := serveNative(t, func(c *agentproto.ServerConfig) {
				c.Binary = func(agentproto.AgentInfo) (*agentproto.AgentBinary, error) { return binary, nil }
			})
			agent := interop.StartAgent(t, e.msh, interop.AgentOptions{})
			done := e.wait(t, "update", func(ev sessionEvent) bool {
				core, ok := ev.event.(agentproto.CoreEvent)
				return ok && core.Phase == agentproto.CoreUpdated
			})
			require.Equal(t, binary.Size(), done.event.(agentproto.CoreEvent).Sent)
			again := e.wait(t, "second login", func(ev sessionEvent) bool {
				core, ok := ev.event.(agentproto.CoreEvent)
				return ok && core.Phase == agentproto.CoreStable && ev.session != done.session
			})
			require.True(t, again.session.Info().ShortForm)
			installed, err := filepath.Glob(filepath.Join(agent.Dir(), "meshagent*"))
			require.NoError(t, err)
			found := false
			for _, file := range installed {
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				found = found || bytes.Equal(b, program)
			}
			require.True(t, found, "the new executable is among %v", installed)
		})
	}
}

// stockHost is an agent's store of cores, and stockUpdater its executable, for an agent that takes what a stock server
// pushes.
type stockHost struct {
	mu      sync.Mutex
	core    []byte
	started chan struct{}
}

func (h *stockHost) LoadCore() ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.core, nil
}

func (h *stockHost) StoreCore(core []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.core = bytes.Clone(core)
	return nil
}

func (h *stockHost) StartCore() error {
	h.started <- struct{}{}
	return nil
}

type stockUpdater struct {
	data []byte
	hash chan agentproto.Hash
}

func (u *stockUpdater) ExecutableHash() (agentproto.Hash, error) { return agentproto.Hash{1}, nil }
func (u *stockUpdater) BeginUpdate() error                       { u.data = nil; return nil }
func (u *stockUpdater) WriteUpdate(block []byte) error           { u.data = append(u.data, block...); return nil }
func (u *stockUpdater) EndUpdate(hash agentproto.Hash) error     { u.hash <- hash; return nil }

// TestStockServerPushes logs agents of ours in at a stock server: one takes the core that it is pushed and, at the next
// login, is told to start it; another takes a new executable.
func TestStockServerPushes(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	stock := interop.StartServer(t, interop.ServerOptions{})
	msh, err := certs.ParseMSH(stock.MSH(t, stock.CreateGroup(t, "lab")))
	require.NoError(t, err)
	servers, err := msh.Servers()
	require.NoError(t, err)
	group, err := msh.MeshID()
	require.NoError(t, err)
	connect := func(t *testing.T, change func(*agentproto.ClientConfig)) (*agentproto.Client, func() *agentproto.ClientSession) {
		identity, err := certs.NewAgentIdentity(nil)
		require.NoError(t, err)
		cfg := agentproto.ClientConfig{
			Certificate: identity.Certificate, Signer: identity.Signer, Group: group, Name: "ours",
			AgentID: agentproto.AgentLinux64,
		}
		for _, s := range servers {
			cfg.Servers = append(cfg.Servers, agentproto.ServerAddress{URL: s.URL, ID: s.ID})
		}
		change(&cfg)
		client, err := agentproto.NewClient(cfg)
		require.NoError(t, err)
		return client, func() *agentproto.ClientSession {
			s, err := client.Dial(t.Context(), cfg.Servers[0])
			require.NoError(t, err)
			go func() {
				for range s.Events(context.Background()) {
					continue
				}
			}()
			return s
		}
	}
	t.Run("core", func(t *testing.T) {
		host := &stockHost{started: make(chan struct{}, 10)}
		_, dial := connect(t, func(c *agentproto.ClientConfig) {
			c.Core = host
			c.Capabilities = agentproto.CapConsole | agentproto.CapCore | agentproto.CapCompression
		})
		s := dial()
		require.False(t, s.ShortForm())
		<-host.started
		core, err := host.LoadCore()
		require.NoError(t, err)
		hash := sha512.Sum384(core)
		require.Equal(t, "04f0decbd56fac57", hex.EncodeToString(hash[:8]))
		s.Close("")
		s = dial()
		require.True(t, s.ShortForm(), "the stock server takes the short form")
		<-host.started
		s.Close("")
	})
	t.Run("executable", func(t *testing.T) {
		updater := &stockUpdater{hash: make(chan agentproto.Hash, 1)}
		_, dial := connect(t, func(c *agentproto.ClientConfig) { c.Updater = updater })
		s := dial()
		defer s.Close("")
		hash := <-updater.hash
		f, err := os.Open(filepath.Join(interop.AgentsDir(t), "meshagent_x86-64"))
		require.NoError(t, err)
		defer f.Close()
		want, err := io.ReadAll(f)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, updater.data), "the stock server's executable, bit by bit")
		require.Equal(t, agentproto.Hash(sha512.Sum384(want)), hash)
	})
	t.Run("coreless", func(t *testing.T) {
		client, dial := connect(t, func(c *agentproto.ClientConfig) {})
		s := dial()
		defer s.Close("")
		caps := agentproto.CapConsole
		require.NoError(t, s.Send(t.Context(), &agentproto.CoreInfo{Value: "ours 1", Caps: &caps, OSDesc: "TestOS"}))
		device := stock.WaitDevice(t, func(d interop.Device) bool { return interop.Online(d) && d.OSDesc == "TestOS" })
		require.Equal(t, nodeid.NodeKey{ID: client.NodeID()}.String(), device.ID)
		require.Equal(t, "ours", device.Name)
	})
}
