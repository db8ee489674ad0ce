package agentproto

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

// walkTexts calls f with every text and name in a value that encoding/json decoded.
func walkTexts(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case map[string]any:
		for k, e := range v {
			f(k)
			walkTexts(e, f)
		}
	case []any:
		for _, e := range v {
			walkTexts(e, f)
		}
	}
}

func fuzzJSON(f *testing.F, parse parseFunc, agent bool) {
	forShapes(f, func(_ parseFunc, line []byte) { f.Add(line) })
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := parse(in)
		if err != nil {
			var e *JSONError
			if m != nil || !errors.As(err, &e) || len(err.Error()) > 1024 {
				t.Fatalf("%T, %v", m, err)
			}
			return
		}
		// What was read can be sent on, means the same, and does not change any more.
		out := stable(t, parse, m)
		if len(out) > 6*len(in)+1024 {
			t.Fatalf("%d bytes became %d", len(in), len(out))
		}
		var v map[string]any
		d := json.NewDecoder(bytes.NewReader(out))
		d.UseNumber() // there are numbers that are too large for a float64, and are sent on
		if err := d.Decode(&v); err != nil || v["action"] != m.Action() {
			t.Fatalf("%v: %s", err, out)
		}
		if agent {
			walkTexts(v, func(s string) {
				if !isCleanText(s, true) {
					t.Fatalf("%q came through", s)
				}
			})
		}
		switch m := m.(type) {
		case *SysInfo:
			_, _ = m.Hash(), m.Validate()
		case *AgentSessions:
			_ = m.Counts()
		case *ProcessList:
			if list, err := m.Processes(); err == nil {
				for _, p := range list {
					if !isCleanText(string(p.Command), false) || len(p.Command) > rulePath.limit {
						t.Fatalf("%q came through", p.Command)
					}
				}
			}
		}
	})
}

func FuzzParseAgentMessage(f *testing.F) { fuzzJSON(f, ParseAgentMessage, true) }

func FuzzParseServerMessage(f *testing.F) { fuzzJSON(f, ParseServerMessage, false) }
