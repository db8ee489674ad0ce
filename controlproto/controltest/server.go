//go:build !js

package controltest

import (
	"context"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// User and Password are those of the administrator that every [Server] has.
const (
	User     = "admin"
	Password = "controltest-password"
)

// patience is for a machine that does much else.
const patience = time.Minute

// Server is a fake server. It logs in whom it knows, as a real one does, and answers what it was told to. Its methods may
// be called from several goroutines.
type Server struct {
	// URL is the server's address, wss://127.0.0.1:PORT.
	URL string

	control *controlproto.Server
	http    *httptest.Server
	conns   *trackingListener
	key     controlproto.CookieKey

	mu       sync.Mutex
	accounts map[controlproto.ID]*account
	tokens   map[string]loginToken
	groups   map[controlproto.ID]controlproto.DeviceGroup
	devices  map[controlproto.ID][]controlproto.Device
	handlers map[string]controlproto.Handler
	requests []controlproto.Envelope
	changed  chan struct{} // closed at the next request; nil when nobody waits
}

// NewServer starts a server on a loopback address, with a certificate of its own and an administrator who is named [User].
// It is closed when the test ends; with a nil t, by the caller.
func NewServer(t testing.TB) *Server { return NewServerWith(t, nil) }

// NewServerWith is NewServer with a change of its configuration. Mux, accounts, tokens and factors are the [Server]'s own.
func NewServerWith(t testing.TB, change func(*controlproto.ServerConfig)) *Server {
	s := &Server{
		accounts: make(map[controlproto.ID]*account), tokens: make(map[string]loginToken),
		groups:   make(map[controlproto.ID]controlproto.DeviceGroup),
		devices:  make(map[controlproto.ID][]controlproto.Device),
		handlers: make(map[string]controlproto.Handler),
	}
	s.AddUser(User, Password, controlproto.SiteFull)
	var err error
	if s.key, err = controlproto.NewCookieKey(nil); err != nil {
		panic(fmt.Sprintf("controltest: %v", err))
	}
	mux := controlproto.NewMux()
	mux.Fallback(s.handle)
	cfg := controlproto.ServerConfig{
		CookieKeys:   []controlproto.CookieKey{s.key},
		Opened:       s.opened,
		FailedLogins: controlproto.FailedLogins{Delay: time.Millisecond, PerAddress: controlproto.LoginRate{Events: -1}},
		// A test on a busy machine shall not run into the times of a real server, that for a farewell of two seconds above all.
		Limits: controlproto.ServerLimits{LoginTime: patience, WriteTime: patience, CloseTime: patience},
	}
	if t != nil {
		cfg.Logger = slog.New(slog.NewTextHandler(&testOutput{w: t.Output()}, nil))
	}
	if change != nil {
		change(&cfg)
	}
	backend := (*backend)(s)
	cfg.Mux, cfg.Accounts, cfg.Tokens, cfg.Factors = mux, backend, backend, backend
	if s.control, err = controlproto.NewServer(cfg); err != nil {
		panic(fmt.Sprintf("controltest: %v", err))
	}
	web := http.NewServeMux()
	web.Handle("/control.ashx", s.control)
	s.http = httptest.NewUnstartedServer(web)
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that leave early are no news
	s.conns = &trackingListener{Listener: s.http.Listener, open: make(map[*trackedConn]struct{})}
	s.http.Listener = s.conns
	s.http.StartTLS()
	s.URL = "wss" + strings.TrimPrefix(s.http.URL, "https")
	if t != nil {
		t.Cleanup(s.Close)
	}
	return s
}

// Close ends all sessions and waits for their end.
func (s *Server) Close() {
	_ = s.control.Shutdown(context.Background()) // fails only with its context
	s.http.Close()
}

// Control returns the server behind this one: its sessions, its handler for requests.
func (s *Server) Control() *controlproto.Server { return s.control }

// Certificate returns the server's TLS certificate.
func (s *Server) Certificate() *x509.Certificate { return s.http.Certificate() }

// CookieKey returns the key that login cookies are made with.
func (s *Server) CookieKey() controlproto.CookieKey { return s.key }

// ClientConfig returns a configuration of clients that trusts the server's certificate, with times for a busy machine.
func (s *Server) ClientConfig() controlproto.ClientConfig {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return controlproto.ClientConfig{
		TLSConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialTime:  patience, LoginTime: patience, DefaultTimeout: patience,
	}
}

// Dial returns a client that is logged in as the administrator.
func (s *Server) Dial(ctx context.Context) (*controlproto.Client, error) {
	login := controlproto.PasswordLogin{User: User, Password: controlproto.NewSecret(Password)}
	return controlproto.Dial(ctx, s.URL, login, s.ClientConfig())
}

// opened sends what a session is told first.
func (s *Server) opened(ctx context.Context, sess *controlproto.Session) error {
	hash := sha512.Sum384(s.Certificate().Raw)
	info := &controlproto.ServerInfo{ServerDetails: controlproto.ServerDetails{
		Domain: sess.Domain(), Name: "controltest", HTTPS: true, Time: time.Now(),
		TLSHash: strings.ToUpper(hex.EncodeToString(hash[:])),
	}}
	if err := sess.Send(ctx, info); err != nil {
		return err
	}
	return sess.Send(ctx, &controlproto.UserInfo{User: *sess.User()})
}

// AddGroup makes up a device group, or replaces it.
func (s *Server) AddGroup(g controlproto.DeviceGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[g.ID] = g
}

// AddDevice makes up a device in a group, which need not exist.
func (s *Server) AddDevice(group controlproto.ID, d controlproto.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[group] = append(s.devices[group], d)
}

// Handle answers an action with a handler, in place of what it was answered with before. The handler replies as that of a
// real server. Nil takes it back.
func (s *Server) Handle(action string, h controlproto.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		delete(s.handlers, action)
		return
	}
	s.handlers[action] = h
}

