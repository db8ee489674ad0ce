package agenttest

import (
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
)

// A ServerOption changes what [NewServer] starts.
type ServerOption interface{ applyServer(*serverOptions) }

// An AgentOption changes what [NewAgent] makes.
type AgentOption interface{ applyAgent(*agentOptions) }

// An Option is for servers and agents.
type Option interface {
	ServerOption
	AgentOption
}

// patience is how long connecting and logging in may take, unless a test says otherwise.
const patience = 5 * time.Minute

type serverOptions struct {
	memory    bool
	configure []func(*agentproto.ServerConfig)
	end       func(closeIt func())
	log       *slog.Logger
}

type agentOptions struct {
	server    *Server // whose NewAgent it is, if any
	number    int
	configure []func(*agentproto.ClientConfig)
	end       func(closeIt func())
	log       *slog.Logger
}

type serverOption func(*serverOptions)

func (f serverOption) applyServer(o *serverOptions) { f(o) }

type agentOption func(*agentOptions)

func (f agentOption) applyAgent(o *agentOptions) { f(o) }

// InMemory gives a server no address: agents connect with [Connector], as those of [Server.NewAgent] do by themselves.
func InMemory() ServerOption { return serverOption(func(o *serverOptions) { o.memory = true }) }

// ConfigureServer changes the configuration that a server is made with: that of a real one, but that a login may take
// minutes, as the machines that run tests are busy. Its Handler is the [Server]'s own.
func ConfigureServer(change func(*agentproto.ServerConfig)) ServerOption {
	return serverOption(func(o *serverOptions) { o.configure = append(o.configure, change) })
}

// ConfigureAgent changes the configuration that an agent is made with: that of a real one, but that it has minutes to connect
// and to log in, and waits for less than a second to try again. Its Handler is the [Agent]'s own.
func ConfigureAgent(change func(*agentproto.ClientConfig)) AgentOption {
	return agentOption(func(o *agentOptions) { o.configure = append(o.configure, change) })
}

// Number picks the [Identity] of an agent; the default is 0. In a [Fleet] it is that of the first.
func Number(i int) AgentOption { return agentOption(func(o *agentOptions) { o.number = i }) }

// Through connects an agent to a server in memory; see [Connector].
func Through(server *agentproto.Server) AgentOption {
	return agentOption(func(o *agentOptions) {
		if o.server != nil && o.server.agents != server {
			o.server = nil // which does not hear of it
		}
		ConfigureAgent(func(c *agentproto.ClientConfig) { c.Connect = Connector(server) }).applyAgent(o)
	})
}

// For closes a server or an agent when a test ends, and lets it log to the test.
func For(t testing.TB) Option { return testOption{t} }

type testOption struct{ t testing.TB }

func (o testOption) applyServer(s *serverOptions) { s.log, s.end = o.attach() }
func (o testOption) applyAgent(a *agentOptions)   { a.log, a.end = o.attach() }

func (o testOption) attach() (*slog.Logger, func(func())) {
	out := &testOutput{w: o.t.Output()}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return log, func(closeIt func()) {
		o.t.Cleanup(func() {
			closeIt()
			out.stop()
		})
	}
}

// testOutput is the output of a test until that has ended: writing to it later would panic.
type testOutput struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements [io.Writer].
func (o *testOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}

func (o *testOutput) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w = io.Discard
}
