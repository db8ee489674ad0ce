package web

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
	"github.com/meshcentral-go/sdk/internal/realip"
)

// loginRate bounds the attempts from one address. Those that succeed count too: who can log in need not do so often.
var loginRate = ratelimit.Rate{Events: 10, Window: 10 * time.Minute}

// maxHashing bounds the memory and the processors that attempts take up together.
const maxHashing = 2

type loginData struct {
	Place
	User  string
	Step  string // token of a login that lacks the code
	Error string
}

func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request) {
	h.showLogin(w, r, http.StatusOK, loginData{})
}

func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request, status int, data loginData) {
	if data.Place = h.cfg.Logins.Place(r); data.Closed {
		http.NotFound(w, r)
		return
	}
	h.render(w, r, status, "login.html", data)
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	if h.cfg.Logins.Place(r).Closed {
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	form := loginData{User: r.PostForm.Get("user"), Step: r.PostForm.Get("step")}
	addr := realip.From(r, h.cfg.TrustedProxies)
	if !h.attempts.Allow(subscriber(addr), time.Now()) {
		h.tooMany(w, r, addr, form)
		return
	}
	var who Login
	var ok bool
	var err error
	if form.Step != "" {
		who, ok, err = h.code(r, form.Step, r.PostForm.Get("code"))
		form.Error = "Wrong code."
	} else {
		who, ok, err = h.password(r.Context(), r, form.User, r.PostForm.Get("password"))
		form.Error = "Wrong name or password."
	}
	switch {
	case errors.Is(err, ErrTooMany):
		h.tooMany(w, r, addr, form)
	case errors.Is(err, errStepOver):
		h.showLogin(w, r, http.StatusForbidden, loginData{User: form.User, Error: "That took too long. Log in again."})
	case err != nil:
		h.failed(w, r, err)
	case !ok:
		h.log.Warn("login failed", "user", clip(form.User), "addr", addr)
		h.showLogin(w, r, http.StatusForbidden, form)
	case who.Code && form.Step == "":
		step := h.pending.begin(who, time.Now(), codeLifetime)
		h.showLogin(w, r, http.StatusOK, loginData{User: form.User, Step: step})
	default:
		h.log.Info("logged in", "user", clip(who.User), "addr", addr)
		token := h.sessions.begin(who, time.Now(), sessionLifetime)
		http.SetCookie(w, cookie(token, int(sessionLifetime/time.Second)))
		h.redirect(w, r, "")
	}
}

func (h *Handler) tooMany(w http.ResponseWriter, r *http.Request, addr netip.Addr, form loginData) {
	h.log.Warn("login refused: too many attempts", "addr", addr)
	w.Header().Set("Retry-After", "60")
	form.Error = "Too many attempts. Try again in a minute."
	h.showLogin(w, r, http.StatusTooManyRequests, form)
}

// password reports whether a password is somebody's. As a hash takes memory and time, few are checked at once.
func (h *Handler) password(ctx context.Context, r *http.Request, user, password string) (Login, bool, error) {
	select {
	case h.hashing <- struct{}{}:
		defer func() { <-h.hashing }()
	case <-ctx.Done():
		return Login{}, false, context.Cause(ctx)
	}
	return h.cfg.Logins.Password(ctx, r, user, password)
}

// errStepOver says that a login was not finished in time.
var errStepOver = errors.New("web: login took too long")

// code reports whether a code is the second factor of a login that lacks it.
func (h *Handler) code(r *http.Request, step, code string) (Login, bool, error) {
	v, ok := h.pending.find(step, time.Now())
	if !ok || !h.cfg.Logins.Valid(r, v.who, v.begun) {
		return Login{}, false, errStepOver
	}
	ok, err := h.cfg.Logins.Code(r.Context(), r, v.who, code)
	if ok && err == nil {
		h.pending.end(step)
	}
	return v.who, ok, err
}

func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		h.sessions.end(c.Value)
	}
	http.SetCookie(w, cookie("", -1))
	h.redirect(w, r, "login")
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
