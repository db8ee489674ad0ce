package main

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/flows"
)

// userRealms are what an account may do.
var userRealms = map[string]amt.Realm{ //nolint:gochecknoglobals // constant
	"redirection": amt.RealmRedirection, "administration": amt.RealmAdministration, "hardware": amt.RealmHardwareAsset,
	"remote-control": amt.RealmRemoteControl, "storage": amt.RealmStorage, "event-manager": amt.RealmEventManager,
	"storage-admin": amt.RealmStorageAdmin, "agent-presence-local": amt.RealmAgentPresenceLocal,
	"agent-presence-remote": amt.RealmAgentPresenceRemote, "circuit-breaker": amt.RealmCircuitBreaker, "time": amt.RealmNetworkTime,
	"general-info": amt.RealmGeneralInfo, "firmware-update": amt.RealmFirmwareUpdate, "eit": amt.RealmEIT,
	"local-notification": amt.RealmLocalUserNotification, "endpoint-access": amt.RealmEndpointAccessControl,
	"endpoint-access-admin": amt.RealmEndpointAccessControlAdmin, "event-log": amt.RealmEventLogReader, "audit-log": amt.RealmAuditLog,
	"user-access": amt.RealmUserAccessControl, "local-system": amt.RealmLocalSystem,
}

// userAccess is from where an account may be used.
var userAccess = map[string]amt.AccessPermission{ //nolint:gochecknoglobals // constant
	"local": amt.AccessPermissionLocal, "network": amt.AccessPermissionNetwork, "any": amt.AccessPermissionAny,
}

// account is an account as JSON has it.
type account struct {
	Name    string   `json:"name"`
	SID     string   `json:"sid,omitempty"` // hexadecimal
	Access  string   `json:"access"`
	Enabled bool     `json:"enabled"`
	BuiltIn bool     `json:"builtIn,omitempty"`
	Realms  []string `json:"realms"`
}

func newAccount(u *flows.User) account {
	return account{u.Name, hex.EncodeToString(u.SID), wordOf(userAccess, u.Access), u.Enabled, u.BuiltIn(), realmWords(u.Realms)}
}

func realmWords(realms []amt.Realm) []string {
	words := []string{}
	for _, r := range realms {
		words = append(words, wordOf(userRealms, r))
	}
	return words
}

// wordOf returns the word for a value, or the name that it has by itself.
func wordOf[T interface {
	comparable
	String() string
}](words map[string]T, v T) string {
	for word, is := range words {
		if is == v {
			return word
		}
	}
	return v.String()
}

// userCommands are the commands about accounts.
func (a *app) userCommands() []*cobra.Command {
	list := a.on("list", "List the accounts besides that of the administrator", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		users, err := s.dev.Users(ctx)
		if err != nil {
			return err
		}
		t := &table{columns: []string{"name", "access", "enabled", "may"}, none: "No accounts"}
		accounts := []account{}
		for _, u := range users {
			acc := newAccount(&u)
			accounts = append(accounts, acc)
			name := acc.Name
			if name == "" {
				name = "SID " + acc.SID
			}
			t.add(name, acc.Access, yes(acc.Enabled), strings.Join(acc.Realms, ","))
		}
		return s.list(t, accounts)
	})
	remove := a.on("remove NAME", "Remove an account", cobra.ExactArgs(1), func(ctx context.Context, s *session, args []string) error {
		if err := s.dev.RemoveUser(ctx, args[0]); err != nil {
			return err
		}
		return s.done("ok", field{"name", args[0]})
	})
	return []*cobra.Command{group("users", "Accounts of the device", list, a.userSet(), remove, a.userAdmin())}
}

// newPassFlag is the flag of commands that set a password.
const newPassFlag = "new-pass-file"

// newPassword gets the password that an account shall have.
func (s *session) newPassword(ctx context.Context, name, file string) (wsman.Secret, error) {
	p, err := s.newSecret(ctx, secretSource{what: "new password of " + name, env: "AMTCTL_NEW_PASSWORD", file: file, flag: newPassFlag})
	if err != nil {
		return p, err
	}
	if err := flows.CheckPassword(p); err != nil {
		return p, usageError("the new password: %v", err)
	}
	return p, nil
}

func (a *app) userSet() *cobra.Command {
	var realms []string
	var access, file string
	var disabled bool
	c := a.on("set NAME", "Make an account, or give one other rights and another password", cobra.ExactArgs(1), func(ctx context.Context, s *session, args []string) error {
		u := flows.User{Name: args[0], Enabled: !disabled}
		var err error
		if u.Access, err = choice("--access", access, userAccess); err != nil {
			return err
		}
		for _, word := range realms {
			r, err := choice("--may", word, userRealms)
			if err != nil {
				return err
			}
			u.Realms = append(u.Realms, r)
		}
		slices.Sort(u.Realms)
		password, err := s.newPassword(ctx, u.Name, file)
		if err != nil {
			return err
		}
		if err := s.dev.SetUser(ctx, u, password); err != nil {
			return err
		}
		return s.done("ok", field{"name", u.Name})
	})
	c.Long = c.Short + ".\n\nThe new password is in AMTCTL_NEW_PASSWORD or --new-pass-file, or is asked for. Rights: " + wordsOf(userRealms) + "."
	c.Flags().StringSliceVar(&realms, "may", nil, "`RIGHTS`, with commas between them")
	c.Flags().StringVar(&access, "access", "network", "`WHENCE` it may be used: network, local or any")
	c.Flags().BoolVar(&disabled, "disabled", false, "it cannot be used for now")
	c.Flags().StringVar(&file, newPassFlag, "", "`FILE` with the new password")
	return need(c, "may")
}

func (a *app) userAdmin() *cobra.Command {
	var name, file string
	c := a.on("admin", "Change the password of the administrator, and the name", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		password, err := s.newPassword(ctx, name, file)
		if err != nil {
			return err
		}
		if err := s.dev.SetAdmin(ctx, name, password); err != nil {
			return err
		}
		if s.flags.stored {
			s.note("the server still has the old password stored")
		}
		return s.done("ok", field{"name", name})
	})
	c.Flags().StringVar(&name, "name", flows.Admin, "`NAME` of the administrator from now on")
	c.Flags().StringVar(&file, newPassFlag, "", "`FILE` with the new password; without it AMTCTL_NEW_PASSWORD, or it is asked for")
	return c
}
