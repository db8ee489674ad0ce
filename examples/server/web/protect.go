package web

import (
	"net/http"
	"net/url"
)

// securityHeaders go with every answer of the server.
var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "same-origin", // with no-referrer older browsers send Origin: null with forms, which is refused
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Cache-Control":                "no-store",
}

// Protect is to be put around everything that a server answers: it sets the security headers, and refuses what pages of
// other sites make a browser send. There is one rule for all endpoints, and no exception by configuration but the origins
// that allowed, if it is not nil, returns no error for.
func Protect(next http.Handler, allowed func(*http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range securityHeaders {
			w.Header().Set(name, value)
		}
		if crossOrigin(r, allowed) && (allowed == nil || r.Header.Get("Origin") == "" || allowed(r) != nil) {
			http.Error(w, "request from another site", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossOrigin reports whether a page of another origin is behind a request. Browsers say so in Sec-Fetch-Site, older
// ones by an Origin that is not this scheme, host and port, as allowed knows them; agents and tools send neither. Following a
// link is allowed: it only reads, and the session's cookie does not come with it (SameSite=Strict).
func crossOrigin(r *http.Request, allowed func(*http.Request) error) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		origin := r.Header.Get("Origin")
		if origin == "" {
			return false
		}
		if allowed != nil {
			return allowed(r) != nil
		}
		u, err := url.Parse(origin)
		return err != nil || u.Host == "" || u.Host != r.Host
	}
	link := (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Upgrade") == ""
	return !link
}
