package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// profileCommands are the verbs about profiles, which meshctrl does not have.
func (a *app) profileCommands() []*cobra.Command {
	c := &cobra.Command{
		Use: "profile", Short: "Keep servers and logins under names",
		Long: "Keep servers and logins under names.\n\n" +
			"A profile is an address, an account, and a login token or the name of a key file. The first one that is set is used when\n" +
			"--profile and MESHCTL_PROFILE name no other. Its secret goes to no other server than its own. The quickest way to one:\n\n" +
			"  meshctl logintokens --add meshctl --save work --url wss://mesh.example.com --loginuser ann",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.profileList(), a.profileSet(), a.profileRemove(), a.profileDefault())
	return []*cobra.Command{c}
}

func (a *app) profileList() *cobra.Command {
	return a.verb("list", "List the profiles, without their secrets", func(context.Context, *cobra.Command) error {
		all, err := a.loadProfiles()
		if err != nil {
			return err
		}
		type record struct {
			Name    string `json:"name"`
			URL     string `json:"url"`
			User    string `json:"user"`
			Login   string `json:"login"`
			Default bool   `json:"default"`
		}
		t := table{columns: []string{"name", "url", "user", "login", "default"}, none: "No profiles"}
		records := []record{}
		for _, name := range all.names() {
			p := all.Profiles[name]
			r := record{name, shownURL(p.URL), p.User, p.login(), name == all.Default}
			records = append(records, r)
			t.add(r.Name, r.URL, r.User, r.Login, yes(r.Default))
		}
		t.json = records
		return a.list(&t)
	})
}

func (a *app) profileSet() *cobra.Command {
	c := a.named("set NAME", "Make or replace a profile of the login flags; asks for the secret of a login token",
		func(cmd *cobra.Command, name string) error {
			set := a.fromFlags(cmd)
			if set.url == "" {
				return usageError("--url is missing")
			}
			if set.key.Reveal() != "" {
				return usageError("a login key is kept in a file of its own: use --loginkeyfile")
			}
			p := &profile{
				URL: set.url, User: set.user, KeyFile: set.keyFile, Domain: set.domain, Pin: set.pin,
				ServerID: set.serverID, Proxy: set.proxy,
			}
			orElse(&p.User, "admin")
			if p.KeyFile != "" {
				path, err := filepath.Abs(p.KeyFile)
				if err != nil {
					return err
				}
				if _, err := a.keyFileLogin(set); err != nil {
					return err
				}
				p.KeyFile = path
			}
			secret := set.pass.Reveal()
			switch {
			case strings.HasPrefix(p.User, "~t:"):
				if secret == "" {
					var err error
					if secret, err = a.secret(cmd.Context(), "Secret of "+console.Clean(p.User)+": "); err != nil {
						return err
					}
				}
				p.TokenSecret = stored(secret)
			case set.passGiven:
				return usageError("profiles keep no passwords, only login tokens: see meshctl help logintokens")
			}
			return a.storeProfile(name, p)
		})
	return c
}

// storeProfile adds a profile to the file; the first becomes the default.
func (a *app) storeProfile(name string, p *profile) error {
	all, err := a.loadProfiles()
	if err != nil {
		return err
	}
	all.Profiles[name] = p
	orElse(&all.Default, name)
	if err := a.saveProfiles(all); err != nil {
		return err
	}
	return a.done("saved profile "+name, field{"profile", name})
}

func (a *app) profileRemove() *cobra.Command {
	return a.named("remove NAME", "Remove a profile", func(_ *cobra.Command, name string) error {
		all, err := a.loadProfiles()
		if err != nil {
			return err
		}
		if all.Profiles[name] == nil {
			return usageError("there is no profile %q", name)
		}
		delete(all.Profiles, name)
		if all.Default == name {
			all.Default = ""
		}
		if err := a.saveProfiles(all); err != nil {
			return err
		}
		return a.done("ok")
	})
}

func (a *app) profileDefault() *cobra.Command {
	return a.named("default NAME", "Say which profile is used when none is named", func(_ *cobra.Command, name string) error {
		all, err := a.loadProfiles()
		if err != nil {
			return err
		}
		if all.Profiles[name] == nil {
			return usageError("there is no profile %q", name)
		}
		all.Default = name
		if err := a.saveProfiles(all); err != nil {
			return err
		}
		return a.done("ok")
	})
}

// named makes a command that takes the name of a profile.
func (a *app) named(use, short string, do func(cmd *cobra.Command, name string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.begun = true
			if args[0] == "" || strings.ContainsAny(args[0], " \t\r\n") {
				return usageError("a profile's name is one word")
			}
			return do(cmd, args[0])
		},
	}
}

// shownURL is an address without its query, which may have a key.
func shownURL(url string) string { u, _, _ := strings.Cut(url, "?"); return u }
