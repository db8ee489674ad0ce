package redir

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

const (
	// maxRemembered is the default of Memory.Limit.
	maxRemembered = 10_000
	// maxTries are how often credentials are sent that the device has refused last: a nonce that is remembered may be too old,
	// which firmware does not say.
	maxTries = 3
	// maxAtOnce are how often those are sent that it has not refused, without an answer: operators may connect at once, as a
	// browser does, or leave before the answer.
	maxAtOnce = 6
	// refusalPause is how long credentials that were refused are not tried. AMT wants 20 seconds between passwords. It doubles
	// each time, up to longestPause, or to longestUnanswered as long as there was no refusal: whoever left a device that hangs
	// did nothing wrong.
	refusalPause      = 20 * time.Second
	longestPause      = time.Hour
	longestUnanswered = time.Minute
)

// Memory is what the interceptors of both kinds know of devices from one connection to the next: the latest HTTP challenge of
// each, and which stored credentials it refuses, so that nobody locks an account by connecting again and again. It holds
// neither passwords nor hashes from which one could be guessed. The zero value is ready for use, from any number of goroutines.
//
// Credentials that a device refuses are not tried for 20 seconds, for 40 if they are refused again, and so on up to an hour;
// those that it does not answer, as operators leave or it hangs, up to a minute. Other credentials are tried at once.
type Memory struct {
	// Limit is how many devices are remembered, 10000 if it is 0. Beyond it one of them is forgotten, rather one whose
	// credentials may be tried: it costs that device's next connection one more round.
	Limit int

	mu      sync.Mutex
	key     [32]byte // of what tells credentials apart
	devices map[string]*remembered
}

type remembered struct {
	challenge *digest.Challenge
	proven    string // the nonce with which the credentials were accepted last

	credentials [32]byte  // that the rest is about
	suspect     bool      // they were refused since they were accepted last
	tries       int       // since then
	pauses      int       // by how much the next one is longer
	until       time.Time // no tries before
}

// PausedError says that stored credentials were not tried, as the device refused them before. It is an [ErrCredentials].
type PausedError struct {
	For time.Duration // how long they will not be
}

// Error names the time.
func (e *PausedError) Error() string {
	return fmt.Sprintf("%v before: they are not tried for %v", ErrCredentials, e.For.Round(time.Second))
}

// Unwrap returns ErrCredentials.
func (*PausedError) Unwrap() error { return ErrCredentials }

// String says how many there are.
func (m *Memory) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("memory of %d devices", len(m.devices))
}

// GoString is what %#v prints.
func (m *Memory) GoString() string { return "redir.Memory{" + m.String() + "}" }

// Forget removes what is known of a device. It is not needed after a change of its stored credentials.
func (m *Memory) Forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.devices, key)
}

// device returns what is known of a device, which is new if there is nothing.
func (m *Memory) device(key string) *remembered {
	if d := m.devices[key]; d != nil {
		return d
	}
	if m.devices == nil {
		m.devices = make(map[string]*remembered)
		_, _ = rand.Read(m.key[:]) // never fails
	}
	limit := m.Limit
	if limit <= 0 {
		limit = maxRemembered
	}
	for len(m.devices) >= limit {
		delete(m.devices, m.dispensable())
	}
	d := new(remembered)
	m.devices[key] = d
	return d
}

// dispensable names a device, of the few that are looked at one whose credentials may be tried, if there is one.
func (m *Memory) dispensable() (key string) {
	const most = 64
	n, now := 0, time.Now()
	for name, d := range m.devices {
		if key = name; !now.Before(d.until) {
			return key
		}
		if n++; n == most {
			return key
		}
	}
	return key
}

// mark tells credentials from others. Nothing can be guessed by it: it is made with a key of its own.
func (m *Memory) mark(c Credentials) [32]byte {
	h := hmac.New(sha256.New, m.key[:])
	_, _ = fmt.Fprintf(h, "%d:%s", len(c.Username), c.Username)
	_, _ = io.WriteString(h, c.Password.Reveal())
	return [32]byte(h.Sum(nil))
}

// known returns the challenge of a device, nil if there is none, and the nonce with which credentials were accepted last.
func (m *Memory) known(key string, c Credentials) (challenge *digest.Challenge, proven string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.devices[key]
	switch {
	case d == nil:
		return nil, ""
	case d.credentials != m.mark(c):
		return d.challenge, ""
	}
	return d.challenge, d.proven
}

// challenged notes what came with a 401.
func (m *Memory) challenged(key string, challenge *digest.Challenge) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.device(key).challenge = challenge
}

// try is to be called before credentials are sent. It counts as a refusal until accepted is called, so that it does not help
// an operator to leave before the answer. The error is a PausedError.
func (m *Memory) try(key string, c Credentials) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.device(key)
	if mark := m.mark(c); d.credentials != mark {
		*d = remembered{challenge: d.challenge, credentials: mark}
	}
	if wait := time.Until(d.until); wait > 0 {
		return &PausedError{wait}
	}
	if d.pauses > 0 && d.tries >= maxTries {
		d.tries = 1 // after a pause there is room for a nonce that is too old, and one more
	}
	d.tries++
	d.limit()
	return nil
}

// limit begins a pause if there were too many tries.
func (d *remembered) limit() {
	if d.tries >= maxAtOnce || (d.suspect || d.pauses > 0) && d.tries >= maxTries {
		d.pause()
	}
}

// pause begins the next one.
func (d *remembered) pause() {
	longest := longestUnanswered
	if d.suspect {
		longest = longestPause
	}
	pause := min(refusalPause<<d.pauses, longest)
	if pause < longest {
		d.pauses++
	}
	d.tries, d.until = maxTries, time.Now().Add(pause)
}

// refused notes a refusal. It is certain if it can have no other reason than the credentials.
func (m *Memory) refused(key string, c Credentials, certain bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.devices[key]
	if d == nil || d.credentials != m.mark(c) {
		return
	}
	d.suspect = true
	switch {
	case time.Now().Before(d.until):
	case certain:
		d.pause()
	default:
		d.limit()
	}
}

// accepted says that the device took the credentials, over HTTP with a nonce.
func (m *Memory) accepted(key string, c Credentials, nonce string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.devices[key]
	if d == nil || d.credentials != m.mark(c) {
		return // others were tried meanwhile
	}
	d.suspect, d.tries, d.pauses, d.until = false, 0, 0, time.Time{}
	if nonce != "" {
		d.proven = nonce
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
