package digest

import (
	"fmt"
	"strings"
)

// Algorithm is the hash.
type Algorithm uint8

// Algorithms. AMT names none, which means MD5.
const (
	MD5 Algorithm = iota
	SHA256
)

// String returns the name on the wire.
func (a Algorithm) String() string {
	if a == SHA256 {
		return "SHA-256"
	}
	return "MD5"
}

func parseAlgorithm(s string) (Algorithm, error) {
	switch strings.ToUpper(s) {
	case "", "MD5":
		return MD5, nil
	case "SHA-256", "SHA256":
		return SHA256, nil
	}
	return 0, fmt.Errorf("%w: %.40q", ErrAlgorithm, s)
}

// QOP is the quality of protection.
type QOP uint8

// Qualities of protection.
const (
	None    QOP = iota // RFC 2069: neither count nor cnonce
	Auth               // method and URI are hashed
	AuthInt            // and the body
)

// String returns the name on the wire, "" for None.
func (q QOP) String() string {
	switch q {
	case Auth:
		return "auth"
	case AuthInt:
		return "auth-int"
	default:
		return ""
	}
}

// Challenge is what a server asks with, the value of WWW-Authenticate.
type Challenge struct {
	Realm     string
	Nonce     string
	Opaque    string
	Algorithm Algorithm
	// Auth and AuthInt say which qualities are offered; neither means RFC 2069.
	Auth, AuthInt bool
	Stale         bool
}

// ParseChallenge reads the value of one WWW-Authenticate header. If it holds several challenges, the strongest one that is
// known is taken.
func ParseChallenge(header string) (Challenge, error) { return Select([]string{header}) }

// Select returns the strongest challenge of all WWW-Authenticate headers of an answer: SHA-256 before MD5, earlier ones
// before later ones.
func Select(headers []string) (Challenge, error) {
	var best Challenge
	var found bool
	var reason error = ErrScheme
	for _, h := range headers {
		schemes, err := parse(h)
		if err != nil {
			reason = err
			continue
		}
		for i := range schemes {
			if !strings.EqualFold(schemes[i].name, "Digest") {
				continue
			}
			c, err := schemes[i].challenge()
			if err != nil {
				reason = err
				continue
			}
			if !found || c.Algorithm > best.Algorithm {
				best, found = c, true
			}
		}
	}
	if !found {
		return Challenge{}, reason
	}
	return best, nil
}

func (s *scheme) challenge() (Challenge, error) {
	var c Challenge
	var err error
	qop := false
	for _, p := range s.params {
		switch p.name {
		case "realm":
			c.Realm = p.value
		case "nonce":
			c.Nonce = p.value
		case "opaque":
			c.Opaque = p.value
		case "stale":
			c.Stale = strings.EqualFold(p.value, "true")
		case "algorithm":
			if c.Algorithm, err = parseAlgorithm(p.value); err != nil {
				return Challenge{}, err
			}
		case "qop":
			qop = true
			for q := range strings.FieldsFuncSeq(p.value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
				c.Auth = c.Auth || strings.EqualFold(q, "auth")
				c.AuthInt = c.AuthInt || strings.EqualFold(q, "auth-int")
			}
		}
	}
	switch {
	case c.Nonce == "":
		return Challenge{}, fmt.Errorf("%w: a challenge without a nonce", ErrMalformed)
	case qop && !c.Auth && !c.AuthInt:
		return Challenge{}, ErrQOP
	}
	return c, nil
}

// Append appends the challenge in the form of firmware:
//
//	Digest realm="...", nonce="...",stale="false",qop="auth-int, auth"
func (c *Challenge) Append(b []byte) []byte {
	b = append(b, "Digest realm="...)
	b = appendQuoted(b, c.Realm)
	b = append(b, ", nonce="...)
	b = appendQuoted(b, c.Nonce)
	if c.Stale {
		b = append(b, `,stale="true"`...)
	} else {
		b = append(b, `,stale="false"`...)
	}
	switch {
	case c.Auth && c.AuthInt:
		b = append(b, `,qop="auth-int, auth"`...)
	case c.Auth:
		b = append(b, `,qop="auth"`...)
	case c.AuthInt:
		b = append(b, `,qop="auth-int"`...)
	}
	if c.Algorithm != MD5 {
		b = append(b, ",algorithm="...)
		b = append(b, c.Algorithm.String()...)
	}
	if c.Opaque != "" {
		b = append(b, ",opaque="...)
		b = appendQuoted(b, c.Opaque)
	}
	return b
}

// String returns what Append appends. Nothing in it is secret.
func (c Challenge) String() string { return string(c.Append(nil)) }

// QOP returns the quality that a client answers with: auth-int if it is offered, else auth, else none.
func (c *Challenge) QOP() QOP {
	switch {
	case c.AuthInt:
		return AuthInt
	case c.Auth:
		return Auth
	}
	return None
}
