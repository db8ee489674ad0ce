package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/nodeid"
)

// settings are what an agent takes from its .msh file.
type settings struct {
	msh     *certs.MSH
	servers []agentproto.ServerAddress
	group   nodeid.MeshID
	proxy   func(*http.Request) (*url.URL, error) // nil: from the environment
	tag     string
}

// fetchTime bounds how long fetching settings may take.
const fetchTime = 30 * time.Second

// openSettings reads the settings from a file or a URL and keeps them in cache. Without a source it takes those that were
// kept.
func openSettings(ctx context.Context, source string, insecure bool, cache string) (*settings, error) {
	var text []byte
	var err error
	switch {
	case source == "":
		if text, err = readBounded(cache); errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("no settings yet: the first start needs -msh FILE or -msh URL")
		}
	case isURL(source):
		text, err = fetchMSH(ctx, source, insecure)
	default:
		text, err = readBounded(source)
	}
	if err != nil {
		return nil, err
	}
	s, err := parseSettings(text)
	if err != nil {
		return nil, err
	}
	if source != "" {
		if err := replaceFile(cache, text); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func parseSettings(text []byte) (*settings, error) {
	msh, err := certs.ParseMSH(text)
	if err != nil {
		return nil, err
	}
	s := &settings{msh: msh}
	if s.group, err = msh.MeshID(); err != nil {
		return nil, err
	}
	servers, err := msh.Servers()
	if err != nil {
		return nil, err
	}
	for _, server := range servers {
		s.servers = append(s.servers, agentproto.ServerAddress{URL: server.URL, ID: server.ID})
	}
	s.tag, _ = msh.Get("Tag")
	if off, _ := msh.Get("ignoreProxyFile"); off == "1" {
		s.proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	} else if proxy, ok := msh.Get("WebProxy"); ok {
		if !strings.Contains(proxy, "://") {
			proxy = "http://" + proxy
		}
		u, err := url.Parse(proxy)
		if err != nil || u.Host == "" {
			return nil, errors.New("the .msh file's WebProxy is not a URL") // which may hold a password
		}
		s.proxy = http.ProxyURL(u)
	}
	return s, nil
}

// apply adds the settings to a configuration.
func (s *settings) apply(cfg *agentproto.ClientConfig) {
	cfg.Servers, cfg.Group = s.servers, s.group
	cfg.Proxy = s.proxy
	cfg.DiscoveryKey = agentproto.NewDiscoveryKey(s.msh.DiscoveryKey())
	if name, ok := s.msh.Get("agentName"); ok && len(name) <= maxName {
		cfg.PreferredName = name
	}
	switch verify, _ := s.msh.Get("validateWebCert"); verify {
	case "1", "true":
		cfg.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
}

func isURL(s string) bool { return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") }

// fetchMSH gets the settings from a server.
//
// They decide whom the agent obeys, as they name the server by the hash of its key, so whoever can change them on their way
// owns the device. Hence TLS is verified here as anywhere, although most stock servers have a certificate that nobody
// vouches for: for those the file is copied by hand, or the operator says that nobody can be in between.
func fetchMSH(ctx context.Context, source string, insecure bool) ([]byte, error) {
	const maxRedirects = 5
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure} //nolint:gosec // asked for by flag
	defer transport.CloseIdleConnections()
	safe := func(u *url.URL) error {
		if u.Scheme != "https" && !insecure {
			return errors.New("settings are fetched over https only, without -insecure-msh")
		}
		return nil
	}
	client := &http.Client{
		Transport: transport, Timeout: fetchTime,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= maxRedirects {
				return errors.New("too many redirects")
			}
			return safe(req.URL)
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, fmt.Errorf("-msh: %w", err)
	}
	if err := safe(req.URL); err != nil {
		return nil, fmt.Errorf("-msh: %w", err)
	}
	resp, err := client.Do(req)
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return nil, fmt.Errorf("-msh: %w; copy the file by other means, or use -insecure-msh where nobody can be in between", untrusted)
	}
	if err != nil {
		return nil, fmt.Errorf("-msh: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("-msh: the server answered with HTTP status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, certs.MaxMSH+1)) // ParseMSH refuses more
	if err != nil {
		return nil, fmt.Errorf("-msh: %w", err)
	}
	return b, nil
}

// readBounded reads a file that has at most the size of settings.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, certs.MaxMSH+1))
}
