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
	begun bool // a verb is at work, so the command line was right
}

// globalFlags are the flags of all verbs.
type globalFlags struct {
	profile                               string
	url, user, pass, token, key, keyFile  string
	domain, proxy, pin, serverID          string
	insecureSkipVerify, insecurePlaintext bool
	json, csv                             bool
	wait                                  time.Duration
}

// defaultWait is how long a reply may take.
const defaultWait = 30 * time.Second

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, s *system) int {
	a := &app{system: s}
	root := a.root()
	root.SetArgs(likeMeshctrl(root, args))
	err := root.ExecuteContext(ctx)
	if err != nil && !a.begun { // cobra's own errors
		err = usageError("%v", err)
	}
	if err != nil {
		fmt.Fprint(s.err, explain(err))
	}
	return exitCode(err)
}

// root makes the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "meshctl",
		Short: "Operate a MeshCentral server",
		Long: "Operate a MeshCentral server: the verbs and flags of MeshCentral's meshctrl.js.\n\n" +
			"Devices, device groups and user groups are named by their id, whole, bare or in hexadecimal digits, or by a\n" +
			"name that only one of them has. Where several devices are possible, commas separate them.\n\n" +
			"Exit codes: 0 done, 1 refused, 2 usage, 3 no connection or no answer.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	a.addGlobalFlags(root.PersistentFlags())
	a.completeGlobalFlags(root)
	for _, family := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"server", "Server and account:", slices.Concat(a.serverCommands(), a.tokenCommands(), a.eventCommands(), a.reportCommands())},
		{"devices", "Devices:", slices.Concat(a.listDeviceCommands(), a.deviceCommands(), a.deviceInfoCommands(), a.deviceUserCommands())},
		{"act", "Acting on devices:", slices.Concat(a.runCommands(), a.powerCommands(), a.messageCommands(), a.shellCommands(),
			a.fileCommands(), a.forwardCommands(), a.desktopCommands(), a.shareCommands())},
		{"groups", "Device groups:", slices.Concat(a.groupCommands(), a.groupUserCommands(), a.inviteCommands(), a.agentCommands())},
		{"users", "Users and user groups:", slices.Concat(a.userCommands(), a.userGroupCommands())},
		{"local", "This machine:", slices.Concat(a.profileCommands(), a.configCommands(), a.errorLogCommands(), a.replayCommands())},
	} {
		root.AddGroup(&cobra.Group{ID: family.id, Title: family.title})
		for _, c := range family.commands {
			c.GroupID = family.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("local")
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
	f.StringVar(&g.url, "url", "", "`ADDRESS` of the server, wss://host[:port][/domain][?key=...]; wss://localhost if nothing says another")
	f.StringVar(&g.user, "loginuser", "", "login `NAME`, or that of a login token (~t:...); admin if nothing says another")
	f.StringVar(&g.pass, "loginpass", "", "`PASSWORD` or secret of the login token; empty asks for it. Others on this machine see the command line: prefer MESHCTL_PASSWORD")
	f.StringVar(&g.token, "token", "", "`CODE` of the second factor; email, sms and messaging have one sent")
	f.StringVar(&g.key, "loginkey", "", "the server's login key in `HEX`, or a login cookie")
	f.StringVar(&g.keyFile, "loginkeyfile", "", "`FILE` with the server's login key in hexadecimal digits")
	f.StringVar(&g.domain, "logindomain", "", "`DOMAIN` of the account, with a login key")
	f.StringVar(&g.proxy, "proxy", "", "`ADDRESS` of an HTTP proxy, http://host:port; that of the environment if nothing says another")
	f.StringVar(&g.pin, "pin", "", "accept the TLS certificate with this SHA-384 or SHA-256 `HASH` and no other")
	f.StringVar(&g.serverID, "server-id", "", "have the server prove that it is the one with this `ID` (ServerID of a .msh file), whatever its TLS certificate")
	f.BoolVar(&g.insecureSkipVerify, "insecure-skip-verify", false, "DANGEROUS: accept any TLS certificate; whoever is in between gets the password")
	f.BoolVar(&g.insecurePlaintext, "insecure-plaintext", false, "DANGEROUS: permit ws:// to other machines; everyone in between reads the password")
	f.StringVar(&g.profile, "profile", "", "`NAME` of the profile to use, see meshctl help profile")
	f.BoolVar(&g.json, "json", false, "print JSON")
	f.BoolVar(&g.csv, "csv", false, "print comma separated values (listings)")
	f.DurationVar(&g.wait, "wait", defaultWait, "how long to wait for a connection, and for an answer: 30s, 5m, ...")
}

// emptyMeans are flags that mean something without a value: --desc alone clears the description.
var emptyMeans = []string{"loginpass", "pass", "desc", "realname", "phone", "invitecodes", "tags", "settodomain"} //nolint:gochecknoglobals // constant

// likeMeshctrl changes a command line that meshctrl takes into one that cobra does: verbs in any case, and flags
// without a value where that is an empty one.
func likeMeshctrl(root *cobra.Command, args []string) []string {
	out := make([]string, 0, len(args))
	verbs, value := 0, false
	for i, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "--")
		last := i+1 == len(args) || strings.HasPrefix(args[i+1], "--")
		switch {
		case value:
			value = false
		case arg == "--":
			return append(out, args[i:]...)
		case isFlag && last && (slices.Contains(emptyMeans, name) || isDomainValue(name)):
			arg += "="
		case isFlag && !strings.Contains(name, "="):
			value = !last && takesValue(root, name)
		case !isFlag && verbs == 0, !isFlag && verbs == 1 && len(out) > 0 && out[len(out)-1] == "help":
			arg = strings.ToLower(arg)
			verbs++
		}
		out = append(out, arg)
	}
	return out
}

// takesValue tells it of the flags that may stand before the verb.
func takesValue(root *cobra.Command, name string) bool {
	f := root.PersistentFlags().Lookup(name)
	return f != nil && f.NoOptDefVal == ""
}

// verb makes a command without a connection.
func (a *app) verb(name, short string, do func(ctx context.Context, cmd *cobra.Command) error) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		a.begun = true
		if a.flags.csv && !slices.Contains(listings, cmd.Name()) {
			return usageError("--csv is for listings")
		}
		if a.flags.csv && a.flags.json {
			return usageError("--json and --csv exclude each other")
		}
		return do(cmd.Context(), cmd)
	}
	return c
}

// helpTopic refuses help about what is no verb, which cobra takes for a success.
func helpTopic(cmd *cobra.Command, args []string) error {
	if _, _, err := cmd.Root().Find(args); err != nil {
		return usageError("no help about %q", strings.Join(args, " "))
	}
	return nil
}

// listings are the verbs that take --csv.
var listings = []string{ //nolint:gochecknoglobals // constant
	"listdevices", "listdevicegroups", "listusersofdevicegroup", "listusers", "listusersessions", "listusergroups", "listevents",
	"logintokens", "devicesharing", "report", "config", "indexagenterrorlog", "list",
}

// remote makes a command that works on a server. The connection ends with it.
func (a *app) remote(name, short string, do func(ctx context.Context, s *session) error) *cobra.Command {
	return a.verb(name, short, func(ctx context.Context, cmd *cobra.Command) error {
		s, err := a.connect(ctx, cmd)
		if err != nil {
			return err
		}
		defer s.client.Close()
		return do(ctx, s)
	})
}

// need marks flags that a command cannot do without.
func need(c *cobra.Command, names ...string) {
	for _, name := range names {
		_ = c.MarkFlagRequired(name) // fails for unknown names only, which a test would find
	}
}
