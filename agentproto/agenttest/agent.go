package agenttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Agent is an agent with a throw-away key. Its fields are set before it logs in.
type Agent struct {
	// Mux answers what the server sends: functions are registered with [agentproto.Handle]. What they do not take is
	// kept for Wait. Pings, and questions about core and executable, are answered by themselves.
	Mux agentproto.Mux
	// CoreInfo is reported after every login. Nil reports nothing.
	CoreInfo *agentproto.CoreInfo

	server *Server // whose NewAgent made it, if any
	cfg    agentproto.ClientConfig
	client *agentproto.Client
	inbox  inbox

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // sessions, and what Start started

	mu      sync.Mutex
	session *agentproto.ClientSession // the newest
	before  mark                      // of its login
	next    mark                      // of the next login by Start
	changed chan struct{}             // closed at the next login; nil when nobody waits
}

var errClosed = fmt.Errorf("agenttest: agent was closed: %w", net.ErrClosed)

// NewAgent makes an agent for a server, which may be any. It does not connect before Login or Start. The caller closes it,
// unless it is [For] a test.
func NewAgent(server agentproto.ServerAddress, opts ...AgentOption) *Agent {
	var o agentOptions
	for _, opt := range opts {
		opt.applyAgent(&o)
	}
	return newAgent(server, o)
}

func newAgent(server agentproto.ServerAddress, o agentOptions) *Agent {
	id := Identity(o.number)
	name := fmt.Sprintf("agenttest-%d", o.number)
	a := &Agent{server: o.server, cfg: agentproto.ClientConfig{
		Servers:     []agentproto.ServerAddress{server},
		Certificate: id.Certificate, Signer: id.Signer,
		AgentID: agentproto.AgentLinux64, Platform: agentproto.PlatformDesktop,
		Capabilities: agentproto.CapConsole | agentproto.CapCore,
		Name:         name, HostInfo: "agenttest",
		DialTime: patience, Limits: agentproto.Limits{HandshakeTime: patience},
		// A test does not want to wait.
		Backoff: agentproto.Backoff{First: 20 * time.Millisecond, Min: 10 * time.Millisecond, Max: 200 * time.Millisecond},
		Logger:  o.log,
	}}
	for _, change := range o.configure {
		change(&a.cfg)
	}
	if a.cfg.Handler != nil {
		panic("agenttest: the handler is the Agent's own; use agentproto.NewClient to have another")
	}
	a.cfg.Handler = a.serve
	caps := a.cfg.Capabilities
	a.CoreInfo = &agentproto.CoreInfo{Value: "agenttest", Caps: &caps, OSDesc: "agenttest"}
	var err error
	if a.client, err = agentproto.NewClient(a.cfg); err != nil {
		panic(fmt.Sprintf("agenttest: %v", err))
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	if o.end != nil {
		o.end(a.Close)
	}
	return a
}

// NodeID returns the device's id.
func (a *Agent) NodeID() nodeid.NodeID { return a.client.NodeID() }

// Client returns the client behind the agent.
func (a *Agent) Client() *agentproto.Client { return a.client }

// Login makes one attempt to log in, to the first server that the agent is configured with. The session is served until it
// ends, and not replaced then. ctx bounds the attempt alone.
//
// An agent is logged in before its server's Handler begins. That of a [Server], by [Server.NewAgent], waits for it too: the
// server's Session, Sessions and WaitAgent have its session when Login returns, unless it has ended by then. An agent of
// [NewAgent], or one that connects to elsewhere, by [Through] or by its Servers, does not know what its server knows. A Connect
// of the test's own has to lead to the server.
func (a *Agent) Login(ctx context.Context) (*agentproto.ClientSession, error) {
	before := a.mark()
	s, err := a.client.Dial(ctx, a.cfg.Servers[0])
	if err != nil {
		return nil, err
	}
	if !a.begin() {
		s.Close("")
		return nil, errClosed
	}
	a.loggedIn(s, before)
	stop := context.AfterFunc(a.ctx, func() { s.Close("agent was closed") })
	go func() {
		defer a.wg.Done()
		defer stop()
		a.receive(context.Background(), s)
		s.Close("")
	}()
	if err := a.waitServer(ctx, s, before); err != nil {
		s.Close("")
		return nil, err
	}
	return s, nil
}

// Start lets the agent stay logged in until it is closed, as a real one does. With [Agent.WaitOnline] a test learns when it
// is.
func (a *Agent) Start() {
	if !a.begin() {
		return
	}
	a.expect()
	go func() {
		defer a.wg.Done()
		_ = a.client.Run(a.ctx) // ends by Close alone
	}()
}

// begin counts something that Close waits for, unless that has begun.
func (a *Agent) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx.Err() != nil {
		return false
	}
	a.wg.Add(1)
	return true
}

