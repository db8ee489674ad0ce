package redir

import (
	"crypto/md5" //nolint:gosec // the digest of RFC 2617 as AMT has it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// maxChallenges is the default of Challenges.Limit.
	maxChallenges = 10_000
	// maxRefusals in a row are what a wrong password may cost.
	maxRefusals = 3
	// refusalPause is how long nothing is tried after that. AMT wants 20 seconds between passwords.
	refusalPause = 20 * time.Second
)

// Challenges remembers the latest HTTP digest challenge of each device. The zero value is ready for use, from any number of
// goroutines.
type Challenges struct {
	// Limit is how many devices are remembered, 10000 if it is 0. Beyond it any of them is forgotten, which costs that
	// device's next connection one more round.
	Limit int

	mu      sync.Mutex
	devices map[string]*deviceChallenge
}

type deviceChallenge struct {
	challenge *httpChallenge
	refusals  int
	until     time.Time // no attempts before
}

// String says how many there are.
func (c *Challenges) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("challenges of %d devices", len(c.devices))
}

// GoString is what %#v prints.
func (c *Challenges) GoString() string { return "redir.Challenges{" + c.String() + "}" }

// Forget removes what is known of a device, for instance after its password was changed.
func (c *Challenges) Forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.devices, key)
}

// get returns the challenge of a device, nil if there is none, or ErrCredentials if it refused too often.
func (c *Challenges) get(key string) (*httpChallenge, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.devices[key]
	if d == nil {
		return nil, nil
	}
	if d.refusals >= maxRefusals {
		if time.Now().Before(d.until) {
			return nil, ErrCredentials
		}
		d.refusals = 0
	}
	return d.challenge, nil
}

// put takes what came with a 401.
func (c *Challenges) put(key string, challenge *httpChallenge, authorized bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.devices[key]
	if d == nil {
		if c.devices == nil {
			c.devices = make(map[string]*deviceChallenge)
		}
		limit := c.Limit
		if limit <= 0 {
			limit = maxChallenges
		}
		for other := range c.devices {
			if len(c.devices) < limit {
				break
			}
			delete(c.devices, other)
		}
		d = new(deviceChallenge)
		c.devices[key] = d
	}
	d.challenge = challenge
	if authorized {
		d.refusals++
		d.until = time.Now().Add(refusalPause)
	}
}

// accepted says that the device took the credentials.
func (c *Challenges) accepted(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.devices[key]; d != nil {
		d.refusals = 0
	}
}

// httpChallenge is a digest challenge of RFC 7616, without what needs the body of the request.
type httpChallenge struct {
	realm, nonce, opaque string
	hasOpaque, qop       bool
	sha256               bool
}

// maxChallengeField is the longest realm, nonce or opaque.
const maxChallengeField = 1024

// parseHTTPChallenge returns nil for what cannot be answered.
func parseHTTPChallenge(value string) *httpChallenge {
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil
	}
	var c httpChallenge
	var hasRealm bool
	for rest != "" {
		name, v, more, ok := nextParameter(rest)
		if !ok {
			break
		}
		rest = more
		if len(v) > maxChallengeField {
			return nil
		}
		switch strings.ToLower(name) {
		case "realm":
			c.realm, hasRealm = v, true
		case "nonce":
			c.nonce = v
		case "opaque":
			c.opaque, c.hasOpaque = v, true
		case "qop":
			c.qop = true
		case "algorithm":
			switch strings.ToUpper(v) {
			case "MD5":
			case "SHA-256":
				c.sha256 = true
			default:
				return nil
			}
		}
	}
	if !hasRealm || c.nonce == "" {
		return nil
	}
	return &c
}

// nextParameter takes name=value or name="value" and the comma after it from s.
func nextParameter(s string) (name, value, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t,")
	name, s, ok = strings.Cut(s, "=")
	name = strings.TrimRight(name, " \t")
	if !ok || !isToken(name) {
		return "", "", "", false
	}
	s = strings.TrimLeft(s, " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return name, strings.TrimRight(value, " \t"), rest, true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return name, b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", "", false
}

// authorize makes the value of the field Authorization.
func (c *httpChallenge) authorize(who Credentials, method, uri, cnonce string, count uint32) string {
	hash := func(parts ...string) string {
		text := []byte(strings.Join(parts, ":"))
		if c.sha256 {
			sum := sha256.Sum256(text)
			return hex.EncodeToString(sum[:])
		}
		sum := md5.Sum(text)
		return hex.EncodeToString(sum[:])
	}
	nc := fmt.Sprintf("%08x", count)
	ha1 := hash(who.Username, c.realm, who.Password.Reveal())
	ha2 := hash(method, uri)
	var b strings.Builder
	b.WriteString(`Digest username="` + quote(who.Username) + `",realm="` + quote(c.realm) + `",nonce="` + quote(c.nonce) + `",uri="` + uri + `"`)
	if c.qop {
		b.WriteString(`,qop=auth,nc=` + nc + `,cnonce="` + cnonce + `",response="` + hash(ha1, c.nonce, nc, cnonce, "auth", ha2) + `"`)
	} else {
		b.WriteString(`,response="` + hash(ha1, c.nonce, ha2) + `"`)
	}
	if c.sha256 {
		b.WriteString(`,algorithm=SHA-256`)
	}
	if c.hasOpaque {
		b.WriteString(`,opaque="` + quote(c.opaque) + `"`)
	}
	return b.String()
}

// quote escapes what would end a quoted string. Line ends cannot be in it: no head with them is accepted.
func quote(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
