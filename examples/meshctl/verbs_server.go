package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// serverCommands are the verbs about the server itself and the own account.
func (a *app) serverCommands() []*cobra.Command {
	info := a.remote("serverinfo", "Show server information", func(_ context.Context, s *session) error {
		return s.record(&s.client.ServerInfo().ServerDetails)
	})
	user := a.remote("userinfo", "Show the account that is logged in", func(_ context.Context, s *session) error {
		return s.record(s.client.UserInfo())
	})
	sessions := a.remote("listusersessions", "List who is logged in", func(ctx context.Context, s *session) error {
		count, err := s.client.UserSessions(ctx)
		if err != nil {
			return err
		}
		t := table{columns: []string{"userid", "sessions"}, json: count, none: "None"}
		for _, id := range sortedKeys(count) {
			t.add(string(id), strconv.Itoa(count[id]))
		}
		return s.list(&t)
	})
	return []*cobra.Command{info, user, sessions, a.broadcast()}
}

func (a *app) broadcast() *cobra.Command {
	var msg, user string
	c := a.remote("broadcast", "Show a message to one or all users who are logged in", func(ctx context.Context, s *session) error {
		m := &controlproto.UserBroadcast{Msg: msg}
		if user != "" {
			m.UserID = s.names.member(user)
		}
		if err := s.client.Broadcast(ctx, m); err != nil {
			return err
		}
		return s.done("ok")
	})
	c.Flags().StringVar(&msg, "msg", "", "`TEXT` of the message")
	c.Flags().StringVar(&user, "user", "", "only to this `USER`")
	need(c, "msg")
	return c
}

// hiddenFields are secrets in records. JSON has them, as that is asked for by name; lines for people do not.
var hiddenFields = []string{"mpspass"} //nolint:gochecknoglobals // constant

// record prints a record: a line for each of its members, or JSON.
func (a *app) record(v any) error {
	if a.flags.json {
		return a.printJSON(v)
	}
	raw, err := jsonrec.Append(nil, v)
	if err != nil {
		return err
	}
	return jsonrec.Members(raw, func(name string, value json.RawMessage) error {
		if slices.Contains(hiddenFields, name) {
			return nil
		}
		return a.println(console.Clean(fmt.Sprintf("%s: %s", name, plain(value))))
	})
}

// plain is a JSON value for people: text without quotes, all else as it is.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// sortedKeys lists the keys of a map in order.
func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
