package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
)

// fileConfig is what MeshCentral's config.json says, as far as this server honours it. CONFIG.md lists the settings.
type fileConfig struct {
	// Warnings name what is not honoured.
	Warnings []string

	Host, PortBind                  string // the public name, and the address to listen on
	Port, AliasPort                 int
	MPSHost, MPSPortBind            string // the name in the certificate for Intel AMT, and the address to listen on for it
	MPSPort                         int    // 0: none
	MPSOffload, MPSStrict           bool
	MPSPassword                     controlproto.Secret // that devices with Intel AMT log in with; "": any
	TLSOffload                      bool                // a proxy in front speaks TLS, and plain HTTP with this server
	TrustedProxies                  []netip.Prefix
	CertURL                         string
	LoginCookieKey, InviteCookieKey *controlproto.CookieKey
	WANOnly                         bool
	ManageAll, InterUser            []controlproto.ID
	CookieIP                        controlproto.CookieIPPolicy
	CookieEncoding                  controlproto.CookieEncoding
	Origins                         []string
	MaxSessions, MaxUserSessions    int
	EventsFor                       time.Duration // 0: eventLifetime
	FailedLogins                    controlproto.FailedLogins
	KeepAlive                       agentproto.KeepAlive
	Domains                         map[string]domainConfig
}

// domainConfig is what it says of one domain.
type domainConfig struct {
	tenant
	URLKeys []controlproto.Secret
}

// urlKeys are the keys of a domain, one of which is asked for with the page.
func (f *fileConfig) urlKeys(domain string) []controlproto.Secret { return f.Domains[domain].URLKeys }

func (f *fileConfig) eventsFor() time.Duration { return cmp.Or(f.EventsFor, eventLifetime) }

const (
	configName    = "config.json"
	maxConfigFile = 4 << 20
)

