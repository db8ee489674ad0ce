package web

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const (
	// cookieName begins with what makes browsers insist on Secure, Path=/ and no Domain, so that no other host can set it.
	cookieName      = "__Host-session"
	sessionLifetime = 12 * time.Hour
	codeLifetime    = 5 * time.Minute // from the password to the code
	maxSessions     = 1024
)

// sessions are the logins of browsers. They are kept in memory: a restart of the server ends them.
type sessions struct {
	mu   sync.Mutex
	byID map[[sha256.Size]byte]session // by the hash of the token, which tells nothing about the time of a search
}

type session struct {
	who            Login
	begun, expires time.Time
}

func newSessions() *sessions { return &sessions{byID: make(map[[sha256.Size]byte]session)} }

// begin starts a session for some time and returns its token.
func (s *sessions) begin(who Login, now time.Time, lifetime time.Duration) (token string) {
	token = rand.Text() // 128 bits or more
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= maxSessions {
		s.sweep(now)
	}
	s.byID[sha256.Sum256([]byte(token))] = session{who, now, now.Add(lifetime)}
	return token
}

// sweep drops the sessions that expired, and if there are still too many, the one that will expire next.
func (s *sessions) sweep(now time.Time) {
	var oldest [sha256.Size]byte
	first := now.Add(2 * sessionLifetime)
	for id, v := range s.byID {
		if !now.Before(v.expires) {
			delete(s.byID, id)
		} else if v.expires.Before(first) {
			oldest, first = id, v.expires
		}
	}
	if len(s.byID) >= maxSessions {
		delete(s.byID, oldest)
	}
}

// find returns the session with a token.
func (s *sessions) find(token string, now time.Time) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.byID[sha256.Sum256([]byte(token))]
	return v, ok && now.Before(v.expires)
}

// end ends the session with a token.
func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, sha256.Sum256([]byte(token)))
}

func cookie(token string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: token, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
