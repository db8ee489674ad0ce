package controlproto

import "github.com/meshcentral-go/sdk/internal/secret"

// Secret is text that no log shall show. Every form of printing gives "[redacted]", encoding/json included; only the
// functions of this package that send messages send it.
type Secret = secret.Text

// NewSecret wraps text.
func NewSecret(text string) Secret { return secret.New(text) }

// SecretURL is a URL that carries a permission in its query. Printed, it shows what is harmless of it.
type SecretURL = secret.URL

// NewSecretURL wraps a URL.
func NewSecretURL(url string) SecretURL { return secret.NewURL(url) }
