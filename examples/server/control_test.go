package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// here is a server in this process.
type here struct {
	*server
	address string // host:port
	roots   *x509.CertPool
	log     *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const herePassword = "correct horse"

// patience guards against a hang. On a busy machine anything may take long.
const patience = 3 * time.Minute

// hereCertificates are the files that a server makes at its first start. They are made once: RSA keys take seconds.
var hereCertificates = sync.OnceValues(func() (map[string][]byte, error) {
	dir := filepath.Join(buildDir, "certificates")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if _, err := (certs.Folder{Path: dir, Config: certs.Config{Host: "127.0.0.1"}}).LoadOrCreate(); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	files := map[string][]byte{}
	for _, name := range names {
		b, readErr := os.ReadFile(name)
		err = errors.Join(err, readErr)
		files[filepath.Base(name)] = b
	}
	return files, err
})

// startHere starts a server with the administrator "admin", and with a config.json unless it is "".
func startHere(t *testing.T, file string, args ...string) *here {
	t.Helper()
	data := t.TempDir()
	for name, b := range must(hereCertificates()) {
		require.NoError(t, os.WriteFile(filepath.Join(data, name), b, 0o600))
	}
	if file != "" {
		require.NoError(t, os.WriteFile(filepath.Join(data, configName), []byte(file), 0o600))
	}
	args = append([]string{"-data", data, "-listen", "127.0.0.1:0", "-admin", "admin:" + herePassword}, args...)
	cfg, err := parseConfig(args, func(string) string { return "" }, io.Discard)
	require.NoError(t, err)
	h := &here{log: &lockedBuffer{}, roots: x509.NewCertPool()}
	h.server, err = open(t.Context(), cfg, slog.New(slog.NewTextHandler(h.log, nil)))
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- h.serve() }()
	t.Cleanup(func() {
		require.NoError(t, h.close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
		if h.tunnels.recordings != nil {
			_, err := h.tunnels.recordings.Stat(".")
			require.ErrorIs(t, err, os.ErrClosed)
		}
		require.NotContains(t, h.log.String(), herePassword)
	})
	h.address = h.listener.Addr().String()
	require.True(t, h.roots.AppendCertsFromPEM(must(os.ReadFile(filepath.Join(data, "root-cert-public.crt")))))
	return h
}

func (h *here) dial(t *testing.T, path string, c controlproto.Credentials, header http.Header) (*controlproto.Client, error) {
	t.Helper()
	client, err := controlproto.Dial(t.Context(), "wss://"+h.address+path+"control.ashx", c, controlproto.ClientConfig{
		TLSConfig: &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}, Header: header,
	})
	if err == nil {
		t.Cleanup(func() { client.Close() })
	}
	return client, err
}

func secret(s string) controlproto.Secret { return controlproto.NewSecret(s) }

func (h *here) admin(t *testing.T) *controlproto.Client {
	t.Helper()
	c, err := h.dial(t, "/", controlproto.PasswordLogin{User: "admin", Password: secret(herePassword)}, nil)
	require.NoError(t, err)
	return c
}

