package main

import (
	"context"
	"encoding/pem"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/flows"
)

// ciraCommands are the commands about the server that a device calls.
func (a *app) ciraCommands() []*cobra.Command {
	clear := a.on("clear", "Have the device call nobody", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		if err := s.dev.ClearCIRA(ctx); err != nil {
			return err
		}
		return s.done("ok")
	})
	return []*cobra.Command{group("cira", "The server that the device calls (client initiated remote access)", a.ciraSet(), clear)}
}

func (a *app) ciraSet() *cobra.Command {
	var c flows.CIRA
	var root, passFile string
	set := a.on("set", "Have the device call this server and no other one", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		var err error
		c.Format = amt.InfoFormatFQDN
		if ip, err := netip.ParseAddr(c.Host); err == nil {
			c.Format = amt.InfoFormatIPv4
			if ip.Is6() {
				c.Format = amt.InfoFormatIPv6
			}
		}
		if c.Root, err = readCertificate("root", root); err != nil {
			return err
		}
		c.Password, err = s.newSecret(ctx, secretSource{
			what: "password for the server", env: "AMTCTL_CIRA_PASSWORD", file: passFile, flag: "mps-pass-file",
		})
		if err != nil {
			return err
		}
		if err := s.dev.SetCIRA(ctx, c); err != nil {
			return err
		}
		return s.done("ok", field{"server", c.Host})
	})
	set.Long = set.Short + ".\n\nThe password that the device logs in with is in AMTCTL_CIRA_PASSWORD or --mps-pass-file, or is asked for."
	f := set.Flags()
	f.StringVar(&c.Host, "server", "", "`ADDRESS` of the server: name or IP")
	f.Uint16Var(&c.Port, "port", 4433, "its `PORT`")
	f.StringVar(&c.Name, "name", "", "`NAME` in its certificate; by default the address")
	f.StringVar(&root, "root", "", "`FILE` with the certificate that has signed the server's, PEM or DER")
	f.StringVar(&c.Username, "mps-user", "", "`NAME` to log in with: at most 16 letters and digits")
	f.StringVar(&passFile, "mps-pass-file", "", "`FILE` with the password")
	f.DurationVar(&c.Every, "every", 10*time.Second, "`TIME` between two tries")
	f.StringSliceVar(&c.Inside, "inside", nil, "`DOMAINS` of networks in which the device does not call, with commas between them")
	return need(set, "server", "root", "mps-user")
}

// readCertificate reads a certificate, PEM or DER.
func readCertificate(flag, name string) ([]byte, error) {
	b, err := readSmall(name)
	if err != nil {
		return nil, usageError("--%s: %v", flag, err)
	}
	if block, _ := pem.Decode(b); block != nil {
		if block.Type != "CERTIFICATE" {
			return nil, usageError("--%s: %s holds no certificate", flag, name)
		}
		return block.Bytes, nil
	}
	return b, nil
}
