package agentproto

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Peer is what is known of an agent's connection before a message was read.
type Peer struct {
	// Addr is the agent's address, as seen from outside if a trusted proxy tells it. It may be invalid on connections
	// that have none.
	Addr netip.Addr
	// ServerName is the name that the agent connected to: that of TLS, or of the Host header.
	ServerName string
	// Domain is the server's domain, "" for the default one. It becomes part of the node's key.
	Domain string
	// Port is that of the agent's end of the connection, or of the proxy's in front; 0 is not known.
	Port uint16
}

// Session is an agent that is logged in, as seen from the server. Its methods may be called at any time from any
// goroutine, but only one goroutine receives.
type Session struct {
	link
	server     *Server
	key        nodeid.NodeKey
	info       AgentInfo
	peer       Peer
	generation uint64
	since      time.Time
	reported   atomic.Uint32 // reportNone, reportLogin or reportEnd, whichever came first

	pulse

	coreMu    sync.Mutex // also held while what core says is queued, so that it leaves in that order
	core      *CoreExchange
	pushing   bool       // pushCore waits for a place
	coreEvent *CoreEvent // of Start, for the first Receive
}

// Of the two reports about a session the login's comes first, whatever happened first.
const (
	reportNone uint32 = iota
	reportLogin
	reportEnd
)

// NodeKey returns the device's key, node/DOMAIN/ID.
func (s *Session) NodeKey() nodeid.NodeKey { return s.key }

// Info returns what the agent said of itself when it logged in.
func (s *Session) Info() AgentInfo { return s.info }

// Peer returns the connection's address and names.
func (s *Session) Peer() Peer { return s.peer }

// Since returns when the agent logged in.
func (s *Session) Since() time.Time { return s.since }

// Generation returns a number that is higher for every newer connection to the same server.
func (s *Session) Generation() uint64 { return s.generation }

// Temporary reports whether the agent was started for this connection only. Its device ceases to exist with the
// session; see [Session.Err] for the case that a newer one replaced it.
func (s *Session) Temporary() bool { return s.info.Capabilities.Has(CapTemporary) }

// Recovery reports whether this is a recovery agent, which repairs the main one and is no device of its own.
func (s *Session) Recovery() bool { return s.info.Capabilities.Has(CapRecovery) }

// LogValue logs the node's key and its address.
func (s *Session) LogValue() slog.Value {
	return slog.GroupValue(slog.String("node", s.key.String()), slog.String("addr", s.peer.Addr.String()))
}

// String returns the node's key.
func (s *Session) String() string { return s.key.String() }

// Close ends the session. The agent is told the reason and will reconnect. What is still queued is dropped; Flush first if
// it matters.
func (s *Session) Close(reason string) {
	s.end(msgconn.CloseNormal, reason, &Error{Phase: PhaseSession, Err: fmt.Errorf("%w: closed here: %s", net.ErrClosed, reason)})
}

// end takes the session out of the server's registry, closes the connection and, the first time, reports why.
func (s *Session) end(code int, reason string, cause error) {
	first := s.server.remove(s)
	s.link.close(code, reason, cause)
	if first {
		s.server.ended(s)
	}
}

// Receive returns what the agent did next. It answers pings and runs the core exchange on the way. One goroutine calls
// it, until it fails; a ctx that ends, ends the session. A session that nobody receives from stands still.
func (s *Session) Receive(ctx context.Context) (Event, error) {
	if ev := s.takeCoreEvent(); ev != nil {
		return *ev, nil
	}
	for {
		s.read(true)
		typ, msg, err := s.conn.ReadMessage(ctx)
		s.read(false)
		if err != nil {
			return nil, s.receiveFailed(err)
		}
		ev, err := s.handle(ctx, typ, msg)
		if err != nil {
			return nil, s.receiveFailed(err)
		}
		if ev != nil {
			return ev, nil
		}
	}
}

// Events calls Receive until the session ends. The last pair holds the error that ended it.
func (s *Session) Events(ctx context.Context) iter.Seq2[Event, error] {
	return receiveAll(ctx, s.Receive)
}