// browser is one that follows no redirects.
func (h *here) browser(t *testing.T) *http.Client {
	t.Helper()
	return &http.Client{
		Jar: must(cookiejar.New(nil)), Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (h *here) get(t *testing.T, b *http.Client, path string) (*http.Response, string) {
	t.Helper()
	u := path
	if strings.HasPrefix(path, "/") {
		u = "https://" + h.address + path
	}
	res, err := b.Get(u)
	require.NoError(t, err)
	defer res.Body.Close()
	return res, string(must(io.ReadAll(res.Body)))
}

func (h *here) post(t *testing.T, b *http.Client, path string, form url.Values) (*http.Response, string) {
	t.Helper()
	res, err := b.PostForm("https://"+h.address+path, form)
	require.NoError(t, err)
	defer res.Body.Close()
	return res, string(must(io.ReadAll(res.Body)))
}

func TestAccountsComeFromTheChannel(t *testing.T) {
	h := startHere(t, "")
	admin := h.admin(t)
	require.NoError(t, admin.AddUser(t.Context(), &controlproto.AddUser{Username: "Bob", Password: secret("bob's password")}))
	bob, err := h.dial(t, "/", controlproto.PasswordLogin{User: "bob", Password: secret("bob's password")}, nil)
	require.NoError(t, err)
	require.Equal(t, "Bob", bob.UserInfo().Name)
	_, err = h.dial(t, "/", controlproto.PasswordLogin{User: "bob", Password: secret("wrong")}, nil)
	require.ErrorIs(t, err, controlproto.ErrBadCredentials)

	// The pages know him too, and show him what he may see: nothing, until he is linked to the group.
	b := h.browser(t)
	res, _ := h.post(t, b, "/login", url.Values{"user": {"BOB"}, "password": {"bob's password"}})
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	_, body := h.get(t, b, "/")
	require.Contains(t, body, "There are no device groups")
	groups, err := admin.DeviceGroups(t.Context())
	require.NoError(t, err)
	require.Len(t, groups, 1)
	require.NoError(t, admin.AddUserToDeviceGroup(t.Context(), groups[0].ID, "user//bob", controlproto.RemoteControl))
	_, body = h.get(t, b, "/")
	require.Contains(t, body, "<h2>default</h2>")

	// With the account, all that it has opened ends.
	require.NoError(t, admin.RemoveUser(t.Context(), "user//bob"))
	<-bob.Done()
	res, _ = h.get(t, b, "/")
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
}

func TestSecondFactorEverywhere(t *testing.T) {
	h := startHere(t, "")
	totp := must(controlproto.NewTOTPSecret(nil))
	require.NoError(t, h.records.Update(t.Context(), func(tx *controlserver.Tx) error {
		return tx.EditAccount("user//admin", func(a *controlserver.Account) error {
			a.TOTPSecret = totp
			a.BackupCodes = []controlserver.BackupCode{{Code: secret("01234567")}}
			return nil
		})
	}))
	login := controlproto.PasswordLogin{User: "admin", Password: secret(herePassword)}
	_, err := h.dial(t, "/", login, nil)
	require.ErrorIs(t, err, controlproto.ErrTokenRequired)
	login.Token = must(controlproto.TOTPCode(totp, time.Now()))
	_, err = h.dial(t, "/", login, nil)
	require.NoError(t, err)
	_, err = h.dial(t, "/", login, nil)
	require.ErrorIs(t, err, controlproto.ErrTokenRequired, "a code counts once")

	b := h.browser(t)
	res, body := h.post(t, b, "/login", url.Values{"user": {"admin"}, "password": {herePassword}})
	require.Equal(t, http.StatusOK, res.StatusCode)
	_, step, _ := strings.Cut(body, `name="step" value="`)
	step, _, _ = strings.Cut(step, `"`)
	require.NotEmpty(t, step)
	res, _ = h.post(t, b, "/login", url.Values{"step": {step}, "code": {login.Token.Reveal()}})
	require.Equal(t, http.StatusForbidden, res.StatusCode, "on the pages neither")
	res, _ = h.post(t, b, "/login", url.Values{"step": {step}, "code": {"01234567"}})
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	res, _ = h.get(t, b, "/")
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// TestSessionOfAPage opens the channel as a page does, by the cookie that the browser adds.
func TestSessionOfAPage(t *testing.T) {
	h := startHere(t, `{"domains":{"":{"allowedOrigin":["portal.example.com"]}}}`)
	b := h.browser(t)
	res, _ := h.post(t, b, "/login", url.Values{"user": {"admin"}, "password": {herePassword}})
	require.Len(t, res.Cookies(), 1)
	session := controlproto.SessionLogin{Cookies: []controlproto.SessionCookie{{Name: res.Cookies()[0].Name, Value: secret(res.Cookies()[0].Value)}}}
	for origin, want := range map[string]error{
		"https://" + h.address: nil, "https://portal.example.com": nil, "https://example.com": controlproto.ErrOrigin, "null": controlproto.ErrOrigin,
		"https://127.0.0.1": controlproto.ErrOrigin,
	} {
		c, err := h.dial(t, "/", session, http.Header{"Origin": {origin}})
		if want != nil {
			require.ErrorIs(t, err, want, origin)
			continue
		}
		require.NoError(t, err, origin)
		require.Equal(t, controlproto.ID("user//admin"), c.UserInfo().ID)
	}
	_, err := h.dial(t, "/", session, nil)
	require.Error(t, err, "what is no page has something better than this cookie")
	_, err = h.dial(t, "/", controlproto.PasswordLogin{User: "admin", Password: secret(herePassword)}, http.Header{"Origin": {"https://example.com"}})
	require.ErrorIs(t, err, controlproto.ErrOrigin, "a page of another site, with whatever it knows")

	res, _ = h.post(t, b, "/logout", nil)
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	_, err = h.dial(t, "/", session, http.Header{"Origin": {"https://" + h.address}})
	require.Error(t, err)
}

func TestLoginTokensOnPages(t *testing.T) {
	h := startHere(t, "")
	admin := h.admin(t)
	token, err := admin.CreateLoginToken(t.Context(), "job", time.Hour)
	require.NoError(t, err)
	b := h.browser(t)
	form := url.Values{"user": {token.TokenUser}, "password": {token.TokenPass.Reveal()}}
	res, _ := h.post(t, b, "/login", form)
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	form.Set("password", "wrong")
	res, _ = h.post(t, h.browser(t), "/login", form)
	require.Equal(t, http.StatusForbidden, res.StatusCode)

	res, _ = h.get(t, b, "/")
	require.Equal(t, http.StatusOK, res.StatusCode)
	_, err = admin.RemoveLoginTokens(t.Context(), token.TokenUser)
	require.NoError(t, err)
	res, _ = h.get(t, b, "/")
	require.Equal(t, http.StatusSeeOther, res.StatusCode, "a token that was revoked ends the sessions of the pages too")
}

// TestAdministratorOfATenant is how a tenant comes to its first account.
func TestAdministratorOfATenant(t *testing.T) {
	h := startHere(t, `{"domains":{"customer1":{"loginKey":"k"}}}`, "-admin", "Customer1/Boss:"+herePassword)
	require.NotEmpty(t, h.welcome)
	require.Contains(t, h.welcome, "Log in as admin", "the default domain needs one of its own")
	_, err := h.dial(t, "/", controlproto.PasswordLogin{User: "boss", Password: secret(herePassword)}, nil)
	require.ErrorIs(t, err, controlproto.ErrBadCredentials)
	c, err := controlproto.Dial(t.Context(), "wss://"+h.address+"/customer1/control.ashx?key=k",
		controlproto.PasswordLogin{User: "boss", Password: secret(herePassword)},
		controlproto.ClientConfig{TLSConfig: &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}})
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, controlproto.ID("user/customer1/boss"), c.UserInfo().ID)
	require.True(t, c.UserInfo().SiteRights.Full())
	groups, err := c.DeviceGroups(t.Context())
	require.NoError(t, err)
	require.Empty(t, groups, "the first group is of the default domain")

	res, _ := h.get(t, h.browser(t), "/customer1?key=k")
	require.Equal(t, "/customer1/?key=k", res.Header.Get("Location"))
	require.NotEmpty(t, res.Header.Get("Content-Security-Policy"))
	res, _ = h.get(t, h.browser(t), "/customer1//login?key=k")
	require.Equal(t, "/customer1/login?key=k", res.Header.Get("Location"), "not to the pages of the default domain")
}

func TestKeyInURLs(t *testing.T) {
	h := startHere(t, `{"domains":{"":{"loginKey":"open sesame","title":"A title"}}}`)
	b := h.browser(t)
	for _, path := range []string{"/", "/login", "/agentinvite"} {
		res, _ := h.get(t, b, path)
		require.Equal(t, http.StatusNotFound, res.StatusCode, path)
	}
	res, body := h.get(t, b, "/login?key=open+sesame")
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Contains(t, body, "A title")
	login := controlproto.PasswordLogin{User: "admin", Password: secret(herePassword)}
	_, err := h.dial(t, "/", login, nil)
	require.Error(t, err)
	c, err := controlproto.Dial(t.Context(), "wss://"+h.address+"/control.ashx", login, controlproto.ClientConfig{
		TLSConfig: &tls.Config{RootCAs: h.roots, ServerName: "127.0.0.1"}, URLKey: secret("open sesame"),
	})
	require.NoError(t, err)
	c.Close()
}

// TestTenants has one by its path and one by its name. An account of one is none in another.
func TestTenants(t *testing.T) {
	h := startHere(t, `{"domains":{"customer1":{"title":"One"},"customer2":{"dns":"two.example.com"}}}`)
	require.NoError(t, h.records.Update(t.Context(), func(tx *controlserver.Tx) error {
		for _, domain := range []string{"customer1", "customer2"} {
			a := &controlserver.Account{Type: "user", Domain: domain, PasswordHash: secret(controlserver.HashPassword(domain))}
			a.ID, a.Name, a.SiteRights = controlproto.UserID(domain, "boss"), "boss", controlproto.SiteFull
			if err := tx.AddAccount(a); err != nil {
				return err
			}
		}
		return nil
	}))
	boss := controlproto.PasswordLogin{User: "boss", Password: secret("customer1")}
	_, err := h.dial(t, "/", boss, nil)
	require.ErrorIs(t, err, controlproto.ErrBadCredentials)
	c, err := h.dial(t, "/customer1/", boss, nil)
	require.NoError(t, err)
	require.Equal(t, "customer1", c.ServerInfo().Domain)
	id, err := c.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "lab", GroupType: controlproto.GroupAgent})
	require.NoError(t, err)
	require.Equal(t, "customer1", id.Domain())
	_, err = h.dial(t, "/customer1/", controlproto.PasswordLogin{User: "admin", Password: secret(herePassword)}, nil)
	require.ErrorIs(t, err, controlproto.ErrBadCredentials)
	_, err = h.dial(t, "/nobody/", boss, nil)
	require.Error(t, err)

	// Pages and .msh files, by the path.
	b := h.browser(t)
	res, _ := h.get(t, b, "/customer1")
	require.Equal(t, "/customer1/", res.Header.Get("Location"))
	res, _ = h.get(t, b, "/customer1/")
	require.Equal(t, "/customer1/login", res.Header.Get("Location"))
	_, body := h.get(t, b, "/customer1/login")
	require.Contains(t, body, "<p>One</p>")
	res, _ = h.post(t, b, "/customer1/login", url.Values{"user": {"boss"}, "password": {"customer1"}})
	require.Equal(t, "/customer1/", res.Header.Get("Location"))
	_, body = h.get(t, b, "/customer1/")
	require.Contains(t, body, "<h2>lab</h2>")
	require.NotContains(t, body, "<h2>default</h2>")
	require.Contains(t, body, `href="/customer1/meshsettings?id=`)
	res, _ = h.get(t, b, "/customer1/static/style.css")
	require.Equal(t, http.StatusOK, res.StatusCode)
	res, _ = h.get(t, b, "/")
	require.Equal(t, http.StatusSeeOther, res.StatusCode, "that session is of the other domain")
	_, body = h.get(t, b, "/customer1/meshsettings?id="+url.QueryEscape(id.Name()))
	require.Contains(t, body, "MeshServer=wss://"+h.address+"/customer1/agent.ashx\r\n")
	res, _ = h.get(t, b, "/meshsettings?id="+url.QueryEscape(string(id)))
	require.Equal(t, http.StatusUnauthorized, res.StatusCode, "a group of another domain")

	// And by the name.
	two := func(path string) *http.Response {
		req := must(http.NewRequest("GET", "https://"+h.address+path, nil))
		req.Host = "two.example.com"
		res, err := b.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		return res
	}
	require.Equal(t, "/login", two("/").Header.Get("Location"))
	require.Equal(t, http.StatusNotFound, two("/customer2/login").StatusCode)
	c, err = h.dial(t, "/", controlproto.PasswordLogin{User: "boss", Password: secret("customer2")}, http.Header{"Host": {"two.example.com"}})
	require.NoError(t, err)
	require.Equal(t, "customer2", c.ServerInfo().Domain)
}

