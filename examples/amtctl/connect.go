package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// Ports of AMT.
const (
	portHTTP           = 16992
	portHTTPS          = 16993
	portRedirection    = 16994
	portRedirectionTLS = 16995
)

// session is a command's connection to a device.
type session struct {
	*app
	cmd      *cobra.Command
	client   *wsman.Client
	dev      *flows.Device
	user     string
	password wsman.Secret
	// dialRedirection opens a connection to the port of redirection.
	dialRedirection func(ctx context.Context) (net.Conn, error)
	close           func()
}

// changed tells whether a flag is on the command line.
func (s *session) changed(flag string) bool { return s.cmd.Flags().Changed(flag) }

func orElse(v *string, other string) {
	if *v == "" {
		*v = other
	}
}

// connect makes a client of the flags and the environment. A direct one has not connected yet.
func (a *app) connect(ctx context.Context, cmd *cobra.Command) (*session, error) {
	g := &a.flags
	if g.host == "" && g.url == "" { // a way on the command line comes before that of the environment
		g.host, g.url = a.getenv("AMTCTL_HOST"), a.getenv("AMTCTL_URL")
	}
	orElse(&g.device, a.getenv("AMTCTL_DEVICE"))
	orElse(&g.user, a.getenv("AMTCTL_USER"))
	orElse(&g.user, flows.Admin)
	if err := a.checkWay(); err != nil {
		return nil, err
	}
	s := &session{app: a, cmd: cmd, user: g.user, close: func() {}}
	if err := s.credentials(ctx); err != nil {
		return nil, err
	}
	cfg := wsman.Config{Username: s.user, Password: s.password, Realm: g.realm, Timeout: g.wait}
	var err error
	if g.url != "" {
		err = s.throughServer(ctx, &cfg)
	} else {
		err = s.direct(&cfg)
	}
	if err != nil {
		return nil, err
	}
	before := s.close
	if s.client, err = wsman.NewClient(cfg); err != nil {
		before()
		return nil, usageError("%v", err)
	}
	s.close = func() { _ = s.client.Close(); before() }
	s.dev = &flows.Device{Client: s.client, Now: a.now, Wait: a.pause}
	if cmd.Flags().Changed("wait") {
		s.dev.Settle = g.wait
	}
	if g.verbose {
		s.dev.OnStep = func(step flows.Step) { a.note("%s: %s", step.Flow, step.Name) }
	}
	return s, nil
}

// checkWay says whether the flags fit together.
func (a *app) checkWay() error {
	g := &a.flags
	switch {
	case g.wait <= 0:
		return usageError("--wait must be more than nothing")
	case g.host == "" && g.url == "":
		return usageError("which device? --host, or --url and --device")
	case g.host != "" && g.url != "":
		return usageError("--host and --url exclude each other")
	case g.url != "" && g.device == "":
		return usageError("--url goes with --device")
	case g.url != "" && (g.tls || g.ca != "" || g.clientCert != "" || g.redirectionPort != 0):
		return usageError("--tls and what belongs to it are for --host: with --url the server speaks TLS with the device where it must")
	case g.url == "" && g.stored:
		return usageError("--stored goes with --url")
	case !g.tls && g.url == "" && (g.pin != "" || g.ca != "" || g.insecure || g.clientCert != ""):
		return usageError("--pin, --ca, --insecure and --client-cert go with --tls")
	case g.pin != "" && g.insecure:
		return usageError("--pin and --insecure exclude each other")
	}
	return nil
}

// credentials gets the password, but where the server puts in the one that it has.
func (s *session) credentials(ctx context.Context) (err error) {
	if s.flags.stored {
		s.password = wsman.NewSecret("-") // is replaced on its way
		return nil
	}
	s.password, err = s.secret(ctx, secretSource{
		what: "password of " + s.user, env: "AMTCTL_PASSWORD", file: s.flags.passFile, flag: "pass-file",
	})
	return err
}

// direct is the way without a server.
func (s *session) direct(cfg *wsman.Config) error {
	g := &s.flags
	port, redirection := portHTTP, portRedirection
	if g.tls {
		port, redirection = portHTTPS, portRedirectionTLS
	}
	host := g.host
	if h, p, err := net.SplitHostPort(g.host); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return usageError("--host: %.40q is no port", p)
		}
		host, port = h, int(n)
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if port == portHTTPS && !g.tls {
		return usageError("port %d speaks TLS: add --tls", port)
	}
	if g.redirectionPort != 0 {
		redirection = int(g.redirectionPort)
	}
	cfg.Address = net.JoinHostPort(host, strconv.Itoa(port))
	other := net.JoinHostPort(host, strconv.Itoa(redirection))
	dial := (&net.Dialer{Timeout: g.wait}).DialContext
	cfg.Dial = dial
	if !g.tls {
		s.dialRedirection = func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", other) }
		return nil
	}
	trust, err := s.trust()
	if err != nil {
		return err
	}
	cfg.TLS = trust
	config, err := trust.Client(other)
	if err != nil {
		return usageError("%v", err)
	}
	s.dialRedirection = func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, g.wait)
		defer cancel()
		conn, err := dial(ctx, "tcp", other)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("TLS: %w", err)
		}
		return secured, nil
	}
	return nil
}

// trust says how TLS is spoken with the device, and which certificate is accepted.
func (s *session) trust() (*wsman.TLSConfig, error) {
	g := &s.flags
	profile, err := choice("--tls-profile", g.profile, map[string]wsman.TLSProfile{
		"default": wsman.TLSDefault, "amt6to11": wsman.TLSAMT6to11, "strict": wsman.TLSStrict,
	})
	if err != nil {
		return nil, err
	}
	t := &wsman.TLSConfig{Profile: profile, ServerName: g.tlsName, AcceptAny: g.insecure}
	if g.clientCert != "" {
		orElse(&g.clientKey, g.clientCert)
		cert, err := tls.LoadX509KeyPair(g.clientCert, g.clientKey)
		if err != nil {
			return nil, usageError("--client-cert: %v", err)
		}
		t.Certificate = &cert
	}
	switch {
	case g.insecure:
	case g.pin != "":
		pin, err := wsman.ParsePin(g.pin)
		if err != nil {
			return nil, usageError("--pin: %v", err)
		}
		t.Pins = []wsman.Pin{pin}
	case g.ca != "":
		b, err := readSmall(g.ca)
		if err != nil {
			return nil, usageError("--ca: %v", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(b) {
			return nil, usageError("--ca: no certificate in %s", g.ca)
		}
	default:
		t.RootCAs, err = x509.SystemCertPool()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("the system's certificates: %w", err)
		}
		if t.RootCAs == nil {
			t.RootCAs = x509.NewCertPool()
		}
	}
	return t, nil
}

// redirection is what sessions of redirection are opened with.
func (s *session) redirection() redir.Config {
	return redir.Config{
		Credentials:  redir.Credentials{Username: s.user, Password: s.password, Realm: s.flags.realm},
		LoginTimeout: s.flags.wait,
	}
}
