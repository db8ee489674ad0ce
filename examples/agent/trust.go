package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/nodeid"
)

// trustFile is an [agentproto.TrustStore] in a file. It remembers one certificate of each server, the last, as native
// agents do: one that a server no longer has may be in other hands one day.
type trustFile struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	known map[nodeid.ServerID]agentproto.Hash
}

// openTrustFile reads the file. One that can not be read is begun anew, as all it holds can be proved again.
func openTrustFile(path string, log *slog.Logger) *trustFile {
	t := &trustFile{path: path, log: log}
	b, err := readBounded(path)
	if err == nil {
		err = json.Unmarshal(b, &t.known)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("forgot which servers have proved themselves", "reason", err)
	}
	if err != nil || t.known == nil {
		t.known = make(map[nodeid.ServerID]agentproto.Hash)
	}
	return t
}

// Trusted implements [agentproto.TrustStore].
func (t *trustFile) Trusted(id nodeid.ServerID, web agentproto.Hash) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.known[id]
	return ok && known == web
}

// Trust implements [agentproto.TrustStore].
func (t *trustFile) Trust(id nodeid.ServerID, web agentproto.Hash) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[id] = web
	b, err := json.MarshalIndent(t.known, "", "  ")
	if err == nil {
		err = replaceFile(t.path, append(b, '\n'))
	}
	if err != nil {
		t.log.Warn("could not remember that a server has proved itself", "reason", err)
	}
}