// serve is the client's handler, for Start.
func (a *Agent) serve(ctx context.Context, s *agentproto.ClientSession) {
	a.mu.Lock()
	before := a.next
	a.mu.Unlock()
	a.loggedIn(s, before)
	a.receive(ctx, s)
	a.expect()
}

// expect takes the mark for the client's next login.
func (a *Agent) expect() {
	next := a.mark()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = next
}

func (a *Agent) loggedIn(s *agentproto.ClientSession, before mark) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session, a.before = s, before
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// identity is what the agent's server knows it by.
func (a *Agent) identity() identity {
	return identity{a.NodeID(), a.cfg.Capabilities.Has(agentproto.CapRecovery)}
}

// mark is taken before a login, for waitServer.
func (a *Agent) mark() mark {
	if a.server == nil {
		return mark{}
	}
	return a.server.registry.mark(a.identity())
}

// waitServer waits until the agent's server has the session that began after the mark, or that has ended.
func (a *Agent) waitServer(ctx context.Context, s *agentproto.ClientSession, before mark) error {
	if a.server == nil || s.Server() != a.server.ServerAddress() {
		return nil
	}
	return a.server.registry.wait(ctx, a.identity(), before, s.Done())
}

// receive reports and then answers until the session ends.
func (a *Agent) receive(ctx context.Context, s *agentproto.ClientSession) {
	if a.CoreInfo != nil && s.Send(ctx, a.CoreInfo) != nil {
		return // the session has ended
	}
	mux := a.Mux
	mux.Other = func(ctx context.Context, s *agentproto.ClientSession, ev agentproto.Event) {
		if a.Mux.Other != nil {
			a.Mux.Other(ctx, s, ev)
		}
		a.inbox.add(ev)
	}
	mux.Serve(ctx, s)
}

// OnConsole answers console commands with what f returns.
func (a *Agent) OnConsole(f func(command string) string) {
	agentproto.Handle(&a.Mux, func(ctx context.Context, s *agentproto.ClientSession, m *agentproto.ConsoleCommand) {
		answer := &agentproto.ConsoleOutput{Value: agentproto.AgentText(f(m.Value))}
		answer.SessionID = agentproto.AgentString(m.SessionID)
		_ = s.Send(ctx, answer) // failing, the session has ended
	})
}

// Session returns the newest session, which may have ended, or nil if there was none.
func (a *Agent) Session() *agentproto.ClientSession {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session
}

// WaitOnline waits until the agent is logged in and returns its session. Like Login it waits for the agent's [Server] too.
func (a *Agent) WaitOnline(ctx context.Context) (*agentproto.ClientSession, error) {
	for {
		a.mu.Lock()
		if s, before := a.session, a.before; s != nil && s.Err() == nil {
			a.mu.Unlock()
			if err := a.waitServer(ctx, s, before); err != nil {
				return nil, err
			}
			if s.Err() == nil {
				return s, nil
			}
			continue // with a newer one
		}
		if a.changed == nil {
			a.changed = make(chan struct{})
		}
		changed := a.changed
		a.mu.Unlock()
		select {
		case <-changed:
		case <-a.ctx.Done():
			return nil, errClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// ErrOffline is returned by Send of an agent that is not logged in.
var ErrOffline = errors.New("agenttest: agent is not logged in")

// Send sends a message in the newest session.
func (a *Agent) Send(ctx context.Context, m agentproto.JSONMessage) error {
	s := a.Session()
	if s == nil {
		return ErrOffline
	}
	return s.Send(ctx, m)
}

// Wait takes the oldest event that the Mux did not take and that matches, of any session, waiting for it as long as ctx
// allows. It leaves the others. For one type of message there is [WaitMessage].
func (a *Agent) Wait(ctx context.Context, match func(agentproto.Event) bool) (agentproto.Event, error) {
	return a.inbox.Wait(ctx, match)
}

// Close ends the agent's sessions and what Start started, and waits for their end.
func (a *Agent) Close() {
	a.mu.Lock()
	a.cancel()
	a.mu.Unlock()
	a.wg.Wait()
	a.inbox.end(errClosed)
}
