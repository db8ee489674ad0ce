package digest

import (
	"errors"
	"time"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// Errors.
var (
	ErrMalformed = errors.New("digest: malformed")
	ErrScheme    = errors.New("digest: another scheme than Digest")
	ErrAlgorithm = errors.New("digest: unknown algorithm")
	ErrQOP       = errors.New("digest: no known quality of protection is offered")
	// ErrStale: the nonce is not, or no longer, known.
	ErrStale = errors.New("digest: unknown or expired nonce")
	// ErrReplay: the count was used before.
	ErrReplay = errors.New("digest: count used before")
)

// Algorithm is the hash.
type Algorithm uint8

// Algorithms. AMT names none, which means MD5.
const (
	MD5 Algorithm = iota
	SHA256
)

// QOP is the quality of protection.
type QOP uint8

// Qualities of protection.
const (
	None    QOP = iota // RFC 2069: neither count nor cnonce
	Auth               // method and URI are hashed
	AuthInt            // and the body
)

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

// ParseChallenge reads the value of one WWW-Authenticate header. If it holds several challenges the first one that is known
// is taken.
func ParseChallenge(header string) (Challenge, error) { return Challenge{}, ErrMalformed }

// Append appends the challenge in the form of firmware: `Digest realm="...", nonce="...",stale="false",qop="auth-int, auth"`.
func (c *Challenge) Append(b []byte) []byte { return b }

// String returns what Append appends.
func (c *Challenge) String() string { return string(c.Append(nil)) }

// QOP returns the quality that a client answers with: auth-int if it is offered, else auth, else none.
func (c *Challenge) QOP() QOP { return None }

// Credentials are a name and what proves it: the password, or HA1.
type Credentials struct {
	Username string
	Password secret.Text
	// HA1 is the hash of name, realm and password in hexadecimal digits, of the algorithm in use. If it is there the
	// password is not looked at. It is as good as the password for its realm.
	HA1 secret.Text
}

// HA1 returns the hash of name, realm and password: what AMT stores, and takes in AddUserAclEntryEx as 16 bytes in base64
// and in Setup as hexadecimal digits.
func HA1(a Algorithm, username, realm, password string) []byte { return nil }

// Authorize answers a challenge with the quality QOP returns. nc is the count, from 1; cnonce the client's own nonce.
func (c *Challenge) Authorize(cred *Credentials, method, uri string, body []byte, nc uint32, cnonce string) *Authorization {
	return &Authorization{}
}

// Authorization is the answer to a challenge, the value of the Authorization header.
type Authorization struct {
	Username, Realm, Nonce, URI, Response string
	CNonce, Opaque                        string
	NC                                    string // as it was sent, since it is hashed so: "00000001"
	QOP                                   QOP
	Algorithm                             Algorithm
}

// ParseAuthorization reads the value of an Authorization header.
func ParseAuthorization(header string) (Authorization, error) { return Authorization{}, ErrMalformed }

// Append appends the header's value, quoted as firmware expects it.
func (a *Authorization) Append(b []byte) []byte { return b }

// Sum returns the response that the credentials give, in hexadecimal digits. Response itself is not looked at.
func (a *Authorization) Sum(cred *Credentials, method string, body []byte) string { return "" }

// Verify says whether the response is that of the credentials. It compares in constant time. The caller has compared user,
// realm and URI, and looks at nonce and count with [Nonces].
func (a *Authorization) Verify(cred *Credentials, method string, body []byte) bool { return false }

// Count returns the count. Clients write it in 8 hexadecimal digits, some without leading zeros or as a decimal number,
// which is read as hexadecimal too: what matters is that it differs.
func (a *Authorization) Count() (uint64, error) { return 0, ErrMalformed }

// Nonces makes the nonces of a server and checks that none is used beyond its time or with a count twice. It holds a bounded
// number of them, oldest first to go. Safe for concurrent use.
type Nonces struct{}

// NewNonces returns a store of at most max nonces that live for ttl. 0 means 1024 and 5 minutes.
func NewNonces(max int, ttl time.Duration) *Nonces { return &Nonces{} }

// New makes a nonce: 32 base64 characters, without padding, as AMT's.
func (n *Nonces) New() string { return "" }

// Check notes the use of a nonce. Counts are looked at per nonce and cnonce, as clients start anew with another cnonce.
func (n *Nonces) Check(a *Authorization) error { return ErrStale }
