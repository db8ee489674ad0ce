package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// tokenCommands are the verbs about login tokens of the own account.
func (a *app) tokenCommands() []*cobra.Command {
	var add, remove, save string
	var expire int
	c := a.remote("logintokens", "List, make and remove login tokens", func(ctx context.Context, s *session) error {
		if add != "" {
			return s.addToken(ctx, add, time.Duration(expire)*time.Minute, save)
		}
		if remove != "" {
			return s.removeToken(ctx, remove)
		}
		tokens, err := s.client.LoginTokens(ctx)
		if err != nil {
			return err
		}
		return s.listTokens(tokens)
	})
	f := c.Flags()
	f.StringVar(&add, "add", "", "make a login token with this `NAME`; its secret is told this once")
	f.StringVar(&remove, "remove", "", "remove the login token with this user name or `NAME`")
	f.IntVar(&expire, "expire", 0, "`MINUTES` that a new one is good for; 0 is for ever")
	f.StringVar(&save, "save", "", "put the new one into this `PROFILE` and do not print its secret")
	c.MarkFlagsMutuallyExclusive("add", "remove")
	c.PreRunE = func(cmd *cobra.Command, _ []string) error {
		switch f := cmd.Flags(); {
		case f.Changed("add") && add == "", f.Changed("remove") && remove == "":
			return usageError("the name is empty")
		case expire < 0:
			return usageError("--expire is negative")
		case (f.Changed("expire") || save != "") && add == "":
			return usageError("--expire and --save go with --add")
		}
		return nil
	}
	return []*cobra.Command{c}
}

func (s *session) listTokens(tokens []controlproto.LoginTokenRecord) error {
	t := table{columns: []string{"name", "username", "created", "expire"}, json: tokens, none: "No login tokens"}
	for _, token := range tokens {
		t.add(token.Name, token.TokenUser, when(token.Created), expires(token.Expires))
	}
	return s.list(&t)
}

func expires(t time.Time) string {
	if t.IsZero() {
		return "Unlimited"
	}
	return when(t)
}

func (s *session) addToken(ctx context.Context, name string, life time.Duration, save string) error {
	token, err := s.client.CreateLoginToken(ctx, name, life)
	if err != nil {
		return err
	}
	if save != "" {
		set, err := s.gather(s.cmd)
		if err != nil {
			return err
		}
		return s.storeProfile(save, &profile{
			URL: set.url, User: token.TokenUser, TokenSecret: stored(token.TokenPass.Reveal()), Pin: set.pin, Proxy: set.proxy,
		})
	}
	if s.flags.json {
		return s.printJSON(token)
	}
	for _, line := range []field{
		{"Token name", token.Name}, {"Created", when(token.Created)}, {"Expire", expires(token.Expires)},
		{"Username", token.TokenUser}, {"Password", token.TokenPass.Reveal()},
	} {
		if err := s.println(console.Clean(line.name + ": " + line.value)); err != nil {
			return err
		}
	}
	return nil
}

// removeToken removes a login token by its user name, or by its name if only one has it.
func (s *session) removeToken(ctx context.Context, name string) error {
	tokens, err := s.client.LoginTokens(ctx)
	if err != nil {
		return err
	}
	var found []controlproto.ID
	for _, t := range tokens {
		if t.TokenUser == name || t.Name == name {
			found = append(found, controlproto.ID(t.TokenUser))
		}
	}
	user, err := only("login token", name, found)
	if err != nil {
		return err
	}
	left, err := s.client.RemoveLoginTokens(ctx, string(user))
	if err != nil {
		return err
	}
	return s.listTokens(left)
}
