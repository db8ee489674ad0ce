package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/nodeid"
)

const password = "correct horse"

// fakeSource is a Source in memory.
type fakeSource struct {
	mu      sync.Mutex
	groups  []web.Group
	devices map[nodeid.NodeKey]web.Device
	events  []web.Event
}

func (s *fakeSource) Groups(context.Context, string) ([]web.Group, error) { return s.groups, nil }

func (s *fakeSource) Devices(_ context.Context, _ string, limit int) (list []web.Device, total int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if len(list) < limit {
			list = append(list, d)
		}
	}
	return list, len(s.devices), nil
}

func (s *fakeSource) Device(_ context.Context, _ string, key nodeid.NodeKey) (web.Device, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.devices[key]
	return d, ok, nil
}

func (s *fakeSource) Online(context.Context, string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.Online {
			n++
		}
	}
	return n
}

func (s *fakeSource) Events(_ context.Context, _ string, limit int) ([]web.Event, error) {
	return s.events[:min(limit, len(s.events))], nil
}

func (s *fakeSource) set(key nodeid.NodeKey, d web.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.ID = key.String()
	s.devices[key] = d
}

func (s *fakeSource) remove(key nodeid.NodeKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.devices, key)
}

// fakeLogins knows one user.
type fakeLogins struct {
	mu   sync.Mutex
	code string // the second factor, if there is one
	gone bool   // the account was removed
	key  string // that has to be in URLs
}

func (l *fakeLogins) Password(_ context.Context, _ *http.Request, name, pass string) (web.Login, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return web.Login{User: "user//admin", Name: "admin", Code: l.code != ""}, name == "admin" && pass == password, nil
}

func (l *fakeLogins) Code(_ context.Context, _ *http.Request, _ web.Login, code string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return code == l.code, nil
}

func (l *fakeLogins) Valid(*http.Request, web.Login, time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.gone
}

func (l *fakeLogins) Place(r *http.Request) web.Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := web.Place{Base: "/", Title: "<Title>", Closed: l.key != "" && r.URL.Query().Get("key") != l.key}
	if !at.Closed {
		at.Key = l.key
	}
	return at
}

func (l *fakeLogins) set(code string, gone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.code, l.gone = code, gone
}

// site is the pages behind TLS, and a browser.
type site struct {
	*httptest.Server
	source  *fakeSource
	feed    *web.Feed
	log     *bytes.Buffer
	logins  *fakeLogins
	browser *http.Client // does not follow redirects
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		source: &fakeSource{
			groups:  []web.Group{{ID: "mesh//g", Name: "group", Settings: "/meshsettings?id=%40"}},
			devices: make(map[nodeid.NodeKey]web.Device),
		},
		feed:   &web.Feed{},
		log:    &bytes.Buffer{},
		logins: &fakeLogins{},
	}
	s.Server = httptest.NewTLSServer(web.Protect(web.New(web.Config{
		Source: s.source, Feed: s.feed, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
		Logins: s.logins,
	}), nil))
	t.Cleanup(s.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	s.browser = s.Client()
	s.browser.Jar = jar
	s.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s
}

