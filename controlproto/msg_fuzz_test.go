package controlproto

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzAction reads a message as the request and as the reply of its action, writes it, and reads that.
func FuzzAction(f *testing.F) {
	for _, name := range []string{"client.jsonl", "client-source.jsonl", "server.jsonl", "server-source.jsonl"} {
		for _, line := range messages(f, name) {
			f.Add([]byte(line))
		}
	}
	for _, s := range Actions() {
		for _, empty := range []func() Message{s.Request, s.Reply} {
			if empty == nil {
				continue
			}
			b, err := AppendMessage(nil, filled(empty()), Correlation{Tag: json.RawMessage(`1`)})
			require.NoError(f, err)
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseRequest(data)
		if err != nil {
			require.ErrorIs(t, err, ErrMessage)
			return
		}
		s, ok := LookupAction(e.Action)
		if !ok {
			s.Request = func() Message { return new(Unknown) }
		}
		again(t, e, s.Request)
		again(t, e, func() Message { return new(Result) })
		if s.Reply != nil && s.Reply().Action() == s.Action {
			again(t, e, s.Reply)
		}
	})
}

// again writes what e holds, and checks that reading it gives the same.
func again(t *testing.T, e Envelope, empty func() Message) {
	t.Helper()
	m := empty()
	if err := e.Decode(m); err != nil {
		require.ErrorIs(t, err, ErrMessage)
		return
	}
	first, err := AppendMessage(nil, m, e.Correlation)
	require.NoError(t, err, "%T", m)
	require.True(t, utf8.Valid(first), "%q", first)
	e2, err := parseEnvelope(first)
	require.NoError(t, err)
	require.Equal(t, e.Action, e2.Action)
	m2 := empty()
	require.NoError(t, e2.Decode(m2))
	second, err := AppendMessage(nil, m2, e2.Correlation)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second), "%T", m)
}
