package controlproto

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Cookie is what a MeshCentral cookie says: the JSON object that [CookieCodec] encrypts. Which members are there depends on
// what the cookie is for:
//
//	login                {userid, domainid, ip?}             "auth=" (60 minutes)     meshuser.js, case 'authcookie'
//	login by key         {u, a:3, expire?, once?}            "auth=" and "login="     meshcentral.js, getLoginToken
//	trusted device       {userid, expire}                    second factor            meshuser.js, case 'twoFactorCookie'
//	agent's relay end    {ruserid, x} or {nouser:1}          "rauth=" (240 minutes)   meshuser.js, case 'authcookie'
//	one tunnel           {userid, domainid, nodeid, tunnel}  "auth="                   here only: [Cookie.ForTunnel]
//	its device's end     {ruserid, nodeid, tunnel, once}     "rauth="                  here only
//	routed tunnel        {userid, domainid, nodeid, tcpaddr?, tcpport?, p?, lc?}      meshuser.js, case 'getcookie'
//	guest                {userid, domainid, nid, ip, p, gn, cf, r, expire, pid, vo?}  webserver.js, handleSharingRequest
//	invitation           {a:4, mid, f, ag?, expire}          "agentinvite?c="         meshuser.js, case 'createInviteLink'
//	share link           {a:6, pid, e?}                      "sharing?c="             meshuser.js, case 'createDeviceShareLink'
//	CIRA over WebSocket  {a:"apf", n, m}                     apf.ashx                 meshagent.js
//	another server       {userid, domainid, ps:1}            "auth="                  multiserver.js
//
// The last two columns are where it is used and where it was confirmed. Invitations and share links are encrypted under the
// invitation link key, the others under the login key.
type Cookie struct {
	// UserID is an account ("userid"). A login needs DomainID beside it, which is a pointer because the default domain
	// is the empty text: without the member a cookie logs nobody in.
	UserID   ID
	DomainID *string // "domainid"

	// User is the account of a login by key ("u", with Action 3).
	User ID
	// Action is the number that tells cookies apart ("a"), Purpose the same where it is a text. One of them at most.
	Action  CookieAction
	Purpose string

	// RelayUserID is for whom a device opens its end of a tunnel ("ruserid"); SessionRandom belongs to the HTTP session
	// of that account ("x").
	RelayUserID   ID
	SessionRandom Secret
	// NoUser is a tunnel that belongs to no account ("nouser").
	NoUser bool

	// Where a routed tunnel leads: the device, and from there an address and port ("nodeid", "tcpaddr", "tcpport"), with
	// the protocol for the records ("p"; in a cookie of a guest: what is shared). Local is a connection that the server
	// itself makes ("lc").
	NodeID   ID
	TCPAddr  string
	TCPPort  int
	Protocol int
	Local    bool
	// Tunnel is the id of the one tunnel that the cookie is good for, to the device NodeID ("tunnel"). Stock servers neither
	// write nor read it.
	Tunnel string

	// An invitation: the group, what may be installed, and a bit mask of agents ("mid", "f", "ag").
	InviteGroup  ID
	InviteKind   InviteKind
	InviteAgents uint32

	// A share: its id ("pid") and its end ("e", milliseconds). A guest's cookie has the device, the guest's name, what
	// the person at the device is told, the rights and whether it is for viewing only ("nid", "gn", "cf", "r", "vo"),
	// and the secret of a share that a device made itself ("k").
	PublicID     string
	ShareExpires time.Time
	SharedNode   ID
	GuestName    string
	Consent      Consent
	GuestRights  int
	ViewOnly     bool
	ShareKey     Secret

	// The device and the group of a cookie with Purpose "apf" ("n", "m"). "m" alone is a device group whose id is
	// valid for a time.
	AgentNode  ID
	AgentGroup ID

	// PeerServer is a login that another server passes on ("ps").
	PeerServer bool

	// Address binds the cookie to who got it ("ip"); see [CookieIPPolicy]. The zero value binds it to nobody.
	Address netip.Addr
	// Once names a cookie that is good for one use ("once"); see [OnceGuard].
	Once string
	// Expire is the lifetime ("expire", minutes). Zero leaves it to who reads the cookie, [CookieForever] is no limit;
	// any other negative one has always been over.
	Expire time.Duration
	// Time is when it was made ("time", whole seconds). Zero stands for now when encoding.
	Time time.Time

	// Extra holds the members that are not named above, and those whose value has another type than here.
	Extra map[string]json.RawMessage
}

