package relay

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorded are the queries and text messages of meshctrl.js, a browser's viewer and a native agent at a relay written from
// the protocol's description: the stock package 1.1.55, one line each, binary messages left out.
//
//go:embed testdata/recorded.jsonl
var recorded []byte

func TestRecorded(t *testing.T) {
	lines := bufio.NewScanner(bytes.NewReader(recorded))
	queries, controls := 0, 0
	for lines.Scan() {
		var l struct{ Session, Query, Text string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &l))
		if l.Query != "" {
			q, err := ParseQuery(l.Query)
			require.NoError(t, err)
			require.Equal(t, l.Query, q.Encode(), l.Session)
			require.Empty(t, q.Extra)
			queries++
			continue
		}
		c, err := ParseControl([]byte(l.Text))
		if err != nil { // the protocol's own
			require.ErrorIs(t, err, ErrControl)
			require.NotContains(t, l.Text, "ctrlChannel")
			continue
		}
		_, unknown := c.(*UnknownControl)
		require.False(t, unknown, l.Text)
		b, err := AppendControl(nil, c)
		require.NoError(t, err)
		require.Equal(t, l.Text, string(b), l.Session)
		controls++
	}
	require.Equal(t, []int{8, 4}, []int{queries, controls})
}
