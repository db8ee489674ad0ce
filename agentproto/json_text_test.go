package agentproto

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCleanText(t *testing.T) {
	for _, tc := range []struct{ in, line, text string }{
		{"", "", ""},
		{"plain", "plain", "plain"},
		{"Café 日本 😀", "Café 日本 😀", "Café 日本 😀"},
		{"a\tb\nc\rd", "a b c d", "a\tb\nc\rd"},
		{"a\u2028b\u2029c\u0085d", "a b c d", "a\nb\nc\nd"},
		{"\x00a\x07b\x1b[31mc\x7f", "ab[31mc", "ab[31mc"},
		{"a\u009bb", "ab", "ab"},                           // a C1 control that terminals take for ESC [
		{"gpj.\u202eexe", "gpj.exe", "gpj.exe"},            // pretends to be exe.jpg
		{"\u2066a\u2069\ufeffb", "ab", "ab"},               // isolates, byte order mark
		{"a\u200fb", "a\u200fb", "a\u200fb"},               // a mark that right-to-left text needs
		{"a\xffb\xc3", "a\ufffdb\ufffd", "a\ufffdb\ufffd"}, // no UTF-8
		{"<script>'\"&", "<script>'\"&", "<script>'\"&"},   // HTML is not this type's business
		{strings.Repeat("é", 20), "éééééééé", "éééééééé"},  // cut at a character
		{"\x01" + strings.Repeat("é", 20), "éééééééé", "éééééééé"},
		{strings.Repeat("x", 20), strings.Repeat("x", 17), strings.Repeat("x", 17)},
	} {
		limit := 17
		if len(tc.line) > limit {
			limit = len(tc.line)
		}
		require.Equal(t, tc.line, CleanAgentString(tc.in, limit).String(), "%q", tc.in)
		require.Equal(t, tc.text, CleanAgentText(tc.in, limit).String(), "%q", tc.in)
		require.Equal(t, tc.line, CleanAgentString(tc.line, limit).String(), "twice: %q", tc.in)
		require.Equal(t, tc.text, CleanAgentText(tc.text, limit).String(), "twice: %q", tc.in)
	}
	require.Empty(t, CleanAgentString("é", 1))
	require.Empty(t, CleanAgentString("x", 0))
}

func TestCleanTextOfGoodTextDoesNotAllocate(t *testing.T) {
	s := "Debian GNU/Linux 12 (bookworm) – x64"
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if CleanAgentString(s, 256) != AgentString(s) {
			t.Fatal("changed")
		}
	}))
}

func TestDecodingIntoOwnTypesCleans(t *testing.T) {
	var v struct {
		Name AgentString
		Text AgentText
		Map  map[AgentString]AgentText
	}
	require.NoError(t, json.Unmarshal([]byte(`{"Name":"a\u0007\nb","Text":"a\u0007\nb","Map":{"k\u0000":"v\u0000"}}`), &v))
	require.Equal(t, AgentString("a b"), v.Name)
	require.Equal(t, AgentText("a\nb"), v.Text)
	require.Equal(t, map[AgentString]AgentText{"k": "v"}, v.Map)
}

func ExampleAgentString() {
	// html/template escapes it, because it is not template.HTML.
	page := template.Must(template.New("").Parse(`<td>{{.}}</td>`))
	var b strings.Builder
	err := page.Execute(&b, CleanAgentString("<img src=x onerror=alert(1)>\n", 256))
	fmt.Println(b.String(), err)
	// Output: <td>&lt;img src=x onerror=alert(1)&gt; </td> <nil>
}
