package controlserver

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/ratelimit"
)

// Config is what a [Server] needs. Only Store is required.
type Config struct {
	Store    Store
	Router   Router   // nil: no device has an agent
	Presence Presence // nil: a MemoryPresence
	Bus      Bus      // nil: a MemoryBus
	// Tunnels is where tunnels to devices are joined. Nil: somewhere else, and tunnel requests go to devices whatever their URL.
	Tunnels Tunnels

	// Domains are the tenants; nil is one, the default.
	Domains []Domain
	// Info is what sessions are told of the server after login. What this package knows itself (domain, time, features of
	// the domain) is filled in.
	Info func(domain string) controlproto.ServerDetails
	// BaseURL is where links in answers lead: https://host[:port]/ with the domain's path. host is the one that the session
	// was opened with.
	BaseURL func(domain, host string) string
	// LoginKey makes login cookies, InviteKey those in invitations and guest links. Nil: new ones, which end with this
	// process.
	LoginKey, InviteKey *controlproto.CookieKey
	// CookieEncoding is how login cookies are written.
	CookieEncoding controlproto.CookieEncoding
	// ManageAll lists accounts and user groups whose full administrators see all device groups, not only those that they
	// are linked to.
	ManageAll []controlproto.ID
	// WANOnly is a server that is not in the network of its devices: it does not add devices by their address.
	WANOnly bool
	// InterUser lists accounts that may send messages to others' sessions and receive them; "*" is everyone.
	InterUser []controlproto.ID
	// HostMemory returns the machine's memory and what is free of it, in bytes, for the statistics. Nil: they say 0.
	HostMemory func() (total, free int64)
	// Files is the folder of the files that operators keep on the server; nil: there are none.
	Files *os.Root
	// Wake sends wake-up packets from the server's own network. Nil: only agents do.
	Wake func(ctx context.Context, macs []string, host string)
	// Recordings is the folder of recorded sessions; nil: none are recorded. The embedder logs an event for each, with the
	// target "recording" and the name of its file in "filename".
	Recordings fs.FS
	// EventsFor is how long events are kept; 0 is for ever. The embedder calls Server.Prune from time to time.
	EventsFor time.Duration

	Logger *slog.Logger     // nil: no log
	Now    func() time.Time // nil: time.Now
	Rand   io.Reader        // nil: crypto/rand
}

// Domain is a tenant: its accounts, groups and devices are its own.
type Domain struct {
	ID                 string // "" is the default domain
	Title              string
	Consent            controlproto.Consent // added to those of groups and devices
	Password           PasswordRules
	MaxUsers           int  // 0: no limit
	NoLoginTokens      bool // none are made or accepted
	NoTwoFactor        bool // no second factors
	NoGuestSharing     bool
	NoClipboardGet     bool
	NoClipboardSet     bool
	LoginCookies       bool // logincookie is answered
	MaxDeviceView      int  // devices per page; 0: no pages
	IdleTimeout        time.Duration
	Scripts            []Script
	TwoFactorCookieAge time.Duration // 0: 30 days
}

// Script is one that operators choose by its name.
type Script struct {
	Name     string
	Type     controlproto.CommandType
	RunAs    controlproto.RunAs
	Commands string
}

// PasswordRules are what a new password must have.
type PasswordRules struct {
	Min, Max                       int // characters; 0: 1 and 256
	Upper, Lower, Numeric, Special int // how many
}

// Server does what operators ask. Its methods are safe for use by several goroutines.
type Server struct {
	cfg     Config
	log     *slog.Logger
	domains map[string]Domain
	dir     directory
	devices deviceCache
	sess    sessions
	changes changes
	// oldPasswords bounds how often somebody at an open session can guess its account's password.
	oldPasswords ratelimit.Limiter[controlproto.ID]
	foreign      foreign
	cancel       func() // the subscription to the bus
}

// New loads accounts and groups into memory. Devices are read when they are asked for.
func New(cfg Config) (*Server, error) {
	if cfg.Store == nil {
		return nil, errors.New("controlserver: no Store")
	}
	if cfg.Presence == nil {
		cfg.Presence = &MemoryPresence{}
	}
	if cfg.Bus == nil {
		cfg.Bus = &MemoryBus{}
	}
	if cfg.Router == nil {
		cfg.Router = noRouter{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Info == nil {
		cfg.Info = func(string) controlproto.ServerDetails { return controlproto.ServerDetails{} }
	}
	if cfg.BaseURL == nil {
		cfg.BaseURL = func(domain, host string) string {
			if domain != "" {
				domain += "/"
			}
			return "https://" + host + "/" + domain
		}
	}
	for _, key := range []**controlproto.CookieKey{&cfg.LoginKey, &cfg.InviteKey} {
		if *key == nil {
			k, err := controlproto.NewCookieKey(cfg.Rand)
			if err != nil {
				return nil, err
			}
			*key = &k
		}
	}
	s := &Server{cfg: cfg, log: cfg.Logger, domains: map[string]Domain{"": {}}}
	s.oldPasswords.Rate = ratelimit.Rate{Events: 10, Window: time.Hour}
	for _, d := range cfg.Domains {
		s.domains[d.ID] = d
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.cancel = cfg.Bus.Subscribe(s.deliver)
	return s, nil
}

// Close ends the server's part in the bus. Sessions are the embedder's to close first.
func (s *Server) Close() { s.cancel() }

// Domain returns a tenant.
func (s *Server) Domain(id string) (Domain, bool) {
	d, ok := s.domains[id]
	return d, ok
}
