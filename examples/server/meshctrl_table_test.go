package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCtlWords(t *testing.T) {
	bare := strings.Repeat("a", 64)
	got, err := ctlWords(`edit --id {node} --short {node/} --desc "two words" --clear "" --code {code}`,
		map[string]string{"node": "node//" + bare, "code": "x"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"edit", "--id", "node//" + bare, "--short", bare, "--desc", "two words", "--clear", "", "--code", "x",
	}, got)
	_, err = ctlWords("edit --id {node}", nil)
	require.ErrorContains(t, err, "{node}")
}

func TestNormaliser(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	node, other := strings.Repeat("n$", 32), strings.Repeat("o", 64)
	n := newNormaliser(map[int]string{8443: "{port}"}, map[string]string{"node": "node//" + node, "token": "abcdefgh"})
	told := func(lines ...string) []string { a, _ := agreeOnTimes(lines, nil, now); return a }
	for in, want := range map[string]string{
		"node//" + node:                                 "{node}",
		strings.ReplaceAll(node, "$", "%24"):            "{node/}",
		"node//" + other:                                "node//{id}",
		strings.Repeat("0F", 48):                        "{hash}",
		strings.Repeat("c", 90) + "==":                  "{cookie}",
		"token abcdefgh":                                "token {token}",
		"wss://127.0.0.1:8443/ 18443":                   "wss://127.0.0.1:{port}/ 18443",
		"127.0.0.1:50001":                               "127.0.0.1:{client port}",
		"at 2026-11-23T11:59:58.123Z":                   "at {iso now}",
		"at 2026-11-23T13:00:02Z":                       "at {iso now+60m}",
		"1795435201 1795435201000":                      "{s now} {ms now}",
		"rights 4294967295, 3 devices\r\n":              "rights 4294967295, 3 devices\n",
		"https://h/sharing?c=" + other + "xx&n=" + node: "https://h/sharing?c={cookie}&n={node/}",
	} {
		require.Equal(t, []string{want}, told(n.text(in)))
	}
	lines := func(printed string, anyOrder bool) string {
		return strings.Join(told(n.output(printed, anyOrder, "noise")...), "\n")
	}
	require.Equal(t, lines(`{"b":8443,"a":1795435201,"c":0.25}`, false), lines(`{"a":"{s now}","c":"{random}","b":"{port}"}`, false))
	require.NotEqual(t, lines(`["b","a"]`, false), lines(`["a","b"]`, false))
	require.Equal(t, lines(`["b","a"]`, true), lines(`["a","b"]`, true))
	require.NotEqual(t, lines(`{"a":null}`, true), lines(`{}`, true), "a missing key is a difference")
	twice := `{"node//` + other + `":1,"node//` + strings.Repeat("p", 64) + `":2}`
	require.Contains(t, lines(twice, false), `"node//{id} #2": 2`, "no two keys become one")
	require.Equal(t, lines(`{"x":1}`, false), lines(`{"event":{"action":"noise"}} {"x":1}`, false))
	watched := "Connected. Press ctrl-c to end.\n" + `{"event":{"action":"changenode","nodeid":"node//` + node + `"}} {"x":1}`
	require.Equal(t, "Connected.\n"+lines(`{"x":1}`, false), lines(watched, false), "its agent reports at any time")
	require.Equal(t, "a\nb", lines("b\na\n", true))
	require.NotEqual(t, lines(`{"a":1,"flags":0}`, false), lines(`{"a":1}`, false))
	n.empty = map[string]string{"flags": "a reason"}
	require.Equal(t, lines(`{"a":1,"flags":0}`, false), lines(`{"a":1}`, false))
	require.NotEqual(t, lines(`{"a":1,"flags":2}`, false), lines(`{"a":1}`, false))
	n.drop = map[string]string{"skip": "a reason"}
	require.Equal(t, lines(`{"a":1}`, false), lines(`{"a":1,"skip":[1]}`, false))
	require.Equal(t, "a: 1\nb: 2", lines("a: 1\nskip: [\n  1,\n  2\n]\nb: 2\n", false))
}

// TestAgreeOnTimes has two servers do the same a moment apart, around the points where the distance from now is told in another
// way.
func TestAgreeOnTimes(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	n := newNormaliser(nil, nil)
	told := func(a, b string) (string, string) {
		x, y := agreeOnTimes(n.output(a, true, ""), n.output(b, true, ""), now)
		return strings.Join(x, "\n"), strings.Join(y, "\n")
	}
	iso := func(minutes float64) string {
		return now.Add(time.Duration(minutes * float64(time.Minute))).Format(time.RFC3339)
	}
	for minutes := -60.0; minutes <= 120; minutes += 0.5 {
		for _, apart := range []float64{0, 0.01, 1, 5, -0.01, -5} {
			a, b := told("at "+iso(minutes), "at "+iso(minutes+apart))
			require.Equal(t, a, b)
		}
		a, b := told("until "+iso(minutes), "until "+iso(minutes+11))
		require.NotEqual(t, a, b)
	}
	a, b := told(`[{"t":1795435140,"x":"b"},{"t":1795435200,"x":"a"}]`, `[{"t":1795435201,"x":"a"},{"t":1795435200,"x":"b"}]`)
	require.Equal(t, a, b, "in any order, times do not tell which is which")
	a, b = told(`[{"t":1795435140},{"t":1795438800}]`, `[{"t":1795438801},{"t":1795435200}]`)
	require.Equal(t, a, b, "unless they alone do")
	a, b = told("at "+iso(0)+"\nmore", "at "+iso(3))
	require.Equal(t, []string{"at {iso now}\nmore", "at {iso now+5m}"}, []string{a, b})
}

func TestCtlDiff(t *testing.T) {
	a := []string{"1", "2", "3", "4", "5", "6", "7"}
	b := []string{"1", "2", "3", "4", "six", "6", "7", "8"}
	require.Equal(t, "--- a\n+++ b\n  3\n  4\n- 5\n+ six\n  6\n  7\n+ 8", ctlDiff("a", a, "b", b))
}
