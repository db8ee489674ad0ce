package wsman

import "github.com/meshcentral-go/sdk/internal/secret"

// Secret is text that no log shall show: a password or a passphrase. However it is printed, it reads "[redacted]"; in XML
// it is written as it is.
type Secret = secret.Text

// NewSecret wraps text.
func NewSecret(text string) Secret { return secret.New(text) }
