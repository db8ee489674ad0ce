package web

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Config is what the pages need. Source, Feed and Logins are required.
type Config struct {
	// Source is what they show.
	Source Source
	// Feed tells what changed.
	Feed *Feed
	// Logins decides who may log in.
	Logins Logins
	// TrustedProxies are the addresses of proxies whose headers tell a browser's address.
	TrustedProxies []netip.Prefix
	// Logger gets logins and errors. Nil drops them.
	Logger *slog.Logger
}

// Source is what the pages show to a user.
type Source interface {
	// Groups returns the device groups that the user sees, in the order in which they are shown.
	Groups(ctx context.Context, user string) ([]Group, error)
	// Devices returns devices in the order in which they are shown, not more than limit, and how many there are.
	Devices(ctx context.Context, user string, limit int) (devices []Device, total int, err error)
	// Device returns one device; ok is false if the user does not see it, or it does not exist any more.
	Device(ctx context.Context, user string, key nodeid.NodeKey) (d Device, ok bool, err error)
	// Online returns how many devices are online.
	Online(ctx context.Context, user string) int
	// Events returns the last events, the newest first, not more than limit.
	Events(ctx context.Context, user string, limit int) ([]Event, error)
}

// Logins decides who may log in. Requests may come to pages below another path than the root, as those of a tenant.
type Logins interface {
	// Password tells whether a name and a password are somebody's, and whose.
	Password(ctx context.Context, r *http.Request, name, password string) (who Login, ok bool, err error)
	// Code checks the second factor of somebody whose password was right.
	Code(ctx context.Context, r *http.Request, who Login, code string) (ok bool, err error)
	// Valid tells whether a session from some time on still counts, for pages at the path of the request.
	Valid(r *http.Request, who Login, since time.Time) bool
	// Place is the pages that a request is for.
	Place(r *http.Request) Place
}

// Place is one of several sets of pages, those of a tenant.
type Place struct {
	Base  string // their path as the browser knows it, with a slash at the end
	Title string // "" is none
	// Closed hides that there is a login from who does not bring a key that was asked for.
	Closed bool
	// Key is the one that was brought, to be brought again.
	Key string
}

// Login is who logs in.
type Login struct {
	User      string // id, for Source
	Name      string // shown
	Token     string // name of the login token that was used, if one was
	TokenUser string // what that token logs in as
	Code      bool   // a code is needed too
}

// ErrTooMany is returned by [Logins] when somebody tries too often.
var ErrTooMany = errors.New("web: too many attempts")

// Group is a device group.
type Group struct {
	ID   string // mesh/DOMAIN/ID
	Name string
	// Settings is the path from which agents of the group get their .msh file, or "" if it takes no agents.
	Settings string
}

// Device is a row of the list.
type Device struct {
	ID     string    // node/DOMAIN/ID
	Group  string    // mesh/DOMAIN/ID
	Name   string    // this and the rest are the agent's word
	Host   string    // computer name
	OS     string    // operating system
	Core   string    // description of the running core
	Tag    string    // given to the agent when it was installed
	Addr   string    // address that it last came from
	Online bool      // whether it is connected now
	Since  time.Time // when it came or went last; zero if never
}

// Event is an entry of the log.
type Event struct {
	Time                     time.Time
	Kind, Name, Addr, Detail string
}

const (
	maxRows   = 2000 // of the list
	maxEvents = 200
	maxForm   = 4 << 10 // bytes
)

//go:embed pages static
var files embed.FS

// Handler serves the pages.
type Handler struct {
	cfg      Config
	log      *slog.Logger
	mux      *http.ServeMux
	pages    *template.Template
	sessions *sessions
	pending  *sessions                       // logins that lack the code
	attempts ratelimit.Limiter[netip.Prefix] // logins of one address
	hashing  chan struct{}
	streams  chan struct{}
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
}

// New returns the pages.
func New(cfg Config) *Handler {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the files are part of the program
	}
	h := &Handler{
		cfg: cfg, log: cfg.Logger,
		mux:      http.NewServeMux(),
		pages:    template.Must(template.New("").Funcs(template.FuncMap{"when": when}).ParseFS(files, "pages/*.html")),
		sessions: newSessions(), pending: newSessions(),
		hashing: make(chan struct{}, maxHashing),
		streams: make(chan struct{}, maxStreams),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.attempts.Rate = loginRate
	h.mux.HandleFunc("GET /login", h.loginPage)
	h.mux.HandleFunc("POST /login", h.login)
	h.mux.HandleFunc("POST /logout", h.logout)
	h.mux.HandleFunc("GET /{$}", h.authenticated(h.devicesPage))
	h.mux.HandleFunc("GET /events", h.authenticated(h.eventsPage))
	h.mux.HandleFunc("GET /live", h.authenticated(h.live))
	h.mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, static, r.PathValue("file"))
	})
	return h
}

// ServeHTTP serves a page.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Close ends the pages that are kept current, which http.Server.Shutdown would wait for. Browsers come back by themselves.
func (h *Handler) Close() { h.cancel() }

// authenticated serves those who are logged in and sends everyone else to the login.
func (h *Handler) authenticated(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := h.Session(r); ok {
			next(w, r)
			return
		}
		if r.URL.Path == "/live" { // a script can not follow to a form
			http.Error(w, "not logged in", http.StatusForbidden)
			return
		}
		if h.cfg.Logins.Place(r).Closed {
			http.NotFound(w, r)
			return
		}
		h.redirect(w, r, "login")
	}
}

// redirect leads to a page, named without a slash in front.
func (h *Handler) redirect(w http.ResponseWriter, r *http.Request, page string) {
	at := h.cfg.Logins.Place(r)
	if at.Key != "" {
		page += "?key=" + url.QueryEscape(at.Key)
	}
	http.Redirect(w, r, at.Base+page, http.StatusSeeOther)
}

// Session returns who sent a request, if he is logged in.
func (h *Handler) Session(r *http.Request) (Login, bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return Login{}, false
	}
	v, ok := h.sessions.find(c.Value, time.Now())
	if !ok || !h.cfg.Logins.Valid(r, v.who, v.begun) {
		return Login{}, false
	}
	return v.who, true
}

// Render writes one of the pages that this package has for others: invite.html, share.html and refused.html.
func (h *Handler) Render(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	h.render(w, r, status, page, data)
}

// render writes a page. A template that fails does so in the middle; the browser then sees a cut page.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := h.pages.ExecuteTemplate(w, page, data); err != nil && r.Context().Err() == nil {
		h.log.Error("page failed", "page", page, "reason", err)
	}
}

// failed answers with an error that the visitor can do nothing about.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		h.log.Error("page failed", "path", r.URL.Path, "reason", err)
	}
	http.Error(w, "internal error", http.StatusInternalServerError)
}

// when is how times are shown.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
