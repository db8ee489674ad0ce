package agentproto

import "github.com/meshcentral-go/sdk/internal/secret"

// Secret is text that no log shall show: a password, a token, the content of a clipboard. Every form of printing gives
// "[redacted]", encoding/json included; [AppendJSON] sends the real text.
type Secret = secret.Text

// NewSecret wraps text.
func NewSecret(text string) Secret { return secret.New(text) }

// SecretURL is a URL that carries a permission in its query: a relay address with `auth=` or `rauth=`, a download with a
// cookie. Printed, it shows scheme, host, path and the harmless parameters `p` and `nodeid`; all other values of the query
// are redacted, encoding/json included; [AppendJSON] sends the whole URL.
type SecretURL = secret.URL

// NewSecretURL wraps a URL.
func NewSecretURL(url string) SecretURL { return secret.NewURL(url) }

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
	text := p.Reveal()
	textField(c, name, &text, rule)
	if c.reading {
		*p = NewSecretURL(text)
	}
}
