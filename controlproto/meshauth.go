package controlproto

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MeshAuthHeader is the HTTP header in which clients log in.
const MeshAuthHeader = "X-Meshauth"

// maxMeshAuth is the longest header that is read or made.
const maxMeshAuth = 8192

// ErrMeshAuth is a header x-meshauth without its form. Servers answer with close, cause noauth, msg noauth-2c.
var ErrMeshAuth = errors.New("controlproto: x-meshauth header")

// MeshAuth is the value of the header x-meshauth:
//
//	base64(user) "," base64(password) [ "," base64(token) ]
//	*                                                           authentication follows inside, see [ServerAuth]
//
// User is a bare login name, or the name of a login token ("~t:..."), whose secret is the password then. Token is a code of a
// second factor, or a request to send one. Confirmed in webserver.js, PerformWSSessionAuth, and meshctrl.js.
type MeshAuth struct {
	User     string
	Password Secret
	Token    Secret
	// Inside is the second form, in which the rest is empty.
	Inside bool
}

// Header returns the value of the header.
func (a MeshAuth) Header() (Secret, error) {
	if a.Inside {
		if a.User != "" || a.Password.Reveal() != "" || a.Token.Reveal() != "" {
			return Secret{}, fmt.Errorf("%w: credentials in the form without", ErrMeshAuth)
		}
		return NewSecret("*"), nil
	}
	parts := []string{a.User, a.Password.Reveal(), a.Token.Reveal()}
	if parts[2] == "" {
		parts = parts[:2]
	}
	n := 0
	for i, part := range parts {
		if !utf8.ValidString(part) {
			return Secret{}, fmt.Errorf("%w: part %d is not UTF-8", ErrMeshAuth, i+1)
		}
		parts[i] = base64.StdEncoding.EncodeToString([]byte(part))
		n += len(parts[i]) + 1
	}
	if n > maxMeshAuth {
		return Secret{}, fmt.Errorf("%w: %d characters, at most %d", ErrMeshAuth, n, maxMeshAuth)
	}
	return NewSecret(strings.Join(parts, ",")), nil
}

// ParseMeshAuth reads the value of the header. Padding may be missing. An empty third part is no token. The errors quote
// nothing of it.
func ParseMeshAuth(header string) (MeshAuth, error) {
	if header == "*" {
		return MeshAuth{Inside: true}, nil
	}
	if len(header) > maxMeshAuth {
		return MeshAuth{}, fmt.Errorf("%w: %d characters, at most %d", ErrMeshAuth, len(header), maxMeshAuth)
	}
	parts := strings.SplitN(header, ",", 4)
	if len(parts) < 2 || len(parts) > 3 {
		return MeshAuth{}, fmt.Errorf("%w: not of two or three parts", ErrMeshAuth)
	}
	for i, part := range parts {
		text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(part), "="))
		if err != nil {
			return MeshAuth{}, fmt.Errorf("%w: part %d is not base64", ErrMeshAuth, i+1)
		}
		if !utf8.Valid(text) {
			return MeshAuth{}, fmt.Errorf("%w: part %d is not UTF-8", ErrMeshAuth, i+1)
		}
		parts[i] = string(text)
	}
	a := MeshAuth{User: parts[0], Password: NewSecret(parts[1])}
	if len(parts) == 3 {
		a.Token = NewSecret(parts[2])
	}
	return a, nil
}
