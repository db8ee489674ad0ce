package main

import (
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/nodeid"
)

// identity is what the server shows: its TLS certificate to everyone, its agent server certificate to agents.
type identity struct {
	tls      *tls.Config
	webName  string // host in the TLS certificate
	web      []agentproto.Hash
	agents   []*agentproto.ServerIdentity // the first is the server's own
	serverID nodeid.ServerID
	mps      tls.Certificate // that AMT devices are shown
	mpsName  string          // its host

	agentDER    []byte // of the first of agents
	agentSigner crypto.Signer
	expires     time.Time               // the TLS certificate
	untrusted   bool                    // the TLS certificate is of the server's own root
	proxy       *certs.ProxyCertificate // in front of the server, or nil
}

// loadIdentity reads the certificates in the data folder and makes those that are missing, for the given host.
func loadIdentity(cfg config, host string, log *slog.Logger) (*identity, error) {
	id := &identity{}
	var err error
	if cfg.CertURL != "" {
		if id.proxy, err = certs.NewProxyCertificate(certs.ProxyConfig{URL: cfg.CertURL, Logger: log}); err != nil {
			return nil, fmt.Errorf("-cert-url: %w", err)
		}
	}
	if cfg.WebCert != "" {
		if err = id.useWebCert(cfg.WebCert, cfg.WebKey); err != nil {
			return nil, err
		}
	}
	set, err := certs.Folder{Path: cfg.Data, Config: certs.Config{Host: host, MPSHost: cfg.File.MPSHost}}.LoadOrCreate()
	if err != nil {
		return nil, err
	}
	if id.tls == nil {
		id.web, id.webName = set.WebHashes(""), set.Web.CommonName()
		if id.tls, err = set.TLSConfig(); err != nil {
			return nil, err
		}
	}
	id.useMPSCertificate(set)
	// WebSockets are HTTP/1.1, and for one page HTTP/2 is not worth what its connections hold.
	id.tls.NextProtos = []string{"http/1.1"}

	if id.serverID, err = set.ServerID(); err != nil {
		return nil, err
	}
	for _, cert := range []*certs.Certificate{set.AgentServer, set.SwarmServer} {
		if cert == nil {
			continue
		}
		identity, err := agentproto.NewServerIdentity(cert.DER, cert.Signer)
		if err != nil {
			return nil, err
		}
		id.agents = append(id.agents, identity)
	}
	id.agentDER, id.agentSigner = set.AgentServer.DER, set.AgentServer.Signer
	if id.expires.IsZero() {
		leaf, err := x509.ParseCertificate(set.Web.DER)
		if err != nil {
			return nil, err
		}
		id.expires, id.untrusted = leaf.NotAfter, true
	}
	return id, nil
}

// webHashes are the certificates that agents may say they see: this server's, and those of the proxy in front.
func (id *identity) webHashes(string) []agentproto.Hash {
	if id.proxy == nil {
		return id.web
	}
	return append(id.proxy.Hashes(), id.web...)
}

// badWebHash looks whether the proxy has a new certificate, which the agent that was refused then finds accepted when
// it comes again.
func (id *identity) badWebHash(agentproto.Peer, *agentproto.WebHashError) {
	if id.proxy != nil {
		go id.proxy.RefreshOnDemand(context.Background()) // bounded in time, and logs what came of it
	}
}

// run keeps the certificate of the proxy current until ctx ends.
func (id *identity) run(ctx context.Context) {
	if id.proxy != nil {
		id.proxy.Run(ctx)
	}
}

// useWebCert takes the TLS certificate from other files.
func (id *identity) useWebCert(certFile, keyFile string) error {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("-web-cert and -web-key: %w", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fmt.Errorf("-web-cert: %w", err)
	}
	id.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	id.web = certs.WebHashes(leaf.Raw)
	id.webName, id.expires = leaf.Subject.CommonName, leaf.NotAfter
	if len(leaf.DNSNames) > 0 {
		id.webName = leaf.DNSNames[0]
	}
	return nil
}

// host is the name in the TLS certificate, if others can reach the server by it; else it is the given one.
func (id *identity) host(other string) string {
	ip := net.ParseIP(id.webName)
	if id.webName == "" || id.webName == "un-configured" || strings.Contains(id.webName, "*") || ip != nil && ip.IsLoopback() {
		return other
	}
	return id.webName
}

// publicAddress is the host and port that agents and browsers connect to, as far as the command line tells: those of
// the proxy in front, or those that the server listens on. fixed is false if those say little, as when it listens on all
// addresses, or on loopback behind a proxy; what a client connected to is a better answer then.
func publicAddress(cfg config, listening net.Addr) (address string, fixed bool) {
	if cfg.File.Host != "" || cfg.File.AliasPort != 0 {
		address, fixed = listeningAddress(cfg, listening)
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return address, fixed
		}
		if cfg.File.Host != "" {
			host, fixed = cfg.File.Host, true
		}
		if cfg.File.AliasPort != 0 {
			port = strconv.Itoa(cfg.File.AliasPort)
		}
		return net.JoinHostPort(host, port), fixed
	}
	return listeningAddress(cfg, listening)
}

// listeningAddress is publicAddress without what config.json says.
func listeningAddress(cfg config, listening net.Addr) (address string, fixed bool) {
	if u, err := url.Parse(cfg.CertURL); err == nil && u.Scheme == "https" && u.Hostname() != "" {
		ip := net.ParseIP(u.Hostname())
		return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")), ip == nil || !ip.IsLoopback()
	}
	_, port, err := net.SplitHostPort(listening.String()) // port 0 has become another by now
	if err != nil {
		return listening.String(), true
	}
	host, _, err := net.SplitHostPort(cfg.Listen)
	if ip := net.ParseIP(host); err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) {
		proxied := cfg.CertURL != "" || len(cfg.TrustedProxies) > 0
		return net.JoinHostPort(host, port), !proxied
	}
	if host, err = os.Hostname(); err != nil || host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), false
}
