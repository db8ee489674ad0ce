package agentproto

import (
	"fmt"
)

// maxCoreRounds is how often a core is pushed to an agent that keeps coming back with another hash, before the server
// gives up (meshagent.js, agentCoreCheck).
const maxCoreRounds = 5

// CorePhase is where a [CoreExchange] is.
type CorePhase uint8

const (
	// CoreIdle is before Start.
	CoreIdle CorePhase = iota
	// CoreAsking waits for the agent's hashes.
	CoreAsking
	// CorePushing waits for the agent to confirm a core that it was sent.
	CorePushing
	// CoreStable is an agent that runs the core it shall run, or needs none.
	CoreStable
	// CoreRefused is an agent that did not keep the core, however often it was sent. It stays online.
	CoreRefused
	// CoreUpdating is an agent whose executable is being replaced. It will disconnect.
	CoreUpdating
	// CoreUpdated is an agent that was sent its new executable. It disconnects and comes back.
	CoreUpdated
)

var corePhaseNames = [...]string{"idle", "asking", "pushing", "stable", "refused", "updating", "updated"}

// String returns the name of the phase.
func (p CorePhase) String() string {
	if int(p) < len(corePhaseNames) {
		return corePhaseNames[p]
	}
	return fmt.Sprintf("CorePhase(%d)", uint8(p))
}

// CoreExchangeConfig is what a server wants of an agent. The zero value leaves the agent as it is.
type CoreExchangeConfig struct {
	// Core is the core that the agent shall run. Nil lets it run the one it has.
	Core *Core
	// Binary is the executable that the agent shall have. Nil does not ask.
	Binary *AgentBinary
	// Capabilities are the agent's, from its command 3.
	Capabilities Capabilities
	// Compress sends cores deflated (command 20) to agents that take it. The stock server never does.
	Compress bool
}

// CoreExchange is the server's side of keeping an agent's core and executable current, without I/O (meshagent.js,
// cases 11, 12 and 14):
//
//	server                        agent
//	12 AgentHashRequest        ->               only if there is a Binary
//	                           <- 12 AgentHash
//	11 CoreHashRequest         ->               if it differs: 10 clear, 13, 14 ..., 13 instead
//	                           <- 11 CoreHash
//	10 CoreModule              ->               only if it differs
//	                           <- 11 CoreHash
//	16 CoreOK                  ->
//
// Every method returns messages to send, in order. They may be shared and must not be changed.
type CoreExchange struct {
	cfg     CoreExchangeConfig
	phase   CorePhase
	rounds  int
	hash    Hash
	hasHash bool
	sent    int  // bytes of the update
	pushed  bool // the core of this round is on its way
}

// NewCoreExchange returns an exchange that has not begun.
func NewCoreExchange(cfg CoreExchangeConfig) *CoreExchange {
	if cfg.Binary != nil && cfg.Binary.zipped && !cfg.Capabilities.Has(CapCompression) {
		cfg.Binary = nil // the agent could not unpack it
	}
	return &CoreExchange{cfg: cfg}
}

// Phase returns where the exchange is.
func (x *CoreExchange) Phase() CorePhase { return x.phase }

// CoreHash returns the hash that the agent reported last, if it has a core.
func (x *CoreExchange) CoreHash() (h Hash, ok bool) { return x.hash, x.hasHash }

// Progress returns how many bytes of an update were sent, and how many there are.
func (x *CoreExchange) Progress() (sent, total int) {
	if x.cfg.Binary == nil {
		return 0, 0
	}
	return x.sent, len(x.cfg.Binary.data)
}

// WantsPush reports whether what was returned by the last call should be followed by [CoreExchange.Push]. The pause
// between lets a driver bound how many cores are on the way at once.
func (x *CoreExchange) WantsPush() bool { return x.phase == CorePushing && !x.pushed }

// Start begins, once the agent is logged in.
func (x *CoreExchange) Start() [][]byte {
	x.phase, x.rounds, x.sent, x.pushed = CoreAsking, 0, 0, false
	if x.cfg.Binary != nil {
		return wire(AgentHashRequest{})
	}
	return x.askCore()
}

// Replace wants another core from now on and begins anew.
func (x *CoreExchange) Replace(core *Core) [][]byte {
	if x.phase == CoreUpdating || x.phase == CoreUpdated {
		return nil // the agent is about to restart, and asked again then
	}
	x.cfg.Core = core
	x.phase, x.rounds, x.pushed = CoreAsking, 0, false
	return x.askCore()
}

