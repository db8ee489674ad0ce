package agentproto

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/nodeid"
)

// Core is replaced by the commit that composes cores.
type Core struct {
	blob []byte
	hash Hash
}

// Hash returns the core's hash.
func (c *Core) Hash() Hash { return c.hash }

func (c *Core) message(bool) []byte {
	b, _ := CoreModule{Hash: c.hash, Core: c.blob}.AppendBinary(nil)
	return b
}

func discoverServer(context.Context, nodeid.ServerID, string) (string, error) {
	return "", errors.New("agentproto: discovery comes with a later commit")
}