// receiveFailed ends the session after an error of the connection and returns why it ended, which may have been
// decided earlier and elsewhere.
func (s *Session) receiveFailed(err error) error {
	s.end(sessionFailure(err))
	return s.Err()
}

// handle takes one message after the login.
func (s *Session) handle(ctx context.Context, _ msgconn.Type, msg []byte) (Event, error) {
	if len(msg) < 2 {
		return nil, nil // the Android agent keeps its connection alive with single zero bytes
	}
	if IsJSON(msg) {
		return s.handleJSON(ctx, msg)
	}
	cmd, _ := PeekCommand(msg)
	switch cmd {
	case CmdCoreHash, CmdAgentHash, CmdUpdateBlock:
		return s.handleCore(ctx, msg)
	case CmdAgentTag:
		m, err := ParseAgentTag(msg)
		if err != nil {
			return BadMessageEvent{err}, nil
		}
		return TagEvent{Tag: m.Info()}, nil
	default:
		return BadMessageEvent{unexpected(cmd, "after the login")}, nil
	}
}

func (s *Session) handleJSON(ctx context.Context, msg []byte) (Event, error) {
	m, err := parseAside(msg)
	if err != nil {
		return BadMessageEvent{err}, nil
	}
	return answerPing(ctx, &s.link, m)
}

// parseAside parses on a goroutine that ends. The parser's depth would grow the stack of the receiving one from 4 to 8 KiB,
// and that one stays for as long as the agent is online: with thousands of idle agents the stacks are a third of all memory.
func parseAside(msg []byte) (m JSONMessage, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		m, err = ParseAgentMessage(msg)
	}()
	<-done
	return m, err
}

func (s *Session) takeCoreEvent() *CoreEvent {
	s.coreMu.Lock()
	defer s.coreMu.Unlock()
	ev := s.coreEvent
	s.coreEvent = nil
	return ev
}

func (s *Session) coreEventLocked() *CoreEvent {
	ev := &CoreEvent{Phase: s.core.Phase()}
	ev.Hash, ev.HasCore = s.core.CoreHash()
	ev.Sent, ev.Total = s.core.Progress()
	return ev
}

func (s *Session) handleCore(ctx context.Context, msg []byte) (Event, error) {
	s.coreMu.Lock()
	defer s.coreMu.Unlock()
	out, err := s.core.Handle(msg)
	if err != nil {
		return BadMessageEvent{err}, nil
	}
	if err := s.sendAll(ctx, out); err != nil {
		return nil, err
	}
	if s.core.WantsPush() && !s.pushing {
		s.pushing = true
		go s.pushCore()
	}
	return *s.coreEventLocked(), nil
}

// pushCore sends the core when one of the server's places for that is free, and keeps the place until it is written.
func (s *Session) pushCore() {
	free := s.server.takePush(s.closed)
	if free == nil {
		return
	}
	defer free()
	// No deadline of its own: the link's write time-out ends it if the agent does not take the core.
	ctx := context.Background()
	s.coreMu.Lock()
	s.pushing = false
	err := s.sendAll(ctx, s.core.Push())
	s.coreMu.Unlock()
	if err == nil {
		_ = s.Flush(ctx) // failing, it has closed the session and told why
	}
}

// SetCore wants another core of the agent from now on and pushes it if the agent has not got it.
func (s *Session) SetCore(ctx context.Context, core *Core) error {
	if core == nil {
		return fmt.Errorf("agentproto: SetCore without a core")
	}
	s.coreMu.Lock()
	defer s.coreMu.Unlock()
	return s.sendAll(ctx, s.core.Replace(core))
}

// ClearCore takes the agent's core away, until its next login or [Session.SetCore].
func (s *Session) ClearCore(ctx context.Context) error {
	s.coreMu.Lock()
	defer s.coreMu.Unlock()
	return s.sendAll(ctx, s.core.Clear())
}
