package controlserver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// step is a request, what comes upon it, and who hears of it.
type step struct {
	name    string
	say     string   // {a} stands for the id named so in the script
	replies []string // JSON, in order; {*} stands for any value
	hears   map[string][]string
}

// script is a table of steps that follow each other in one world.
type script struct {
	w     *world
	ops   map[string]*operator
	ids   map[string]string
	asker string
}

func (w *world) script(ids map[string]controlproto.ID, asker string, others ...string) *script {
	w.t.Helper()
	s := &script{w: w, ops: map[string]*operator{}, ids: map[string]string{}, asker: asker}
	for name, id := range ids {
		s.ids[name] = string(id)
	}
	for _, name := range append(others, asker) {
		s.ops[name] = w.login(name)
	}
	return s
}

func (s *script) fill(text string) string {
	for name, id := range s.ids {
		text = strings.ReplaceAll(text, "{"+name+"}", id)
	}
	return text
}

// run runs the steps. A step that names no listeners is one that nobody hears of.
func (s *script) run(steps ...step) {
	s.w.t.Helper()
	for _, st := range steps {
		for _, o := range s.ops {
			o.all()
		}
		s.ops[s.asker].send("%s", s.fill(st.say))
		got := map[string][]string{}
		for name, o := range s.ops {
			others, events := split(o.all())
			if name == s.asker {
				s.compare(st, others)
			} else {
				for _, m := range others {
					got[name] = append(got[name], briefMessage(s.w.t, m))
				}
			}
			for _, e := range events {
				got[name] = append(got[name], brief(s.w.t, e))
			}
		}
		for name := range s.ops {
			want := slices.Clone(st.hears[name])
			for i := range want {
				want[i] = s.fill(want[i])
			}
			require.Equal(s.w.t, countsLast(want), countsLast(got[name]), "%s: %s: what %s hears", st.name, st.say, name)
		}
	}
}

// countsLast puts the counts of sessions behind the rest: they come from the session that ends, beside the answer.
func countsLast(heard []string) (list []string) {
	for _, counts := range []bool{false, true} {
		for _, h := range heard {
			if strings.HasPrefix(h, "wssessioncount") == counts {
				list = append(list, h)
			}
		}
	}
	return list
}

func (s *script) compare(st step, got []string) {
	s.w.t.Helper()
	require.Len(s.w.t, got, len(st.replies), "%s: %s: %q", st.name, st.say, got)
	for i, want := range st.replies {
		var w, g any
		require.NoError(s.w.t, json.Unmarshal([]byte(s.fill(want)), &w), want)
		require.NoError(s.w.t, json.Unmarshal([]byte(got[i]), &g))
		require.Equal(s.w.t, w, masked(w, g), "%s: %s", st.name, st.say)
	}
}

// masked replaces in got what want leaves open.
func masked(want, got any) any {
	if want == "{*}" && got != nil {
		return want
	}
	w, ok1 := want.(map[string]any)
	g, ok2 := got.(map[string]any)
	if !ok1 || !ok2 {
		return got
	}
	for k := range g {
		if _, ok := w[k]; ok {
			g[k] = masked(w[k], g[k])
		}
	}
	return g
}

// brief is what tells an event: action, number, text, by whom.
func brief(t *testing.T, event string) string {
	t.Helper()
	var e controlproto.Event
	var push controlproto.EventPush
	env, err := controlproto.ParseRequest([]byte(`{"action":"event","event":` + event + `}`))
	require.NoError(t, err)
	require.NoError(t, env.Decode(&push))
	e = push.Event
	text := e.Action
	if e.MsgID != 0 {
		text += fmt.Sprint(" ", e.MsgID)
	}
	if e.Msg != "" {
		text += ": " + e.Msg
	}
	if e.UserID != "" {
		text += " (" + e.UserID.Name() + ")"
	}
	return text
}

func briefMessage(t *testing.T, message string) string {
	t.Helper()
	var m struct{ Action, Type, Value, Title string }
	require.NoError(t, json.Unmarshal([]byte(message), &m))
	return strings.TrimSpace(m.Action + " " + m.Type + " " + m.Title + ": " + m.Value)
}

// ok and refusal are the usual answers to a request with the responseid "r".
func ok(action string) []string { return refusal(action, "ok") }

func refusal(action, text string) []string {
	b, _ := json.Marshal(map[string]string{"action": action, "responseid": "r", "result": text})
	return []string{string(b)}
}

// checkLinks fails the test unless both sides of all links agree.
func (w *world) checkLinks() {
	w.t.Helper()
	links := map[controlproto.ID]controlproto.Links{}
	err := w.store.View(w.t.Context(), func(tx StoreTx) error {
		for _, kind := range []Kind{KindAccount, KindUserGroup, KindDeviceGroup, KindDevice} {
			list, err := tx.List(kind, Query{})
			if err != nil {
				return err
			}
			for _, r := range list {
				v, err := decode[struct {
					Links controlproto.Links `json:"links"`
				}](r)
				if err != nil {
					return err
				}
				links[controlproto.ID(r.ID)] = v.Links
			}
		}
		return nil
	})
	require.NoError(w.t, err)
	for id, list := range links {
		for other, l := range list {
			back, ok := links[other][id]
			require.True(w.t, ok, "%s is linked to %s, but not the other way", id, other)
			require.Equal(w.t, l.Rights, back.Rights, "%s and %s", id, other)
		}
	}
	// Memory is as the store.
	for id, list := range links {
		switch id.Kind() {
		case controlproto.KindUser:
			require.Equal(w.t, list, w.s.account(id).Links)
		case controlproto.KindUserGroup:
			require.Equal(w.t, list, w.s.userGroup(id).Links)
		}
	}
}
