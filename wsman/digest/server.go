package digest

import (
	"crypto/subtle"
	"errors"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// Server checks what clients send, with one realm.
type Server struct {
	Realm         string
	Algorithm     Algorithm
	Auth, AuthInt bool // what is offered; neither means auth
	Nonces        *Nonces
	// Lookup returns the credentials of a user. It is called before anything is proven.
	Lookup func(username string) (Credentials, bool)
}

// Challenge makes a challenge with a new nonce.
func (s *Server) Challenge(stale bool) *Challenge {
	return &Challenge{
		Realm: s.Realm, Nonce: s.Nonces.New(), Algorithm: s.Algorithm,
		Auth: s.Auth || !s.AuthInt, AuthInt: s.AuthInt, Stale: stale,
	}
}

// Check looks at the value of an Authorization header, which may be "", and returns who sent it. On an error the answer is a
// 401 with a new challenge, which is stale if the error is ErrStale. Whether name or password is wrong is not told, not by
// the time it takes either.
func (s *Server) Check(header, method, uri string, body []byte) (string, error) {
	if header == "" {
		return "", ErrRefused
	}
	a, err := ParseAuthorization(header)
	if err != nil {
		return "", err
	}
	cred, known := s.Lookup(a.Username)
	if !known {
		cred = Credentials{Username: a.Username, Password: secret.New("nobody's password")}
	}
	right := a.Verify(&cred, method, body)
	offered := a.QOP == AuthInt && s.AuthInt || a.QOP == Auth && (s.Auth || !s.AuthInt)
	sameRealm := subtle.ConstantTimeCompare([]byte(a.Realm), []byte(s.Realm)) == 1
	if !right || !known || !offered || !sameRealm || a.URI != uri || a.Algorithm != s.Algorithm {
		return "", ErrRefused
	}
	if err := s.Nonces.Check(&a); err != nil {
		if errors.Is(err, ErrReplay) {
			return "", ErrStale // a new nonce helps who did not mean harm
		}
		return "", err
	}
	return a.Username, nil
}
