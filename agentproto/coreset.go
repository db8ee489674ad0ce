package agentproto

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
)

// CoreSet gives the cores that a server pushes to its agents. Each is made when first asked for and then kept; it is safe for
// concurrent use.
type CoreSet struct {
	source CoreSource
	fixed  *Core // the default core of every agent, instead of source

	mu    sync.Mutex
	cores map[CoreName]*Core
}

// NewCoreSet composes cores from a folder.
func NewCoreSet(source CoreSource) *CoreSet {
	return &CoreSet{source: source, cores: make(map[CoreName]*Core)}
}

// NewFixedCoreSet gives every agent that can run a core the same one, for [CoreDefault] only. core is a blob if it starts
// with four zero bytes, else a text.
func NewFixedCoreSet(core []byte) (*CoreSet, error) {
	blob := bytes.Clone(core)
	if _, err := CoreText(core); err != nil {
		blob = AppendCore(nil, core)
	}
	if len(blob) == corePrefixLen {
		return nil, errors.New("agentproto: the core is empty")
	}
	if len(blob) > maxCoreSize {
		return nil, fmt.Errorf("agentproto: the core is larger than %d bytes", maxCoreSize)
	}
	return &CoreSet{fixed: NewCore("", blob)}, nil
}

// LoadCoreSet reads path: a file with a core (text or blob), or MeshCentral's folder "agents". A folder is only looked into;
// its cores are composed when they are needed.
func LoadCoreSet(path string) (*CoreSet, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("agentproto: core: %w", err)
	}
	if info.IsDir() {
		fsys := os.DirFS(path)
		if _, err := readCoreFile(fsys, "meshcore.js"); err != nil {
			return nil, fmt.Errorf("agentproto: %s is no agents folder: %w", path, err)
		}
		return NewCoreSet(CoreSource{Agents: fsys}), nil
	}
	if info.Size() > maxCoreSize {
		return nil, fmt.Errorf("agentproto: core %s is larger than %d bytes", path, maxCoreSize)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("agentproto: core: %w", err)
	}
	set, err := NewFixedCoreSet(b)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return set, nil
}

// Core gives the core for an agent. The error is [ErrNoCore] if there is none for it, or tells what is wrong with the
// folder; such a failure is not kept, so a repaired folder works without a restart.
func (s *CoreSet) Core(id AgentID, kind CoreKind) (*Core, error) {
	arch, ok := LookupAgent(id)
	if !ok {
		return nil, ErrNoCore
	}
	name := arch.CoreFor(kind)
	if name == "" || name == CoreNodeJS {
		return nil, ErrNoCore
	}
	if s.fixed != nil {
		if kind != CoreDefault {
			return nil, ErrNoCore
		}
		return s.fixed, nil
	}
	return s.Named(name)
}

// Named gives a core by name.
func (s *CoreSet) Named(name CoreName) (*Core, error) {
	if s.fixed != nil {
		return nil, ErrNoCore
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.cores[name]; ok {
		return c, nil
	}
	blob, err := s.source.Compose(name)
	if err != nil {
		return nil, err
	}
	c := NewCore(name, blob)
	s.cores[name] = c
	return c, nil
}

// ForAgent gives the core for an agent that logs in: a ServerConfig.Core. It is nil for agents that the set has none for.
func (s *CoreSet) ForAgent(info AgentInfo) (*Core, error) {
	kind := CoreDefault
	if info.Capabilities.Has(CapRecovery) {
		kind = CoreAgentRecovery
	}
	core, err := s.Core(info.AgentID, kind)
	if errors.Is(err, ErrNoCore) {
		return nil, nil
	}
	return core, err
}
