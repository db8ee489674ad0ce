package controlproto

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// readLines gives the messages of a file of testdata.
func readLines(t testing.TB, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if s.Text() != "" {
			lines = append(lines, s.Text())
		}
	}
	require.NoError(t, s.Err())
	require.NotEmpty(t, lines)
	return lines
}

// clientMessage decodes what an operator sends.
func clientMessage(t testing.TB, e Envelope) Message {
	t.Helper()
	if e.Action == "msg" {
		m, err := ParseDeviceMessage(e)
		require.NoError(t, err)
		return m
	}
	s, ok := LookupAction(e.Action)
	require.True(t, ok, e.Action)
	m := s.Request()
	require.NoError(t, e.Decode(m))
	return m
}

// serverMessage decodes what a server sends.
func serverMessage(t testing.TB, e Envelope) Message {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(e.Raw, &members))
	s, known := LookupAction(e.Action)
	var m Message
	switch {
	case e.Action == "event":
		m = new(EventPush)
	case e.Action == "updatePluginList":
		m = new(PluginList)
	case e.Action == "pluginVersionsAvailable":
		m = new(PluginVersionsAvailable)
	case e.Action == "downgradePluginVersions":
		m = new(DowngradePluginVersions)
	case e.Action == "pluginError":
		m = new(PluginError)
	case e.Action == "plugin":
		m = new(Plugin)
	case e.Action == "openUrl":
		m = new(OpenURL)
	case e.Action == "getClip":
		m = new(GetClip)
	case e.Action == "setClip":
		m = new(SetClip)
	case e.Action == "removeDeviceShare" && members["publicid"] != nil:
		m = new(RemovedDeviceShare)
	case e.Action == "msg" && members["type"] != nil:
		m, err := ParseAgentMessage(e)
		require.NoError(t, err)
		return m
	case known && s.Reply != nil && (members["result"] == nil || len(members) > 3):
		m = s.Reply()
	default:
		m = new(Result)
	}
	require.NoError(t, e.Decode(m))
	return m
}

// jsonValue decodes and takes out members that are null: peers do not tell them from absent ones.
func jsonValue(t testing.TB, text []byte) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(text, &v), "%s", text)
	return withoutNulls(v)
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
			} else {
				v[name] = withoutNulls(member)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// Messages survive: reading and writing gives the same JSON value, with every member named by a struct.
func TestGoldenMessages(t *testing.T) {
	for name, decode := range map[string]func(testing.TB, Envelope) Message{
		"devices-client.jsonl": clientMessage, "devices-server.jsonl": serverMessage,
		"devices-client-source.jsonl": clientMessage, "devices-server-source.jsonl": serverMessage,
	} {
		for _, line := range readLines(t, name) {
			e, err := parseEnvelope([]byte(line))
			require.NoError(t, err)
			m := decode(t, e)
			require.Equal(t, e.Action, m.Action())
			b, err := AppendMessage(nil, m, e.Correlation)
			require.NoError(t, err)
			if e.Action == "event" && !bytes.Contains(e.Raw, []byte(`"domain":"`)) {
				b = bytes.Replace(b, []byte(`"domain":"",`), nil, 1) // some of the server's events lack it
			}
			require.Equal(t, jsonValue(t, []byte(line)), jsonValue(t, b), "%s: %T\n%s", name, m, line)
			if _, plugin := m.(*Plugin); !plugin {
				require.Empty(t, *extraOf(m), "%s: %T\n%s", name, m, line)
			}
			checkEvents(t, m)
		}
	}
}

// checkEvents decodes the details of events, which must name all members too.
func checkEvents(t testing.TB, m Message) {
	t.Helper()
	var events []Event
	switch m := m.(type) {
	case *EventPush:
		events = append(events, m.Event)
	case *EventsReply:
		events = m.Events
	}
	for _, e := range events {
		d, err := e.Detail()
		require.NoError(t, err)
		again := e
		require.NoError(t, again.SetDetail(d))
		require.Equal(t, e.Action, again.Action)
		want, err := json.Marshal(e.Extra)
		require.NoError(t, err)
		got, err := json.Marshal(again.Extra)
		require.NoError(t, err)
		require.Equal(t, jsonValue(t, want), jsonValue(t, got), "event %s", e.Action)
		require.Empty(t, *extraOf(d), "event %s", e.Action)
	}
}
