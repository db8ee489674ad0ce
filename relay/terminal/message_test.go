package terminal

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// line is a message of a recorded tunnel.
type line struct {
	Dir  string  `json:"dir"`
	Text *string `json:"text"`
	Hex  string  `json:"hex"`
}

func (l line) message(t testing.TB) (Type, []byte) {
	if l.Text != nil {
		return Text, []byte(*l.Text)
	}
	b, err := hex.DecodeString(l.Hex)
	require.NoError(t, err)
	return Binary, b
}

// recording is what passed through a recorded tunnel.
func recording(t testing.TB, name string) []line {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer f.Close()
	var lines []line
	for in := bufio.NewScanner(f); in.Scan(); {
		var l line
		require.NoError(t, json.Unmarshal(in.Bytes(), &l))
		if l.Dir != "" && (l.Text != nil || l.Hex != "") {
			lines = append(lines, l)
		}
	}
	require.NotEmpty(t, lines)
	return lines
}

// Recorded sessions decode and encode to the same bytes.
func TestRecordings(t *testing.T) {
	for _, name := range []string{"relay-terminal-viewer.jsonl", "relay-terminal-agent.jsonl"} {
		var kinds []Message
		for _, l := range recording(t, name) {
			typ, b := l.message(t)
			m, err := Parse(typ, b)
			require.NoError(t, err, "%q", b)
			gotType, got, err := Append(nil, m)
			require.NoError(t, err)
			require.Equal(t, typ, gotType)
			require.Equal(t, string(b), string(got))
			if _, ok := m.(Data); !ok {
				kinds = append(kinds, m)
			}
		}
		require.Equal(t, []Message{Ready{}, &Options{}, Start{System}}, kinds)
	}
}

func TestParse(t *testing.T) {
	id := ConsoleDenied
	for text, want := range map[string]Message{
		`cr`: Ready{Recorded: true},
		`9`:  Start{UserPowerShell},
		`{"ctrlChannel":"102938","type":"options","cols":80,"rows":25,"requireLogin":true,"consent":16,"xterm":true}`: &Options{
			Cols: 80, Rows: 25, RequireLogin: true, Consent: 16, Extra: map[string]json.RawMessage{"xterm": json.RawMessage("true")},
		},
		`{"ctrlChannel":"102938","type":"termsize","cols":100,"rows":30}`:          &Resize{Cols: 100, Rows: 30},
		`{"ctrlChannel":"102938","type":"ping"}`:                                   &Ping{},
		`{"ctrlChannel":"102938","type":"pong"}`:                                   &Pong{},
		`{"ctrlChannel":"102938","type":"rtt","time":17.5}`:                        &RTT{Time: json.RawMessage("17.5")},
		`{"ctrlChannel":"102938","type":"close"}`:                                  &Close{},
		`{"ctrlChannel":"102938","type":"console","msg":"Denied","msgid":2}`:       &Console{Msg: "Denied", ID: &id},
		`{"ctrlChannel":"102938","type":"offer","sdp":"v=0"}`:                      &Unknown{Type: "offer", Extra: map[string]json.RawMessage{"sdp": json.RawMessage(`"v=0"`)}},
		`{"ctrlChannel":"102938","type":"console","msg":null,"timeout":30,"x":[]}`: &Console{Timeout: 30, Extra: map[string]json.RawMessage{"x": json.RawMessage(`[]`)}},
	} {
		m, err := Parse(Text, []byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, m)
		typ, b, err := Append(nil, want)
		require.NoError(t, err)
		require.Equal(t, Text, typ)
		require.Equal(t, text, string(b))
		// No part of a message is one, nor does it do harm.
		for i := range len(text) {
			if _, err := Parse(Text, []byte(text[:i])); text[0] == '{' {
				require.ErrorIs(t, err, ErrMessage, text[:i])
			}
		}
	}
	for _, bad := range []string{"", "ls\r", "-1", "01", "1234", `{}`, `{"type":1`, `{"a":"b"}`, `[1]`} {
		_, err := Parse(Text, []byte(bad))
		require.ErrorIs(t, err, ErrMessage, bad)
	}
}

func FuzzParse(f *testing.F) {
	for _, l := range recording(f, "relay-terminal-viewer.jsonl") {
		typ, b := l.message(f)
		f.Add(typ == Text, b)
	}
	f.Fuzz(func(t *testing.T, text bool, b []byte) {
		if len(b) > maxControlValues {
			return // near the bounds what is written may be beyond them: the marker, members that are always written, escapes
		}
		typ := Binary
		if text {
			typ = Text
		}
		m, err := Parse(typ, b)
		if err != nil {
			return
		}
		sent, out, err := Append(nil, m)
		if err != nil {
			t.Fatalf("%#v does not encode: %v", m, err)
		}
		if sent != typ {
			t.Fatalf("%#v came as %v and is sent as %v", m, typ, sent)
		}
		if text && !utf8.Valid(out) {
			t.Fatalf("%q is no text", out)
		}
		again, err := Parse(sent, out)
		if err != nil {
			t.Fatalf("%q became %q, which does not decode: %v", b, out, err)
		}
		_, out2, err := Append(nil, again)
		if err != nil || string(out) != string(out2) {
			t.Fatalf("%q, then %q: %v", out, out2, err)
		}
	})
}
