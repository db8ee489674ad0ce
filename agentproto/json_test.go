package agentproto

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func readLines(t testing.TB, file string) [][]byte {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var lines [][]byte
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, maxJSONSize)
	for sc.Scan() {
		lines = append(lines, bytes.Clone(sc.Bytes()))
	}
	require.NoError(t, sc.Err())
	require.NotEmpty(t, lines)
	return lines
}

// meaning decodes JSON and drops members that are null, which the peers treat as absent.
func meaning(t testing.TB, b []byte) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(b, &v), "%s", b)
	var drop func(v any)
	drop = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				if e == nil {
					delete(v, k)
				}
				drop(e)
			}
		case []any:
			for _, e := range v {
				drop(e)
			}
		}
	}
	drop(v)
	return v
}

// roundTrip parses, writes and parses again, and demands that nothing but order and nulls changed.
func roundTrip(t *testing.T, parse func([]byte) (JSONMessage, error), line []byte) JSONMessage {
	t.Helper()
	m, err := parse(line)
	require.NoError(t, err, "%s", line)
	out, err := AppendJSON(nil, m)
	require.NoError(t, err, "%s", line)
	require.Empty(t, cmp.Diff(meaning(t, line), meaning(t, out)), "%s", line)
	again, err := parse(out)
	require.NoError(t, err)
	require.Equal(t, m, again)
	return m
}

func TestRecordedMessages(t *testing.T) {
	for _, tc := range []struct {
		file  string
		parse func([]byte) (JSONMessage, error)
	}{
		{"testdata/agent-messages.jsonl", ParseAgentMessage},
		{"testdata/server-messages.jsonl", ParseServerMessage},
	} {
		for _, line := range readLines(t, tc.file) {
			m := roundTrip(t, tc.parse, line)
			require.NotEqual(t, "*agentproto.UnknownMessage", typeName(m), "%s", line)
			require.Empty(t, extraOf(t, m), "a recorded field that no struct names: %s", line)
		}
	}
}

func typeName(m JSONMessage) string { return reflect.TypeOf(m).String() }

func extraOf(t testing.TB, m JSONMessage) map[string]json.RawMessage {
	t.Helper()
	return reflect.ValueOf(m).Elem().FieldByName("Extra").Interface().(map[string]json.RawMessage)
}
