package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/nodeid"
)

// session is a command's connection to a server.
type session struct {
	*app
	cmd    *cobra.Command
	client *controlproto.Client
	tls    *tls.Config // of the client's connections, for tunnels
	proxy  func(*http.Request) (*url.URL, error)
	names  names
	notes  sync.Mutex // of lines to people that goroutines write
}

// changed tells whether a flag is on the command line.
func (s *session) changed(flag string) bool { return s.cmd.Flags().Changed(flag) }

// settings are all that decides how and as whom to connect. Sources of them are flags, environment and profiles.
type settings struct {
	url, proxy, domain, pin, serverID string
	user                              string
	pass, token, key                  controlproto.Secret
	passGiven                         bool // empty: ask for it
	keyFile                           string
}

// hasSecret tells whether a source has anything to log in with.
func (s *settings) hasSecret() bool {
	return s.passGiven || s.pass.Reveal() != "" || s.key.Reveal() != "" || s.keyFile != ""
}

// fromFlags are the settings of the command line.
func (a *app) fromFlags(cmd *cobra.Command) settings {
	g := &a.flags
	return settings{
		url: g.url, proxy: g.proxy, domain: g.domain, pin: g.pin, serverID: g.serverID, user: g.user,
		pass: controlproto.NewSecret(g.pass), passGiven: cmd.Flags().Changed("loginpass"),
		token: controlproto.NewSecret(g.token), key: controlproto.NewSecret(g.key), keyFile: g.keyFile,
	}
}

// fromEnv are those of the environment.
func (a *app) fromEnv() settings {
	secret := func(name string) controlproto.Secret { return controlproto.NewSecret(a.getenv(name)) }
	return settings{
		url: a.getenv("MESHCTL_URL"), proxy: a.getenv("MESHCTL_PROXY"), domain: a.getenv("MESHCTL_DOMAIN"),
		pin: a.getenv("MESHCTL_PIN"), serverID: a.getenv("MESHCTL_SERVER_ID"), user: a.getenv("MESHCTL_USER"),
		pass: secret("MESHCTL_PASSWORD"), token: secret("MESHCTL_TOKEN"), key: secret("MESHCTL_LOGINKEY"),
		keyFile: a.getenv("MESHCTL_LOGINKEYFILE"),
	}
}

// gather joins the sources: flags come before the environment, and both before the profile, unless --profile names it.
//
// What is secret in a profile goes to its own server and is used for its own account only, whatever the others say.
func (a *app) gather(cmd *cobra.Command) (settings, error) {
	flags, env := a.fromFlags(cmd), a.fromEnv()
	profile, named, err := a.chosenProfile()
	if err != nil {
		return settings{}, err
	}
	sources := []*settings{&flags, &env, &profile}
	if named {
		sources = []*settings{&flags, &profile, &env}
	}
	var s settings
	for _, from := range sources {
		orElse(&s.url, from.url)
		orElse(&s.proxy, from.proxy)
	}
	orElse(&s.url, "wss://localhost")
	if profile.url != s.url {
		profile = settings{}
	}
	for _, from := range sources {
		orElse(&s.pin, from.pin)
		orElse(&s.serverID, from.serverID)
		orElse(&s.domain, from.domain)
		if s.token.Reveal() == "" {
			s.token = from.token
		}
	}
	s.pickLogin(sources)
	orElse(&s.user, "admin")
	return s, nil
}

// pickLogin takes the first secret that fits the account that was named before it. An account that a later source names
// counts if that has no secret of its own.
func (s *settings) pickLogin(sources []*settings) {
	found := false
	for _, from := range sources {
		switch {
		case !from.hasSecret():
			orElse(&s.user, from.user)
		case found, s.user != "" && from.user != "" && from.user != s.user:
		default:
			found = true
			orElse(&s.user, from.user)
			s.pass, s.passGiven, s.key, s.keyFile = from.pass, from.passGiven, from.key, from.keyFile
		}
	}
}

func orElse(v *string, other string) {
	if *v == "" {
		*v = other
	}
}

