// Package secret holds text that no log shall show.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

// Redacted is what is printed in place of a secret.
const Redacted = "[redacted]"

// Text is text that no log shall show: a password, a token, the content of a clipboard. Every form of printing gives
// "[redacted]", encoding/json included. The text hangs on a pointer, so that it stays hidden where package fmt cannot call
// methods: in unexported fields, and in what it prints for a wrong verb.
type Text struct {
	_    [0]func() // not comparable: use Equal
	text *string
}

// New wraps text.
func New(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{text: &text}
}

// Reveal gives the text.
func (s Text) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Equal compares in constant time for texts of equal length.
func (s Text) Equal(t Text) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String returns "[redacted]", or "" for an empty secret.
func (s Text) String() string {
	if s.text == nil {
		return ""
	}
	return Redacted
}

// GoString is what %#v prints.
func (s Text) GoString() string { return fmt.Sprintf("secret.Text(%q)", s.String()) }

// Format makes every verb (%x and %d too) print the redacted form.
func (s Text) Format(f fmt.State, verb rune) { Format(f, verb, s.String(), s.GoString()) }

// LogValue is what log/slog prints.
func (s Text) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is what encoding/json prints.
func (s Text) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is a URL that carries a permission in its query: a relay address with `auth=` or `rauth=`, a download with a
// cookie. Printed, it shows scheme, host, path and the harmless parameters `p` and `nodeid`; all other values of the query
// are redacted, encoding/json included.
type URL struct {
	secret Text
}

// NewURL wraps a URL.
func NewURL(url string) URL { return URL{New(url)} }

// Reveal gives the whole URL.
func (u URL) Reveal() string { return u.secret.Reveal() }

// Equal compares in constant time for URLs of equal length.
func (u URL) Equal(v URL) bool { return u.secret.Equal(v.secret) }

// String returns the URL without its secrets.
func (u URL) String() string {
	s, fragment, hasFragment := strings.Cut(u.Reveal(), "#")
	base, query, hasQuery := strings.Cut(s, "?")
	var b strings.Builder
	// The authority may carry a password, also if the scheme was forgotten. "*/" at the start (the same server) has none.
	authority := base
	if scheme, rest, ok := strings.Cut(base, "//"); ok {
		b.WriteString(scheme + "//")
		authority = rest
	}
	authority, path, hasPath := strings.Cut(authority, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = Redacted + authority[i:]
	}
	b.WriteString(authority)
	if hasPath {
		b.WriteString("/" + path)
	}
	if hasQuery {
		b.WriteByte('?')
		for i, p := range strings.Split(query, "&") {
			if i > 0 {
				b.WriteByte('&')
			}
			name, value, hasValue := strings.Cut(p, "=")
			if !hasValue {
				// A parameter without a name may itself be the secret.
				if name != "" {
					b.WriteString(Redacted)
				}
				continue
			}
			b.WriteString(name + "=")
			if (name == "p" || name == "nodeid") && !strings.ContainsAny(value, ";?#") {
				b.WriteString(value)
			} else if value != "" {
				b.WriteString(Redacted)
			}
		}
	}
	if hasFragment && fragment != "" {
		b.WriteString("#" + Redacted)
	}
	return b.String()
}

// Query returns the parameters of the URL. MeshCentral's ids hold '$' and '@', which need no escaping in a query. Nor does ';',
// which is a character like any other for browsers and Node.js.
func (u URL) Query() (url.Values, error) {
	_, query, _ := strings.Cut(u.Reveal(), "?")
	v, err := url.ParseQuery(strings.ReplaceAll(query, ";", "%3B"))
	if err != nil {
		// The error of net/url quotes the text it did not understand.
		return nil, fmt.Errorf("secret: URL %.128q has a malformed query", u.String())
	}
	return v, nil
}

// GoString is what %#v prints.
func (u URL) GoString() string { return fmt.Sprintf("secret.URL(%q)", u.String()) }

// Format makes every verb print the redacted form.
func (u URL) Format(f fmt.State, verb rune) {
	Format(f, verb, u.String(), u.GoString())
}

// LogValue is what log/slog prints.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is what encoding/json prints.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Format prints a redacted form, for a Format method: the same text for every verb, quoted for %q.
func Format(f fmt.State, verb rune, plain, gosyntax string) {
	switch {
	case verb == 'v' && f.Flag('#'):
		plain = gosyntax
	case verb == 'q':
		plain = fmt.Sprintf("%q", plain)
	}
	// A failed write is the printer's to report.
	_, _ = f.Write([]byte(plain))
}
