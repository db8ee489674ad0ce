package storetest_test

import (
	"testing"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/controlproto/controlserver/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) controlserver.Store { return &controlserver.MemoryStore{} })
}