// Clear takes the agent's core away.
func (x *CoreExchange) Clear() [][]byte {
	if x.phase == CoreUpdating || x.phase == CoreUpdated {
		return nil
	}
	x.cfg.Core = nil
	x.phase = CoreAsking
	return wire(CoreModule{})
}

// askCore asks for the core's hash, of agents that run cores.
func (x *CoreExchange) askCore() [][]byte {
	if !x.cfg.Capabilities.Has(CapCore) {
		x.phase = CoreStable
		return nil
	}
	return wire(CoreHashRequest{})
}

// Handle takes a command 11, 12 or 14 of the agent. Others are an error, and so are malformed ones; neither ends the exchange.
func (x *CoreExchange) Handle(msg []byte) ([][]byte, error) {
	cmd, _ := PeekCommand(msg)
	switch cmd {
	case CmdAgentHash:
		m, err := ParseAgentHash(msg)
		if err != nil {
			return nil, err
		}
		return x.handleAgentHash(m), nil
	case CmdCoreHash:
		m, err := ParseCoreHash(msg)
		if err != nil {
			return nil, err
		}
		return x.handleCoreHash(m), nil
	case CmdUpdateBlock:
		m, err := ParseUpdateAck(msg)
		if err != nil {
			return nil, err
		}
		return x.handleAck(m), nil
	default:
		return nil, unexpected(cmd, "is no part of a core exchange")
	}
}

func (x *CoreExchange) handleAgentHash(m AgentHash) [][]byte {
	if x.phase != CoreAsking || x.cfg.Binary == nil {
		return nil
	}
	if m.NeverUpdate() || m.Hash == x.cfg.Binary.hash {
		return x.askCore()
	}
	// The core is cleared first, so that nothing runs while the executable is replaced.
	x.phase = CoreUpdating
	return append(wire(CoreModule{}, AgentUpdate{}), x.nextBlock()...)
}

// nextBlock returns the next block of the update, and behind the last one the end. As with the stock server, that does
// not wait for the last block's acknowledgement.
func (x *CoreExchange) nextBlock() [][]byte {
	data := x.cfg.Binary.data[x.sent:]
	data = data[:min(len(data), MaxUpdateBlock)]
	x.sent += len(data)
	out := wire(UpdateBlock{RequestID: updateRequestID, Data: data})
	if x.sent == len(x.cfg.Binary.data) {
		x.phase = CoreUpdated
		out = append(out, wire(AgentUpdate{End: true, Hash: x.cfg.Binary.sentHash()})...)
	}
	return out
}

// updateRequestID is the request id of update blocks, and of acknowledgements that count (meshagent.js, case 14).
const updateRequestID = 1

func (x *CoreExchange) handleAck(m UpdateAck) [][]byte {
	if x.phase != CoreUpdating || m.RequestID != updateRequestID {
		return nil
	}
	return x.nextBlock()
}

func (x *CoreExchange) handleCoreHash(m CoreHash) [][]byte {
	if x.phase == CoreUpdating || x.phase == CoreUpdated || x.phase == CoreIdle {
		return nil
	}
	x.hash, x.hasHash = m.Hash, m.HasCore
	own := m.HasCore && m.Hash == Hash{} // a core of the agent's own that it wants to keep
	want := x.cfg.Core
	if own || want == nil || m.HasCore && m.Hash == want.Hash {
		x.phase, x.rounds = CoreStable, 0
		return wire(CoreOK{})
	}
	if x.phase == CorePushing && !x.pushed {
		return nil // it is told again what is known: a push is due
	}
	if x.rounds >= maxCoreRounds {
		x.phase = CoreRefused
		return nil
	}
	x.phase, x.pushed = CorePushing, false
	return nil
}

// Push returns the core to send after [CoreExchange.WantsPush].
func (x *CoreExchange) Push() [][]byte {
	if !x.WantsPush() {
		return nil
	}
	x.rounds++
	x.pushed = true
	return [][]byte{x.cfg.Core.message(x.cfg.Compress && x.cfg.Capabilities.Has(CapCompression))}
}

// wire encodes messages whose encoding can not fail.
func wire(msgs ...Message) [][]byte {
	out := make([][]byte, 0, len(msgs)+1)
	for _, m := range msgs {
		b, err := m.AppendBinary(nil)
		if err != nil {
			panic("agentproto: " + err.Error()) // a bug here, never input
		}
		out = append(out, b)
	}
	return out
}
