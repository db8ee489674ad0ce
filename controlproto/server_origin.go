package controlproto

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// OriginPolicy decides on the Origin header, by which a browser says what page a request comes from. A server has one for all
// that a browser can reach: the control channel, tunnels, downloads. It takes requests
//
//   - from pages of the host and port that the request itself is for, and
//   - from the origins that it was made with.
//
// What certificate the server has makes no difference. (On stock servers a certificate that is not trusted switches the check
// off: webserver.js, CheckWebServerOriginName.)
//
// A request without the header does not come from a page, unless the browser did not say so. It is taken if it proves who
// it is by something that a browser does not add by itself: a password, a token, a cookie in the query. With the cookie of
// an HTTP session it is not.
type OriginPolicy struct {
	exact   []origin // with a scheme
	hosts   []string // any scheme: "host" or "host:port"
	proxies []netip.Prefix
}

type origin struct{ scheme, host, port string }

// NewOriginPolicy makes a policy that takes origins besides the own one: "https://host", "https://host:8443", or without the
// scheme, for both. There is no "*": a server that any page may use on behalf of its users is of no use to them. The proxies
// are those whose X-Forwarded-Host and X-Forwarded-Proto count.
func NewOriginPolicy(origins []string, trustedProxies []netip.Prefix) (*OriginPolicy, error) {
	p := &OriginPolicy{proxies: slices.Clone(trustedProxies)}
	for _, text := range origins {
		if strings.Contains(text, "://") {
			o, ok := parseOrigin(text)
			if !ok {
				return nil, fmt.Errorf("controlproto: origin %.128q is not of the form https://host or https://host:port", text)
			}
			p.exact = append(p.exact, o)
			continue
		}
		host, port := splitHost(text)
		if !plainHost(host) || port != "" && !plainPort(port) {
			return nil, fmt.Errorf("controlproto: origin %.128q is not of the form host, host:port or https://host", text)
		}
		p.hosts = append(p.hosts, joinHost(host, port))
	}
	return p, nil
}

// OriginError is a request that an [OriginPolicy] does not take.
type OriginError struct {
	Origin string // the header; "" if there was none
	Host   string // what the request was for
}

// Error quotes both.
func (e *OriginError) Error() string {
	if e.Origin == "" {
		return "controlproto: origin refused: none, with the session of a browser"
	}
	return fmt.Sprintf("controlproto: origin refused: %.128q, for %.128q", e.Origin, e.Host)
}

// Check decides on a request. ambient tells whether what it proves its user by is something that a browser adds by itself: the
// cookie of an HTTP session, a TLS client certificate. The error is an *[OriginError].
func (p *OriginPolicy) Check(r *http.Request, ambient bool) error {
	view := p.view(r)
	return p.check(view.origin, view.hasOrigin, ambient, view.host, view.scheme)
}

// originView is what of a request counts for the policy.
type originView struct {
	origin    string
	hasOrigin bool
	host      string
	scheme    string // as the client used it; "" is not known: the proxy in front did not tell
}

func (p *OriginPolicy) view(r *http.Request) originView {
	v := originView{host: r.Host}
	if list := r.Header.Values("Origin"); len(list) > 0 {
		v.hasOrigin = true
		v.origin = strings.Join(list, ", ") // two are none that is known
	}
	if r.TLS != nil {
		v.scheme = "https"
	}
	if p == nil || !fromProxy(r, p.proxies) {
		return v
	}
	// Of several proxies the last one, which is the trusted one, has appended its own.
	if s := lastListed(r.Header.Values("X-Forwarded-Proto")); s == "http" || s == "https" {
		v.scheme = s
	}
	if h := lastListed(r.Header.Values("X-Forwarded-Host")); h != "" {
		v.host = h
	}
	return v
}

func lastListed(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

func fromProxy(r *http.Request, proxies []netip.Prefix) bool {
	if len(proxies) == 0 {
		return false
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	a := ap.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// check is Check without the request. A nil policy is one without further origins.
func (p *OriginPolicy) check(text string, has, ambient bool, host, scheme string) error {
	refused := &OriginError{Origin: text, Host: host}
	if !has {
		if ambient {
			return refused
		}
		return nil
	}
	o, ok := parseOrigin(text)
	if !ok {
		return refused // "null" too: a sandboxed frame, a file, a redirect
	}
	if o.sameHost(host, scheme) {
		return nil
	}
	if p != nil && (slices.Contains(p.exact, o) || slices.ContainsFunc(p.hosts, o.isHost)) {
		return nil
	}
	return refused
}

// sameHost tells whether the origin is that of a request's own host and port. What the Host header leaves out is the port of
// the scheme, and if the scheme is not known, that of the origin's.
func (o origin) sameHost(requestHost, scheme string) bool {
	if scheme != "" && scheme != o.scheme {
		return false
	}
	host, port := splitHost(requestHost)
	if port == "" {
		port = schemePort(o.scheme)
	}
	return host != "" && host == o.host && port == o.port
}

func (o origin) isHost(allowed string) bool {
	host, port := splitHost(allowed)
	return host == o.host && (port == o.port || port == "" && o.port == schemePort(o.scheme))
}

// parseOrigin reads scheme "://" host [":" port], in lower case and with the port.
func parseOrigin(text string) (origin, bool) {
	if len(text) > 512 {
		return origin{}, false
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		strings.Contains(text, "#") {
		return origin{}, false
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return origin{}, false
	}
	host, port := splitHost(u.Host)
	if !plainHost(host) || port != "" && !plainPort(port) {
		return origin{}, false
	}
	if port == "" {
		port = schemePort(scheme)
	}
	return origin{scheme, host, port}, true
}

func schemePort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// splitHost cuts the port off, and the brackets of an IPv6 address.
func splitHost(s string) (host, port string) {
	if h, p, err := net.SplitHostPort(s); err == nil {
		return strings.ToLower(h), p
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")), ""
}

func joinHost(host, port string) string {
	if port == "" {
		return host
	}
	return net.JoinHostPort(host, port)
}

func plainHost(s string) bool {
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is6()
	}
	return s != "" && !strings.ContainsAny(s, "*/\\@?#%, \t[]") && len(s) <= 253
}

func plainPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 5
}

// Is makes errors.Is(err, [ErrOrigin]) true.
func (e *OriginError) Is(target error) bool { return target == ErrOrigin }
