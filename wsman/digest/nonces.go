package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// Nonces makes the nonces of a server and checks that none is used beyond its time, or with a count twice. A nonce is told
// by a keyed hash within it, so that who only asks for one takes no room; those that were used take some, for at most max
// nonces, the oldest go first. Safe for concurrent use.
type Nonces struct {
	max int
	ttl time.Duration

	mu   sync.Mutex
	key  [32]byte
	used map[string]*usedNonce
	// Nonces made up to then are stale: the counts of one of them were forgotten.
	horizon int64
}

type usedNonce struct {
	made   int64
	counts map[string]uint64 // by cnonce
}

// maxCNonces bounds how many clients, or connections of one, use one nonce.
const maxCNonces = 64

// The bytes of a nonce: milliseconds since 1970, random ones, keyed hash.
const (
	nonceTime = 6
	nonceRand = 6
	nonceMAC  = 12
	nonceSize = nonceTime + nonceRand + nonceMAC
)

// NewNonces returns a store that notes the use of at most max nonces, which live for ttl. 0 means 1024 and 5 minutes.
func NewNonces(max int, ttl time.Duration) *Nonces {
	if max <= 0 {
		max = 1024
	}
	if ttl <= 0 {
		ttl = 5 * time.Minute
	}
	n := &Nonces{max: max, ttl: ttl}
	n.Forget()
	return n
}

// Forget makes all nonces stale, as a restart does.
func (n *Nonces) Forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = rand.Read(n.key[:]) // never fails
	n.used = make(map[string]*usedNonce)
	n.horizon = 0
}

// New makes a nonce: 32 base64 characters without padding, as AMT's.
func (n *Nonces) New() string {
	var b [nonceSize]byte
	now := time.Now().UnixMilli()
	for i := range nonceTime {
		b[i] = byte(now >> (8 * (nonceTime - 1 - i)))
	}
	_, _ = rand.Read(b[nonceTime : nonceTime+nonceRand])
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mac(&b, b[nonceTime+nonceRand:])
	return base64.StdEncoding.EncodeToString(b[:])
}

func (n *Nonces) mac(b *[nonceSize]byte, to []byte) {
	h := hmac.New(sha256.New, n.key[:])
	h.Write(b[:nonceTime+nonceRand])
	copy(to, h.Sum(nil))
}

// Check notes the use of a nonce, which fails with ErrStale or ErrReplay. Counts must grow per nonce and cnonce, as clients
// start anew with another cnonce. It should be called after Verify said yes: only who knows the password then takes room.
func (n *Nonces) Check(a *Authorization) error {
	count, err := a.Count()
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(a.Nonce)
	if err != nil || len(raw) != nonceSize {
		return ErrStale
	}
	b := [nonceSize]byte(raw)
	n.mu.Lock()
	defer n.mu.Unlock()
	var want [nonceMAC]byte
	n.mac(&b, want[:])
	if !hmac.Equal(want[:], b[nonceTime+nonceRand:]) {
		return ErrStale
	}
	var made int64
	for _, c := range b[:nonceTime] {
		made = made<<8 | int64(c)
	}
	now := time.Now().UnixMilli()
	if made <= n.horizon || now-made >= n.ttl.Milliseconds() {
		return ErrStale
	}
	u := n.used[a.Nonce]
	if u == nil {
		n.makeRoom(now)
		if made <= n.horizon {
			return ErrStale
		}
		u = &usedNonce{made: made, counts: make(map[string]uint64)}
		n.used[a.Nonce] = u
	}
	// Without a quality of protection there is no count: such a nonce is good for one request.
	last, known := u.counts[a.CNonce]
	switch {
	case known && count <= last:
		return ErrReplay
	case !known && len(u.counts) >= maxCNonces:
		return ErrStale
	}
	u.counts[a.CNonce] = count
	return nil
}

// makeRoom drops what has expired, and the oldest if that is not enough.
func (n *Nonces) makeRoom(now int64) {
	if len(n.used) < n.max {
		return
	}
	oldest, name := int64(0), ""
	for nonce, u := range n.used {
		if now-u.made >= n.ttl.Milliseconds() {
			delete(n.used, nonce)
		} else if name == "" || u.made < oldest {
			oldest, name = u.made, nonce
		}
	}
	if len(n.used) >= n.max {
		delete(n.used, name)
		n.horizon = max(n.horizon, oldest)
	}
}
