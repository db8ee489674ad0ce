package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/mps"
)

// config is what the command line and the environment ask for.
type config struct {
	Listen         string // host:port
	Data           string // folder
	Admin          *admin // nil: make one if there is none
	Core           string // file or folder, or ""
	Recordings     string // folder, or "": nothing is recorded
	WebCert        string // PEM file, with WebKey, instead of the one in the data folder
	WebKey         string
	TrustedProxies []netip.Prefix
	MPS            string // host:port for Intel AMT, or ""
	MPSProfile     mps.Profile
	CertURL        string // of a proxy that terminates TLS, or of a copy of its certificate, or ""
	LogLevel       slog.Level
	File           fileConfig // MeshCentral's config.json
}

// admin is the administrator's login.
type admin struct {
	Domain   string // "" is the default one
	Name     string
	Password agentproto.Secret
}

// adminVariable is the environment's form of -admin, which other users of the machine can not see.
const adminVariable = "MESHCENTRAL_GO_ADMIN"

const minPassword = 8

// parseConfig reads the command line. After -h, the error is flag.ErrHelp and the help is written to out.
func parseConfig(args []string, getenv func(string) string, out io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("server", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are one line, printed by main
	f.StringVar(&c.Listen, "listen", "127.0.0.1:8443", "`address` to listen on, for browsers and agents")
	f.StringVar(&c.Data, "data", "meshcentral-go-data", "data `folder`; that of a stopped MeshCentral is taken over")
	file := f.String("config", "", "`file` with MeshCentral's settings, instead of config.json in the data folder. What is said here wins")
	// Not a flag.Func: its errors repeat the value, which is a secret.
	login := f.String("admin", "", "`name:password` of the administrator, to be set, or domain/name:password of that of another domain.\n"+
		"Other users of this machine can see the command line;\n"+
		"the variable "+adminVariable+" in the environment does the same unseen")
	f.StringVar(&c.Recordings, "recordings", "", "`folder` for recordings of terminals, desktops and files: of the accounts, user groups and\n"+
		"device groups that are set to be recorded (meshctl editdevicegroup --flags 4)")
	f.StringVar(&c.Core, "core", "", "`path` of a core to push to agents, or of MeshCentral's folder \"agents\"")
	f.StringVar(&c.WebCert, "web-cert", "", "PEM `file` with the web certificate and its chain, instead of the data folder's")
	f.StringVar(&c.WebKey, "web-key", "", "PEM `file` with the private key of -web-cert")
	f.Func("trusted-proxy", "`network` of proxies whose headers tell a client's address; repeatable, or with commas", func(s string) error {
		for part := range strings.SplitSeq(s, ",") {
			p, err := parsePrefix(strings.TrimSpace(part))
			if err != nil {
				return err
			}
			c.TrustedProxies = append(c.TrustedProxies, p)
		}
		return nil
	})
	f.StringVar(&c.CertURL, "cert-url", "", "`URL` of a proxy that terminates TLS in front of this server, https://HOST[:PORT]: agents see its\n"+
		"certificate. Or file://PATH of a copy of that certificate")
	f.StringVar(&c.MPS, "mps", "", "`address` to listen on for devices with Intel AMT that call in (CIRA), usually :4433")
	f.Func("mps-tls", "`profile` of TLS for them: default, amt11to15, legacy or strict", func(name string) (err error) {
		c.MPSProfile, err = mps.ParseProfile(name)
		return err
	})
	f.TextVar(&c.LogLevel, "log-level", slog.LevelInfo, "`level` of the log: debug, info, warn or error")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(out, "A server for MeshCentral's agents. Usage of server:")
			f.SetOutput(out)
			f.PrintDefaults()
		}
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q; all options begin with -", f.Arg(0))
	}
	for _, from := range []struct{ name, value string }{{"-admin", *login}, {adminVariable, getenv(adminVariable)}} {
		if from.value == "" || c.Admin != nil {
			continue
		}
		var err error
		if c.Admin, err = parseAdmin(from.value); err != nil {
			return c, fmt.Errorf("%s: %w", from.name, err)
		}
	}
	if err := c.check(); err != nil {
		return c, err
	}
	var err error
	if c.File, err = readConfigFile(*file, c.Data); err != nil {
		return c, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	c.adopt(given)
	return c, nil
}

// adopt takes over what the file says and the command line does not.
func (c *config) adopt(given map[string]bool) {
	if (c.File.Port != 0 || c.File.PortBind != "") && !given["listen"] {
		port := "8443"
		if c.File.Port != 0 {
			port = strconv.Itoa(c.File.Port)
		}
		c.Listen = net.JoinHostPort(c.File.PortBind, port)
	}
	if c.File.MPSPort != 0 && !given["mps"] {
		c.MPS = net.JoinHostPort(c.File.MPSPortBind, strconv.Itoa(c.File.MPSPort))
	}
	if c.File.MPSStrict && !given["mps-tls"] {
		c.MPSProfile = mps.ProfileStrict
	}
	if !given["cert-url"] {
		c.CertURL = c.File.CertURL
	}
	if !given["trusted-proxy"] {
		c.TrustedProxies = c.File.TrustedProxies
	}
}

// check finds what the parsing of single flags does not.
func (c config) check() error {
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		return fmt.Errorf("-listen %q: want host:port or :port", c.Listen)
	}
	if _, port, err := net.SplitHostPort(c.MPS); c.MPS != "" && (err != nil || port == "") {
		return fmt.Errorf("-mps %q: want host:port or :port", c.MPS)
	}
	if c.Data == "" {
		return errors.New("-data: want a folder")
	}
	if (c.WebCert == "") != (c.WebKey == "") {
		return errors.New("-web-cert and -web-key go together")
	}
	return nil
}

// parseAdmin takes name:password or domain/name:password. It does not repeat what it was given in errors.
func parseAdmin(s string) (*admin, error) {
	name, password, ok := strings.Cut(s, ":")
	domain, inDomain, of := strings.Cut(name, "/")
	if of {
		name = inDomain
	} else {
		domain = ""
	}
	switch {
	case !ok || name == "" || strings.Contains(name, "/"):
		return nil, errors.New("want name:password or domain/name:password")
	case len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, errors.New("the name is too long, or has characters that can not be printed")
	case len(password) < minPassword:
		return nil, fmt.Errorf("the password has less than %d characters", minPassword)
	}
	return &admin{strings.ToLower(domain), name, agentproto.NewSecret(password)}, nil
}

// parsePrefix takes a network such as 10.0.0.0/8, or an address.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, errors.New("want a network such as 10.0.0.0/8, or an address")
	}
	return p.Masked(), nil
}
