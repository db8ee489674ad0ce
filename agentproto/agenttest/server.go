package agenttest

import (
	"context"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Server is a server for agents to log in to. It takes every agent, and keeps what they send for a test to look at.
type Server struct {
	// URL is the server's address, https://127.0.0.1:PORT. It is empty in memory.
	URL string

	agents  *agentproto.Server
	options serverOptions
	web     agentproto.Hash
	network *network

	registry registry
}

// NewServer starts a server, over TLS on a loopback address or [InMemory]. The caller closes it, unless it is [For] a test.
func NewServer(opts ...ServerOption) *Server {
	s := &Server{web: WebHash()}
	for _, o := range opts {
		o.applyServer(&s.options)
	}
	if !s.options.memory {
		s.listen()
	}
	cfg := agentproto.ServerConfig{
		Identities: []*agentproto.ServerIdentity{ServerIdentity()},
		WebHashes:  func(string) []agentproto.Hash { return slices.Compact([]agentproto.Hash{s.web, WebHash()}) },
		Limits:     agentproto.Limits{HandshakeTime: patience},
		Logger:     s.options.log,
	}
	for _, change := range s.options.configure {
		change(&cfg)
	}
	if cfg.Handler != nil {
		panic("agenttest: the handler is the Server's own; use agentproto.NewServer to have another")
	}
	cfg.Handler = s.handle
	var err error
	if s.agents, err = agentproto.NewServer(cfg); err != nil {
		panic(fmt.Sprintf("agenttest: %v", err))
	}
	s.serve()
	if s.options.end != nil {
		s.options.end(s.Close)
	}
	return s
}

// Close ends all sessions and waits for their end.
func (s *Server) Close() {
	_ = s.agents.Shutdown(context.Background()) // fails only with its context
	s.stop()
}

// Agents returns the server behind this one: its registry of sessions, its handler for requests.
func (s *Server) Agents() *agentproto.Server { return s.agents }

// ID returns the ServerID, that of [ServerIdentity].
func (s *Server) ID() nodeid.ServerID { return ServerIdentity().ID() }

// Group returns the device group that the server's .msh names. Agents of any other may log in too.
func (s *Server) Group() nodeid.MeshID { return sha512.Sum384([]byte("agenttest: group")) }

// WebHash returns the hash of the server's certificate, as agents see it.
func (s *Server) WebHash() agentproto.Hash { return s.web }

// AgentURL returns where agents connect to, wss://127.0.0.1:PORT/agent.ashx.
func (s *Server) AgentURL() string {
	if s.URL == "" {
		return memoryURL
	}
	return "wss" + strings.TrimPrefix(s.URL, "https") + "/agent.ashx"
}

// ServerAddress returns URL and ServerID, for [agentproto.ClientConfig].Servers.
func (s *Server) ServerAddress() agentproto.ServerAddress {
	return agentproto.ServerAddress{URL: s.AgentURL(), ID: s.ID()}
}

// MSH returns the .msh file of an agent for this server. It is also at /meshsettings?id=, with the group's 64 characters.
func (s *Server) MSH() []byte {
	msh, err := certs.NewMSH(certs.MSHConfig{
		MeshName: "agenttest", MeshID: s.Group(), Servers: []certs.MSHServer{{URL: s.AgentURL(), ID: s.ID()}},
	})
	if err != nil {
		panic(fmt.Sprintf("agenttest: %v", err))
	}
	return msh.AppendTo(nil)
}

// Certificate returns the server's TLS certificate, nil in memory.
func (s *Server) Certificate() *x509.Certificate { return s.network.certificate() }

// Client returns a client for HTTP requests to the server that trusts its certificate, nil in memory.
func (s *Server) Client() *http.Client { return s.network.client() }

// NewAgent makes an agent for this server and its group, connected the way that the server is. When its Login or WaitOnline
// returns, the server has its session too; see [Agent.Login].
func (s *Server) NewAgent(opts ...AgentOption) *Agent {
	return NewAgent(s.ServerAddress(), s.agentOptions(opts)...)
}

// NewFleet makes n agents for this server, each as NewAgent does.
func (s *Server) NewFleet(n int, opts ...AgentOption) Fleet {
	return NewFleet(n, s.ServerAddress(), s.agentOptions(opts)...)
}

func (s *Server) agentOptions(opts []AgentOption) []AgentOption {
	own := []AgentOption{
		agentOption(func(o *agentOptions) { o.server = s }),
		ConfigureAgent(func(c *agentproto.ClientConfig) { c.Group = s.Group() }),
	}
	if s.URL == "" {
		own = append(own, Through(s.agents))
	}
	return append(own, opts...)
}
