package certs

import (
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/nodeid"
)

// ServerSet is the certificates of a server. It is a snapshot: renewing a certificate changes the files and returns the
// new one, and the owner puts a changed copy of the set in place.
type ServerSet struct {
	Root        *Certificate
	Web         *Certificate
	AgentServer *Certificate
	MPS         *Certificate
	CodeSign    *Certificate

	// SwarmServer is the agent server certificate of an older installation, or nil. Agents that expect its ServerID say
	// so with command 5.
	SwarmServer *Certificate

	// Domains has the web certificates of domains with a DNS name of their own.
	Domains map[string]*Certificate

	// Created has the names of the certificates that were not there and were made.
	Created []Name
}

// NewServerSet makes all certificates of a server in memory. What shall last belongs in a [Folder].
func NewServerSet(cfg Config) (*ServerSet, error) {
	authority, err := NewAuthority(cfg)
	if err != nil {
		return nil, err
	}
	set := &ServerSet{}
	set.put(authority.Root())
	set.Created = append(set.Created, Root)
	for _, name := range []Name{Web, AgentServer, MPS, CodeSign} {
		cert, err := authority.Issue(name, nil)
		if err != nil {
			return nil, err
		}
		set.put(cert)
		set.Created = append(set.Created, name)
	}
	return set, set.domains(cfg, func(name Name) (*Certificate, error) {
		set.Created = append(set.Created, name)
		return authority.Issue(name, nil)
	})
}

// put files a certificate that has a field of its own.
func (s *ServerSet) put(c *Certificate) {
	switch c.Name {
	case Root:
		s.Root = c
	case Web:
		s.Web = c
	case AgentServer:
		s.AgentServer = c
	case MPS:
		s.MPS = c
	case CodeSign:
		s.CodeSign = c
	case SwarmServer:
		s.SwarmServer = c
	}
}

// domains fills in the certificates of the configured domains, in a fixed order. A domain whose DNS name the main
// certificate covers shares it.
func (s *ServerSet) domains(cfg Config, get func(Name) (*Certificate, error)) error {
	s.Domains = make(map[string]*Certificate, len(cfg.Domains))
	names := make([]string, 0, len(cfg.Domains))
	for domain := range cfg.Domains {
		names = append(names, domain)
	}
	slices.Sort(names)
	for _, domain := range names {
		if s.Web.Covers(cfg.Domains[domain]) {
			s.Domains[domain] = s.Web
			continue
		}
		name, err := DomainWeb(domain)
		if err != nil {
			return err
		}
		cert, err := get(name)
		if err != nil {
			return err
		}
		s.Domains[domain] = cert
	}
	return nil
}

// All returns the certificates that there are, each once.
func (s *ServerSet) All() []*Certificate {
	all := []*Certificate{s.Root, s.Web, s.AgentServer, s.MPS, s.CodeSign, s.SwarmServer}
	names := make([]string, 0, len(s.Domains))
	for domain := range s.Domains {
		names = append(names, domain)
	}
	slices.Sort(names)
	for _, domain := range names {
		if !slices.Contains(all, s.Domains[domain]) {
			all = append(all, s.Domains[domain])
		}
	}
	return slices.DeleteFunc(all, func(c *Certificate) bool { return c == nil })
}

// ServerID returns the identifier by which agents know the server.
func (s *ServerSet) ServerID() (nodeid.ServerID, error) {
	if s.AgentServer == nil {
		return nodeid.ServerID{}, fmt.Errorf("certs: no %s", AgentServer)
	}
	return nodeid.ServerIDFromCertificateDER(s.AgentServer.DER)
}

// WebHashes returns the hashes that agents of a domain may show: those of its web certificate and of the main one,
// without repetition. They are computed at each call, so keep them.
//
// Confirmed in meshagent.js, the handling of command 1.
func (s *ServerSet) WebHashes(domain string) []Hash {
	var hashes []Hash
	for _, cert := range []*Certificate{s.Domains[domain], s.Web} {
		if cert == nil {
			continue
		}
		for _, h := range cert.Hashes() {
			if !slices.Contains(hashes, h) {
				hashes = append(hashes, h)
			}
		}
	}
	return hashes
}

// ForHost returns the web certificate for a TLS server name: the main one if it covers the name, or else that of the
// domain that does, or else the main one. It parses certificates; TLSConfig has them parsed.
func (s *ServerSet) ForHost(serverName string) *Certificate {
	web := s.web()
	if len(web) == 0 {
		return nil
	}
	return web[pick(web, serverName)].cert
}

// TLSConfig returns the configuration for the listener of browsers and agents: TLS 1.2 or newer, the certificate by
// server name. It has the certificates of now; see [ServerSet].
func (s *ServerSet) TLSConfig() (*tls.Config, error) {
	if s.Web == nil {
		return nil, fmt.Errorf("certs: no %s", Web)
	}
	web := s.web()
	pairs := make([]tls.Certificate, len(web))
	for i := range web {
		if web[i].cert.Signer == nil {
			return nil, fmt.Errorf("%w for %s", ErrNoKey, web[i].cert.Name)
		}
		pairs[i] = web[i].cert.TLSCertificate()
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &pairs[pick(web, hello.ServerName)], nil
		},
	}, nil
}

// named is a web certificate with its names.
type named struct {
	cert  *Certificate
	names names
}

// web returns the web certificates, the main one first.
func (s *ServerSet) web() []named {
	var web []named
	for _, cert := range append([]*Certificate{s.Web}, s.All()...) {
		if cert == nil || !cert.Name.isWeb() || cert == s.Web && len(web) > 0 {
			continue
		}
		web = append(web, named{cert, newNames(cert)})
	}
	return web
}

// pick returns the index of the first certificate that covers the name, or 0.
func pick(web []named, serverName string) int {
	if serverName == "" {
		return 0
	}
	return max(0, slices.IndexFunc(web, func(n named) bool { return n.names.cover(serverName) }))
}

// Expiring returns the certificates that are not valid any more at t. A certificate whose dates cannot be read is among
// them.
func (s *ServerSet) Expiring(t time.Time) []*Certificate {
	var expiring []*Certificate
	for _, cert := range s.All() {
		if _, notAfter, err := cert.Validity(); err != nil || t.After(notAfter) {
			expiring = append(expiring, cert)
		}
	}
	return expiring
}
