package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman/flows"
)

// activationCommands are the commands that take a device into service and out of it.
func (a *app) activationCommands() []*cobra.Command {
	return []*cobra.Command{group("activate", "Take the device into service", a.activateClient(), a.activateAdmin()), a.unprovision()}
}

const activationHelp = "\n\nIt is done from the device's own operating system (--host 127.0.0.1, the port of its local service) with the account that\n" +
	"the driver gives out: --user '$$OsAdmin' and its password. The administrator's password to be is in AMTCTL_NEW_PASSWORD\n" +
	"or --new-pass-file, or is asked for."

func (a *app) activateClient() *cobra.Command {
	var file string
	c := a.on("client", "Activate it into client control mode", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		password, err := s.newPassword(ctx, flows.Admin, file)
		if err != nil {
			return err
		}
		if err := s.dev.ActivateClient(ctx, password); err != nil {
			return err
		}
		return s.done("the device is in client control mode", field{"controlMode", "client"})
	})
	c.Long = c.Short + "." + activationHelp
	c.Flags().StringVar(&file, newPassFlag, "", "`FILE` with the administrator's password to be")
	return c
}

func (a *app) activateAdmin() *cobra.Command {
	var file, cert, key string
	var upgrade bool
	c := a.on("admin", "Activate it into admin control mode, with a certificate for provisioning", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		p, err := loadProvisioning(cert, key)
		if err != nil {
			return err
		}
		if upgrade {
			if file != "" {
				return usageError("--upgrade keeps the password")
			}
			err = s.dev.UpgradeToAdmin(ctx, p)
		} else {
			password, passErr := s.newPassword(ctx, flows.Admin, file)
			if passErr != nil {
				return passErr
			}
			err = s.dev.ActivateAdmin(ctx, p, password)
		}
		if err != nil {
			return err
		}
		return s.done("the device is in admin control mode", field{"controlMode", "admin"})
	})
	c.Long = c.Short + "." + activationHelp + "\nWith --upgrade the device is in client control mode, and the account its administrator's."
	c.Flags().StringVar(&file, newPassFlag, "", "`FILE` with the administrator's password to be")
	c.Flags().StringVar(&cert, "cert", "", "`FILE` with the certificates (PEM), the leaf first, the root last")
	c.Flags().StringVar(&key, "key", "", "`FILE` with the key of the leaf; by default that of --cert")
	c.Flags().BoolVar(&upgrade, "upgrade", false, "the device is in client control mode already")
	return need(c, "cert")
}

// loadProvisioning reads the certificates that make somebody a device's administrator.
func loadProvisioning(cert, key string) (flows.Provisioning, error) {
	orElse(&key, cert)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return flows.Provisioning{}, usageError("--cert: %v", err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return flows.Provisioning{}, usageError("--key: it cannot sign")
	}
	return flows.Provisioning{Chain: pair.Certificate, Key: signer}, nil
}

// unprovision takes a device out of service, if that is meant.
func (a *app) unprovision() *cobra.Command {
	var partial, sure bool
	c := a.on("unprovision", "Take the device back to where it was before activation", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		if !sure {
			if err := s.confirm("This removes all settings of AMT, accounts and certificates included.", "unprovision"); err != nil {
				return err
			}
		}
		var err error
		if partial {
			err = s.dev.UnprovisionPartially(ctx)
		} else {
			err = s.dev.Unprovision(ctx)
		}
		if err != nil {
			return err
		}
		return s.done("the device was told to; it drops off for about a minute")
	})
	c.Flags().BoolVar(&partial, "partial", false, "keep what the next activation needs: keys and hashes")
	c.Flags().BoolVar(&sure, "yes", false, "do not ask whether that is meant")
	return c
}

// confirm has the user type a word. Where there is no user it is a refusal.
func (s *session) confirm(what, word string) error {
	if !s.inTerminal {
		return usageError("%s is not done without --yes, as there is nobody to ask", word)
	}
	s.note("%s", what)
	s.note("Type %s to go on:", word)
	line, err := s.in.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != word {
		return errRefused("nothing was changed")
	}
	return nil
}
