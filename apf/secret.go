package apf

import "github.com/meshcentral-go/sdk/internal/secret"

// Secret is text that no log shows: a password, or the state of a management engine, which may hold one.
type Secret = secret.Text

// NewSecret wraps text.
func NewSecret(text string) Secret { return secret.New(text) }
