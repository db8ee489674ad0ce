package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
)

// site is what the operators' part of the server is told of the rest.
type site struct {
	cfg       config
	store     *sqlstore.Store
	tenants   tenants
	identity  *identity
	address   string // host:port of the server
	fixed     bool   // whether that is so for everyone
	loginKey  controlproto.CookieKey
	inviteKey controlproto.CookieKey
	log       *slog.Logger
}

// openRecords makes what operators' actions do: package controlserver over the store and the agents that are online.
func openRecords(ctx context.Context, s *site, who *online, tunnels *tunnels) (*controlserver.Server, error) {
	login, err := cookieKey(ctx, s.store, loginKeySetting, s.cfg.File.LoginCookieKey)
	if err != nil {
		return nil, err
	}
	invite, err := cookieKey(ctx, s.store, inviteKeySetting, s.cfg.File.InviteCookieKey)
	if err != nil {
		return nil, err
	}
	s.loginKey, s.inviteKey = login, invite
	return controlserver.New(controlserver.Config{
		Store: s.store, Router: who, Presence: who, Tunnels: tunnels,
		Domains: s.tenants.domains(), Info: s.info, BaseURL: s.baseURL,
		LoginKey: &login, InviteKey: &invite, CookieEncoding: s.cfg.File.CookieEncoding,
		ManageAll: s.cfg.File.ManageAll, WANOnly: s.cfg.File.WANOnly, InterUser: s.cfg.File.InterUser, EventsFor: s.cfg.File.eventsFor(),
		HostMemory: hostMemory, Recordings: tunnels.folder(),
		Logger: s.log,
	})
}

// openChannel makes the control channel.
func openChannel(s *site, records *controlserver.Server, pages func() *web.Handler) (*controlproto.Server, error) {
	hashes := func(name string) (list [][]byte) {
		for _, h := range s.identity.webHashes(name) {
			list = append(list, h[:])
		}
		return list
	}
	return controlproto.NewServer(controlproto.ServerConfig{
		Mux: records.Mux(),
		Domain: func(r *http.Request) (string, bool) {
			t, ok := tenantOf(r)
			if !ok {
				return "", false
			}
			return t.ID, true
		},
		Accounts: records, Tokens: records, Factors: records,
		SessionUser: func(r *http.Request) (controlproto.ID, string, bool) {
			l, ok := pages().Session(r)
			return controlproto.ID(l.User), l.Token, ok
		},
		CookieKeys: []controlproto.CookieKey{s.loginKey}, CookieIP: s.cfg.File.CookieIP, CookieEncoding: s.cfg.File.CookieEncoding,
		URLKeys:        s.cfg.File.urlKeys,
		Origins:        s.cfg.File.Origins,
		ServerIdentity: &controlproto.ServerIdentity{Certificate: s.identity.agentDER, Signer: s.identity.agentSigner, WebHashes: hashes},
		TrustedProxies: s.cfg.TrustedProxies,
		Limits:         controlproto.ServerLimits{UserSessions: s.cfg.File.MaxUserSessions, Sessions: s.cfg.File.MaxSessions},
		FailedLogins:   s.cfg.File.FailedLogins,
		Opened:         records.Opened, Closed: records.Closed,
		Logger: s.log,
	})
}

// Names under which MeshCentral keeps its keys, and this server too.
const (
	loginKeySetting  = "LoginCookieEncryptionKey"
	inviteKeySetting = "InvitationLinkEncryptionKey"
)

// cookieKey is the given key, or the one that is stored, or a new one, which is stored.
func cookieKey(ctx context.Context, store *sqlstore.Store, name string, given *controlproto.CookieKey) (key controlproto.CookieKey, err error) {
	if given != nil {
		return *given, nil
	}
	err = store.Update(ctx, func(tx controlserver.StoreTx) error {
		text, ok, err := setting(tx, name)
		if err != nil {
			return err
		}
		if ok {
			key, err = controlproto.ParseCookieKey(text)
			return err
		}
		if key, err = controlproto.NewCookieKey(nil); err != nil {
			return err
		}
		return putSetting(tx, name, key.Hex())
	})
	if err != nil {
		return key, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

// info is what a session is told of the server.
func (s *site) info(domain string) controlproto.ServerDetails {
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		host = s.address
	}
	t := s.tenants[domain]
	if t != nil && t.DNS != "" {
		host = t.DNS
	}
	n, _ := strconv.Atoi(port) // 0 is none
	d := controlproto.ServerDetails{
		Name: host, Port: n, AgentURL: "mc://" + net.JoinHostPort(host, port), AgentCertHash: s.identity.serverID.String(), CertExpires: s.identity.expires,
		IdleLogout: true,
	}
	if t != nil && t.base() != "/" {
		d.DomainSuffix = strings.TrimPrefix(t.base(), "/")
		d.AgentURL += strings.TrimSuffix(t.base(), "/")
	}
	if len(s.identity.web) > 0 {
		d.TLSHash = strings.ToUpper(fmt.Sprintf("%x", s.identity.web[0][:]))
	}
	if s.identity.untrusted {
		d.Features |= controlproto.FeatureUntrustedCert
	}
	return d
}

// baseURL is where links in answers lead to.
func (s *site) baseURL(domain, host string) string {
	u := url.URL{Scheme: "https", Host: s.publicHost(domain, host), Path: "/"}
	if t := s.tenants[domain]; t != nil {
		u.Path = t.base()
	}
	return u.String()
}

// publicHost returns the host, with a port unless it is that of HTTPS, by which a tenant is reached: what the client that
// asks used, unless the configuration tells.
func (s *site) publicHost(domain, asked string) string {
	host, port, err := net.SplitHostPort(s.addressFor(domain, asked))
	if err != nil {
		return asked
	}
	if port == "443" {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return net.JoinHostPort(host, port)
}

// addressFor returns the host and port that agents and browsers of whoever came by asked shall connect to.
func (s *site) addressFor(domain, asked string) string {
	address := s.address
	u, err := url.Parse("https://" + asked)
	if !s.fixed && err == nil && u.Hostname() != "" && u.User == nil {
		port := u.Port()
		if port == "" {
			port = "443"
		}
		address = net.JoinHostPort(u.Hostname(), port)
	}
	if t := s.tenants[domain]; t != nil && t.DNS != "" {
		if _, port, err := net.SplitHostPort(address); err == nil {
			return net.JoinHostPort(t.DNS, port)
		}
	}
	return address
}
