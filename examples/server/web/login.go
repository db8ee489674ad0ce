package web

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
	"github.com/meshcentral-go/sdk/internal/realip"
)

// loginRate bounds the attempts from one address. Those that succeed count too: who can log in need not do so often.
var loginRate = ratelimit.Rate{Events: 10, Window: 10 * time.Minute}

// maxHashing bounds the memory and the processors that attempts take up together.
const maxHashing = 2

type loginData struct {
	User  string
	Error string
}

func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request) {
	h.render(w, r, http.StatusOK, "login.html", loginData{})
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	user, password := r.PostForm.Get("user"), r.PostForm.Get("password")
	addr := realip.From(r, h.cfg.TrustedProxies)
	if !h.attempts.Allow(subscriber(addr), time.Now()) {
		h.log.Warn("login refused: too many attempts", "addr", addr)
		w.Header().Set("Retry-After", "60")
		h.render(w, r, http.StatusTooManyRequests, "login.html", loginData{user, "Too many attempts. Try again in a minute."})
		return
	}
	ok, err := h.check(r.Context(), user, password)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	if !ok {
		h.log.Warn("login failed", "user", clip(user), "addr", addr)
		h.render(w, r, http.StatusForbidden, "login.html", loginData{user, "Wrong name or password."})
		return
	}
	h.log.Info("logged in", "user", clip(user), "addr", addr)
	h.sessions.begin(w, user, time.Now())
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// nobody is a hash to compare with when there is no such user, so that the time tells nothing about that.
var nobody = sync.OnceValue(func() string { return HashPassword("") })

// check reports whether a password is a user's.
func (h *Handler) check(ctx context.Context, user, password string) (bool, error) {
	select {
	case h.hashing <- struct{}{}:
		defer func() { <-h.hashing }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	hash, err := h.cfg.Password(ctx, user)
	if err != nil {
		return false, err
	}
	if hash == "" {
		CheckPassword(nobody(), password)
		return false, nil
	}
	return CheckPassword(hash, password), nil
}

func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	h.sessions.end(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// subscriber is what attempts are counted for: an IPv4 address, or the /64 that an IPv6 subscriber has.
func subscriber(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // an address that could not be read; they share one count
	}
	return p
}

// clip bounds what strangers write into the log.
func clip(s string) string { return s[:min(len(s), 64)] }
