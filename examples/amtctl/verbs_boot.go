package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/flows"
)

// bootTargets are what a host can be told to boot.
var bootTargets = map[string]flows.Boot{ //nolint:gochecknoglobals // constant
	"normal":      {},
	"pxe":         {Source: cim.BootSourcePXE},
	"hdd":         {Source: cim.BootSourceHardDrive},
	"cd":          {Source: cim.BootSourceCD},
	"diagnostic":  {Source: cim.BootSourceDiagnostic},
	"https":       {Source: cim.BootSourceHTTPS},
	"bios":        {BIOSSetup: true},
	"pause":       {BIOSPause: true},
	"ider":        {IDER: true, IDERDevice: amt.IDERBootDeviceCD},
	"ider-floppy": {IDER: true, IDERDevice: amt.IDERBootDeviceFloppy},
}

// bootPowers are the power requests that a boot ends with; auto is on or reset, by the state of the host.
var bootPowers = map[string]cim.PowerState{ //nolint:gochecknoglobals // constant
	"auto": 0, "none": 0, "on": cim.PowerStateOn, "reset": cim.PowerStateMasterBusReset, "cycle": cim.PowerStatePowerCycleSoft,
	"reset-graceful": cim.PowerStateResetGraceful,
}

// bootFlags are those of all commands that boot.
type bootFlags struct {
	power              string
	secure, bypass     bool
	image, server      string
	imageUser, imgPass string
	syncRoots          bool
}

func (b *bootFlags) add(f *pflag.FlagSet) {
	f.StringVar(&b.power, "power", "auto", "`REQUEST` that boots: on, reset, reset-graceful, cycle, none to prepare the next boot only, or auto for on or reset")
	f.BoolVar(&b.secure, "secure-boot", false, "insist on secure boot")
	f.BoolVar(&b.bypass, "bypass-password", false, "skip the user's password of the BIOS")
	f.StringVar(&b.image, "image", "", "`URL` of what https boots")
	f.StringVar(&b.server, "image-server-name", "", "`NAME` in the certificate of its server")
	f.StringVar(&b.imageUser, "image-user", "", "`NAME` to log in with there; the password is in AMTCTL_IMAGE_PASSWORD or --image-pass-file")
	f.StringVar(&b.imgPass, "image-pass-file", "", "`FILE` with that password")
	f.BoolVar(&b.syncRoots, "image-sync-roots", false, "have the BIOS trust the root certificates of AMT")
}

// of returns the boot that the flags ask for.
func (b *bootFlags) of(ctx context.Context, s *session, word string) (flows.Boot, error) {
	boot, err := choice("boot", word, bootTargets)
	if err != nil {
		return boot, err
	}
	if boot.Power, err = choice("--power", b.power, bootPowers); err != nil {
		return boot, err
	}
	boot.SecureBoot, boot.UserPasswordBypass = b.secure, b.bypass
	isHTTPS := boot.Source == cim.BootSourceHTTPS
	switch {
	case isHTTPS && b.image == "":
		return boot, usageError("boot https goes with --image")
	case !isHTTPS && (b.image != "" || b.server != "" || b.imageUser != "" || b.imgPass != "" || b.syncRoots):
		return boot, usageError("--image and what belongs to it go with boot https")
	case !isHTTPS:
		return boot, nil
	}
	boot.Recovery = append(boot.Recovery, amt.NewBootText(amt.BootParameterURL, b.image))
	if b.server != "" {
		boot.Recovery = append(boot.Recovery, amt.NewBootText(amt.BootParameterServerName, b.server))
	}
	if b.syncRoots {
		boot.Recovery = append(boot.Recovery, amt.NewBootParameter(amt.BootParameterSyncRootCA, []byte{1}))
	}
	if b.imageUser != "" {
		password, err := s.secret(ctx, secretSource{
			what: "password of " + b.imageUser, env: "AMTCTL_IMAGE_PASSWORD", file: b.imgPass, flag: "image-pass-file",
		})
		if err != nil {
			return boot, err
		}
		boot.Recovery = append(boot.Recovery, amt.NewBootText(amt.BootParameterUser, b.imageUser),
			amt.NewBootText(amt.BootParameterPassword, password.Reveal()))
	}
	return boot, nil
}