// TestOriginsOfAllEndpoints asks every endpoint as pages of various sites would, with every kind of certificate: what kind
// that is makes no difference.
func TestOriginsOfAllEndpoints(t *testing.T) {
	cert, key := interop.SelfSigned(t, t.TempDir(), nil)
	for kind, start := range map[string]func() *here{
		"own root":     func() *here { return startHere(t, "") },
		"given":        func() *here { return startHere(t, "", "-web-cert", cert, "-web-key", key) },
		"of the proxy": func() *here { return startHere(t, `{"settings":{"tlsOffload":"127.0.0.1"}}`) },
	} {
		t.Run(kind, func(t *testing.T) {
			h := start()
			scheme := "https://"
			if h.cfg.File.TLSOffload {
				scheme = "http://"
			}
			browser := &http.Client{
				Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			origins := []string{"https://example.com", "https://127.0.0.1", "https://127.0.0.1:1", "null", "x", scheme + h.address}
			if !h.cfg.File.TLSOffload { // else it is the proxy that knows
				origins = append(origins, "http://"+h.address)
			}
			for _, origin := range origins {
				own := origin == scheme+h.address
				for _, path := range []string{
					"/", "/login", "/logout", "/events", "/live", "/static/live.js", "/agent.ashx", "/nobody/agent.ashx", "/meshsettings", "/meshagents",
					"/agentinvite", "/sharing", "/health.ashx", "/nothing",
				} {
					for _, method := range []string{"GET", "POST"} {
						req := must(http.NewRequestWithContext(t.Context(), method, scheme+h.address+path, nil))
						req.Header.Set("Origin", origin)
						res, err := browser.Do(req)
						require.NoError(t, err)
						var body []byte
						if res.StatusCode == http.StatusForbidden { // a live page does not end
							body = must(io.ReadAll(res.Body))
						}
						res.Body.Close()
						refused := bytes.Contains(body, []byte("another site"))
						require.Equal(t, !own, refused, "%s %s from %s: %s", method, path, origin, res.Status)
					}
				}
				client, err := controlproto.Dial(t.Context(), strings.Replace(scheme, "http", "ws", 1)+h.address+"/control.ashx",
					controlproto.PasswordLogin{User: "admin", Password: secret(herePassword)},
					controlproto.ClientConfig{DangerouslySkipVerify: !h.cfg.File.TLSOffload, Header: http.Header{"Origin": {origin}}})
				if own {
					require.NoError(t, err)
					require.NoError(t, client.Close())
				} else {
					require.ErrorIs(t, err, controlproto.ErrOrigin, origin)
				}
			}
		})
	}
}

// TestTLSOffload has a proxy in front that speaks TLS.
func TestTLSOffload(t *testing.T) {
	h := startHere(t, `{"settings":{"tlsOffload":"127.0.0.1"}}`)
	_, body := h.get(t, h.browser(t), "http://"+h.address+"/health.ashx")
	require.Equal(t, "ok", body)
	for origin, want := range map[string]error{"https://front.example.com": nil, "http://front.example.com": controlproto.ErrOrigin, "https://" + h.address: controlproto.ErrOrigin} {
		c, err := controlproto.Dial(t.Context(), "ws://"+h.address+"/control.ashx", controlproto.PasswordLogin{User: "admin", Password: secret(herePassword)},
			controlproto.ClientConfig{Header: http.Header{
				"Origin": {origin}, "X-Forwarded-Host": {"front.example.com"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"192.0.2.9"},
			}})
		if want != nil {
			require.ErrorIs(t, err, want, origin)
			continue
		}
		require.NoError(t, err, origin)
		c.Close()
	}
	// Who was refused is told before the log.
	require.Eventually(t, func() bool { return strings.Contains(h.log.String(), "192.0.2.9") }, patience, 10*time.Millisecond)
}

// TestExpiredCertificate is told at start, as it is the operators who would notice it.
func TestExpiredCertificate(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(86400, 0)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	dir := t.TempDir()
	for name, b := range map[string]*pem.Block{
		"c": {Type: "CERTIFICATE", Bytes: der}, "k": {Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600))
	}
	h := startHere(t, "", "-web-cert", filepath.Join(dir, "c"), "-web-key", filepath.Join(dir, "k"))
	require.Contains(t, h.log.String(), "certificate has expired")
}

func TestWarningsOfTheConfig(t *testing.T) {
	h := startHere(t, `{"settings":{"redirPort":80}}`)
	require.Equal(t, []string{"settings.redirPort is not supported"}, h.cfg.File.Warnings)
}
