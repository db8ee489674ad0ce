package main

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/internal/realip"
)

// guests serves those who were sent a link: an invitation to install an agent, or to use a device.
type guests struct {
	*settings
	records  *controlserver.Server
	programs *programs
	pages    *web.Handler
}

// invitation decrypts a cookie of an invitation or a share, in either form of writing.
func (s *site) invitation(text string, age time.Duration) (c controlproto.Cookie, err error) {
	for _, form := range []controlproto.CookieEncoding{controlproto.CookieBase64, controlproto.CookieHex} {
		codec := controlproto.CookieCodec{Key: s.inviteKey, Encoding: form}
		if c, err = codec.Decode(text, age); err == nil {
			return c, nil
		}
	}
	return c, err
}

// refused is the page of a link that does not count, whatever the reason.
func (g *guests) refused(w http.ResponseWriter, r *http.Request) {
	g.pages.Render(w, r, http.StatusNotFound, "refused.html", nil)
}

// agentChoice is an agent that somebody may install.
type agentChoice struct {
	Name     string
	Program  string // URL
	Settings string // URL of the .msh file; "" if it is in the program
	Commands string
}

// Agents that an invitation offers, most wanted first.
var offered = []agentproto.AgentID{4, 3, 43, 6, 5, 26, 25, 10005, 16, 29, 30, 14}

// invite answers GET /agentinvite?c=COOKIE (webserver.js, handleAgentInviteRequest).
func (g *guests) invite(w http.ResponseWriter, r *http.Request) {
	t, ok := tenantOf(r)
	if !ok || !hasKey(r, g.cfg.File.urlKeys(t.ID)) {
		http.NotFound(w, r)
		return
	}
	c, err := g.invitation(r.URL.Query().Get("c"), controlproto.CookieAgeDefault)
	if err != nil || c.Action != controlproto.CookieInvite {
		g.refused(w, r)
		return
	}
	group, err := g.group(r.Context(), r, string(c.InviteGroup))
	if errors.Is(err, controlserver.ErrNotFound) {
		g.refused(w, r)
		return
	}
	if err != nil {
		g.programs.failed(w, r, err)
		return
	}
	data := struct {
		Group   string
		Address string
		Agents  []agentChoice
	}{Group: group.Name, Address: g.addressFor(t.ID, r.Host)}
	base := g.baseURL(t.ID, r.Host)
	file := base + "meshsettings?id=" + url.QueryEscape(group.ID.Name())
	for _, id := range offered {
		arch, _, ok := g.programs.find(number(id))
		if !ok {
			continue
		}
		a := agentChoice{Name: arch.Description, Program: base + "meshagents?id=" + number(id)}
		if arch.Platform == "win32" {
			a.Program += "&meshid=" + url.QueryEscape(group.ID.Name()) + installFlags(c.InviteKind)
		} else {
			a.Settings = file
			if arch.Platform != "android" {
				a.Commands = unixCommands(a.Program, file, c.InviteKind)
			}
		}
		data.Agents = append(data.Agents, a)
	}
	if len(data.Agents) == 0 { // no programs here: the settings are for one that is there already
		data.Agents = []agentChoice{{Name: "Settings for an agent", Settings: file}}
	}
	g.pages.Render(w, r, http.StatusOK, "invite.html", data)
}

func installFlags(kind controlproto.InviteKind) string {
	switch kind {
	case controlproto.InviteInteractiveOnly:
		return "&installflags=1"
	case controlproto.InviteBackgroundOnly:
		return "&installflags=2"
	default:
		return ""
	}
}

// unixCommands install or start an agent. The URLs hold nothing that a shell takes for more than text between quotes.
func unixCommands(program, file string, kind controlproto.InviteKind) string {
	then := "sudo ./meshagent -install"
	if kind == controlproto.InviteInteractiveOnly {
		then = "./meshagent -connect"
	}
	return "curl -o meshagent '" + program + "'\ncurl -o meshagent.msh '" + file + "'\nchmod +x meshagent\n" + then
}

// share answers GET /sharing?c=COOKIE (webserver.js, handleSharingRequest). It tells what is shared, and has the cookie with which
// a guest's program opens tunnels to the device, as the pages of the stock server have.
func (g *guests) share(w http.ResponseWriter, r *http.Request) {
	t, ok := tenantOf(r)
	if !ok || t.NoGuestSharing {
		http.NotFound(w, r)
		return
	}
	c, err := g.invitation(r.URL.Query().Get("c"), controlproto.CookieAgeUnlimited)
	if err != nil || c.Action != controlproto.CookieShare || c.PublicID == "" {
		g.refused(w, r)
		return
	}
	var d *controlproto.Device
	share, err := g.records.Share(r.Context(), c.PublicID)
	if err == nil {
		d, err = g.records.Device(r.Context(), share.DeviceID)
	}
	switch {
	case errors.Is(err, controlserver.ErrNotFound) || err == nil && d.Domain != t.ID:
		g.refused(w, r)
	case err != nil:
		g.programs.failed(w, r, err)
	default:
		cookie, err := g.guestCookie(r, share)
		if err != nil && !errors.Is(err, controlserver.ErrNotFound) {
			g.programs.failed(w, r, err)
			return
		}
		g.pages.Render(w, r, http.StatusOK, "share.html", struct {
			Device, Guest, Kind string
			Online, ViewOnly    bool
			Usable              bool
			Start, End          time.Time
			Node, Cookie        string
			Protocols           int
		}{
			d.Name, share.GuestName, share.Kind.String(), d.Online(), share.ViewOnly, err == nil, share.Start, share.Expires,
			string(d.ID), cookie.Reveal(), int(share.Kind),
		})
	}
}

// guestCookie makes the cookie for a guest's tunnels, bound to his address. It is controlserver.ErrNotFound when the link does not
// count now. What it says is asked again when a tunnel is opened.
func (g *guests) guestCookie(r *http.Request, share *controlproto.Share) (controlproto.Secret, error) {
	share, until, err := g.records.Guest(r.Context(), share.PublicID)
	if err != nil {
		return controlproto.Secret{}, err
	}
	c := controlproto.LoginCookie(share.UserID)
	c.SharedNode, c.PublicID, c.GuestName, c.GuestRights = share.DeviceID, share.PublicID, share.GuestName, int(controlproto.RemoteControl)
	c.Protocol, c.Consent, c.ViewOnly = int(share.Kind), share.Consent, share.ViewOnly
	c.Address, c.Expire = realip.From(r, g.cfg.TrustedProxies), controlproto.CookieAgeLogin
	if left := time.Until(until); !until.IsZero() && left < c.Expire {
		c.Expire = max(left, time.Second)
	}
	return g.cookies().Encode(c)
}

func number(id agentproto.AgentID) string { return strconv.FormatUint(uint64(id), 10) }
