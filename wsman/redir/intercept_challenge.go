package redir

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/wsman/digest"
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
	challenge *digest.Challenge
	proven    string // the nonce that the credentials were accepted with last
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
func (c *Challenges) get(key string) (*digest.Challenge, error) {
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

// put takes what came with a 401 to a request, in which was a digest for the nonce, or none if it is empty. The refusal of a
// nonce with which the credentials were good before is no refusal of the credentials: it is too old, for as many connections
// as come with it at once.
func (c *Challenges) put(key string, challenge *digest.Challenge, nonce string) {
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
	if nonce != "" && nonce != d.proven {
		d.refusals++
		d.until = time.Now().Add(refusalPause)
	}
}

// accepted says that the device took the credentials, with a nonce.
func (c *Challenges) accepted(key, nonce string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.devices[key]; d != nil {
		d.refusals, d.proven = 0, nonce
	}
}

// maxChallengeField is the longest realm, nonce or opaque that is remembered.
const maxChallengeField = 1024

// challenge returns the digest challenge of an answer, or nil if there is none that can be answered. Quality auth is taken
// even where auth-int alone is offered: the body is not there yet, and AMT takes both.
func (h *httpHead) challenge() *digest.Challenge {
	var values []string
	for _, f := range h.fields {
		if strings.EqualFold(f.name, "WWW-Authenticate") {
			values = append(values, f.value)
		}
	}
	c, err := digest.Select(values)
	if err != nil || max(len(c.Realm), len(c.Nonce), len(c.Opaque)) > maxChallengeField {
		return nil
	}
	c.Auth, c.AuthInt = c.Auth || c.AuthInt, false
	// Without the rest of the head, of which they are parts.
	c.Realm, c.Nonce, c.Opaque = strings.Clone(c.Realm), strings.Clone(c.Nonce), strings.Clone(c.Opaque)
	return &c
}
