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
	maxSessions     = 1024
)

// sessions are the logins of browsers. They are kept in memory: a restart of the server ends them.
type sessions struct {
	mu   sync.Mutex
	byID map[[sha256.Size]byte]session // by the hash of the token, which tells nothing about the time of a search
}

type session struct {
	user    string
	expires time.Time
}

func newSessions() *sessions { return &sessions{byID: make(map[[sha256.Size]byte]session)} }

// begin starts a session and gives the browser its cookie.
func (s *sessions) begin(w http.ResponseWriter, user string, now time.Time) {
	token := rand.Text() // 128 bits or more
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= maxSessions {
		s.sweep(now)
	}
	s.byID[sha256.Sum256([]byte(token))] = session{user, now.Add(sessionLifetime)}
	http.SetCookie(w, cookie(token, int(sessionLifetime/time.Second)))
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

// user returns who sent a request.
func (s *sessions) user(r *http.Request, now time.Time) (string, bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.byID[sha256.Sum256([]byte(c.Value))]
	return v.user, ok && now.Before(v.expires)
}

// end ends the session that a request belongs to.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		s.mu.Lock()
		delete(s.byID, sha256.Sum256([]byte(c.Value)))
		s.mu.Unlock()
	}
	http.SetCookie(w, cookie("", -1))
}

func cookie(token string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: token, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
