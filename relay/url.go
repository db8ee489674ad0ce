package relay

import (
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/internal/secret"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Secret is text that no log shall show; URL is a URL with such text in it.
type (
	Secret = secret.Text
	URL    = secret.URL
)

// NewSecret wraps text.
func NewSecret(s string) Secret { return secret.New(s) }

// NewURL wraps a URL that may have secrets in it.
func NewURL(s string) URL { return secret.NewURL(s) }

// Bounds of URLs and what is in them.
const (
	maxURL   = 8 << 10
	maxValue = 4 << 10
	maxParam = 64 // of parameters
)

// ErrURL is a relay URL that makes no sense.
var ErrURL = errors.New("relay: bad relay URL")

// Query is the query of a relay URL: what an end of a tunnel says of itself. Nothing in it proves anything but the cookies
// and passwords. The same query, that of the device's end, is within the URL of a tunnel request.
//
//	wss://HOST/[DOMAIN/]meshrelay.ashx?browser=1&p=1&nodeid=node//...&id=...&auth=COOKIE      operator
//	wss://HOST/[DOMAIN/]meshrelay.ashx?p=1&nodeid=node//...&id=...&rauth=COOKIE               device
//
// Confirmed in meshrelay.js, CreateMeshRelayEx, and webserver.js, PerformWSSessionAuth.
type Query struct {
	ID       ID       // "id"; empty when the server is asked to make one
	Protocol Protocol // "p"; ProtocolNone if it is missing or no number
	Node     string   // "nodeid": node/DOMAIN/ID, or the bare id

	Auth      Secret // "auth": the operator's cookie
	RelayAuth Secret // "rauth": the device's cookie
	User      string // "user", "pass", "token": another way to log in
	Password  Secret
	Token     Secret
	Browser   bool // "browser": the operator's end

	// Where a tunnel to a port leads, if the server is to ask the device ("tcpport", "tcpaddr", "udpport", "udpaddr").
	TCPPort, UDPPort uint16
	TCPAddr, UDPAddr string

	NoPing    bool   // "noping": no pings for this tunnel
	SlowRelay int    // "slowrelay": milliseconds of delay for every message, 1 to 999
	Domain    string // "domainid": the domain, from the server itself only

	// Extra holds the parameters that are not named above.
	Extra url.Values
}

// ParseQuery reads the query of a request. It is lenient as the stock server is: numbers that are none count as missing.
// An id that no tunnel has, parameters without end, and a text that is no query are errors.
func ParseQuery(rawQuery string) (*Query, error) {
	if len(rawQuery) > maxURL {
		return nil, fmt.Errorf("%w: %d bytes long", ErrURL, len(rawQuery))
	}
	if strings.Count(rawQuery, "&") >= maxParam {
		return nil, fmt.Errorf("%w: more than %d parameters", ErrURL, maxParam)
	}
	v, err := url.ParseQuery(rawQuery)
	if err != nil { // it quotes what it did not understand, which may be a part of a cookie
		return nil, fmt.Errorf("%w: malformed query", ErrURL)
	}
	q := new(Query)
	var idErr error
	for name, values := range v {
		value := values[0]
		if len(value) > maxValue {
			return nil, fmt.Errorf("%w: parameter of %d bytes", ErrURL, len(value))
		}
		switch name {
		case "id":
			if value != "" {
				q.ID, idErr = ParseID(value)
			}
		case "p":
			if n, err := strconv.ParseUint(value, 10, 16); err == nil {
				q.Protocol = Protocol(n)
			}
		case "nodeid":
			q.Node = value
		case "auth":
			q.Auth = secret.New(value)
		case "rauth":
			q.RelayAuth = secret.New(value)
		case "user":
			q.User = value
		case "pass":
			q.Password = secret.New(value)
		case "token":
			q.Token = secret.New(value)
		case "browser":
			q.Browser = value != ""
		case "tcpport":
			q.TCPPort = port(value)
		case "udpport":
			q.UDPPort = port(value)
		case "tcpaddr":
			q.TCPAddr = value
		case "udpaddr":
			q.UDPAddr = value
		case "noping":
			q.NoPing = value == "1"
		case "slowrelay":
			if n, err := strconv.Atoi(value); err == nil && 1 <= n && n <= 999 {
				q.SlowRelay = n
			}
		case "domainid":
			q.Domain = value
		default:
			if q.Extra == nil {
				q.Extra = make(url.Values)
			}
			q.Extra[name] = values
		}
	}
	if idErr != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, idErr)
	}
	if q.ID.Messenger() {
		q.Protocol = ProtocolMessenger
	}
	return q, nil
}

