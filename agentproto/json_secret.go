package agentproto

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// Secret is text that no log shall show: a password, a token, the content of a clipboard. Every form of printing gives
// "[redacted]", encoding/json included; [AppendJSON] sends the real text. The text hangs on a pointer, so that it stays
// hidden where package fmt cannot call methods: in unexported fields, and in what it prints for a wrong verb.
type Secret struct {
	_    [0]func() // not comparable: use Equal
	text *string
}

// NewSecret wraps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal gives the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Equal compares in constant time for texts of equal length.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String returns "[redacted]", or "" for an empty secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return redacted
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return fmt.Sprintf("agentproto.Secret(%q)", s.String()) }

// Format makes every verb (%x and %d too) print the redacted form.
func (s Secret) Format(f fmt.State, verb rune) { formatRedacted(f, verb, s.String(), s.GoString()) }

// LogValue is what log/slog prints.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is what encoding/json prints.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SecretURL is a URL that carries a permission in its query: a relay address with `auth=` or `rauth=`, a download with a
// cookie. Printed, it shows scheme, host, path and the harmless parameters `p` and `nodeid`; all other values of the query
// are redacted, encoding/json included; [AppendJSON] sends the whole URL.
type SecretURL struct {
	secret Secret
}

// NewSecretURL wraps a URL.
func NewSecretURL(url string) SecretURL { return SecretURL{NewSecret(url)} }

// Reveal gives the whole URL.
func (u SecretURL) Reveal() string { return u.secret.Reveal() }

// Equal compares in constant time for URLs of equal length.
func (u SecretURL) Equal(v SecretURL) bool { return u.secret.Equal(v.secret) }

// String returns the URL without its secrets.
func (u SecretURL) String() string {
	s, fragment, hasFragment := strings.Cut(u.Reveal(), "#")
	base, query, hasQuery := strings.Cut(s, "?")
	var b strings.Builder
	// The authority may carry a password. "*/" at the start (the same server) has none.
	if scheme, rest, ok := strings.Cut(base, "://"); ok {
		authority, path, hasPath := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			authority = redacted + authority[i:]
		}
		b.WriteString(scheme + "://" + authority)
		if hasPath {
			b.WriteString("/" + path)
		}
	} else {
		b.WriteString(base)
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
					b.WriteString(redacted)
				}
				continue
			}
			b.WriteString(name + "=")
			if (name == "p" || name == "nodeid") && !strings.ContainsAny(value, ";?#") {
				b.WriteString(value)
			} else if value != "" {
				b.WriteString(redacted)
			}
		}
	}
	if hasFragment && fragment != "" {
		b.WriteString("#" + redacted)
	}
	return b.String()
}

// Query returns the parameters of the URL. MeshCentral's ids hold '$' and '@', which need no escaping in a query.
func (u SecretURL) Query() (url.Values, error) {
	_, query, _ := strings.Cut(u.Reveal(), "?")
	v, err := url.ParseQuery(query)
	if err != nil {
		// The error of net/url quotes the text it did not understand.
		return nil, fmt.Errorf("agentproto: URL %q has a malformed query", cutText(u.String(), 128))
	}
	return v, nil
}

// GoString is what %#v prints.
func (u SecretURL) GoString() string { return fmt.Sprintf("agentproto.SecretURL(%q)", u.String()) }

// Format makes every verb print the redacted form.
func (u SecretURL) Format(f fmt.State, verb rune) {
	formatRedacted(f, verb, u.String(), u.GoString())
}

// LogValue is what log/slog prints.
func (u SecretURL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is what encoding/json prints.
func (u SecretURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

func formatRedacted(f fmt.State, verb rune, plain, gosyntax string) {
	switch {
	case verb == 'v' && f.Flag('#'):
		plain = gosyntax
	case verb == 'q':
		plain = fmt.Sprintf("%q", plain)
	}
	// A failed write is the printer's to report.
	_, _ = f.Write([]byte(plain))
}

// secretField is a textField that is hidden.
func secretField(c *jsonFields, name string, p *Secret, rule textRule) {
	text := p.Reveal()
	textField(c, name, &text, rule)
	if c.reading {
		*p = NewSecret(text)
	}
}

// urlField is a URL that is hidden in part.
func urlField(c *jsonFields, name string, p *SecretURL, rule textRule) {
	secretField(c, name, &p.secret, rule)
}
