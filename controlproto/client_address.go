package controlproto

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// controlPath is where servers have the channel, below the path of the domain.
const controlPath = "/control.ashx"

// address is a server's address. It holds secrets in its query.
type address struct{ u url.URL }

// parseAddress reads the forms that [Dial] takes. Its errors show nothing of the query.
func parseAddress(text string, cfg ClientConfig) (address, error) {
	if !strings.Contains(text, "://") {
		text = "wss://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return address{}, fmt.Errorf("malformed URL %.128q", NewSecretURL(text).String())
	}
	switch strings.ToLower(u.Scheme) {
	case "wss", "https":
		u.Scheme = "wss"
	case "ws", "http":
		u.Scheme = "ws"
	default:
		return address{}, fmt.Errorf("URL with scheme %.16q, want wss", u.Scheme)
	}
	switch {
	case u.Hostname() == "":
		return address{}, errors.New("URL without a host")
	case u.User != nil:
		return address{}, errors.New("URL with a user: those belong into Credentials")
	case u.Scheme == "ws" && cfg.PinnedCertificate != "":
		return address{}, errors.New("ws URL with a pinned certificate: there would be none to look at")
	case u.Scheme == "ws" && !cfg.DangerouslyAllowPlaintext && !isLoopback(u.Hostname()):
		return address{}, errors.New("ws URL to another machine: it would show the credentials to everyone on the way")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, errors.New("URL with a malformed query")
	}
	for _, name := range []string{"user", "pass", "token", "auth"} {
		if q.Has(name) {
			return address{}, fmt.Errorf("URL with %q in its query: that belongs into Credentials", name)
		}
	}
	if k := cfg.URLKey.Reveal(); k != "" {
		q.Set("key", k)
	}
	u.RawQuery, u.Fragment = q.Encode(), ""
	if path := strings.TrimRight(u.Path, "/"); strings.HasSuffix(path, controlPath) {
		u.Path = path
	} else {
		u.Path = path + controlPath
	}
	u.RawPath = ""
	return address{*u}, nil
}

func isLoopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// with returns the URL with more parameters.
func (a address) with(more url.Values) SecretURL {
	u := a.u
	q := u.Query()
	for k, v := range more {
		q[k] = v
	}
	u.RawQuery = q.Encode()
	return NewSecretURL(u.String())
}

// host is what may be logged of it.
func (a address) host() string { return a.u.Host + a.u.Path }

// parsePin reads ClientConfig.PinnedCertificate: 64 or 96 hexadecimal digits, perhaps with colons.
func parsePin(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != 32 && len(b) != 48 {
		return nil, fmt.Errorf("pinned certificate %.128q: want 96 hexadecimal digits (SHA-384) or 64 (SHA-256)", s)
	}
	return b, nil
}
