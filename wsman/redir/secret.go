package redir

import "github.com/meshcentral-go/sdk/internal/secret"

// Secret is text that no form of printing shows.
type Secret = secret.Text

// NewSecret wraps text.
func NewSecret(text string) Secret { return secret.New(text) }

// Credentials are those of an AMT account. It needs the redirection realm for all but HTTP.
type Credentials struct {
	Username string
	Password Secret
	// Realm, if not empty, is the digest realm that the device must name. It is compared before anything that is made of the
	// password is sent, as whoever sits in between could relay the realm of another device. AMT_GeneralSettings.DigestRealm
	// has it.
	Realm string
}
