package main

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// userCommands are the verbs about accounts.
func (a *app) userCommands() []*cobra.Command {
	return []*cobra.Command{a.listUsers(), a.addUser(), a.editUser(), a.removeUser()}
}

func (a *app) listUsers() *cobra.Command {
	var idExists, nameExists, filter string
	c := a.remote("listusers", "List accounts", func(ctx context.Context, s *session) error {
		keep, err := userFilter(filter)
		if err != nil {
			return err
		}
		all, err := s.client.Users(ctx)
		if err != nil {
			return err
		}
		switch {
		case s.changed("idexists"):
			return s.exists(len(usersWith(all, func(u *controlproto.User) bool { return string(u.ID) == idExists || u.ID.Name() == idExists })) > 0)
		case s.changed("nameexists"):
			return s.printIDs(usersWith(all, func(u *controlproto.User) bool { return u.Name == nameExists }))
		}
		users := []controlproto.User{}
		t := table{columns: []string{"id", "name", "email", "rights", "2fa", "last login"}, none: "None"}
		for i := range all {
			if u := &all[i]; keep(u) {
				users = append(users, *u)
				t.add(u.ID.Name(), u.Name, u.Email, u.SiteRights.String(), yes(u.TwoFactor()), when(u.LastLogin))
			}
		}
		t.json = users
		return s.list(&t)
	})
	f := c.Flags()
	f.StringVar(&idExists, "idexists", "", "print 1 if there is an account with this `ID`, 0 if not")
	f.StringVar(&nameExists, "nameexists", "", "print the id of the account with this `NAME`, if there is one")
	f.StringVar(&filter, "filter", "", "only accounts `WITH` a second factor, or without: 2fa, no2fa")
	complete(c, "filter", words("2fa", "no2fa"))
	return c
}

// userFilter reads --filter of listusers.
func userFilter(text string) (func(*controlproto.User) bool, error) {
	with, without := true, true
	for word := range strings.SplitSeq(strings.ToLower(text), ",") {
		switch strings.TrimSpace(word) {
		case "":
		case "2fa":
			without = false
		case "no2fa":
			with = false
		default:
			return nil, usageError("--filter %.40q: want 2fa or no2fa", word)
		}
	}
	return func(u *controlproto.User) bool { return u.TwoFactor() && with || !u.TwoFactor() && without }, nil
}

func usersWith(all []controlproto.User, is func(*controlproto.User) bool) (ids []controlproto.ID) {
	for i := range all {
		if is(&all[i]) {
			ids = append(ids, all[i].ID)
		}
	}
	return ids
}

// exists prints 1 or 0. That there is none is an answer and no failure, as with meshctrl.
func (a *app) exists(found bool) error {
	if found {
		return a.println("1")
	}
	return a.println("0")
}

func (a *app) printIDs(ids []controlproto.ID) error {
	for _, id := range ids {
		if err := a.println(console.Clean(string(id))); err != nil {
			return err
		}
	}
	return nil
}

// siteRightFlags are meshctrl's flags for single rights of accounts.
var siteRightFlags = []struct { //nolint:gochecknoglobals // constant
	name  string
	right controlproto.SiteRights
	usage string
}{
	{"siteadmin", controlproto.SiteFull, "all rights"},
	{"manageusers", controlproto.SiteManageUsers, "may manage accounts"},
	{"fileaccess", controlproto.SiteFileAccess, "may keep files on the server"},
	{"serverupdate", controlproto.SiteUpdate, "may update the server"},
	{"locked", controlproto.SiteLocked, "cannot log in"},
	{"nonewgroups", controlproto.SiteNoNewGroups, "cannot make device groups"},
	{"notools", controlproto.SiteNoTools, "cannot use command line tools"},
}

// userFlags are the flags that adduser and edituser share.
type userFlags struct {
	email, realName, phone, rights, domain string
	emailVerified, resetPass               bool
	single                                 []bool
}

func (u *userFlags) add(f *pflag.FlagSet) {
	f.StringVar(&u.email, "email", "", "e-mail `ADDRESS`")
	f.BoolVar(&u.emailVerified, "emailverified", false, "the e-mail address is verified")
	f.BoolVar(&u.resetPass, "resetpass", false, "the password must be changed at the next login")
	f.StringVar(&u.realName, "realname", "", "real `NAME`")
	f.StringVar(&u.phone, "phone", "", "phone `NUMBER`")
	f.StringVar(&u.rights, "rights", "", "`RIGHTS` on the server: none, full, a number, or words separated by commas: backup, manageusers, restore, "+
		"fileaccess, update, locked, nonewgroups, notools, usergroups, recordings, locksettings, allevents, nonewdevices")
	f.StringVar(&u.domain, "domain", "", "`DOMAIN` of the account, for administrators of several")
	u.single = make([]bool, len(siteRightFlags))
	for i, r := range siteRightFlags {
		f.BoolVar(&u.single[i], r.name, false, "right: "+r.usage)
	}
}