func port(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// Encode writes the query in the order of the stock clients. The characters '@', '$', '/' and '=' of ids and cookies stay as
// they are.
func (q *Query) Encode() string {
	var b strings.Builder
	add := func(name, value string) {
		if value == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name + "=" + escapeValue(value))
	}
	number := func(name string, n int) {
		if n != 0 {
			add(name, strconv.Itoa(n))
		}
	}
	flag := func(name string, on bool) {
		if on {
			add(name, "1")
		}
	}
	flag("browser", q.Browser)
	if !q.ID.Messenger() { // which implies it
		number("p", int(q.Protocol))
	}
	add("nodeid", q.Node)
	add("id", string(q.ID))
	number("tcpport", int(q.TCPPort))
	add("tcpaddr", q.TCPAddr)
	number("udpport", int(q.UDPPort))
	add("udpaddr", q.UDPAddr)
	flag("noping", q.NoPing)
	number("slowrelay", q.SlowRelay)
	add("domainid", q.Domain)
	add("user", q.User)
	add("pass", q.Password.Reveal())
	add("token", q.Token.Reveal())
	add("auth", q.Auth.Reveal())
	add("rauth", q.RelayAuth.Reveal())
	names := make([]string, 0, len(q.Extra))
	for name := range q.Extra {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, value := range q.Extra[name] {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(escapeName(name) + "=" + escapeValue(value))
		}
	}
	return b.String()
}

// escapeName escapes all of a name that would end it.
func escapeName(s string) string {
	return strings.ReplaceAll(escapeValue(s), "=", "%3D")
}

// escapeValue escapes all but what ids and cookies consist of: some servers compare the text of URLs.
func escapeValue(s string) string {
	s = url.QueryEscape(s)
	for _, c := range []string{"%40@", "%24$", "%2F/", "%3D="} {
		s = strings.ReplaceAll(s, c[:3], c[3:])
	}
	return strings.ReplaceAll(s, "+", "%20") // the blank, which QueryEscape writes as '+'
}

// AgentURL is the URL in a tunnel request ("value"): where the device shall open its end.
//
//	*/[DOMAIN/]meshrelay.ashx?p=1&nodeid=...&id=...&rauth=...      on the server of the control channel
//	wss://HOST[:PORT]/...                                          anywhere
//
// Confirmed in meshuser.js, case 'msg' of type 'tunnel', and meshcore.js, getServerTargetUrlEx.
type AgentURL struct {
	Base     string // "" for the server of the control channel, else wss://HOST[:PORT] or ws://HOST[:PORT]
	Domain   string // a domain that is in the path
	Endpoint string // "meshrelay.ashx", "devicefile.ashx", ...
	Query    Query
}

// RelayEndpoint is the endpoint of all tunnels but downloads to a browser.
const RelayEndpoint = "meshrelay.ashx"

// ParseAgentURL reads the URL of a tunnel request.
func ParseAgentURL(s string) (*AgentURL, error) {
	if len(s) > maxURL {
		return nil, fmt.Errorf("%w: %d bytes long", ErrURL, len(s))
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7F || r == '#' || r == '\\' }) {
		return nil, fmt.Errorf("%w: a character that URLs do not have", ErrURL)
	}
	rest, query, _ := strings.Cut(s, "?")
	u := new(AgentURL)
	path, own := strings.CutPrefix(rest, "*/")
	if !own {
		scheme, after, ok := strings.Cut(rest, "://")
		if !ok || scheme != "wss" && scheme != "ws" {
			return nil, fmt.Errorf("%w: neither */ nor wss://", ErrURL)
		}
		var host string
		if host, path, ok = strings.Cut(after, "/"); !ok {
			return nil, fmt.Errorf("%w: no path", ErrURL)
		}
		u.Base = scheme + "://" + host
		if p, err := url.Parse(u.Base); err != nil || p.Host != host || p.Hostname() == "" || strings.ContainsFunc(host, notInHost) {
			return nil, fmt.Errorf("%w: bad host", ErrURL)
		}
	}
	if u.Domain, u.Endpoint, _ = strings.Cut(path, "/"); u.Endpoint == "" {
		u.Domain, u.Endpoint = "", path
	}
	if !endpoint(u.Endpoint) || nodeid.CheckDomain(u.Domain) != nil || u.Domain == "." || u.Domain == ".." {
		return nil, fmt.Errorf("%w: path %.64q", ErrURL, path)
	}
	q, err := ParseQuery(query)
	if err != nil {
		return nil, err
	}
	u.Query = *q
	return u, nil
}

// notInHost says that a character is in no name, address or port.
func notInHost(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_:[]", r))
}

// endpoint says whether s can be the last part of a path.
func endpoint(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && s != "." && s != ".."
}

// Own says whether the URL is on the server that the device is connected to.
func (u *AgentURL) Own() bool { return u.Base == "" }

// Secret returns the URL as it stands in a tunnel request.
func (u *AgentURL) Secret() URL {
	base := "*"
	if u.Base != "" {
		base = u.Base
	}
	base += "/"
	if u.Domain != "" {
		base += u.Domain + "/"
	}
	base += u.Endpoint
	if q := u.Query.Encode(); q != "" {
		base += "?" + q
	}
	return secret.NewURL(base)
}

// String returns the URL without its secrets.
func (u *AgentURL) String() string { return u.Secret().String() }

// Resolve returns the URL that the device opens, for the URL of its control channel. In it '@' and '$' are escaped, as the
// stock agent does it.
func (u *AgentURL) Resolve(server *url.URL) URL {
	s := u.Secret().Reveal()
	if rest, own := strings.CutPrefix(s, "*"); own {
		scheme := server.Scheme
		switch scheme {
		case "https":
			scheme = "wss"
		case "http":
			scheme = "ws"
		}
		s = scheme + "://" + server.Host + rest
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "$", "%24"), "@", "%40")
	return secret.NewURL(s)
}
