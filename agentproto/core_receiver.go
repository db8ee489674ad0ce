package agentproto

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
)

// maxReceivedCore bounds an inflated core. The largest stock one has 671 KB.
const maxReceivedCore = 16 << 20

// CoreHost keeps and runs cores for an agent that has a JavaScript engine.
type CoreHost interface {
	// LoadCore returns the stored core, with the four bytes before its text, or nil if there is none.
	LoadCore() ([]byte, error)
	// StoreCore stores a core, which it may keep, and starts it in place of the one that runs. Nil stops and deletes.
	StoreCore(core []byte) error
	// StartCore starts the stored core if it does not run: the server agrees with it. An agent does not start a stored
	// core by itself, or only after a minute without the server's word.
	StartCore() error
}

// Updater replaces an agent's executable.
type Updater interface {
	// ExecutableHash returns the hash of the running executable; see the function of that name.
	ExecutableHash() (Hash, error)
	// BeginUpdate drops what an earlier update left.
	BeginUpdate() error
	// WriteUpdate takes the next part of the new executable, or of a ZIP file with it. The bytes are valid during the call.
	WriteUpdate(block []byte) error
	// EndUpdate checks the whole against the hash, replaces the executable and restarts.
	EndUpdate(hash Hash) error
}

// CoreReceiver is the agent's side of a [CoreExchange], without I/O but for what Host and Updater do. Without them it
// gives the answers with which a stock server leaves an agent alone: a core of its own (48 zero bytes) and an executable
// that is never updated (48 zero bytes). An answer of "no core" would be sent 600 KB, five times.
type CoreReceiver struct {
	Host    CoreHost
	Updater Updater

	updating bool
}

// Handles reports whether a command belongs to the exchange.
func (r *CoreReceiver) Handles(cmd Command) bool {
	switch cmd {
	case CmdCoreModule, CmdCompressedCoreModule, CmdCoreHash, CmdCoreOK, CmdAgentHash, CmdAgentUpdate, CmdUpdateBlock:
		return true
	default:
		return false
	}
}

// Handle takes one command of the server and returns the replies to send. An error is of the message or of the host; the
// exchange goes on.
func (r *CoreReceiver) Handle(msg []byte) ([][]byte, error) {
	cmd, _ := PeekCommand(msg)
	switch cmd {
	case CmdCoreModule:
		m, err := ParseCoreModule(msg)
		if err != nil {
			return nil, err
		}
		return r.handleCore(m.RequestID, m.Hash, m.Core, nil)
	case CmdCompressedCoreModule:
		m, err := ParseCompressedCoreModule(msg)
		if err != nil {
			return nil, err
		}
		var core []byte
		if m.Deflated != nil {
			core, err = InflateCore(m.Deflated, maxReceivedCore)
		}
		return r.handleCore(m.RequestID, m.Hash, core, err)
	case CmdCoreHash:
		m, err := ParseCoreHashRequest(msg)
		if err != nil {
			return nil, err
		}
		return r.handleHashRequest(m.RequestID)
	case CmdCoreOK:
		if _, err := ParseCoreOK(msg); err != nil || r.Host == nil {
			return nil, err
		}
		return nil, r.Host.StartCore()
	case CmdAgentHash:
		m, err := ParseAgentHashRequest(msg)
		if err != nil {
			return nil, err
		}
		return r.handleAgentHash(m.RequestID)
	case CmdAgentUpdate:
		m, err := ParseAgentUpdate(msg)
		if err != nil {
			return nil, err
		}
		return nil, r.handleUpdate(m)
	case CmdUpdateBlock:
		m, err := ParseUpdateBlock(msg)
		if err != nil {
			return nil, err
		}
		return r.handleBlock(m)
	default:
		return nil, unexpected(cmd, "is no part of a core exchange")
	}
}

// handleCore stores a core that has the hash it shall have, and deletes the stored one otherwise, as the native agent does.
func (r *CoreReceiver) handleCore(id uint16, want Hash, core []byte, err error) ([][]byte, error) {
	if r.Host == nil {
		return wire(CoreHash{RequestID: id, HasCore: true}), nil
	}
	none := wire(CoreHash{RequestID: id})
	if err == nil && core != nil && sha512.Sum384(core) != want {
		err = fmt.Errorf("%w: core does not have its hash", ErrMalformed)
	}
	if err != nil || core == nil {
		return none, errors.Join(err, r.Host.StoreCore(nil))
	}
	core = bytes.Clone(core) // the message's memory is used again
	if err := r.Host.StoreCore(core); err != nil {
		return none, fmt.Errorf("storing the core: %w", err)
	}
	return wire(CoreHash{RequestID: id, HasCore: true, Hash: want}), nil
}

func (r *CoreReceiver) handleHashRequest(id uint16) ([][]byte, error) {
	if r.Host == nil {
		return wire(CoreHash{RequestID: id, HasCore: true}), nil
	}
	core, err := r.Host.LoadCore()
	if err != nil || core == nil {
		return wire(CoreHash{RequestID: id}), err
	}
	return wire(CoreHash{RequestID: id, HasCore: true, Hash: sha512.Sum384(core)}), nil
}

func (r *CoreReceiver) handleAgentHash(id uint16) ([][]byte, error) {
	reply := AgentHash{RequestID: id}
	var err error
	if r.Updater != nil {
		if reply.Hash, err = r.Updater.ExecutableHash(); err != nil {
			reply.Hash = Hash{}
		}
	}
	return wire(reply), err
}

func (r *CoreReceiver) handleUpdate(m AgentUpdate) error {
	if r.Updater == nil {
		return unexpected(CmdAgentUpdate, "this agent is not updated")
	}
	if !m.End {
		r.updating = false
		if err := r.Updater.BeginUpdate(); err != nil {
			return fmt.Errorf("beginning the update: %w", err)
		}
		r.updating = true
		return nil
	}
	if !r.updating {
		return unexpected(CmdAgentUpdate, "end without a beginning")
	}
	r.updating = false
	return r.Updater.EndUpdate(m.Hash)
}

func (r *CoreReceiver) handleBlock(m UpdateBlock) ([][]byte, error) {
	if !r.updating {
		return nil, unexpected(CmdUpdateBlock, "no update is under way")
	}
	if err := r.Updater.WriteUpdate(m.Data); err != nil {
		r.updating = false // without an acknowledgement the server stops
		return nil, fmt.Errorf("writing the update: %w", err)
	}
	return wire(UpdateAck{RequestID: m.RequestID}), nil
}
