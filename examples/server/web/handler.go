package web

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Config is what the pages need. Source, Feed and Password are required.
type Config struct {
	// Source is what they show.
	Source Source
	// Feed tells what changed.
	Feed *Feed
	// Password returns the hash of a user's password (see [HashPassword]), or "" if there is no such user.
	Password func(ctx context.Context, user string) (hash string, err error)
	// TrustedProxies are the addresses of proxies whose headers tell a browser's address.
	TrustedProxies []netip.Prefix
	// Logger gets logins and errors. Nil drops them.
	Logger *slog.Logger
}

// Source is what the pages show.
type Source interface {
	// Groups returns all device groups, in the order in which they are shown.
	Groups(ctx context.Context) ([]Group, error)
	// Devices returns devices in the order in which they are shown, not more than limit, and how many there are.
	Devices(ctx context.Context, limit int) (devices []Device, total int, err error)
	// Device returns one device; ok is false if it does not exist any more.
	Device(ctx context.Context, key nodeid.NodeKey) (d Device, ok bool, err error)
	// Online returns how many devices are online.
	Online() int
	// Events returns the last events, the newest first, not more than limit.
	Events(ctx context.Context, limit int) ([]Event, error)
}

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
		sessions: newSessions(),
		hashing:  make(chan struct{}, maxHashing),
		streams:  make(chan struct{}, maxStreams),
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
		if _, ok := h.sessions.user(r, time.Now()); ok {
			next(w, r)
			return
		}
		if r.URL.Path == "/live" { // a script can not follow to a form
			http.Error(w, "not logged in", http.StatusForbidden)
			return
		}
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}
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
