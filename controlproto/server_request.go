package controlproto

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/meshcentral-go/sdk/internal/realip"
)

// LoginRequest is what a client brings when it connects: the parts of its HTTP request that a login looks at. Printing it
// shows no secret. Its strings are the client's and not to be trusted.
type LoginRequest struct {
	// Domain is the server's domain that the request is for. NoDomain is a request that is for none.
	Domain   string
	NoDomain bool

	// Host is what the client asked for, "host" or "host:port". Scheme is "https" or "http", or "" if that is not known.
	Host, Scheme string
	// ServerName is the name in TLS, if there is TLS.
	ServerName string
	RemoteAddr netip.Addr
	UserAgent  string

	// Origin is the header of that name, which is always there if a page sent the request.
	Origin    string
	HasOrigin bool

	// What stands in the query: "?user=", "?pass=", "?token=", "?auth=", "?key=", "?moreargs=1". HasUser and HasPassword tell
	// an empty one from none.
	User                 string
	Password, Token      Secret
	HasUser, HasPassword bool
	Cookie, URLKey       Secret
	MoreArgs             bool

	// MeshAuth is the header x-meshauth. HasMeshAuth tells an empty one from none.
	MeshAuth    Secret
	HasMeshAuth bool
	// TrustedDevice is the HTTP cookie "twofactor".
	TrustedDevice Secret

	// SessionUser is the account of the HTTP session that the request belongs to, SessionToken the name of the login token that
	// it was opened with. SessionExpired is one that has ended.
	SessionUser    ID
	SessionToken   string
	SessionExpired bool
}

// Bounds of what is taken from a request. More than that is no credential.
const (
	maxLoginText = 1024
	maxLoginHost = 253 + len(":65535")
)

// Browser tells whether a page sent the request, as far as it can be told.
func (r *LoginRequest) Browser() bool { return r.HasOrigin }

// LogValue shows from where the request came and for what.
func (r *LoginRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("addr", r.RemoteAddr), slog.String("host", fmt.Sprintf("%.128q", r.Host)))
}

// setArg sets what an argument of the query, or of the message "urlargs", stands for.
func (r *LoginRequest) setArg(name, value string) {
	switch name {
	case "user":
		r.User, r.HasUser = value, true
	case "pass":
		r.Password, r.HasPassword = NewSecret(value), true
	case "token":
		r.Token = NewSecret(value)
	case "auth":
		r.Cookie = NewSecret(value)
	case "key":
		r.URLKey = NewSecret(value)
	case "moreargs":
		r.MoreArgs = value == "1"
	}
}

// LoginRequest reads a request, for [Server.Accept] with a connection that was made of it otherwise than by ServeHTTP.
func (s *Server) LoginRequest(r *http.Request) *LoginRequest {
	view := s.auth.origins.view(r)
	l := &LoginRequest{
		Host: bounded(view.host, maxLoginHost), Scheme: view.scheme, RemoteAddr: realip.From(r, s.cfg.TrustedProxies),
		UserAgent: bounded(r.UserAgent(), maxLoginText), Origin: bounded(view.origin, maxLoginText), HasOrigin: view.hasOrigin,
	}
	if r.TLS != nil {
		l.ServerName = bounded(r.TLS.ServerName, maxLoginHost)
	}
	for name, values := range r.URL.Query() {
		l.setArg(name, strings.Clone(values[0]))
	}
	if values := r.Header.Values(MeshAuthHeader); len(values) > 0 {
		l.MeshAuth, l.HasMeshAuth = NewSecret(strings.Join(values, ", ")), true // as Node.js joins them
	}
	if c, err := r.Cookie("twofactor"); err == nil {
		l.TrustedDevice = NewSecret(c.Value)
	}
	if s.cfg.Domain != nil {
		domain, ok := s.cfg.Domain(r)
		l.Domain, l.NoDomain = domain, !ok
	}
	if s.cfg.SessionExpired != nil {
		l.SessionExpired = s.cfg.SessionExpired(r)
	}
	if s.cfg.SessionUser != nil {
		if user, token, ok := s.cfg.SessionUser(r); ok {
			l.SessionUser, l.SessionToken = user, token
		}
	}
	return l
}

// bounded returns a copy, so that no session keeps the whole request in memory.
func bounded(s string, most int) string { return strings.Clone(s[:min(len(s), most)]) }
