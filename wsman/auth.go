package wsman

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// account is what the client logs in with. It may change while requests are under way.
type account struct {
	mu         sync.Mutex
	cred       digest.Credentials
	generation int
	refused    time.Time // when the device refused it last
}

func (a *account) get() (digest.Credentials, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cred, a.generation
}

func (a *account) set(username string, password Secret) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cred = digest.Credentials{Username: username, Password: password}
	a.generation++
	a.refused = time.Time{}
}

// renew keeps the credentials and has all challenges forgotten.
func (a *account) renew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
	a.refused = time.Time{}
}

// refuse notes that the device refused the credentials of a generation.
func (a *account) refuse(generation int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if generation == a.generation {
		a.refused = time.Now()
	}
}

// blocked says whether the credentials were refused a moment ago.
func (a *account) blocked(pause time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.refused.IsZero() && time.Since(a.refused) < pause
}

// slotAuth is the challenge that the requests of a slot answer.
type slotAuth struct {
	challenge  *digest.Challenge // nil: none yet
	open       bool              // the device answers without one
	cred       digest.Credentials
	generation int
	nc         uint32
	cnonce     string
}

// authorize appends the value of the Authorization header, or nothing as long as there is no challenge.
func (s *slotAuth) authorize(b []byte, a *account, body []byte) []byte {
	if _, generation := a.get(); generation != s.generation {
		*s = slotAuth{}
	}
	if s.challenge == nil {
		return b
	}
	s.nc++
	return s.challenge.Authorize(&s.cred, "POST", Path, body, s.nc, s.cnonce).Append(b)
}

// attempts of one request to be let in.
type logins struct {
	sent  int  // how many had credentials
	fresh bool // the last one answered a challenge of this very request
}

// challenged takes an answer 401. On nil the request is sent again.
func (c *Client) challenged(s *slot, r *httpResponse, tries *logins) error {
	used := s.auth.challenge != nil
	generation := s.auth.generation
	s.auth = slotAuth{}
	ch, err := digest.Select(r.challenges)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	c.noteRealm(ch.Realm)
	if t := c.cfg.Trace; t != nil && t.Challenge != nil {
		t.Challenge(ch)
	}
	if c.cfg.Realm != "" && ch.Realm != c.cfg.Realm {
		return fmt.Errorf("%w: it is %s", ErrRealm, quoted(ch.Realm))
	}
	if used {
		tries.sent++
		// A nonce that was kept may have expired, which old firmware does not say. A new one may have done so only if it is said.
		if tries.sent >= 2 || tries.fresh && !ch.Stale {
			c.account.refuse(generation)
			return ErrCredentials
		}
	}
	cred, generation := c.account.get()
	if cred.Username == "" || cred.Password.Reveal() == "" && cred.HA1.Reveal() == "" {
		return fmt.Errorf("%w: %w", ErrCredentials, errNoCredentials)
	}
	s.auth = slotAuth{
		challenge: &ch, cred: cred.HashFor(ch.Algorithm, ch.Realm), generation: generation, cnonce: digest.NewCNonce(),
	}
	tries.fresh = true
	return nil
}

var errNoCredentials = errors.New("it asks for a name and password, and there are none")
