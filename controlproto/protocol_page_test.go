package controlproto

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var updatePage = flag.Bool("update-protocol", false, "write the table of actions into PROTOCOL.md")

// TestProtocolPage holds the table in PROTOCOL.md against the catalogue.
func TestProtocolPage(t *testing.T) {
	page, err := os.ReadFile("PROTOCOL.md")
	require.NoError(t, err)
	const heading = "## Actions\n"
	before, _, _ := bytes.Cut(page, []byte(heading))
	want := string(before) + heading + actionsTable()
	if *updatePage {
		require.NoError(t, os.WriteFile("PROTOCOL.md", []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(page), "go test ./controlproto -run TestProtocolPage -update-protocol")
}

func actionsTable() string {
	var b strings.Builder
	list := Actions()
	fmt.Fprintf(&b, "\nAll %d.\n\n| action | request | reply | echo | needs | denied |\n|---|---|---|---|---|---|\n", len(list))
	for _, s := range list {
		reply := "never"
		if s.Replies != RepliesNever {
			reply = "`Result`"
			if s.Reply != nil {
				reply = "`" + typeName(s.Reply()) + "`"
			}
			reply += map[Replies]string{RepliesIfAsked: ", asked", RepliesOnError: ", error"}[s.Replies]
		}
		if s.PerDevice {
			reply += ", for each device"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s | %s |\n", s.Action, typeName(s.Request()), reply, echoText(s), needsText(s), s.Denied)
	}
	return b.String()
}

func typeName(m Message) string { return reflect.TypeOf(m).Elem().Name() }

func echoText(s Spec) string {
	if s.Replies == RepliesNever {
		return ""
	}
	switch s.Echo {
	case EchoResponseID:
		return "responseid"
	case EchoTag:
		return "tag"
	case EchoBoth:
		return "both"
	case EchoRequest:
		return "request"
	case EchoNone:
	}
	if s.Key != "" {
		return `"` + s.Key + `"`
	}
	return ""
}

func needsText(s Spec) string {
	var parts []string
	switch {
	case s.Full:
		parts = append(parts, "full")
	case s.Site != 0:
		parts = append(parts, s.Site.String())
	}
	if s.NoToken {
		parts = append(parts, "tokens: no")
	}
	if s.Settings {
		parts = append(parts, "settings")
	}
	return strings.Join(parts, ", ")
}
