package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is one run of the program.
type app struct {
	*system
	flags globalFlags
	begun bool // a command is at work, so the command line was right
}

// globalFlags are the flags of all commands.
type globalFlags struct {
	host, user, passFile       string
	redirectionPort            uint16
	tls                        bool
	pin, ca, tlsName, profile  string
	insecure                   bool
	clientCert, clientKey      string
	realm                      string
	url, device                string
	loginUser, loginPassFile   string
	loginKeyFile, token, proxy string
	serverID, domain           string
	stored                     bool
	json, verbose              bool
	wait                       time.Duration
}

// defaultWait is how long an answer may take.
const defaultWait = 30 * time.Second

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, s *system) int {
	a := &app{system: s}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.begun { // cobra's own errors
		err = usageError("%v", err)
	}
	if err != nil {
		fmt.Fprint(s.err, a.explain(err))
	}
	return exitCode(err)
}

// root makes the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "amtctl",
		Short: "Operate a device with Intel AMT",
		Long: "Operate a device with Intel AMT, directly (--host) or through a MeshCentral server (--url and --device).\n\n" +
			"Passwords come from the environment (AMTCTL_PASSWORD of the device, AMTCTL_LOGINPASS of the server), from files, or\n" +
			"are asked for on the terminal; there are no flags for them, as others on this machine see the command line.\n\n" +
			"Exit codes: 0 done, 1 refused, 2 usage, 3 no connection or no answer.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	a.addGlobalFlags(root.PersistentFlags())
	for _, family := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"look", "Looking:", slices.Concat(a.infoCommands(), a.logCommands())},
		{"act", "Acting on the host:", slices.Concat(a.powerCommands(), a.bootCommands(), a.solCommands(), a.iderCommands())},
		{"settings", "Settings:", slices.Concat(a.userCommands(), a.redirectionCommands(), a.consentCommands(), a.ciraCommands(),
			a.tlsCommands(), a.wifiCommands(), a.clockCommands(), a.alarmCommands())},
		{"setup", "Activation:", a.activationCommands()},
	} {
		root.AddGroup(&cobra.Group{ID: family.id, Title: family.title})
		for _, c := range family.commands {
			c.GroupID = family.id
			root.AddCommand(c)
		}
	}
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Args = helpTopic
		}
	}
	return root
}

func (a *app) addGlobalFlags(f *pflag.FlagSet) {
	g := &a.flags
	f.StringVar(&g.host, "host", "", "`ADDRESS` of the device, HOST[:PORT]; port 16992, or 16993 with --tls (AMTCTL_HOST)")
	f.StringVar(&g.user, "user", "", "`NAME` of the device's account; admin if nothing says another (AMTCTL_USER)")
	f.StringVar(&g.passFile, "pass-file", "", "`FILE` with its password, - for the first line of the standard input; without it AMTCTL_PASSWORD, or it is asked for")
	f.Uint16Var(&g.redirectionPort, "redirection-port", 0, "`PORT` of redirection, with --host; 16994, or 16995 with --tls")
	f.BoolVar(&g.tls, "tls", false, "speak TLS with the device")
	f.StringVar(&g.profile, "tls-profile", "default", "`PROFILE` of TLS: default, amt6to11 for old firmware, or strict")
	f.StringVar(&g.pin, "pin", "", "accept the TLS certificate with this SHA-256, SHA-384 or SHA-1 `HASH` and no other: of the device, or with --url of the server")
	f.StringVar(&g.ca, "ca", "", "`FILE` with the certificates (PEM) of authorities to trust for --tls")
	f.StringVar(&g.tlsName, "tls-name", "", "`NAME` in the device's certificate, if it is not the host")
	f.BoolVar(&g.insecure, "insecure", false, "DANGEROUS: accept any TLS certificate; whoever is in between can act as you")
	f.StringVar(&g.clientCert, "client-cert", "", "`FILE` with a certificate (PEM) to show to the device, for mutual TLS")
	f.StringVar(&g.clientKey, "client-key", "", "`FILE` with its key; by default that of --client-cert")
	f.StringVar(&g.realm, "realm", "", "digest `REALM` that the device must show, else nothing made of the password is sent")
	f.StringVar(&g.url, "url", "", "`ADDRESS` of a MeshCentral server, wss://host[:port][/domain][?key=...] (AMTCTL_URL)")
	f.StringVar(&g.device, "device", "", "`ID` or name of the device on that server (AMTCTL_DEVICE)")
	f.StringVar(&g.loginUser, "loginuser", "", "login `NAME` on the server, or that of a login token (~t:...); admin if nothing says another (AMTCTL_LOGINUSER)")
	f.StringVar(&g.loginPassFile, "loginpass-file", "", "`FILE` with its password or secret; without it AMTCTL_LOGINPASS, or it is asked for")
	f.StringVar(&g.loginKeyFile, "loginkeyfile", "", "`FILE` with the server's login key in hexadecimal digits, instead of a password")
	f.StringVar(&g.domain, "logindomain", "", "`DOMAIN` of the account, with a login key")
	f.StringVar(&g.token, "token", "", "`CODE` of the second factor; email, sms and messaging have one sent")
	f.StringVar(&g.serverID, "server-id", "", "have the server prove that it is the one with this `ID`, whatever its TLS certificate")
	f.StringVar(&g.proxy, "proxy", "", "`ADDRESS` of an HTTP proxy to the server, http://host:port; that of the environment if nothing says another")
	f.BoolVar(&g.stored, "stored", false, "with --url: have the server put in the credentials of the device that it has stored")
	f.BoolVar(&g.json, "json", false, "print JSON")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "tell each step, on standard error")
	f.DurationVar(&g.wait, "wait", defaultWait, "how long to wait for a connection and for an answer, and for what takes the device some time: 30s, 5m, ...")
}

// helpTopic refuses help about what is no command, which cobra takes for a success.
func helpTopic(cmd *cobra.Command, args []string) error {
	if _, _, err := cmd.Root().Find(args); err != nil {
		return usageError("no help about %q", strings.Join(args, " "))
	}
	return nil
}

// on makes a command that works on a device. The connection ends with it.
func (a *app) on(use, short string, args cobra.PositionalArgs, do func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: args}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		a.begun = true
		s, err := a.connect(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		defer s.close()
		return do(cmd.Context(), s, args)
	}
	return c
}

// choice takes one of some words.
func choice[T any](flag, word string, words map[string]T) (T, error) {
	if v, ok := words[strings.ToLower(word)]; ok {
		return v, nil
	}
	var none T
	return none, usageError("%s can be %s, and not %.40q", flag, wordsOf(words), word)
}

func wordsOf[T any](words map[string]T) string {
	all := make([]string, 0, len(words))
	for w := range words {
		all = append(all, w)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// need marks flags that a command cannot do without.
func need(c *cobra.Command, names ...string) *cobra.Command {
	for _, name := range names {
		_ = c.MarkFlagRequired(name) // fails for unknown names only, which a test would find
	}
	return c
}

// group makes a command of others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return usageError("%s wants one of its commands: see %s --help", cmd.Name(), cmd.CommandPath())
	}}
	c.AddCommand(commands...)
	return c
}