// boot boots the host. With auto the host's state decides how.
func (s *session) boot(ctx context.Context, b flows.Boot, power string) (flows.Power, error) {
	if strings.EqualFold(power, "auto") {
		p, err := s.dev.Power(ctx)
		if err != nil {
			return p, err
		}
		b.Power = cim.PowerStateOn
		if p.State == cim.PowerStateOn {
			b.Power = cim.PowerStateMasterBusReset
		}
	}
	return s.dev.Boot(ctx, b)
}

// bootCommands are the commands that boot a host.
func (a *app) bootCommands() []*cobra.Command {
	var flags bootFlags
	var sol bool
	args := func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(1)(cmd, args); err != nil {
			return usageError("boot what? %s", wordsOf(bootTargets))
		}
		_, err := choice("boot", args[0], bootTargets)
		return err
	}
	boot := a.on("boot TARGET", "Boot the host from somewhere else, once", args, func(ctx context.Context, s *session, args []string) error {
		b, err := flags.of(ctx, s, args[0])
		if err != nil {
			return err
		}
		b.SOL = sol
		p, err := s.boot(ctx, b, flags.power)
		if err == nil && p.State == cim.PowerStateUnknown {
			return s.done("the next boot is prepared")
		}
		return s.powered(p, err)
	})
	boot.Long = boot.Short + ": " + wordsOf(bootTargets) + ".\n\n" +
		"It prints the power state that the host ends in. For ider a session is to be there before: amtctl ider --boot does both."
	flags.add(boot.Flags())
	boot.Flags().BoolVar(&sol, "sol", false, "show the texts of the BIOS in a serial-over-LAN session, see amtctl sol")
	sources := a.on("sources", "List what the host can be told to boot", cobra.NoArgs, bootSources)
	boot.AddCommand(sources)
	return []*cobra.Command{boot}
}

// bootReply is what boot sources prints as JSON.
type bootReply struct {
	Sources []string `json:"sources"`
	Can     []string `json:"can"`
}

func bootSources(ctx context.Context, s *session, _ []string) error {
	sources, err := s.dev.BootSources(ctx)
	if err != nil {
		return err
	}
	can, err := s.dev.BootCapabilities(ctx)
	if err != nil {
		return err
	}
	r := bootReply{Sources: []string{}, Can: bootAbilities(can)}
	t := &table{columns: []string{"boot source"}, none: "None"}
	for _, src := range sources {
		r.Sources = append(r.Sources, src.InstanceID)
	}
	slices.Sort(r.Sources)
	for _, name := range r.Sources {
		t.add(name)
	}
	if s.flags.json {
		return s.printJSON(r)
	}
	if err := s.list(t, nil); err != nil {
		return err
	}
	return s.println("\nThe firmware can: " + console.Clean(strings.Join(r.Can, ", ")))
}

func bootAbilities(c *amt.BootCapabilities) []string {
	can := []string{}
	for _, a := range []struct {
		name string
		has  bool
	}{
		{"pxe", c.ForcePXEBoot}, {"hdd", c.ForceHardDriveBoot}, {"cd", c.ForceCDorDVDBoot}, {"diagnostic", c.ForceDiagnosticBoot},
		{"https", c.ForceUEFIHTTPSBoot}, {"bios", c.BIOSSetup}, {"pause", c.BIOSPause}, {"ider", c.IDER}, {"sol", c.SOL},
		{"secure boot", c.BIOSSecureBoot}, {"bypass of the password", c.UserPasswordBypass},
	} {
		if a.has {
			can = append(can, a.name)
		}
	}
	return can
}
