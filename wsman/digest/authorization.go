package digest

import (
	"crypto/md5" //nolint:gosec // what the protocol uses
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/internal/secret"
)

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
func HA1(a Algorithm, username, realm, password string) []byte {
	b := make([]byte, 0, 128)
	b = append(b, username...)
	b = append(b, ':')
	b = append(b, realm...)
	b = append(b, ':')
	b = append(b, password...)
	if a == SHA256 {
		h := sha256.Sum256(b)
		return h[:]
	}
	h := md5.Sum(b) //nolint:gosec // see above
	return h[:]
}

// HashFor returns the same credentials with HA1 in place of the password, for one realm and algorithm.
func (c *Credentials) HashFor(a Algorithm, realm string) Credentials {
	if c.HA1.Reveal() != "" {
		return *c
	}
	ha1 := HA1(a, c.Username, realm, c.Password.Reveal())
	return Credentials{Username: c.Username, HA1: secret.New(hex.EncodeToString(ha1))}
}

// NewCNonce returns a nonce for a client: 32 random hexadecimal digits.
func NewCNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Authorize answers a challenge with the quality QOP returns. nc is the count, from 1; cnonce the client's own nonce.
func (c *Challenge) Authorize(cred *Credentials, method, uri string, body []byte, nc uint32, cnonce string) *Authorization {
	a := &Authorization{
		Username: cred.Username, Realm: c.Realm, Nonce: c.Nonce, URI: uri, Opaque: c.Opaque,
		QOP: c.QOP(), Algorithm: c.Algorithm,
	}
	if a.QOP != None {
		a.NC, a.CNonce = formatCount(nc), cnonce
	}
	a.Response = a.Sum(cred, method, body)
	return a
}

func formatCount(nc uint32) string {
	const digits = "0123456789abcdef"
	var b [8]byte
	for i := range b {
		b[i] = digits[nc>>(28-4*i)&15]
	}
	return string(b[:])
}

// Authorization is the answer to a challenge, the value of the Authorization header. Printed, it shows who and for what,
// not the response, from which a password could be guessed.
type Authorization struct {
	Username, Realm, Nonce, URI, Response string
	CNonce, Opaque                        string
	NC                                    string // as it was sent, since it is hashed so: "00000001"
	QOP                                   QOP
	Algorithm                             Algorithm
}

// String returns a form without the response.
func (a Authorization) String() string {
	return "Digest username=" + strconv.Quote(a.Username) + ",realm=" + strconv.Quote(a.Realm) + "," + secret.Redacted
}

// GoString is what %#v prints.
func (a Authorization) GoString() string {
	return "digest.Authorization(" + strconv.Quote(a.String()) + ")"
}

// Format makes every verb print the redacted form.
func (a Authorization) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, a.String(), a.GoString())
}

// LogValue is what log/slog prints.
func (a Authorization) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText is what encoding/json prints.
func (a Authorization) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// ParseAuthorization reads the value of an Authorization header.
func ParseAuthorization(header string) (Authorization, error) {
	schemes, err := parse(header)
	if err != nil {
		return Authorization{}, err
	}
	if len(schemes) == 0 || !strings.EqualFold(schemes[0].name, "Digest") {
		return Authorization{}, ErrScheme
	}
	var a Authorization
	for _, p := range schemes[0].params {
		switch p.name {
		case "username":
			a.Username = p.value
		case "realm":
			a.Realm = p.value
		case "nonce":
			a.Nonce = p.value
		case "uri":
			a.URI = p.value
		case "response":
			a.Response = p.value
		case "cnonce":
			a.CNonce = p.value
		case "opaque":
			a.Opaque = p.value
		case "nc":
			a.NC = p.value
		case "algorithm":
			if a.Algorithm, err = parseAlgorithm(p.value); err != nil {
				return Authorization{}, err
			}
		case "qop":
			switch strings.ToLower(p.value) {
			case "auth":
				a.QOP = Auth
			case "auth-int":
				a.QOP = AuthInt
			case "":
			default:
				return Authorization{}, fmt.Errorf("%w: %.40q", ErrQOP, p.value)
			}
		}
	}
	switch {
	case a.Nonce == "" || a.Response == "":
		return Authorization{}, fmt.Errorf("%w: nonce or response is missing", ErrMalformed)
	case a.QOP != None && (a.NC == "" || a.CNonce == ""):
		return Authorization{}, fmt.Errorf("%w: nc or cnonce is missing", ErrMalformed)
	}
	return a, nil
}