// do sends a request and returns the answer with its body read.
func (s *site) do(t *testing.T, method, path string, form url.Values, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.browser.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func (s *site) login(t *testing.T) {
	t.Helper()
	res, _ := s.do(t, "POST", "/login", url.Values{"user": {"admin"}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	require.Equal(t, "/", res.Header.Get("Location"))
}

func TestNothingIsShownWithoutLogin(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/", "/events"} {
		res, _ := s.do(t, "GET", path, nil)
		require.Equal(t, http.StatusSeeOther, res.StatusCode, path)
		require.Equal(t, "/login", res.Header.Get("Location"), path)
	}
	res, _ := s.do(t, "GET", "/live", nil)
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	res, _ = s.do(t, "GET", "/", nil, "Cookie", "__Host-session=made-up")
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
}

func TestLoginAndLogout(t *testing.T) {
	s := newSite(t)
	res, _ := s.do(t, "POST", "/login", url.Values{"user": {"admin"}, "password": {password}})
	cookies := res.Cookies()
	require.Len(t, cookies, 1)
	c := cookies[0]
	require.True(t, strings.HasPrefix(c.Name, "__Host-"))
	require.True(t, c.Secure && c.HttpOnly && c.SameSite == http.SameSiteStrictMode && c.Path == "/" && c.Domain == "")

	res, body := s.do(t, "GET", "/", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Contains(t, body, "group")

	s.do(t, "POST", "/logout", nil)
	res, _ = s.do(t, "GET", "/", nil, "Cookie", c.Name+"="+c.Value)
	require.Equal(t, http.StatusSeeOther, res.StatusCode, "the server forgets the session, not only the browser")
}

func TestWrongLogins(t *testing.T) {
	s := newSite(t)
	wrong := []url.Values{
		{"user": {"admin"}, "password": {"wrong"}},
		{"user": {"admin"}},
		{"user": {"<script>alert(1)</script>"}, "password": {password}},
		{},
	}
	for _, form := range wrong {
		res, body := s.do(t, "POST", "/login", form)
		require.Equal(t, http.StatusForbidden, res.StatusCode)
		require.Contains(t, body, "Wrong name or password")
		require.NotContains(t, body, "<script>")
		require.Empty(t, res.Cookies())
	}
	res, _ := s.do(t, "POST", "/login", url.Values{"user": {strings.Repeat("x", 5<<10)}})
	require.Equal(t, http.StatusBadRequest, res.StatusCode)

	for range 10 {
		res, _ = s.do(t, "POST", "/login", wrong[0])
	}
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	res, _ = s.do(t, "POST", "/login", url.Values{"user": {"admin"}, "password": {password}})
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode, "guessing goes no faster with the right password")
	require.NotContains(t, s.log.String(), password)
}

var stepPattern = regexp.MustCompile(`name="step" value="([^"]+)"`)

func TestSecondFactor(t *testing.T) {
	s := newSite(t)
	s.logins.set("123456", false)
	right := url.Values{"user": {"admin"}, "password": {password}}
	res, body := s.do(t, "POST", "/login", right)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Empty(t, res.Cookies(), "a password alone is no login")
	step := stepPattern.FindStringSubmatch(body)
	require.Len(t, step, 2, body)
	res, _ = s.do(t, "GET", "/", nil, "Cookie", "__Host-session="+step[1])
	require.Equal(t, http.StatusSeeOther, res.StatusCode, "nor is what is asked with it")

	res, body = s.do(t, "POST", "/login", url.Values{"step": {step[1]}, "code": {"654321"}})
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.Contains(t, body, "Wrong code")
	require.Contains(t, body, step[1], "it can be tried again")
	res, body = s.do(t, "POST", "/login", url.Values{"step": {"made up"}, "code": {"123456"}})
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.Contains(t, body, "Log in again")
	res, _ = s.do(t, "POST", "/login", url.Values{"step": {step[1]}, "code": {"123456"}})
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	require.Len(t, res.Cookies(), 1)
	res, _ = s.do(t, "GET", "/", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
	res, _ = s.do(t, "POST", "/login", url.Values{"step": {step[1]}, "code": {"123456"}})
	require.Equal(t, http.StatusForbidden, res.StatusCode, "a step is taken once")
}

func TestKeyInTheURL(t *testing.T) {
	s := newSite(t)
	s.logins.key = "a&b"
	right := url.Values{"user": {"admin"}, "password": {password}}
	for _, key := range []string{"", "?key=", "?key=x"} {
		for _, path := range []string{"/", "/login", "/events"} {
			res, _ := s.do(t, "GET", path+key, nil)
			require.Equal(t, http.StatusNotFound, res.StatusCode, path+key)
		}
		res, _ := s.do(t, "POST", "/login"+key, right)
		require.Equal(t, http.StatusNotFound, res.StatusCode, key)
	}
	res, _ := s.do(t, "GET", "/?key=a%26b", nil)
	require.Equal(t, "/login?key=a%26b", res.Header.Get("Location"))
	res, body := s.do(t, "GET", "/login?key=a%26b", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Contains(t, body, `action="login?key=a%26b"`)
	require.Contains(t, body, "&lt;Title&gt;")
	res, _ = s.do(t, "POST", "/login?key=a%26b", right)
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	res, _ = s.do(t, "GET", "/", nil)
	require.Equal(t, http.StatusOK, res.StatusCode, "who is logged in needs no key")
}

func TestSessionOfARemovedAccount(t *testing.T) {
	s := newSite(t)
	s.login(t)
	s.logins.set("", true)
	res, _ := s.do(t, "GET", "/", nil)
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
}

func TestOriginsThatAreAllowed(t *testing.T) {
	allowed := func(r *http.Request) error {
		if r.Header.Get("Origin") == "https://portal.example.com" {
			return nil
		}
		return errors.New("no")
	}
	h := web.Protect(http.NotFoundHandler(), allowed)
	for origin, want := range map[string]int{"https://portal.example.com": http.StatusNotFound, "https://example.com": http.StatusForbidden} {
		for _, site := range []string{"", "cross-site"} {
			r := httptest.NewRequest("POST", "https://server.example.com/", nil)
			r.Header.Set("Origin", origin)
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, want, w.Code, origin)
		}
	}
}

// TestOrigins goes through all endpoints: none may answer what another site's page made a browser send.
func TestOrigins(t *testing.T) {
	s := newSite(t)
	s.login(t)
	endpoints := []struct{ method, path string }{
		{"GET", "/"}, {"GET", "/events"}, {"GET", "/live"}, {"GET", "/login"}, {"POST", "/login"}, {"POST", "/logout"},
		{"GET", "/static/live.js"}, {"GET", "/nothing"},
	}
	own, err := url.Parse(s.URL)
	require.NoError(t, err)
	foreign := map[string][]string{
		"another site":     {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"},
		"another port":     {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"},
		"another origin":   {"Origin", "https://example.com"},
		"origin's port":    {"Origin", "https://" + own.Hostname()},
		"opaque origin":    {"Origin", "null"},
		"nonsense":         {"Sec-Fetch-Site", "nonsense"},
		"a WebSocket":      {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "websocket", "Upgrade", "websocket"},
		"a WebSocket link": {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Upgrade", "websocket"},
	}
	for name, headers := range foreign {
		for _, e := range endpoints {
			res, body := s.do(t, e.method, e.path, url.Values{}, headers...)
			require.Equal(t, http.StatusForbidden, res.StatusCode, "%s: %s %s", name, e.method, e.path)
			require.NotContains(t, body, "group")
		}
	}
	link := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}
	res, _ := s.do(t, "GET", "/login", nil, link...)
	require.Equal(t, http.StatusOK, res.StatusCode)
	res, _ = s.do(t, "POST", "/login", url.Values{}, link...)
	require.Equal(t, http.StatusForbidden, res.StatusCode, "a form on another site")
	for _, headers := range [][]string{{"Origin", s.URL}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}} {
		res, _ = s.do(t, "GET", "/", nil, headers...)
		require.Equal(t, http.StatusOK, res.StatusCode, headers)
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := newSite(t)
	s.login(t)
	for _, path := range []string{"/", "/login", "/events", "/static/live.js", "/nothing"} {
		res, body := s.do(t, "GET", path, nil)
		policy := res.Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'", path)
		require.NotContains(t, policy, "unsafe", path)
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"), path)
		// The policy allows no script or style within a page, and none from elsewhere.
		require.NotContains(t, body, "<script>", path)
		require.NotContains(t, body, "style=", path)
		require.NotContains(t, body, `src="http`, path)
	}
}

// hostile is what an agent may call itself.
const hostile = `"><script>alert(1)</script>&<img src=x onerror=alert(2)>'`

func TestHostileAgentStrings(t *testing.T) {
	s := newSite(t)
	key := nodeid.NodeKey{ID: nodeid.NodeID{1}}
	device := web.Device{
		Group: "mesh//g", Name: hostile, Host: hostile, OS: hostile, Core: hostile, Tag: hostile, Addr: hostile,
		Online: true, Since: time.Unix(1e9, 0),
	}
	s.source.set(key, device)
	s.source.events = []web.Event{{Time: time.Unix(1e9, 0), Kind: hostile, Name: hostile, Addr: hostile, Detail: hostile}}
	s.source.groups[0].Name = hostile
	s.login(t)
	for path, times := range map[string]int{"/": 7, "/events": 4} {
		_, body := s.do(t, "GET", path, nil)
		require.NotContains(t, body, "<script>alert", path)
		require.NotContains(t, body, "<img", path)
		require.Equal(t, times, strings.Count(body, "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&lt;img src=x onerror=alert(2)&gt;&#39;"), path)
	}
}

// events reads server-sent events of /live.
type events struct {
	t    *testing.T
	scan *bufio.Scanner
}

func (s *site) live(t *testing.T) *events {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/live", nil)
	require.NoError(t, err)
	res, err := s.browser.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	return &events{t, bufio.NewScanner(res.Body)}
}

type update struct {
	All     bool
	Devices []map[string]any
	Gone    []string
	Online  int
}

func (e *events) next() update {
	e.t.Helper()
	for e.scan.Scan() {
		if data, ok := strings.CutPrefix(e.scan.Text(), "data: "); ok {
			require.NotContains(e.t, data, "<", "markup never leaves the server unescaped")
			var u update
			require.NoError(e.t, json.Unmarshal([]byte(data), &u))
			return u
		}
	}
	e.t.Fatalf("stream ended: %v", e.scan.Err())
	return update{}
}

func TestLive(t *testing.T) {
	s := newSite(t)
	a, b := nodeid.NodeKey{ID: nodeid.NodeID{1}}, nodeid.NodeKey{ID: nodeid.NodeID{2}}
	s.source.set(a, web.Device{Group: "mesh//g", Name: "a"})
	s.login(t)
	live := s.live(t)
	u := live.next()
	require.True(t, u.All)
	require.Len(t, u.Devices, 1)
	require.Equal(t, a.String(), u.Devices[0]["id"])

	s.source.set(a, web.Device{Group: "mesh//g", Name: hostile, Online: true, Since: time.Unix(1e9, 0)})
	s.source.set(b, web.Device{Group: "mesh//g", Name: "b"})
	s.feed.Changed(a, b, a)
	u = live.next()
	require.False(t, u.All)
	require.Len(t, u.Devices, 2, "each device once, however often it changed")
	require.Equal(t, 1, u.Online)
	for _, d := range u.Devices {
		if d["id"] == a.String() {
			require.Equal(t, hostile, d["name"])
			require.Equal(t, true, d["online"])
			require.Equal(t, "2001-09-09 01:46:40 UTC", d["since"])
		}
	}

	s.source.remove(b)
	s.feed.Changed(b)
	require.Equal(t, []string{b.String()}, live.next().Gone)

	s.do(t, "POST", "/logout", nil)
	s.feed.Changed(a)
	for live.scan.Scan() {
		require.False(t, strings.HasPrefix(live.scan.Text(), "data:"), "the stream ends with the session")
	}
	require.NoError(t, live.scan.Err())
}