// CookieAction is the number in the member "a" of a cookie.
type CookieAction int

// The actions of cookies.
const (
	CookieEmailCheck    CookieAction = 1 // {u, e, a:1}: the address of an account is verified; meshmail.js
	CookieEmailReset    CookieAction = 2 // {u, e, a:2}: a password is reset by e-mail; meshmail.js
	CookieLoginToken    CookieAction = 3 // {u, a:3}
	CookieInvite        CookieAction = 4 // {a:4, mid, f, ag?}
	CookieShareComplete CookieAction = 5 // the share itself; read, but no longer made
	CookieShare         CookieAction = 6 // {a:6, pid, e?}
)

// Lifetimes that servers give to cookies that do not name their own.
const (
	CookieAgeDefault   = 2 * time.Minute
	CookieAgeLogin     = time.Hour // "auth=", "login="
	CookieAgeRelay     = 4 * time.Hour
	CookieAgeWebRelay  = 32 * time.Minute
	CookieAgeTunnel    = 2 * time.Minute // cookies for one tunnel, both ends
	CookieAgeTwoFactor = 30 * 24 * time.Hour
	CookieAgeUnlimited = time.Duration(1<<63 - 1) // share links, whose end is told by the share
)

// CookieForever as Expire is a cookie that stays good until its key is changed.
const CookieForever time.Duration = -1

// CookieClockSkew is how far in the future a cookie may have been made, by a server with another clock.
const CookieClockSkew = 30 * time.Second

// Why a cookie is refused. All are an [ErrCookie] too. Servers do not tell clients which it was.
var (
	// ErrCookie is a cookie that is refused, whatever the reason.
	ErrCookie = errors.New("controlproto: cookie refused")
	// ErrCookieMalformed is no cookie, or one made with another key: the two cannot be told apart.
	ErrCookieMalformed = fmt.Errorf("%w: malformed, or made with another key", ErrCookie)
	// ErrCookieExpired is a cookie that is too old.
	ErrCookieExpired = fmt.Errorf("%w: expired", ErrCookie)
	// ErrCookieFuture is a cookie from the future: the clocks of two servers differ.
	ErrCookieFuture = fmt.Errorf("%w: made in the future", ErrCookie)
	// ErrCookieReplayed is a second use of a cookie that is good for one.
	ErrCookieReplayed = fmt.Errorf("%w: used before", ErrCookie)
	// ErrCookieAddress is a cookie that was given to somebody at another address.
	ErrCookieAddress = fmt.Errorf("%w: made for another address", ErrCookie)
	// ErrCookiePurpose is a good cookie that is not for this: it names nobody, another domain, or permits less.
	ErrCookiePurpose = fmt.Errorf("%w: not made for this use", ErrCookie)
)

// LoginCookie returns the login of an account, as meshctrl makes it with --loginkey and servers with action authcookie.
func LoginCookie(user ID) Cookie {
	return Cookie{UserID: user, DomainID: new(user.Domain())}
}

// LoginTokenCookie returns the login that `meshcentral --loginToken` and action logincookie make, the only one that pages
// take in "login=".
func LoginTokenCookie(user ID) Cookie {
	return Cookie{User: user, Action: CookieLoginToken}
}

// RelayCookie returns what lets a device open its end of a tunnel for an account.
func RelayCookie(user ID) Cookie { return Cookie{RelayUserID: user} }

