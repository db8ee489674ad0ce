// Package controlproto is MeshCentral's control channel.
package controlproto

import (
	"strings"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// Secret is text that no log shall show.
type Secret = secret.Text

// NewSecret wraps text.
func NewSecret(text string) Secret { return secret.New(text) }

// SecretURL is a URL that carries a permission in its query.
type SecretURL = secret.URL

// NewSecretURL wraps a URL.
func NewSecretURL(url string) SecretURL { return secret.NewURL(url) }

// ID names a record.
type ID string

// String returns the id.
func (id ID) String() string { return string(id) }

// UserID makes the id of an account.
func UserID(domain, name string) ID { return ID("user/" + domain + "/" + strings.ToLower(name)) }

// split cuts an id into its three parts.
func (id ID) split() (kind, domain, name string) {
	kind, rest, ok := strings.Cut(string(id), "/")
	if !ok {
		return "", "", string(id)
	}
	if domain, name, ok = strings.Cut(rest, "/"); !ok {
		return "", "", string(id)
	}
	return kind, domain, name
}

// Kind returns the first part.
func (id ID) Kind() string { kind, _, _ := id.split(); return kind }

// Domain returns the second part.
func (id ID) Domain() string { _, domain, _ := id.split(); return domain }

// Name returns the last part.
func (id ID) Name() string { _, _, name := id.split(); return name }

// Valid tells whether the id has the form KIND/DOMAIN/NAME with a name.
func (id ID) Valid() bool {
	kind, _, name := id.split()
	return kind != "" && name != "" && !strings.Contains(name, "/")
}

// KindUser is the kind of accounts.
const KindUser = "user"

// InviteKind says which installation an invitation offers.
type InviteKind uint8

// Consent says what a person at a device is told or asked.
type Consent uint32