// Reply answers requests of an action with a message, which may be a *controlproto.Result. It repeats what replies to that
// action do.
func (s *Server) Reply(action string, m controlproto.Message) {
	s.Handle(action, func(ctx context.Context, c *controlproto.Call) error {
		if r, ok := m.(*controlproto.Result); ok {
			return c.ReplyEcho(ctx, r, controlproto.EchoResponseID)
		}
		return c.Reply(ctx, m)
	})
}

// Refuse answers requests of an action with a result other than "ok".
func (s *Server) Refuse(action, result string) {
	s.Handle(action, func(context.Context, *controlproto.Call) error { return &controlproto.ActionError{Result: result} })
}

// Silent leaves an action unanswered, as real servers do with much that they refuse.
func (s *Server) Silent(action string) {
	s.Handle(action, func(context.Context, *controlproto.Call) error { return nil })
}

// Push sends a message to all sessions: a *controlproto.EventPush, say. It returns when it is on its way.
func (s *Server) Push(m controlproto.Message) error {
	b, err := controlproto.AppendMessage(nil, m, controlproto.Correlation{})
	if err != nil {
		return err
	}
	for sess := range s.control.Sessions() {
		sess.Push(b)
	}
	return nil
}

// PushEvent sends an event to all sessions.
func (s *Server) PushEvent(e controlproto.Event) error {
	return s.Push(&controlproto.EventPush{Event: e})
}

// CloseSessions tells all clients that the server closes, and closes.
func (s *Server) CloseSessions(cause, msg string) {
	s.control.CloseWhere(func(*controlproto.Session) bool { return true }, cause, msg)
}

// CutConnections drops all connections without a word, as a network does.
func (s *Server) CutConnections() { s.conns.cut() }

// Requests returns the requests of an action that have come so far, of all sessions, oldest first. With "" it returns all.
func (s *Server) Requests(action string) []controlproto.Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requestsLocked(action)
}

func (s *Server) requestsLocked(action string) []controlproto.Envelope {
	return slices.DeleteFunc(slices.Clone(s.requests), func(e controlproto.Envelope) bool {
		return action != "" && e.Action != action
	})
}

// WaitRequests waits until n requests of an action have come, and returns them.
func (s *Server) WaitRequests(ctx context.Context, action string, n int) ([]controlproto.Envelope, error) {
	for {
		s.mu.Lock()
		found := s.requestsLocked(action)
		if len(found) >= n {
			s.mu.Unlock()
			return found, nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return found, fmt.Errorf("controltest: %d of %d requests %.32q: %w", len(found), n, action, context.Cause(ctx))
		}
	}
}

// handle keeps a request and answers it.
func (s *Server) handle(ctx context.Context, c *controlproto.Call) error {
	s.mu.Lock()
	s.requests = append(s.requests, c.Envelope)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	h := s.handlers[c.Action]
	s.mu.Unlock()
	if h != nil {
		return h(ctx, c)
	}
	switch c.Action {
	case "nodes":
		return s.nodes(ctx, c)
	case "meshes":
		return c.Reply(ctx, &controlproto.MeshesReply{Groups: s.allGroups()})
	case "users":
		return c.Reply(ctx, &controlproto.UsersReply{Users: (*backend)(s).all()})
	}
	if c.Spec.Action != "" && c.Spec.Reply == nil {
		return c.Result(ctx, "ok")
	}
	return nil
}

func (s *Server) nodes(ctx context.Context, c *controlproto.Call) error {
	var req controlproto.Nodes
	if err := c.Decode(&req); err != nil {
		return err
	}
	s.mu.Lock()
	devices := maps.Clone(s.devices)
	s.mu.Unlock()
	maps.DeleteFunc(devices, func(group controlproto.ID, _ []controlproto.Device) bool {
		return req.GroupID != "" && req.GroupID.In(controlproto.KindDeviceGroup, c.Session.Domain()) != group
	})
	return c.Reply(ctx, &controlproto.NodesReply{Devices: devices})
}

func (s *Server) allGroups() []controlproto.DeviceGroup {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := make([]controlproto.DeviceGroup, 0, len(s.groups))
	for _, id := range slices.Sorted(maps.Keys(s.groups)) {
		groups = append(groups, s.groups[id])
	}
	return groups
}

// testOutput is the log of a test until that has ended.
type testOutput struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *testOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}