// siteRights are the rights that the flags give; nil: none of them is set.
func (u *userFlags) siteRights() (*controlproto.SiteRights, error) {
	var rights controlproto.SiteRights
	var any bool
	if u.rights != "" {
		var err error
		if rights, err = controlproto.ParseSiteRights(strings.ToLower(u.rights)); err != nil {
			return nil, usageError("--rights: %v", err)
		}
		any = true
	}
	for i, set := range u.single {
		if set {
			rights |= siteRightFlags[i].right
			any = true
		}
	}
	if !any {
		return nil, nil //nolint:nilnil // documented
	}
	return &rights, nil
}

func (a *app) addUser() *cobra.Command {
	var name, pass string
	var random bool
	var set userFlags
	c := a.remote("adduser", "Make an account", func(ctx context.Context, s *session) error {
		rights, err := set.siteRights()
		if err != nil {
			return err
		}
		user := &controlproto.AddUser{
			Username: name, Email: set.email, EmailVerified: set.emailVerified, ResetNextLogin: set.resetPass, RealName: set.realName,
			Phone: set.phone, SiteRights: rights,
		}
		if s.changed("domain") {
			if err := s.names.mayManage(set.domain); err != nil {
				return err
			}
			user.Domain = &set.domain
		}
		switch {
		case random:
			pass = rand.Text()
		case pass == "":
			if pass, err = s.secret(ctx, "Password of the new account: "); err != nil {
				return err
			}
		}
		user.Password = controlproto.NewSecret(pass)
		if err := s.client.AddUser(ctx, user); err != nil {
			return err
		}
		if random { // or else nobody could use the account
			return s.done("ok "+pass, field{"password", pass})
		}
		return s.done("ok")
	})
	f := c.Flags()
	f.StringVar(&name, "user", "", "login `NAME`")
	f.StringVar(&pass, "pass", "", "`PASSWORD`; empty asks for it")
	f.BoolVar(&random, "randompass", false, "make a password and print it")
	set.add(f)
	need(c, "user")
	c.MarkFlagsOneRequired("pass", "randompass")
	c.MarkFlagsMutuallyExclusive("pass", "randompass")
	return c
}

func (a *app) editUser() *cobra.Command {
	var id string
	var set userFlags
	c := a.remote("edituser", "Change an account", func(ctx context.Context, s *session) error {
		rights, err := set.siteRights()
		if err != nil {
			return err
		}
		user := accountID(s, id, set.domain)
		change := &controlproto.EditUser{UserID: user, SiteRights: rights}
		for flag, to := range map[string]**string{"email": &change.Email, "realname": &change.RealName, "phone": &change.Phone} {
			if s.changed(flag) {
				text := s.cmd.Flags().Lookup(flag).Value.String()
				*to = &text
			}
		}
		for flag, to := range map[string]**bool{"emailverified": &change.EmailVerified, "resetpass": &change.ResetNextLogin} {
			if s.changed(flag) {
				value := s.cmd.Flags().Lookup(flag).Value.String() == "true"
				*to = &value
			}
		}
		if err := s.keepQuota(ctx, change); err != nil {
			return err
		}
		if err := s.client.EditUser(ctx, change); err != nil {
			return err
		}
		return s.done("ok")
	})
	c.Flags().StringVar(&id, "userid", "", "id or name of the `ACCOUNT`")
	set.add(c.Flags())
	need(c, "userid")
	return c
}

// keepQuota repeats the quota of an account in a change of it, as without it the server removes the quota.
func (s *session) keepQuota(ctx context.Context, change *controlproto.EditUser) error {
	if !s.client.UserInfo().SiteRights.Has(controlproto.SiteManageUsers) {
		return nil // the server will say what it thinks of it
	}
	users, err := s.client.Users(ctx)
	if err != nil {
		return err
	}
	for i := range users {
		if users[i].ID == change.UserID && users[i].Quota != 0 {
			change.Quota = &users[i].Quota
		}
	}
	return nil
}

// accountID completes the name of an account.
func accountID(s *session, text, domain string) controlproto.ID {
	if id := controlproto.ID(text); id.Valid() {
		return id
	}
	orElse(&domain, s.names.domain())
	return controlproto.UserID(domain, text)
}

func (a *app) removeUser() *cobra.Command {
	var id, domain string
	c := a.remote("removeuser", "Remove an account", func(ctx context.Context, s *session) error {
		if err := s.client.RemoveUser(ctx, accountID(s, id, domain)); err != nil {
			return err
		}
		return s.done("ok")
	})
	c.Flags().StringVar(&id, "userid", "", "id or name of the `ACCOUNT`")
	c.Flags().StringVar(&domain, "domain", "", "`DOMAIN` of the account, for administrators of several")
	need(c, "userid")
	return c
}