// Append appends the header's value, with the quotes and in the order that firmware knows.
func (a *Authorization) Append(b []byte) []byte {
	b = append(b, "Digest username="...)
	b = appendQuoted(b, a.Username)
	b = append(b, ",realm="...)
	b = appendQuoted(b, a.Realm)
	b = append(b, ",nonce="...)
	b = appendQuoted(b, a.Nonce)
	b = append(b, ",uri="...)
	b = appendQuoted(b, a.URI)
	if a.Algorithm != MD5 {
		b = append(b, ",algorithm="...)
		b = append(b, a.Algorithm.String()...)
	}
	if a.QOP != None {
		b = append(b, ",qop="...)
		b = append(b, a.QOP.String()...)
	}
	b = append(b, ",response="...)
	b = appendQuoted(b, a.Response)
	if a.QOP != None {
		b = append(b, ",nc="...)
		for i := range len(a.NC) {
			// Unquoted: nothing but what a count may consist of.
			if c := a.NC[i]; '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' {
				b = append(b, c)
			}
		}
		b = append(b, ",cnonce="...)
		b = appendQuoted(b, a.CNonce)
	}
	if a.Opaque != "" {
		b = append(b, ",opaque="...)
		b = appendQuoted(b, a.Opaque)
	}
	return b
}

// hash appends the hexadecimal digits of the hash of data.
func (a Algorithm) hash(b, data []byte) []byte {
	if a == SHA256 {
		h := sha256.Sum256(data)
		return hex.AppendEncode(b, h[:])
	}
	h := md5.Sum(data) //nolint:gosec // see above
	return hex.AppendEncode(b, h[:])
}

// Sum returns the response that the credentials give, in hexadecimal digits. Response itself is not looked at.
func (a *Authorization) Sum(cred *Credentials, method string, body []byte) string {
	var space [512]byte
	// HA2: method, URI and, for auth-int, the hash of the body.
	b := append(space[:0], method...)
	b = append(b, ':')
	b = append(b, a.URI...)
	if a.QOP == AuthInt {
		b = append(b, ':')
		b = a.Algorithm.hash(b, body)
	}
	var ha2Space [64]byte
	ha2 := a.Algorithm.hash(ha2Space[:0], b)

	b = b[:0]
	if ha1 := cred.HA1.Reveal(); ha1 != "" {
		b = append(b, ha1...)
	} else {
		b = append(b, a.Username...)
		b = append(b, ':')
		b = append(b, a.Realm...)
		b = append(b, ':')
		b = append(b, cred.Password.Reveal()...)
		var ha1Space [64]byte
		b = append(b[:0], a.Algorithm.hash(ha1Space[:0], b)...)
	}
	b = append(b, ':')
	b = append(b, a.Nonce...)
	b = append(b, ':')
	if a.QOP != None {
		b = append(b, a.NC...)
		b = append(b, ':')
		b = append(b, a.CNonce...)
		b = append(b, ':')
		b = append(b, a.QOP.String()...)
		b = append(b, ':')
	}
	b = append(b, ha2...)
	var sum [64]byte
	return string(a.Algorithm.hash(sum[:0], b))
}

// Verify says whether the response is that of the credentials. It compares in constant time. The caller compares user, realm
// and URI, and looks at nonce and count with [Nonces]; [Server] does all of it.
func (a *Authorization) Verify(cred *Credentials, method string, body []byte) bool {
	want := a.Sum(cred, method, body)
	return subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(a.Response))) == 1
}

// Count returns the count. Clients write it in 8 hexadecimal digits; some without leading zeros, or as a decimal number,
// which is read as hexadecimal too: it grows either way.
func (a *Authorization) Count() (uint64, error) {
	if a.QOP == None {
		return 0, nil
	}
	n, err := strconv.ParseUint(a.NC, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: nc is %.40q", ErrMalformed, a.NC)
	}
	return n, nil
}
