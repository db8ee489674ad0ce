package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
)

// inviteCommands are the verbs that invite somebody to install an agent.
func (a *app) inviteCommands() []*cobra.Command {
	return []*cobra.Command{a.sendInvite(), a.inviteLink()}
}

func (a *app) sendInvite() *cobra.Command {
	var invite controlproto.InviteAgent
	c := a.onGroup("sendinviteemail", "Invite somebody by e-mail to install an agent", func(ctx context.Context, s *session, group controlproto.ID) error {
		invite.GroupID = group
		if err := s.client.SendInvite(ctx, &invite); err != nil {
			return err
		}
		return s.done("ok")
	})
	f := c.Flags()
	f.StringVar(&invite.Email, "email", "", "e-mail `ADDRESS`")
	f.StringVar(&invite.Name, "name", "", "`NAME` of the recipient")
	f.StringVar(&invite.Msg, "message", "", "`TEXT` in the mail")
	need(c, "email")
	return c
}

func (a *app) inviteLink() *cobra.Command {
	var hours, flags int
	c := a.onGroup("generateinvitelink", "Make an address with an invitation to install an agent",
		func(ctx context.Context, s *session, group controlproto.ID) error {
			switch {
			case hours < 0:
				return usageError("--hours is negative")
			case flags < 0 || flags > 2:
				return usageError("--flags must be 0, 1 or 2")
			}
			url, err := s.client.InviteLink(ctx, &controlproto.CreateInviteLink{
				GroupID: group, Expire: time.Duration(hours) * time.Hour, Flags: controlproto.InviteKind(flags),
			})
			if err != nil {
				return err
			}
			return s.done(url.Reveal(), field{"url", url.Reveal()})
		})
	c.Flags().IntVar(&hours, "hours", 0, "`HOURS` that it is good for; 0 is for ever")
	c.Flags().IntVar(&flags, "flags", 0, "`KIND` of installation: 0 any, 1 interactive only, 2 background only")
	need(c, "hours")
	return c
}

// agentCommands is the verb that downloads agents.
func (a *app) agentCommands() []*cobra.Command {
	var arch, install int
	var output string
	c := a.onGroup("agentdownload", "Download an agent for a device group", func(ctx context.Context, s *session, group controlproto.ID) error {
		switch {
		case arch < 1 || arch > 11000:
			return usageError("--type must be 1 to 11000")
		case install < 0 || install > 2:
			return usageError("--installflags must be 0, 1 or 2")
		}
		d := controlproto.AgentDownload{Architecture: arch, Group: group, Install: controlproto.InviteKind(install)}
		return s.downloadAgent(ctx, d, output)
	})
	c.Flags().IntVar(&arch, "type", 0, "`NUMBER` of the architecture: 3 and 4 Windows x86 and x64, 6 Linux x64, 26 Linux ARM64, 29 macOS ARM64, ...")
	c.Flags().IntVar(&install, "installflags", 0, "`KIND` of installation that Windows agents offer: 0 any, 1 interactive only, 2 background only")
	c.Flags().StringVar(&output, "output", "", "`FILE` to write; the server's name for it, in the current folder")
	need(c, "type")
	return []*cobra.Command{c}
}

func (s *session) downloadAgent(ctx context.Context, d controlproto.AgentDownload, output string) error {
	dir := "."
	if output != "" {
		dir = filepath.Dir(output)
	}
	f, err := os.CreateTemp(dir, ".meshctl-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // is gone if all went well
	defer f.Close()
	name, err := s.client.DownloadAgent(ctx, f, d)
	if err != nil {
		return err
	}
	if output == "" {
		// The server's word for a file is no path.
		if output = localName(name); output == "" {
			return usageError("the server gives no name for the file: use --output")
		}
	}
	size, err := f.Seek(0, 1)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), output); err != nil {
		return err
	}
	return s.done(fmt.Sprintf("Downloaded %d byte(s) to %q", size, output), field{"file", output})
}
