package web

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

// TestFeedGathers has devices change while a page is at something else: it learns of each once, and is woken once.
func TestFeedGathers(t *testing.T) {
	a, b := nodeid.NodeKey{ID: nodeid.NodeID{1}}, nodeid.NodeKey{ID: nodeid.NodeID{2}}
	var f Feed
	f.Changed(a) // to nobody
	s := f.subscribe()
	f.Changed(a, b)
	f.Changed(a)
	require.NoError(t, s.wait(t.Context()))
	require.ElementsMatch(t, []nodeid.NodeKey{a, b}, s.take())
	require.Empty(t, s.wake)
	require.Empty(t, s.take())

	f.Changed(b)
	require.Len(t, s.wake, 1)
	require.Equal(t, []nodeid.NodeKey{b}, s.take())
	require.Empty(t, s.wake, "what was taken wakes nobody any more")
	s.close()
	f.Changed(a)
	require.Empty(t, s.take())
	require.Empty(t, f.subs)
}