// readConfigFile reads a file that was asked for, or the one in the data folder if there is one.
func readConfigFile(file, data string) (f fileConfig, err error) {
	path := cmp.Or(file, filepath.Join(data, configName))
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && file == "" {
		return f, nil
	}
	if err != nil && file == "" && !errors.Is(err, os.ErrPermission) {
		return f, nil // the folder is no folder, which is told when it is used
	}
	if err != nil {
		return f, err
	}
	if f, err = parseConfigFile(text, data); err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// parseConfigFile reads the text of a config.json. data is where the files are that it names.
func parseConfigFile(text []byte, data string) (f fileConfig, err error) {
	if len(text) > maxConfigFile {
		return f, fmt.Errorf("has %d bytes, over %d", len(text), maxConfigFile)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return f, fmt.Errorf("is no JSON object: %w", err)
	}
	warn := func(format string, args ...any) { f.Warnings = append(f.Warnings, fmt.Sprintf(format, args...)) }
	top := newSection("", whole, warn)
	settings, domains := top.object("settings"), top.object("domains")
	top.rest("$schema")

	f.Domains = map[string]domainConfig{"": {}}
	f.settings(settings)
	loginCookies := settings.flag("allowlogintoken")
	settings.rest()
	for _, id := range domains.names() {
		s := domains.object(id)
		if !usableDomain(id) {
			warn("domains.%.64q is not a usable name of a domain: it is left out", id)
			continue
		}
		if err := f.domain(id, s, data); err != nil {
			return f, err
		}
		s.rest()
	}
	for id, d := range f.Domains {
		d.LoginCookies = loginCookies
		f.Domains[id] = d
	}
	return f, nil
}

// usableDomain tells whether a domain can have this name: below the path of the name are its pages, which must not take the
// place of those of the default domain.
func usableDomain(id string) bool {
	return !strings.ContainsAny(id, "/\\ ?#%") && len(id) <= 64 && id != "." && id != ".." &&
		!strings.HasSuffix(id, ".ashx") && !slices.Contains(ownPaths, id)
}

// settings reads the part that is for the whole server.
func (f *fileConfig) settings(s *section) {
	f.Port, f.AliasPort = s.number("port", 0, 65535), s.number("aliasport", 0, 65535)
	f.PortBind, f.Host = s.text("portbind"), s.text("cert")
	f.LoginCookieKey, f.InviteCookieKey = s.cookieKey("logincookieencryptionkey"), s.cookieKey("invitationlinkencryptionkey")
	f.TrustedProxies = s.prefixes("trustedproxy")
	f.offload(s)
	f.mps(s)
	for _, id := range s.texts("managealldevicegroups") {
		f.ManageAll = append(f.ManageAll, controlproto.ID(id))
	}
	if s.is("interusermessaging", "true") {
		f.InterUser = []controlproto.ID{"*"}
	} else if !s.is("interusermessaging", "false") {
		for _, id := range s.texts("interusermessaging") {
			f.InterUser = append(f.InterUser, controlproto.ID(id))
		}
	}
	if text := s.text("cookieipcheck"); text != "" {
		var err error
		if f.CookieIP, err = controlproto.ParseCookieIPPolicy(text); err != nil {
			s.warn("settings.cookieIpCheck: %v", err)
		}
	}
	switch s.text("cookieencoding") {
	case "hex":
		f.CookieEncoding = controlproto.CookieHex
	case "", "base64":
	default:
		s.warn("settings.cookieEncoding is neither hex nor base64: base64 is used")
	}
	f.failedLogins(s)
	if e := s.object("dbexpire"); e != nil {
		f.EventsFor = time.Duration(e.number("events", 0, 1<<31-1)) * time.Second
		e.rest()
	}
	if seconds := s.number("agentpong", 0, 86400); seconds > 0 {
		f.KeepAlive.Interval, f.KeepAlive.Form = time.Duration(seconds)*time.Second, agentproto.JSONPong
	}
	if seconds := s.number("agentping", 0, 86400); seconds > 0 {
		f.KeepAlive.Interval, f.KeepAlive.Form = time.Duration(seconds)*time.Second, agentproto.JSONPing
	}
	f.KeepAlive.Timeout = time.Duration(s.number("agentidletimeout", 0, 86400)) * time.Second
	f.WANOnly = s.flag("wanonly")
}

// offload reads tlsOffload: true, or the addresses of the proxies that speak TLS.
func (f *fileConfig) offload(s *section) {
	switch {
	case !s.has("tlsoffload"), s.is("tlsoffload", "false"), s.is("tlsoffload", "null"):
	case s.is("tlsoffload", "true"):
		f.TLSOffload = true
		f.TrustedProxies = append(f.TrustedProxies, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
		s.warn("settings.tlsOffload names no proxies: those of this machine are trusted, and no other")
	default:
		f.TLSOffload = true
		f.TrustedProxies = append(f.TrustedProxies, s.prefixes("tlsoffload")...)
	}
}

// mps reads what is for Intel AMT.
func (f *fileConfig) mps(s *section) {
	f.MPSPort, f.MPSPortBind = s.number("mpsport", 0, 65535), s.text("mpsportbind")
	f.MPSHost, _, _ = strings.Cut(s.text("mpscert"), ",") // country and organisation follow
	if name := s.text("mpsaliashost"); name != "" {
		f.MPSHost = name
	}
	f.MPSOffload, f.MPSStrict = s.flag("mpstlsoffload"), s.flag("mpshighsecurity")
	f.MPSPassword = controlproto.NewSecret(s.text("mpspass"))
}

// failedLogins reads maxInvalidLogin: false, or how many failures are allowed in how many minutes.
func (f *fileConfig) failedLogins(s *section) {
	if s.is("maxinvalidlogin", "false") {
		s.warn("settings.maxInvalidLogin can not be switched off: the default counts")
		return
	}
	m := s.object("maxinvalidlogin")
	if m == nil {
		return
	}
	count, minutes := m.number("count", 1, 1e6), m.number("time", 1, 1e6)
	f.FailedLogins.PerAddress = controlproto.LoginRate{
		Events: cmp.Or(count, 10), Window: time.Duration(cmp.Or(minutes, 10)) * time.Minute,
	}
	m.rest()
}

// domain reads the part of one domain. The error is a key that would not keep anybody out.
func (f *fileConfig) domain(id string, s *section, data string) (err error) {
	d := f.Domains[id]
	d.ID, d.DNS = id, strings.ToLower(s.text("dns"))
	if id == "" && d.DNS != "" {
		s.warn("domains..dns is not for the default domain: it is left out")
		d.DNS = ""
	}
	for other, o := range f.Domains {
		if d.DNS != "" && o.DNS == d.DNS && other != id {
			s.warn("%s.dns is that of the domain %q already: it is left out", s.path, other)
			d.DNS = ""
		}
	}
	d.Title = s.text("title")
	if d.URLKeys, err = s.secrets("loginkey"); err != nil {
		return err
	}
	if c := s.object("userconsentflags"); c != nil {
		d.Consent = consent(c)
		c.rest()
	}
	if p := s.object("passwordrequirements"); p != nil {
		d.Password.Min, d.Password.Max = p.number("min", 0, 256), p.number("max", 0, 256)
		d.Password.Upper, d.Password.Lower = p.number("upper", 0, 256), p.number("lower", 0, 256)
		d.Password.Numeric, d.Password.Special = p.number("numeric", 0, 256), p.number("nonalpha", 0, 256)
		if p.is("logintokens", "false") {
			d.NoLoginTokens = true
		} else if v, ok := p.take("logintokens"); ok && string(v) != "true" {
			s.warn("%s.loginTokens for some accounts alone is not supported", p.path)
		}
		p.rest()
	}
	if s.is("guestdevicesharing", "false") {
		d.NoGuestSharing = true
	} else if !s.is("guestdevicesharing", "true") && s.has("guestdevicesharing") {
		s.object("guestdevicesharing").rest()
	}
	d.NoClipboardGet, d.NoClipboardSet = s.off("clipboardget"), s.off("clipboardset")
	d.MaxDeviceView = s.number("maxdeviceview", 0, 1e6)
	d.IdleTimeout = time.Duration(s.number("usersessionidletimeout", 0, 1e6)) * time.Minute
	if days := s.number("twofactorcookiedurationdays", 0, 3650); days > 0 {
		d.TwoFactorCookieAge = time.Duration(days) * 24 * time.Hour
	} else if s.has("twofactorcookiedurationdays") {
		d.TwoFactorCookieAge = time.Second // no device is trusted
	}
	if l := s.object("limits"); l != nil {
		d.MaxUsers = l.number("maxuseraccounts", 0, 1e9)
		if id == "" { // the channel has one limit for all
			f.MaxSessions, f.MaxUserSessions = l.number("maxusersessions", 0, 1e6), l.number("maxsingleusersessions", 0, 1e6)
		}
		l.rest()
	}
	f.origins(s)
	if id == "" {
		f.CertURL = s.text("certurl")
	}
	if v, ok := s.take("newaccounts"); ok && string(v) != "false" {
		s.warn("%s.newAccounts is not supported: accounts are made by administrators", s.path)
	}
	d.Scripts = scripts(s, data)
	f.Domains[id] = d
	return nil
}

// origins reads allowedOrigin. That any page may act for the users is not accepted.
func (f *fileConfig) origins(s *section) {
	switch {
	case s.is("allowedorigin", "false"):
	case s.is("allowedorigin", "true"):
		s.warn("%s.allowedOrigin is true: pages of any site could act for the users. It is not honoured; name the hosts", s.path)
	default:
		for _, o := range s.texts("allowedorigin") {
			if _, err := controlproto.NewOriginPolicy([]string{o}, nil); err != nil {
				s.warn("%s.allowedOrigin: %v", s.path, err)
			} else if !slices.Contains(f.Origins, o) {
				f.Origins = append(f.Origins, o)
			}
		}
	}
}

func consent(s *section) (c controlproto.Consent) {
	for name, bit := range map[string]controlproto.Consent{
		"desktopnotify": controlproto.ConsentDesktopNotify, "terminalnotify": controlproto.ConsentTerminalNotify,
		"filenotify": controlproto.ConsentFilesNotify, "desktopprompt": controlproto.ConsentDesktopPrompt,
		"terminalprompt": controlproto.ConsentTerminalPrompt, "fileprompt": controlproto.ConsentFilesPrompt,
		"desktopprivacybar": controlproto.ConsentPrivacyBar,
	} {
		if s.flag(name) {
			c |= bit
		}
	}
	return c
}
