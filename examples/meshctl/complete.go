package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// completeTime bounds what the shell waits for after the Tab key.
const completeTime = 3 * time.Second

func (a *app) completeGlobalFlags(root *cobra.Command) {
	complete(root, "profile", a.completeProfiles)
	for _, name := range []string{"url", "loginuser", "loginpass", "loginkey", "proxy", "pin", "server-id", "logindomain", "wait"} {
		complete(root, name, cobra.NoFileCompletions)
	}
	complete(root, "token", words("email", "sms", "messaging"))
}

// complete says how the value of a flag is completed.
func complete(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	_ = c.RegisterFlagCompletionFunc(flag, f) // fails for unknown flags only, which a test would find
}

// words completes one of a few words.
func words(list ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) completeProfiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	all, err := a.loadProfiles()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return all.names(), cobra.ShellCompDirectiveNoFileComp
}

// named is something that can be completed.
type named struct{ name, id string }

// completeDevices asks the server for the names of devices, if that takes no password from the user.
func (a *app) completeDevices(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return a.completeNames(cmd, word, func(ctx context.Context, s *session) (list []named, err error) {
		all, err := s.names.allDevices(ctx)
		for i := range all {
			list = append(list, named{all[i].Name, string(all[i].ID)})
		}
		return list, err
	})
}

func (a *app) completeGroups(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return a.completeNames(cmd, word, func(ctx context.Context, s *session) (list []named, err error) {
		all, err := s.names.allGroups(ctx)
		for i := range all {
			list = append(list, named{all[i].Name, string(all[i].ID)})
		}
		return list, err
	})
}

// completeNames offers names, and the ids of those that share a name. Names that a shell or its user could take for
// something else are left out.
func (a *app) completeNames(cmd *cobra.Command, word string, get func(context.Context, *session) ([]named, error)) ([]string, cobra.ShellCompDirective) {
	const no = cobra.ShellCompDirectiveNoFileComp
	ctx, cancel := context.WithTimeout(context.WithoutCancel(orBackground(cmd)), a.patience(completeTime))
	defer cancel()
	s, err := a.connectAs(ctx, cmd, false)
	if err != nil {
		return nil, no
	}
	defer s.client.Close()
	all, err := get(ctx, s)
	if err != nil {
		return nil, no
	}
	count := map[string]int{}
	for _, n := range all {
		count[n.name]++
	}
	at := strings.LastIndexByte(word, ',') + 1 // what is before is complete
	before, word := word[:at], word[at:]
	var list []string
	for _, n := range all {
		text := n.name
		if count[text] > 1 {
			text = n.id
		}
		if n.name == "" || console.Clean(n.name) != n.name || strings.ContainsAny(n.name, ",'\"`\\$") || !strings.HasPrefix(text, word) {
			continue
		}
		list = append(list, before+text)
	}
	slices.Sort(list)
	return list, no
}

func orBackground(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}