// credentials makes a login of the settings, asking for the password if there is nothing else.
func (a *app) credentials(ctx context.Context, s settings, mayAsk bool) (controlproto.Credentials, error) {
	if strings.Contains(s.user, "/") {
		return nil, usageError("--loginuser %.80q: the name is wanted, not the id", s.user)
	}
	if s.keyFile != "" {
		return a.keyFileLogin(s)
	}
	if text := s.key.Reveal(); text != "" {
		if len(text) != 2*controlproto.CookieKeySize {
			return controlproto.CookieLogin{Cookie: s.key}, nil
		}
		return keyLogin(s, text)
	}
	if s.pass.Reveal() == "" {
		if !mayAsk || !s.passGiven && !a.inTerminal {
			return nil, usageError("no password: set MESHCTL_PASSWORD, or use --loginpass, --loginkeyfile or a profile")
		}
		text, err := a.secret(ctx, "Password of "+console.Clean(s.user)+": ")
		if err != nil {
			return nil, err
		}
		s.pass = controlproto.NewSecret(text)
	}
	token := s.token.Reveal()
	switch {
	case strings.HasPrefix(s.user, "~t:"):
		return controlproto.TokenLogin{Name: s.user, Secret: s.pass}, nil
	case token == "email":
		return controlproto.EmailCodeRequest{User: s.user, Password: s.pass}, nil
	case token == "sms":
		return controlproto.SMSCodeRequest{User: s.user, Password: s.pass}, nil
	case token == "messaging":
		return controlproto.MessagingCodeRequest{User: s.user, Password: s.pass}, nil
	case s.serverID != "":
		id, err := nodeid.ParseServerID(s.serverID)
		if err != nil {
			return nil, usageError("--server-id: %v", err)
		}
		return controlproto.InBandLogin{ServerID: id, User: s.user, Password: s.pass, Token: s.token}, nil
	}
	return controlproto.PasswordLogin{User: s.user, Password: s.pass, Token: s.token}, nil
}

func (a *app) keyFileLogin(s settings) (controlproto.Credentials, error) {
	b, err := readSmall(s.keyFile)
	if err != nil {
		return nil, usageError("login key file: %v", err)
	}
	if info, err := os.Stat(s.keyFile); err == nil && openToOthers(info) {
		fmt.Fprintf(a.err, "meshctl: others on this machine can read %s, and with it log in as anybody\n", console.Clean(s.keyFile))
	}
	return keyLogin(s, string(b))
}

func keyLogin(s settings, text string) (controlproto.Credentials, error) {
	key, err := controlproto.ParseCookieKey(text)
	if err != nil {
		return nil, usageError("login key: %v", err)
	}
	return controlproto.KeyLogin{Key: key, User: strings.ToLower(s.user), Domain: s.domain}, nil
}

// connect logs in.
func (a *app) connect(ctx context.Context, cmd *cobra.Command) (*session, error) {
	return a.connectAs(ctx, cmd, true)
}

func (a *app) connectAs(ctx context.Context, cmd *cobra.Command, mayAsk bool) (*session, error) {
	if a.flags.wait <= 0 {
		return nil, usageError("--wait must be more than nothing")
	}
	set, err := a.gather(cmd)
	if err != nil {
		return nil, err
	}
	creds, err := a.credentials(ctx, set, mayAsk)
	if err != nil {
		return nil, err
	}
	s := &session{app: a, cmd: cmd, proxy: http.ProxyFromEnvironment}
	_, inBand := creds.(controlproto.InBandLogin)
	if s.tls, err = a.tlsConfig(set, inBand); err != nil {
		return nil, err
	}
	if set.proxy != "" {
		u, err := url.Parse(set.proxy)
		if err != nil || u.Host == "" {
			return nil, usageError("--proxy must be http://HOST:PORT") // it may hold a password, so it is not shown
		}
		s.proxy = http.ProxyURL(u)
	}
	s.client, err = controlproto.Dial(ctx, set.url, creds, controlproto.ClientConfig{
		TLSConfig: s.tls, Proxy: s.proxy, DangerouslyAllowPlaintext: a.flags.insecurePlaintext,
		DialTime: a.patience(a.flags.wait), LoginTime: a.patience(a.flags.wait), DefaultTimeout: a.flags.wait,
	})
	if err != nil {
		return nil, err
	}
	s.names = names{client: s.client}
	return s, nil
}

// tlsConfig says which certificates are accepted, by the control channel and by tunnels: those that the system trusts, the
// pinned one, or with --server-id the one over which the server has proved itself, which the login makes sure of.
func (a *app) tlsConfig(s settings, inBand bool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case s.pin != "":
		pin, err := hex.DecodeString(strings.ReplaceAll(s.pin, ":", ""))
		if err != nil || len(pin) != sha256.Size && len(pin) != sha512.Size384 {
			return nil, usageError("--pin: want 96 hexadecimal digits (SHA-384) or 64 (SHA-256)")
		}
		config.InsecureSkipVerify = true // replaced by the comparison
		config.VerifyConnection = func(state tls.ConnectionState) error {
			raw := state.PeerCertificates[0].Raw
			long, short := sha512.Sum384(raw), sha256.Sum256(raw)
			if !bytes.Equal(pin, long[:]) && !bytes.Equal(pin, short[:]) {
				return controlproto.ErrPinnedCertificate
			}
			return nil
		}
	case a.flags.insecureSkipVerify:
		config.InsecureSkipVerify = true
	case inBand:
		var mu sync.Mutex
		var first []byte // the control channel's
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error {
			mu.Lock()
			defer mu.Unlock()
			raw := state.PeerCertificates[0].Raw
			if first == nil {
				first = raw
			}
			if !bytes.Equal(first, raw) {
				return controlproto.ErrPinnedCertificate
			}
			return nil
		}
	case s.serverID != "":
		return nil, usageError("--server-id goes with a password: use --pin with login tokens, keys and cookies")
	}
	return config, nil
}