// ForTunnel returns the cookie for one tunnel to one device, and for one use of it (see [OnceGuard]), within [CookieAgeTunnel].
func (c Cookie) ForTunnel(device ID, tunnel string) Cookie {
	c.NodeID, c.Tunnel, c.Once, c.Expire = device, tunnel, rand.Text(), CookieAgeTunnel
	return c
}

// TwoFactorCookie returns the cookie of a device that is trusted, which stands for the second factor. Servers give
// [CookieAgeTwoFactor] unless they are configured otherwise.
func TwoFactorCookie(user ID, age time.Duration) Cookie { return Cookie{UserID: user, Expire: age} }

// LoginUser returns the account that the cookie logs in on the control channel of a domain: by "userid" with a
// "domainid" and an id that are both of the domain, or by "u" with action 3.
//
// A cookie that was made for one tunnel, a guest or an agent is refused, although it may carry a userid. Stock servers
// take it: webserver.js, PerformWSSessionAuth, looks at userid and domainid only, so that whoever holds a link to one
// device's desktop can become the account that shared it.
//
// That the account exists, is not locked, and is at the address that the cookie names, is for the caller to check; see
// [CookieIPPolicy].
func (c *Cookie) LoginUser(domain string) (ID, error) {
	if c.narrowed() {
		return "", fmt.Errorf("%w: it permits a tunnel, not a login", ErrCookiePurpose)
	}
	return c.TunnelUser(domain)
}

// TunnelUser returns the account whose tunnel the cookie permits. Unlike [Cookie.LoginUser] it takes cookies of one device
// and of guests too: what else stands in the cookie limits the tunnel, and is for the caller to enforce.
func (c *Cookie) TunnelUser(domain string) (ID, error) {
	switch {
	case c.UserID != "" && c.Action == 0 && c.Purpose == "":
		if c.DomainID == nil || *c.DomainID != domain {
			return "", fmt.Errorf("%w: it is not of the domain %.64q", ErrCookiePurpose, domain)
		}
		return accountOf(c.UserID, domain)
	case c.User != "" && c.Action == CookieLoginToken:
		return accountOf(c.User, domain)
	}
	return "", fmt.Errorf("%w: it names no account", ErrCookiePurpose)
}

// LoginTokenUser returns the account that a "login=" cookie logs in on the pages of a domain; only those with action 3 do.
func (c *Cookie) LoginTokenUser(domain string) (ID, error) {
	if c.User == "" || c.Action != CookieLoginToken {
		return "", fmt.Errorf("%w: it is no login for pages", ErrCookiePurpose)
	}
	return accountOf(c.User, domain)
}

// TwoFactorUser returns the account of a [TwoFactorCookie]. Login cookies name one too, but say nothing about a second
// factor, so they are refused here; stock servers take them.
func (c *Cookie) TwoFactorUser() (ID, error) {
	if c.UserID == "" || c.DomainID != nil || c.Action != 0 || c.Purpose != "" || c.narrowed() {
		return "", fmt.Errorf("%w: it is not that of a trusted device", ErrCookiePurpose)
	}
	return accountOf(c.UserID, c.UserID.Domain())
}

func accountOf(user ID, domain string) (ID, error) {
	if !user.Valid() || user.Kind() != KindUser || user.Domain() != domain {
		return "", fmt.Errorf("%w: %.128q is no account of the domain %.64q", ErrCookiePurpose, string(user), domain)
	}
	return user, nil
}

// narrowed tells whether the cookie is for something less than all that its account may do.
func (c *Cookie) narrowed() bool {
	return c.NoUser || c.NodeID != "" || c.Tunnel != "" || c.SharedNode != "" || c.PublicID != "" || c.GuestName != "" ||
		c.GuestRights != 0 || c.TCPAddr != "" || c.TCPPort != 0 || c.RelayUserID != "" || c.ViewOnly ||
		c.InviteGroup != "" || c.AgentNode != "" || c.AgentGroup != ""
}
